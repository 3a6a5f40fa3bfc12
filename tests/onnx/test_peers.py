"""Models of the zoo are what onnxruntime makes of them, in `make test-exchange`."""

import numpy as np
import pytest

import nengo_dl
from tests.onnx.models import LIGHT, in_double_precision, with_random_weights

runtime = pytest.importorskip("onnxruntime")


@pytest.fixture(params=LIGHT, ids=lambda path: path.stem)
def path(request):
    """Return the file of a model without weights."""
    return request.param


def distance(actual, expected):
    """Return the largest difference, relative to the largest value."""
    error = np.abs(np.reshape(actual, expected.shape) - expected).max()
    return error / np.abs(expected).max()


def run(model, x):
    """Return what onnxruntime makes of items, one by one, as models ask for."""
    session = runtime.InferenceSession(model.SerializeToString())
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[[i]]})[0] for i in range(len(x))])


def test_models_of_the_zoo(path):
    model = with_random_weights(path)
    x = np.random.default_rng(1).normal(size=(2, 3, 224, 224)).astype(np.float32)
    expected = run(model, x)
    translated = nengo_dl.onnx.to_keras(model)
    assert distance(translated(x), expected) < 1e-5


def test_double_precision():
    (path,) = (path for path in LIGHT if "zfnet" in path.stem)
    model = with_random_weights(path)
    x = np.random.default_rng(1).normal(size=(1, 3, 224, 224)).astype(np.float32)
    expected = run(model, x)
    translated = nengo_dl.onnx.to_keras(in_double_precision(model))
    assert distance(translated(x.astype(float)), expected) < 5e-6
