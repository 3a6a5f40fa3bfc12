"""Outputs of spiking networks are functions of the mean of spikes, or of each step."""

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.nodes import RunningMean

SWAPS = {
    "relu": nengo_dl.IntegrateAndFire(
        initial_state={"voltage": nengo.dists.Choice([0])}
    )
}
N_STEPS = 30
REFERENCES = {
    "softmax": lambda x: keras.ops.convert_to_numpy(keras.ops.softmax(x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
}


def model_with(activation, nested=False, as_layer=False):
    """Return a model whose output has an activation, and the same one without it."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    # weights so large that neurons fire often
    init = keras.initializers.RandomNormal(stddev=500)
    hidden = keras.layers.Dense(20, activation="relu", kernel_initializer=init)(inputs)
    hidden = keras.layers.Rescaling(1 / 500)(hidden)
    dense = keras.layers.Dense(4)
    if as_layer:
        outputs = keras.layers.Activation(activation)(dense(hidden))
    else:
        outputs = keras.layers.Dense(4, activation=activation)(hidden)
    model = keras.Model(inputs, outputs)
    if nested:
        outer = keras.Input((6,))
        model = keras.Model(outer, model(outer))
    linear = keras.Model(inputs, keras.layers.Dense(4)(hidden))
    linear.set_weights(model.get_weights())
    return model, linear


def run(model, x, jit_compile=False, **options):
    """Convert a model; return the outputs of all steps, too.

    They are of shape (n_items, n_steps, size).
    """
    converter = nengo_dl.Converter(model, swap_activations=SWAPS, **options)
    with converter.net:
        nengo_dl.configure_settings(dtype="float64", jit_compile=jit_compile)
    with nengo_dl.Simulator(
        converter.net, minibatch_size=len(x), progress_bar=False
    ) as sim:
        found = sim.predict(np.repeat(x[:, None], N_STEPS, axis=1), verbose=0)
    return converter, found[converter.net.probes[0]]


@pytest.fixture
def x(rng):
    """Return some inputs of the models."""
    return rng.uniform(-1, 1, size=(3, 6))


# Any two of the first three go together somewhere; each activation with and without XLA
@pytest.mark.parametrize(
    "activation, nested, as_layer, jit_compile",
    [
        ("softmax", False, False, True),
        ("softmax", True, True, False),
        ("sigmoid", False, True, True),
        ("sigmoid", True, False, False),
        ("tanh", False, False, False),
        ("tanh", True, True, True),
    ],
)
def test_activation_is_that_of_the_mean_so_far(
    activation, nested, as_layer, jit_compile, x
):
    model, linear = model_with(activation, nested, as_layer)
    _, arriving = run(linear, x)
    n = np.arange(1, N_STEPS + 1)[:, None]
    mean = np.cumsum(arriving, axis=1) / n
    converter, found = run(model, x, jit_compile)
    assert set(converter.conversion.averages) == set(converter.net.probes)
    np.testing.assert_allclose(found, REFERENCES[activation](mean), atol=1e-6)
    converter, each = run(model, x, jit_compile, output="each_step")
    assert not converter.conversion.averages
    np.testing.assert_allclose(each, REFERENCES[activation](arriving), atol=1e-6)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_without_spikes_nothing_is_averaged(activation):
    model, _ = model_with(activation)
    converter = nengo_dl.Converter(model)
    assert not converter.conversion.averages
    assert not any(isinstance(n.output, RunningMean) for n in converter.net.all_nodes)
    assert converter.verify()


def test_spiking_outputs_and_linear_ones_are_as_they_were(x):
    for activation in ("relu", None):
        model, _ = model_with(activation)
        outputs = [run(model, x, output=o)[1] for o in ("average", "each_step")]
        np.testing.assert_array_equal(*outputs)


def test_each_output_for_itself(x):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(20, activation="relu")(inputs)
    outputs = [
        keras.layers.Dense(3)(hidden),
        keras.layers.Dense(3, activation="softmax")(hidden),
        keras.layers.Dense(3, activation="softmax")(inputs),
    ]
    converter = nengo_dl.Converter(keras.Model(inputs, outputs), swap_activations=SWAPS)
    averages = [
        probe in converter.conversion.averages for probe in converter.net.probes
    ]
    # the last one does not depend on any spikes
    assert averages == [False, True, False]


def test_a_softmax_classifier_keeps_its_decisions(x):
    model, _ = model_with("softmax")
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, size=(64, 6))
    wanted = model.predict(images, verbose=0).argmax(axis=-1)
    _, found = run(model, images)
    assert np.mean(found[:, -1].argmax(axis=-1) == wanted) > 0.95


def test_reports_and_recommended_steps_know_averages():
    model, _ = model_with("softmax")
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, size=(32, 6))
    labels = model.predict(images, verbose=0).argmax(axis=-1)
    converter = nengo_dl.Converter(
        model,
        swap_activations={"relu": nengo_dl.IntegrateAndFire()},
        scale_firing_rates="auto",
        calibration_data=images,
    )
    assert converter.recommended_steps is not None
    (output,) = converter.report(images, labels, n_steps=24).outputs
    assert output.accuracy == output.last_accuracy
    assert output.accuracy[-1] > 0.9


def test_nengo_runs_the_same(x):
    model, _ = model_with("softmax")
    converter, found = run(model, x[:1])
    converter.inputs[model.input].output = x[0]
    with nengo.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
    np.testing.assert_allclose(sim.data[converter.net.probes[0]], found[0], atol=1e-8)


def test_gradients_pass_through_the_mean():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64")
        source = nengo.Node(np.zeros(3))
        mean = nengo.Node(RunningMean(), size_in=3, size_out=3)
        nengo.Connection(source, mean, synapse=None)
        nengo.Probe(mean)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.check_gradients()


def test_other_values_are_refused():
    model, _ = model_with("softmax")
    with pytest.raises(ValueError, match="Converter.output: expected .average. or"):
        nengo_dl.Converter(model, output="mean")
