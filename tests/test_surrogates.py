import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.surrogates import (
    NAMED,
    ArcTan,
    FastSigmoid,
    RateDerivative,
    Triangular,
    by_name,
    is_surrogate,
)

FUNCTIONS = [
    FastSigmoid(),
    FastSigmoid(slope=0.5),
    ArcTan(),
    ArcTan(alpha=5),
    Triangular(),
    Triangular(height=1, width=0.5),
]
DISTANCES = np.linspace(-3, 3, 61)


@pytest.mark.parametrize("surrogate", FUNCTIONS, ids=repr)
def test_largest_at_the_threshold_and_symmetric(surrogate):
    values = surrogate(DISTANCES)
    assert np.all(values >= 0) and np.all(values <= 1)
    assert np.argmax(values) == 30
    np.testing.assert_allclose(values, values[::-1])
    assert np.all(np.diff(values[30:]) <= 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("surrogate", FUNCTIONS, ids=repr)
def test_tensors_and_arrays_give_the_same(surrogate, dtype):
    tensor = surrogate(tf.constant(DISTANCES, dtype))
    assert tensor.dtype == dtype
    np.testing.assert_allclose(tensor, surrogate(DISTANCES), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("surrogate", FUNCTIONS, ids=repr)
def test_finite_everywhere(surrogate):
    values = surrogate(tf.constant([-1e30, -1e20, -1e-30, 0.0, 1e-30, 1e30])).numpy()
    assert np.all(np.isfinite(values))
    assert values[0] == values[-1] == 0


@pytest.mark.parametrize(
    "surrogate, sigmoid",
    [
        (FastSigmoid(4), lambda x: x / (1 + 4 * np.abs(x))),
        (ArcTan(3), lambda x: np.arctan(np.pi / 2 * 3 * x) / (np.pi / 2 * 3)),
        (Triangular(0.5, 2), lambda x: 0.5 * (x - np.sign(x) * x**2 / 4)),
    ],
)
def test_derivative_of_a_sigmoid(surrogate, sigmoid):
    x, step = DISTANCES[np.abs(DISTANCES) < 1.9], 1e-6
    x = x[x != 0]
    numeric = (sigmoid(x + step) - sigmoid(x - step)) / (2 * step)
    np.testing.assert_allclose(surrogate(x), numeric, rtol=1e-6)


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda value: FastSigmoid(slope=value), "slope"),
        (lambda value: ArcTan(alpha=value), "alpha"),
        (lambda value: Triangular(height=value), "height"),
        (lambda value: Triangular(width=value), "width"),
    ],
)
@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan])
def test_arguments_are_positive(make, name, value):
    message = rf"{name}: must be a positive, finite number \(got .*Leave it out"
    with pytest.raises(ValidationError, match=message):
        make(value)


def test_names():
    kinds = [FastSigmoid, ArcTan, Triangular, RateDerivative]
    assert list(map(type, NAMED.values())) == kinds
    for name, surrogate in NAMED.items():
        assert is_surrogate(name) and is_surrogate(surrogate)
        assert by_name(name) == surrogate == by_name(surrogate)
    assert is_surrogate(np.tanh) and by_name(np.tanh) is np.tanh
    assert not any(map(is_surrogate, ["relu", None, 1.0, FastSigmoid, RateDerivative]))
