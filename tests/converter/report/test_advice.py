"""Advice fits what is in a report."""

import keras
import numpy as np
import pytest
from keras import layers as kl

from tests.converter.cases import seeded
from tests.converter.report.helpers import SPIKING, convert, numbers


def test_advice():
    inputs = keras.Input((6,))
    x = kl.Dense(5, activation="relu", name="first")(inputs)
    x = kl.Dense(5, activation="tanh", name="second")(x)
    model = seeded(keras.Model(inputs, kl.Dense(4, "softmax", name="last")(x)))
    x, y = numbers((7, 6)), np.arange(7) % 4
    options = {"neuron_type": SPIKING["integrate"], "output": "each_step"}
    with pytest.warns(UserWarning, match="Tanh"):
        text = " ".join(convert(model, scale=2048.0, **options).report(x, y, 4).advice)
    assert "Output 'last' is computed from the spikes of single steps" in text
    assert "Neurons of second put out rates" in text
    with pytest.warns(UserWarning, match="Tanh"):
        report = convert(model, scale=1e-3, **options).report(x, y, 4)
    assert "No neuron of first fires" in str(report)
