"""The keys of a converted network's inputs and outputs."""

import keras
import numpy as np
import pytest
from keras import layers as kl

import nengo_dl
from nengo_dl import Converter
from tests.converter.cases import random_inputs, seeded


def make_sim(net):
    return nengo_dl.Simulator(
        net, minibatch_size=2, progress_bar=False, device="/cpu:0"
    )


def output_models():
    """Yield models by what is special about their outputs, with how many there are."""
    inputs, inner_inputs = keras.Input((4,), name="probe"), keras.Input((4,))
    x = kl.Dense(3, activation="relu", name="loss")(inputs)
    y = kl.Dense(2, name="node")(x)
    inner = keras.Model(inner_inputs, [kl.ReLU()(inner_inputs), inner_inputs])
    nested = inner(kl.Dense(4)(inputs))
    yield "one", keras.Model(inputs, y), 1
    yield "list of one", keras.Model(inputs, [y]), 1
    yield "other order", keras.Model(inputs, [y, x, inputs]), 3
    yield "twice", keras.Model(inputs, [x, y, x, inputs, y]), 5
    yield "one object", keras.Model(inputs, [x, kl.Flatten()(x)]), 2
    yield "names", keras.Model({"probe": inputs}, {"z": y, "a": x}), 2
    yield "nested", keras.Model(inputs, [*nested, y]), 3


OUTPUT_MODELS = {name: (model, n) for name, model, n in output_models()}


@pytest.mark.parametrize("name", OUTPUT_MODELS)
def test_probes_have_no_label(name):
    """Keys are those of the contract, whatever layers are called, in order."""
    model, n = OUTPUT_MODELS[name]
    converter = Converter(seeded(model), allow_fallback=False)
    net, (x,) = converter.net, random_inputs(model, 2)
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    if name == "twice":
        assert converter.verify(training=True, atol=1e-5)
    wanted = keras.tree.flatten(model.predict(x, verbose=0))
    names = [f"probe_{i}" if i else "probe" for i in range(n)]
    with make_sim(net) as sim:
        assert [sim.get_name(probe) for probe in net.probes] == names
        assert sim.get_name(converter.inputs[model.inputs[0]]) == "node"
        found = sim.predict(x[:, None], verbose=0)
        for probe, y in zip(net.probes, wanted, strict=True):
            np.testing.assert_allclose(found[probe][:, 0], y, atol=1e-5)
        sim.compile(loss="mse", metrics=["mae"])
        targets = [y[:, None] + 1 for y in wanted]
        result = sim.evaluate(x[:, None], targets, verbose=0)
    keys = {f"{name}_{what}" for name in names for what in ("loss", "mae")}
    assert set(result) == {"loss", *keys}
    ids = [id(tensor) for tensor in model.outputs]
    first = [net.probes[ids.index(i)] for i in ids]  # of several of one tensor
    assert [converter.outputs[tensor] for tensor in model.outputs] == first


def test_input_nodes_have_no_label():
    inputs = [keras.Input((n + 1,), name=name) for n, name in enumerate("cab")]
    model = seeded(keras.Model(inputs, kl.Dense(2)(kl.Concatenate()(inputs))))
    converter = Converter(model, allow_fallback=False)
    x = random_inputs(model, 2)
    with make_sim(converter.net) as sim:
        nodes = [converter.inputs[tensor] for tensor in inputs]
        assert [sim.get_name(node) for node in nodes] == ["node", "node_1", "node_2"]
        by_order = sim.predict([value[:, None] for value in x], verbose=0)
        data = dict(zip(("node", "node_1", "node_2"), x, strict=True))
        data = {name: value[:, None] for name, value in data.items()}
        by_name = sim.predict(data, verbose=0)
    probe = converter.outputs[model.output]
    np.testing.assert_allclose(by_order[probe][:, 0], model(x), atol=1e-5)
    np.testing.assert_array_equal(by_order[probe], by_name[probe])
