"""What all tests share."""

import hypothesis
import nengo
import pytest
import tensorflow as tf

# Decoders come from the network's seed alone, never from an earlier run.
nengo.rc.set("decoder_cache", "enabled", "False")

# `pytest --hypothesis-profile nightly` tries more, and other examples each time.
SLOW = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
hypothesis.settings.register_profile(
    "ci",
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=SLOW,
)
hypothesis.settings.register_profile(
    "nightly",
    max_examples=1000,
    deadline=None,
    print_blob=True,
    suppress_health_check=SLOW,
)
hypothesis.settings.load_profile("ci")


def pytest_collection_modifyitems(items):
    """Skip tests of the GPU where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not tf.config.list_physical_devices("GPU"):
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no GPU"))
