"""A network as a layer computes what it computes in the simulator."""

import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from tests import small_networks
from tests.keras_model.layers import draw_inputs, make_layer

N_STEPS = 12
NETWORKS = [
    small_networks.feedforward,
    small_networks.integrator,
    small_networks.passthrough,
    small_networks.trivial_transforms,
    small_networks.learning,
    small_networks.host_nodes,
    small_networks.sparse,
    small_networks.subnetworks,
]


def simulate(net, inputs, layer, n_steps=N_STEPS):
    """Run the simulator on the same inputs; its results by name of the probe."""
    n_items = len(next(iter(inputs.values())))
    data = {name: x for name, x in inputs.items() if name != "time"}
    with nengo_dl.Simulator(
        net, minibatch_size=n_items, progress_bar=False, device="/cpu:0", seed=0
    ) as sim:
        sim.run_steps(n_steps, data=data or None)
        return {name: sim.data[p] for p, name in layer.output_names.items()}


def make_float64(make):
    net = make()
    with net:
        nengo_dl.configure_settings(dtype="float64")
    return net


@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("n_items", [1, 3])
@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_layer_equals_simulator(make, n_items, jit_compile):
    net = make_float64(make)
    layer = make_layer(net)
    inputs = draw_inputs(layer, n_items, N_STEPS)

    @tf.function(
        jit_compile=jit_compile and layer.supports_jit,
    )
    def run(tensors):
        return layer(tensors)

    outputs = run({k: tf.constant(x) for k, x in inputs.items()})
    for name, expected in simulate(net, inputs, layer).items():
        np.testing.assert_allclose(
            np.broadcast_to(outputs[name], expected.shape),
            expected,
            rtol=1e-9,
            atol=1e-9,
        )


@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_sizes_may_be_unknown_when_tracing(make):
    """One trace serves all numbers of items and steps."""
    net = make_float64(make)
    layer = make_layer(net)
    example = draw_inputs(layer, 1, 1)
    specs = {
        k: tf.TensorSpec((None, None, x.shape[2]), x.dtype) for k, x in example.items()
    }
    run = tf.function(lambda tensors: layer(tensors), input_signature=[specs])
    for n_items, n_steps in [(1, 4), (3, 7)]:
        inputs = draw_inputs(layer, n_items, n_steps)
        outputs = run({k: tf.constant(x) for k, x in inputs.items()})
        expected = simulate(net, inputs, layer, n_steps)
        for name, values in expected.items():
            np.testing.assert_allclose(
                np.broadcast_to(outputs[name], values.shape),
                values,
                rtol=1e-9,
                atol=1e-9,
            )
    assert run.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("n_steps", [1, 5, 8, 9])
@pytest.mark.parametrize("unroll", [1, 4, 8])
def test_unrolling_changes_nothing(unroll, n_steps):
    net = make_float64(small_networks.integrator)
    layer = make_layer(net, engine={"unroll": unroll})
    inputs = draw_inputs(layer, 2, n_steps)
    expected = simulate(net, inputs, layer, n_steps)
    for name, output in layer(inputs).items():
        assert output.shape[1] == n_steps
        np.testing.assert_allclose(output, expected[name], rtol=1e-12, atol=1e-12)


def test_random_neurons_draw_anew_in_every_training_call():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(training_mode="spiking")
        ens = nengo.Ensemble(50, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()))
        nengo.Connection(nengo.Node([0.0]), ens)
        nengo.Probe(ens.neurons)
    layer = make_layer(net, training_mode="spiking", lif_smoothing=None)
    inputs = draw_inputs(layer, 2, N_STEPS)
    calls = {t: [layer(inputs, training=t)["probe"] for _ in range(2)] for t in (0, 1)}
    np.testing.assert_array_equal(*calls[0])
    assert not np.array_equal(*calls[1])
    layer.reseed(0)
    np.testing.assert_array_equal(layer(inputs, training=True)["probe"], calls[1][0])


def test_stateful_calls_continue():
    net = make_float64(small_networks.feedforward)
    layer = make_layer(net, minibatch_size=2, stateful=True)
    inputs = draw_inputs(layer, 2, 2 * N_STEPS)
    whole = layer(inputs)
    layer.keep.assign(True)
    halves = [
        layer({name: x[:, part] for name, x in inputs.items()})
        for part in (slice(N_STEPS), slice(N_STEPS, None))
    ]
    for name, expected in whole.items():
        output = np.concatenate([half[name] for half in halves], axis=1)
        np.testing.assert_allclose(output, expected, rtol=1e-12, atol=1e-12)


def test_many_layers_do_not_alarm_tensorflow(caplog):
    """It warns of functions that are traced again and again."""
    for _ in range(6):
        make_layer(small_networks.passthrough()).parameters.blocks()
    assert not [record for record in caplog.records if "retracing" in record.message]
