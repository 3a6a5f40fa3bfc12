"""Warnings of the Converter point to the line that called it."""

import keras
import keras.layers as kl
import nengo
import pytest

from nengo_dl import Converter


def make_model():
    """Make a model with a layer that has no native form, and one that may spike."""
    inputs = keras.Input((4,))
    x = kl.Dense(3, activation="relu")(inputs)
    return keras.Model(inputs, kl.UnitNormalization()(x))


@pytest.mark.parametrize(
    "options",
    [{}, {"swap_activations": {"relu": nengo.SpikingRectifiedLinear()}}],
    ids=["fallback", "rates"],
)
def test_lines(options):
    with pytest.warns(UserWarning) as caught:
        Converter(make_model(), **options)
    assert {warning.filename for warning in caught} == {__file__}
