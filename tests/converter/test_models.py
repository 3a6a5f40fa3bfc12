"""Models of realistic shape convert without fallback, and compute the same."""

import keras
import pytest

import nengo_dl
from tests.converter.cases import seeded
from tests.converter.models import MODELS, TRAINABLE
from tests.converter.test_layers import check


@pytest.mark.parametrize("name", MODELS)
def test_models(name):
    model = seeded(MODELS[name]())
    check(model, inference_only=name not in TRAINABLE)


@pytest.mark.parametrize("name", ["MobileNetV2", "ResNet50"])
def test_applications(name):
    make = getattr(keras.applications, name)
    model = make(weights=None, input_shape=(32, 32, 3), classes=10)
    converter = nengo_dl.Converter(model, allow_fallback=False, inference_only=True)
    assert converter.outputs[model.output].size_in == 10
