"""A classifier that all tests of reports share."""

import numpy as np
import pytest

from tests.converter.report.helpers import (
    DT,
    N_STEPS,
    SPIKING,
    convert,
    numbers,
    two_layers,
)


@pytest.fixture(scope="package")
def classifier():
    """A spiking classifier, its data, and a report on it."""
    model = two_layers()
    converter = convert(model, SPIKING["integrate"], scale=2048.0)
    x, y = numbers((7, 6), seed=3), np.arange(7) % 4
    return converter, x, y, converter.report(x, y, n_steps=N_STEPS, dt=DT)
