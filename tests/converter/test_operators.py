"""Converted operators compute what Keras computes, and messages name them."""

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from tests.converter.cases import random_inputs, seeded
from tests.converter.operators import JOINS, NO_GRADIENTS, ONE, PAIRS, TWO, joined

ATOL = 1e-5


def converted(model, **options):
    """Convert a model, without fallback."""
    converter = nengo_dl.Converter(model, allow_fallback=False, **options)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=False)
    return converter


def outputs(converter, inputs):
    """Compute the outputs of a network for a minibatch, in TensorFlow."""
    n_items = len(inputs[0])
    feed = {
        converter.inputs[tensor]: x.reshape(n_items, 1, -1)
        for tensor, x in zip(converter.model.inputs, inputs, strict=True)
    }
    with nengo_dl.Simulator(
        converter.net, minibatch_size=n_items, progress_bar=False
    ) as sim:
        sim.run_steps(1, data=feed)
        return sim.data[converter.outputs[converter.model.output]][:, 0]


def reference(converter, inputs):
    """Compute the outputs for the first item, in ``nengo.Simulator``."""
    for tensor, x in zip(converter.model.inputs, inputs, strict=True):
        converter.inputs[tensor].output = x[0].ravel()
    with nengo.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(1)
    return sim.data[converter.outputs[converter.model.output]][0]


def check(cases, *shapes):
    """Check the law for all cases that take inputs of the same shapes."""
    model, names = joined(cases, *shapes)
    inputs = random_inputs(model)
    wanted = keras.ops.convert_to_numpy(model(inputs if len(shapes) > 1 else inputs[0]))
    assert np.all(np.isfinite(wanted))
    converter = converted(model)
    for got, right in (
        (outputs(converter, inputs), wanted),
        (reference(converter, inputs), wanted[0]),
    ):
        wrong = np.abs(got - right) > ATOL + ATOL * np.abs(right)
        assert not set(np.array(names)[np.any(np.atleast_2d(wrong), axis=0)])


@pytest.mark.parametrize("shape", ONE, ids=str)
def test_operators(shape):
    check(ONE[shape], shape)


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
def test_operators_of_two_tensors(shapes):
    check(TWO, *shapes)
    if shapes[0] != shapes[1]:
        check(TWO, *shapes[::-1])
    else:
        check(JOINS, *shapes)


@pytest.mark.parametrize("shape", ONE, ids=str)
def test_gradients_pass_operators(shape):
    cases = {n: make for n, make in ONE[shape].items() if n not in NO_GRADIENTS}
    model, _ = joined(cases, shape, trained=True)
    converter = converted(seeded(model))
    assert converter.verify(training=True, inputs=random_inputs(model), atol=ATOL)
