"""Data of every type that NumPy has means its values, wherever it is given."""

import keras
import ml_dtypes
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from tests.simulator.helpers import make_sim

# numbers, in both orders of bytes where there are two
NUMBERS = [
    *("?", "i1", "u1", "f4", "<f8", "g"),
    *(order + code for code in ("i2", "u2", "i8", "f2") for order in "<>"),
    *(">i4", ">u4", ">u8", ">f4", ">f8", ">g"),
    *(ml_dtypes.bfloat16, ml_dtypes.int4, ml_dtypes.float8_e4m3fn),
]
# those for which fit, which takes most of the time, could differ from the rest
FEW = [">i4", ">u2", ">f8", ">g", "?", ml_dtypes.int4]
OTHERS = ["O", "U3", "S3", "c8", ">c16", "m8[s]", "M8[s]", [("a", ">i4")], "V2"]

LABELS = np.array([1, 0, 1, 1]).reshape((4, 1, 1))
INPUTS = np.array([[1, 0], [0, 1], [1, 1], [0, 0]]).reshape((4, 1, 2))


@pytest.fixture(scope="module")
def sim():
    """Simulate a layer whose outputs, losses and updates show what went in."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node(np.zeros(2), label="node")
        dense = keras.layers.Dense(2, kernel_initializer="ones")
        nengo.Probe(nengo_dl.Layer(dense)(node), label="probe")
    with make_sim(net, minibatch_size=2) as sim:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        sim.compile(keras.optimizers.SGD(0.1), loss=loss, metrics=["accuracy"])
        yield sim


def trained(sim, x, y, weight, **kwargs):
    """Fit from the same start; return what was reported and what was learned."""
    before = sim.keras_model.get_weights()
    try:
        history = sim.fit(
            x, y, sample_weight=weight, shuffle=False, verbose=0, **kwargs
        )
        return [*history.history.values(), *sim.keras_model.get_weights()]
    finally:
        sim.keras_model.set_weights(before)


def stepped(sim, x, y, weight):
    sim.reset(include_trainable=False)
    sim.run_steps(1, data={"node": x[:2]})
    return list(sim.data[sim.model.probes[0]])


METHODS = {
    "predict": lambda sim, x, y, w: list(sim.predict(x, verbose=0).values()),
    "on_batch": lambda sim, x, y, w: list(sim.predict_on_batch(x[:2]).values()),
    "run_steps": stepped,
    "evaluate": lambda sim, x, y, w: list(
        sim.evaluate(x, y, sample_weight=w, verbose=0).values()
    ),
    "fit": trained,
    "validation": lambda sim, x, y, w: trained(
        sim, INPUTS, LABELS, None, validation_data=(x, y, w)
    ),
}
EXPECTED = {}


@pytest.mark.parametrize(
    "method, dtype",
    [
        (method, dtype)
        for method in METHODS
        for dtype in (FEW if method in ("fit", "validation") else NUMBERS)
    ],
    ids=str,
)
def test_numbers_of_every_type(sim, method, dtype):
    call = METHODS[method]
    if method not in EXPECTED:
        EXPECTED[method] = call(sim, INPUTS, LABELS, LABELS[:, 0, 0])
    inputs, labels = INPUTS.astype(dtype), LABELS.astype(dtype)
    actual = call(sim, inputs, labels, labels[:, 0, 0])
    for one, other in zip(actual, EXPECTED[method], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize(
    "dtype", [d for d in NUMBERS if d not in ("g", ">g", ml_dtypes.int4)], ids=str
)
def test_layers_take_numbers_of_every_type(dtype):
    """All but those that Keras refuses before it calls a layer."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node(np.zeros(2))
        nengo.Probe(node)
    outputs = nengo_dl.NengoLayer(net)(INPUTS.astype(dtype))
    np.testing.assert_array_equal(outputs, INPUTS)


@pytest.mark.parametrize("dtype", OTHERS, ids=str)
@pytest.mark.parametrize("argument", ["inputs", "targets", "weights"])
def test_other_types_are_errors(sim, argument, dtype):
    data = {"inputs": INPUTS, "targets": LABELS, "weights": LABELS[:, 0, 0]}
    data[argument] = np.zeros(data[argument].shape, dtype)
    with pytest.raises(ValidationError, match="array of real numbers.*got dtype"):
        trained(sim, *data.values())
    if argument == "inputs":
        for call in (METHODS["predict"], METHODS["on_batch"], stepped):
            with pytest.raises(ValidationError, match="array of real numbers"):
                call(sim, *data.values())
