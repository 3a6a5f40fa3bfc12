"""What all tests share."""

import hypothesis
import keras
import nengo
import pytest
import tensorflow as tf

# Decoders come from the network's seed alone, never from an earlier run.
nengo.rc.set("decoder_cache", "enabled", "False")

# `pytest --hypothesis-profile nightly` tries more, and other examples each time.
SLOW = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
hypothesis.settings.register_profile(
    "ci",
    max_examples=15,
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


# Files with tests of a minute: first, so that no worker is alone with one at the end.
LONG = (
    *("test_distribution.py", "test_random_networks.py", "test_keras_in_nengo.py"),
    *("test_notebooks.py", "test_docs.py", "test_random_models.py"),
)


def pytest_collection_modifyitems(items):
    """Begin with what takes long; skip tests of the GPU where there is none."""
    items.sort(key=lambda item: item.path.name not in LONG)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not tf.config.list_physical_devices("GPU"):
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no GPU"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Draw the same numbers in a test, whichever tests its process ran before."""
    keras.utils.set_random_seed(0)
