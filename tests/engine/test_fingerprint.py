"""Fingerprints tell apart whatever computes something else."""

import functools
import itertools
import math
from typing import NamedTuple

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf

from nengo_dl import surrogates
from nengo_dl.engine.fingerprint import Fingerprints, NoFingerprint
from nengo_dl.ops import products
from nengo_dl.ops.surrogates import emitter
from nengo_dl.settings import Settings

GLOBAL = 2.0
inner = math.sin


def own(function, **changed):
    """Return a function as if it were one of the package, with other globals."""
    kind = type(function)
    made = kind(
        function.__code__,
        {**function.__globals__, **changed},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__module__ = "nengo_dl.made"
    return made


def captured(*values, **keywords):
    """Return a function that has captured values."""
    return own(lambda x: (x, values, keywords))


def by_default(value):
    def fn(x, factor=value):
        return x * factor

    return own(fn)


def by_keyword(value):
    def fn(x, *, factor=value):
        return x * factor

    return own(fn)


def by_global(value):
    def fn(x):
        return [x * GLOBAL for _ in range(2)]

    return own(fn, GLOBAL=value)


def by_function(value):
    def fn(x):
        return inner(x)

    return own(fn, inner=by_global(value))


def by_closure(value):
    function = captured(value)
    return own(lambda x: function(x))


class Pair(NamedTuple):
    first: float
    second: float


Pair.__module__ = "nengo_dl.made"

# Functions that return something new with the same fingerprint in each call
DIFFERENT = {
    "true": lambda: True,
    "one": lambda: 1,
    "one.0": lambda: 1.0,
    "two.0": lambda: 2.0,
    "text": lambda: "1",
    "bytes": lambda: b"1",
    "none": lambda: None,
    "zero": lambda: 0.0,
    "minus zero": lambda: -0.0,
    "nan": lambda: math.nan,
    "tuple": lambda: (1, 2),
    "other tuple": lambda: (2, 1),
    "nested tuple": lambda: ((1,), 2),
    "nested otherwise": lambda: ((1, 2),),
    "list": lambda: [1, 2],
    "named tuple": lambda: Pair(1, 2),
    "dict": lambda: {1: 2},
    "dict of two": lambda: {1: 2, 2: 1},
    "slice": lambda: slice(1, 2),
    "slice with step": lambda: slice(1, 2, 3),
    "range": lambda: range(1, 2),
    "float32": lambda: np.float32(1),
    "float64": lambda: np.float64(1),
    "array": lambda: np.arange(6.0),
    "array of ints": lambda: np.arange(6),
    "array of another shape": lambda: np.arange(6.0).reshape(2, 3),
    "other elements": lambda: np.arange(1.0, 7.0),
    "no elements": lambda: np.zeros((0, 2)),
    "dtype": lambda: np.dtype("float32"),
    "tf.dtype": lambda: tf.float32,
    "spec": lambda: tf.TensorSpec((1, None), tf.float32),
    "other spec": lambda: tf.TensorSpec((None, 1), tf.float32),
    "type": lambda: nengo.LIF,
    "ufunc": lambda: np.sin,
    "builtin": lambda: math.sin,
    "partial": lambda: functools.partial(captured(1), 2),
    "other partial": lambda: functools.partial(captured(1), 3),
    "keyword": lambda: functools.partial(captured(1), x=3),
    "captured": lambda: captured(1),
    "captured two": lambda: captured(2),
    "captured array": lambda: captured(np.arange(3)),
    "captured keyword": lambda: captured(factor=np.arange(3)),
    "default": lambda: by_default(1),
    "other default": lambda: by_default(2),
    "keyword default": lambda: by_keyword(1),
    "other keyword default": lambda: by_keyword(2),
    "global": lambda: by_global(1),
    "other global": lambda: by_global(2),
    "function": lambda: by_function(1),
    "other function": lambda: by_function(2),
    "closure": lambda: by_closure(1),
    "other closure": lambda: by_closure(2),
    "settings": Settings,
    "other settings": lambda: Settings(lif_smoothing=0.1),
    "surrogate": lambda: emitter(surrogates.FastSigmoid()),
    "other surrogate": lambda: emitter(surrogates.FastSigmoid(5.0)),
    "batch": lambda: products.Batch(((1, 2),), slice(2), slice(2), slice(1)),
    "other batch": lambda: products.Batch(((2, 1),), slice(2), slice(2), slice(1)),
}


class Changing:
    """Something that may change."""

    def method(self):
        """Return the object, which may be another one later."""
        return self


UNKNOWN = {
    "object": Changing,
    "class": lambda: Changing,
    "method": lambda: Changing().method,
    "method of a library": lambda: np.random.RandomState(0).uniform,
    "user's function": lambda: lambda x: x,
    "captured": lambda: captured(Changing()),
    "in an array": lambda: np.array([Changing()]),
    "in a list": lambda: [1, [Changing()]],
    "global function": lambda: own(by_function(1), inner=lambda x: x),
    "tensor": lambda: tf.constant(1.0),
    "layer": lambda: keras.layers.Dense(1),
    "settings": lambda: Settings(surrogate=lambda x: x),
    "ensemble": lambda: nengo.Ensemble(1, 1, add_to_container=False),
    "set": lambda: {1, 2},
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_same(name):
    make = DIFFERENT[name]
    assert Fingerprints().of(make()) == Fingerprints().of(make())


def test_different():
    found = {name: Fingerprints().of(make()) for name, make in DIFFERENT.items()}
    for one, other in itertools.combinations(found, 2):
        assert found[one] != found[other], (one, other)


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown(name):
    with pytest.raises(NoFingerprint):
        Fingerprints().of(UNKNOWN[name]())


def test_equal_parts_need_not_be_the_same_object():
    array = np.arange(3)
    pairs = [(array, array), (array, array.copy()), (array.copy(), array)]
    assert len({Fingerprints().of(pair) for pair in pairs}) == 1


def test_functions_that_call_themselves():
    def make(step):
        def count(n):
            return n if n < 0 else count(n - step)

        count.__module__ = "nengo_dl.made"
        return count

    assert Fingerprints().of(make(1)) == Fingerprints().of(make(1))
    assert Fingerprints().of(make(1)) != Fingerprints().of(make(2))


def test_a_function_that_is_not_complete():
    def fn():
        return later

    fn.__module__ = "nengo_dl.made"
    with pytest.raises(NoFingerprint, match="before it is complete"):
        Fingerprints().of(fn)
    later = 1
    assert Fingerprints().of(fn)


def test_size():
    fingerprints = Fingerprints()
    array = np.zeros(1000)
    fingerprints.of((array, captured(array), [np.zeros(10)]))
    assert fingerprints.nbytes == array.nbytes + 80
