"""Converted Keras models have the spikes that their graphs have elsewhere.

``python -m tests.nir.test_converted`` writes the graph that sinabs is recorded with.
"""

import keras
import nengo
import nir
import numpy as np
import pytest

import nengo_dl
from tests.nir.graphs import CONVERTED

DT, N_STEPS = 0.001, 20
# As sinabs integrates: many spikes in a step, at the threshold, from a voltage of 0
KIND = nengo_dl.SteppedLIF(reset="subtract", max_spikes=np.inf, strict=False)


def make_model(rng):
    """Make a convolutional network; no voltage of it just reaches the threshold."""
    inputs = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    x = keras.layers.AveragePooling2D(2, name="pooled")(x)
    x = keras.layers.Conv2D(6, 2, strides=1, activation="relu", name="second")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(5, activation="relu", name="third")(x)
    model = keras.Model(inputs, keras.layers.Dense(3, name="last")(x))
    model.set_weights([rng.normal(0.03, 0.2, w.shape) for w in model.get_weights()])
    return model


def converted():
    """Return the graph of a converted model that always has the same weights."""
    model = make_model(np.random.RandomState(0))
    converter = nengo_dl.Converter(
        model, swap_activations={"relu": KIND}, scale_firing_rates=700
    )
    return converter.to_nir(DT, pooling="sum")[0]


def test_sinabs_was_recorded_with_what_the_converter_writes():
    graph, recorded = converted(), nir.read(CONVERTED)
    assert set(graph.nodes) == set(recorded.nodes)
    assert sorted(graph.edges) == sorted(recorded.edges)
    for name, node in graph.nodes.items():
        for key, value in vars(node).items():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                np.testing.assert_allclose(
                    value, vars(recorded.nodes[name])[key], rtol=1e-6
                )


@pytest.mark.parametrize("pooling", ["average", "sum"])
def test_spikes_are_those_of_the_graph(pooling, rng):
    model = make_model(rng)
    converter = nengo_dl.Converter(
        model, swap_activations={"relu": KIND}, scale_firing_rates=700
    )
    names = ("first", "second", "third")
    with converter.net:
        probes = {n: nengo.Probe(converter.layers[n], synapse=None) for n in names}
    x = rng.uniform(size=(2, 8, 8, 2))
    steps = np.repeat(x.reshape(2, 1, -1), N_STEPS, axis=1)
    with nengo_dl.Simulator(converter.net, minibatch_size=2, progress_bar=False) as sim:
        out = sim.predict({converter.inputs[0]: steps}, verbose=0)

    fresh = nengo_dl.Converter(
        model, swap_activations={"relu": KIND}, scale_firing_rates=700
    )
    graph, report = fresh.to_nir(DT, pooling=pooling)
    channels_first = np.repeat(x.transpose(0, 3, 1, 2)[:, None], N_STEPS, axis=1)
    values = nengo_dl.nir.reference(
        graph, channels_first, DT, numerics="sinabs", all_nodes=True
    )
    spiking = [n for n, node in graph.nodes.items() if type(node).__name__ == "IF"]
    assert len(spiking) == len(names)
    total = 0
    for name, node in zip(names, spiking, strict=True):
        found = np.asarray(values[node]).reshape(2, N_STEPS, -1)
        shape = model.get_layer(name).output.shape[1:]
        ours = np.reshape(out[probes[name]], (2, N_STEPS, *shape))
        if len(shape) == 3:
            ours = ours.transpose(0, 1, 4, 2, 3)
        ours = ours.reshape(2, N_STEPS, -1)
        height = ours[ours > 0].min()
        np.testing.assert_array_equal(np.rint(ours / height), found)
        total += found.sum()
    assert total > 100
    assert not report.left_out


if __name__ == "__main__":
    nir.write(CONVERTED, converted())
