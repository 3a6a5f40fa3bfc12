"""Training by pulses: devices against a reference, pulse by pulse; the optimizer."""

import tempfile

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError
from sklearn.datasets import load_digits

import nengo_dl
from nengo_dl.hardware import (
    ConstantStep,
    GokmenVlasov,
    PulsedSGD,
    SoftBounds,
    Weights,
)
from nengo_dl.keras_model.hardware_marks import mark

DEVICES = (ConstantStep(), GokmenVlasov(), SoftBounds(up_down=0.1))
# Without differences and noise
EXACT = dict.fromkeys(
    ("dw_min_dtod", "dw_min_std", "up_down_dtod", "w_max_dtod", "w_min_dtod"), 0.0
)


def weights(values, name="weights", dtype="float64"):
    """Return a variable on hardware."""
    found = keras.Variable(np.asarray(values, dtype), dtype=dtype, name=name)
    mark(found, (name,))
    return found


def compiled(optimizer, variable, jit_compile=False):
    """Return a compiled function of a gradient that updates a variable."""
    return tf.function(
        lambda gradient: optimizer.apply([gradient], [variable]),
        jit_compile=jit_compile,
    )


def population(device, n, rng):
    """Draw devices by the formulas: steps up and down, bounds above and below."""
    size, bias, up, down = rng.normal(size=(4, n))
    bias = device.up_down + device.up_down_dtod * bias
    return np.maximum(
        [
            device.dw_min * (1 + bias + device.dw_min_dtod * size),
            device.dw_min * (1 - bias + device.dw_min_dtod * size),
            device.w_max * (1 + device.w_max_dtod * up),
            -device.w_min * (1 + device.w_min_dtod * down),
        ],
        1e-6,
    )


def reference(device, drawn, signs, rng):
    """Return the mean weight after each of many pulses, which come one by one."""
    step_up, step_down, high, low = drawn
    w, found = np.zeros(len(high)), []
    for sign in signs:
        step, bound = (step_up, high) if sign > 0 else (-step_down, -low)
        step = step * (1 + device.dw_min_std * rng.normal(size=len(w)))
        slope = 1 - w / bound if isinstance(device, SoftBounds) else 1
        w = np.clip(w + step * slope, -low, high)
        found.append(np.mean(w))
    return np.array(found)


@pytest.mark.parametrize(
    "device, per_update", [*((device, 5) for device in DEVICES), (DEVICES[2], 1)]
)
def test_mean_response_is_that_of_the_reference(device, per_update):
    """500 devices, their weights against the number of pulses up and then down."""
    n, n_pulses = 500, 200
    signs = np.repeat([1, -1], n_pulses)
    optimizer, w = PulsedSGD(1.0, device), weights(np.zeros(n))
    optimizer.build([w])
    update = compiled(optimizer, w)
    found = []
    for sign in signs[::per_update]:
        # a hair above the whole number: u decides about none of the pulses
        change = -sign * device.dw_min * per_update * (1 + 1e-9)
        update(tf.fill((n,), tf.constant(change, tf.float64)))
        found.append(np.mean(w))
    drawn = np.abs(np.asarray(optimizer.variables[-4:]))
    rng = np.random.default_rng(1)
    same = reference(device, drawn, signs, rng)[per_update - 1 :: per_update]
    others = reference(device, population(device, 20000, rng), signs, rng)
    np.testing.assert_allclose(found, same, atol=2 * device.dw_min)
    np.testing.assert_allclose(found, others[per_update - 1 :: per_update], atol=0.008)
    assert max(found) > 0.15 and abs(found[-1]) < max(found) / 2


@pytest.mark.parametrize("device", DEVICES)
def test_devices_have_the_statistics_of_the_formulas(device):
    drawn = device.draw((400, 500), seed=0, name="weights")
    expected = population(device, 200000, np.random.default_rng(1))
    for values, others in zip(drawn, expected, strict=True):
        mean, sd = np.mean(others), np.std(others)
        np.testing.assert_allclose(np.mean(np.abs(values)), mean, rtol=0.005)
        np.testing.assert_allclose(np.std(values), sd, rtol=0.01)
    asymmetry = np.std(drawn.step_up - drawn.step_down) / (2 * device.dw_min)
    np.testing.assert_allclose(asymmetry, device.up_down_dtod, rtol=0.03)


@pytest.mark.parametrize("change", [1e-5, 0.0004, 0.0025, 0.02])
def test_mean_change_is_that_of_gradient_descent(change):
    optimizer = PulsedSGD(0.5, ConstantStep(**EXACT))
    w = weights(np.zeros((200, 500)))
    optimizer.apply([np.full(w.shape, -2 * change)], [w])
    pulses = np.asarray(w) / 0.001
    np.testing.assert_allclose(pulses, np.round(pulses), atol=1e-9)
    rounding = np.sqrt(change / 0.001 % 1 * (1 - change / 0.001 % 1) / w.shape[0] / 500)
    assert abs(np.mean(pulses) - change / 0.001) <= 4 * rounding + 1e-9
    assert len(np.unique(np.round(pulses))) <= 2


@pytest.mark.parametrize("device", DEVICES)
def test_weights_stay_within_the_bounds_of_their_devices(device):
    optimizer, w = PulsedSGD(1.0, device), weights(np.zeros(300))
    optimizer.build([w])
    *_, high, low = (np.asarray(v) for v in optimizer.variables)
    rng = np.random.RandomState(0)
    for _ in range(20):
        before = np.asarray(w)
        gradients = np.where(rng.rand(300) < 0.5, 0, rng.randn(300))
        optimizer.apply([gradients], [w])
        after = np.asarray(w)
        assert np.all(after <= high) and np.all(after >= low)
        np.testing.assert_array_equal(after[gradients == 0], before[gradients == 0])
    assert np.max(np.abs(w)) > 0.5


def test_noise_of_steps_adds_up():
    device = ConstantStep(**EXACT | {"dw_min_std": 0.3, "w_max": 10.0})
    optimizer, w = PulsedSGD(1.0, device), weights(np.zeros(20000))
    optimizer.apply([np.full(20000, -0.001 * 25.0000001)], [w])
    np.testing.assert_allclose(np.mean(w) / 0.001, 25, rtol=0.002)
    np.testing.assert_allclose(np.std(w) / 0.001, 0.3 * 5, rtol=0.02)


def test_random_numbers_depend_on_seed_name_and_update_alone():
    def run(names, seed, n_updates=2):
        found = {name: weights(np.zeros((20, 30)), name) for name in names}
        optimizer = PulsedSGD(0.1, seed=seed)
        steps = []
        for _ in range(n_updates):
            before = {name: np.asarray(v) for name, v in found.items()}
            gradients = [np.full((20, 30), 0.005)] * len(found)
            optimizer.apply(gradients, list(found.values()))
            after = {name: np.asarray(v) for name, v in found.items()}
            steps.append({name: after[name] - before[name] for name in names})
        return steps

    first, second = run(("a", "b"), 3)
    other_order, _ = run(("c", "b", "a"), 3)
    for name in ("a", "b"):
        np.testing.assert_array_equal(first[name], other_order[name])
    values = [
        first["a"],
        first["b"],
        other_order["c"],
        second["a"],
        run("a", 4)[0]["a"],
    ]
    correlations = np.corrcoef(np.reshape(values, (len(values), -1)))
    assert np.max(np.abs(correlations - np.eye(len(values)))) < 0.2


def test_equal_names_of_several_networks_have_devices_of_their_own():
    one, two = weights(np.zeros(500)), weights(np.zeros(500))
    optimizer = PulsedSGD(1.0)
    optimizer.build([one, two])
    first, second = np.reshape(optimizer.variables[2:], (2, 4, 500))
    assert np.all(np.abs(np.corrcoef(first[0], second[0])[0, 1]) < 0.2)


@pytest.mark.parametrize("device", DEVICES[1:])
def test_compiled_and_uncompiled_updates_are_equal(device):
    rng = np.random.RandomState(0)
    values = rng.uniform(-0.5, 0.5, size=(30, 40))
    gradients = rng.normal(scale=0.1, size=(5, 30, 40))
    found = []
    for jit_compile in (False, True):
        optimizer, w = PulsedSGD(0.1, device), weights(values, dtype="float32")
        optimizer.build([w])
        update = compiled(optimizer, w, jit_compile)
        for gradient in gradients:
            update(tf.constant(gradient, tf.float32))
        found.append(np.asarray(w))
    np.testing.assert_allclose(*found, atol=1e-6)
    assert np.max(np.abs(found[0] - values)) > 0.01


def test_clipping_schedules_and_accumulation_come_before_pulses():
    def moved(gradients, learning_rate=0.1, **kwargs):
        device = ConstantStep(**EXACT)
        optimizer, w = PulsedSGD(learning_rate, device, **kwargs), weights(np.zeros(4))
        for gradient in gradients:
            optimizer.apply([np.full(4, gradient)], [w])
        return np.round(np.asarray(w) / 0.001)

    np.testing.assert_allclose(moved([-5.0], clipvalue=0.2000001), 20)
    np.testing.assert_allclose(moved([-5.0], clipnorm=0.4000001), 20)
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.1, 0.2])
    np.testing.assert_allclose(moved([-0.1000001] * 2, schedule), 10 + 20)
    steps = {"gradient_accumulation_steps": 2}
    np.testing.assert_allclose(moved([-0.3], **steps), 0)
    np.testing.assert_allclose(moved([-0.3, -0.1000001], **steps), 20)


def test_stacked_weights_are_updated_as_those_alone():
    """Keras has one variable for many equal parameters, with digital ones in it."""
    rng = np.random.RandomState(0)
    values, gradients = rng.uniform(-0.3, 0.3, size=(2, 3, 20, 30))
    alone = [weights(values[i], name) for i, name in ((0, "a"), (2, "b"))]
    PulsedSGD(0.1).apply(list(gradients[[0, 2]]), alone)
    together = keras.Variable(values, dtype="float64")
    mark(together, ("a", None, "b"))
    PulsedSGD(0.1).apply([gradients], [together])
    a, digital, b = np.asarray(together)
    np.testing.assert_array_equal([a, b], np.asarray(alone))
    expected = values[1] - np.float64(np.float32(0.1)) * gradients[1]
    np.testing.assert_allclose(digital, expected, rtol=1e-12)


def network(n):
    """Make connections of equal shapes, the last of which is digital."""
    values = np.random.RandomState(0).uniform(-0.3, 0.3, size=(n, 3, 2))
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(hardware=Weights(), jit_compile=False)
        net.node = nengo.Node(np.ones(2), label="node")
        out = nengo.Node(size_in=3)
        conns = [
            nengo.Connection(
                net.node, out, transform=each, synapse=None, label=f"conn{i}"
            )
            for i, each in enumerate(values)
        ]
        net.config[conns[-1]].hardware = None
        net.probe = nengo.Probe(out, label="probe")
    return net


X, Y = np.random.RandomState(0).uniform(-1, 1, size=(2, 40, 1, 3))
X = X[..., :2]


def simulator(n, optimizer):
    """Return a simulator of a network that is ready for training."""
    net = network(n)
    sim = nengo_dl.Simulator(net, minibatch_size=20, seed=0, progress_bar=False)
    sim.compile(optimizer, loss="mse")
    return sim, {net.node: X}, {net.probe: Y}


def parameters(sim):
    """Return all weights by name."""
    with tempfile.TemporaryDirectory() as folder:
        sim.save_params(f"{folder}/params")
        with np.load(f"{folder}/params.npz") as found:
            return {name: found[name] for name in found if name.startswith("conn")}


@pytest.mark.parametrize("n", [3, 10])
def test_what_is_on_hardware_gets_pulses_and_all_else_is_as_with_sgd(n):
    found = []
    device = ConstantStep(**EXACT)
    for optimizer in (PulsedSGD(0.1, device), keras.optimizers.SGD(0.1)):
        sim, x, y = simulator(n, optimizer)
        with sim:
            before = parameters(sim)
            sim.fit(x, y, steps_per_epoch=1, shuffle=False, verbose=0)
            found.append(parameters(sim))
    pulsed, descended = found
    digital = f"conn{n - 1}.weights"
    assert len(before) == n
    np.testing.assert_allclose(pulsed.pop(digital), descended[digital], rtol=1e-6)
    for name, values in pulsed.items():
        change = (values - before[name]) / device.dw_min
        expected = (descended[name] - before[name]) / device.dw_min
        np.testing.assert_allclose(change, np.round(change), atol=1e-3)
        assert np.all(np.abs(change - expected) < 1) and np.any(np.abs(change) > 2)


def test_training_that_is_resumed_is_as_without_interruption(tmp_path):
    def train(path, epochs):
        sim, _, _ = simulator(3, PulsedSGD(0.1, seed=1))
        with sim:
            x, y = {"node": X}, {"probe": Y}
            nengo_dl.resume_fit(sim, x, y, tmp_path / path, epochs=epochs, verbose=0)
            return parameters(sim)

    whole = train("whole", 2)
    train("parts", 1)
    resumed = train("parts", 2)
    for name, values in whole.items():
        np.testing.assert_array_equal(resumed[name], values)


@keras.saving.register_keras_serializable(package="test_pulses")
def small_network():
    return network(3)


@pytest.mark.parametrize("device", [GokmenVlasov(), SoftBounds(dw_min=0.002)])
def test_saved_models_go_on_with_the_same_devices(device, tmp_path):
    inputs = keras.Input((1, 2))
    model = keras.Model(inputs, nengo_dl.NengoLayer(small_network)(inputs))
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    optimizer = PulsedSGD(schedule, device, seed=7, clipnorm=1.0)
    model.compile(optimizer, "mse", jit_compile=False)
    options = {"batch_size": 20, "shuffle": False, "verbose": 0}
    model.fit(X, Y, **options)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.device == device and loaded.optimizer.seed == 7
    assert loaded.optimizer.get_config() == optimizer.get_config()
    for mine, theirs in zip(
        loaded.optimizer.variables, optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    for each in (model, loaded):
        each.fit(X, Y, **options)
    for mine, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def digits_network():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(hardware=Weights(), trainable=None)
        net.images = layer = nengo.Node(np.zeros(64))
        for size in (64, 64, 10):
            last, layer = layer, nengo.Node(size_in=size)
            if size != 10:
                ens = nengo.Ensemble(
                    size,
                    1,
                    neuron_type=nengo.RectifiedLinear(),
                    gain=nengo.dists.Choice([1]),
                    bias=nengo.dists.Choice([0]),
                )
                layer = ens.neurons
                net.config[ens].trainable = False
                net.config[layer].trainable = True
            nengo.Connection(
                last, layer, transform=nengo_dl.dists.Glorot(), synapse=None
            )
        net.output = nengo.Probe(layer)
    return net


@pytest.mark.parametrize(
    "device, least", [(ConstantStep(), 96.5), (GokmenVlasov(), 97.0)]
)
def test_digits_are_learned_in_memory(device, least):
    x, y = load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(x))
    x, y = x[order, None] / 16, y[order, None, None]
    train, test = slice(0, 1280), slice(1280, 1792)
    net = digits_network()
    with nengo_dl.Simulator(net, minibatch_size=16, seed=0, progress_bar=False) as sim:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        sim.compile(PulsedSGD(0.1, device), loss=loss, metrics=["accuracy"])
        keras.utils.set_random_seed(0)
        sim.fit({net.images: x[train]}, {net.output: y[train]}, epochs=12, verbose=0)
        found = sim.evaluate({net.images: x[test]}, {net.output: y[test]}, verbose=0)
    (accuracy,) = (value for key, value in found.items() if "accuracy" in key)
    assert 100 * accuracy >= least


@pytest.mark.parametrize("kind", [ConstantStep, SoftBounds])
@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("dw_min", 0, "a positive number"),
        ("w_max", -0.6, "a positive number"),
        ("w_min", 0.6, "a negative number"),
        ("dw_min_std", -0.1, "at least 0"),
        ("w_min_dtod", "0.3", "at least 0"),
        ("up_down", 1.5, "from -1 to less than 1"),
    ],
)
def test_invalid_devices_are_refused(kind, name, value, expected):
    with pytest.raises(ValidationError, match=rf"{name}.*{expected} \(got"):
        kind(**{name: value})


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"device": ConstantStep}, r"device.*must be ConstantStep or SoftBounds"),
        ({"seed": -1}, r"seed.*must be a whole number"),
        ({"weight_decay": 0.1}, r"weight_decay.*must be left out \(got 0.1\)"),
        ({"use_ema": True}, r"use_ema.*must be left out \(got True\)"),
    ],
)
def test_invalid_arguments_are_refused(arguments, expected):
    with pytest.raises(ValidationError, match=expected):
        PulsedSGD(0.1, **arguments)


def test_models_without_hardware_are_refused():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile(PulsedSGD(0.1), "mse")
    with pytest.raises(
        ValidationError, match=r"weights on hardware.*kernel.*hardware="
    ):
        model.fit(X[:, 0], Y[:, 0], verbose=0)


def test_weights_that_training_clips_are_refused():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(hardware=Weights(clip=2.5))
        source, target = nengo.Node(np.ones(2)), nengo.Node(size_in=3)
        nengo.Connection(source, target, transform=np.ones((3, 2)), synapse=None)
        nengo.Probe(target)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.compile(PulsedSGD(0.1), "mse")
        with pytest.raises(ValidationError, match=r"pulses alone.*clip=\.\.\."):
            sim.fit(np.ones((1, 1, 2)), np.ones((1, 1, 3)), verbose=0)


def test_weights_beyond_the_bounds_are_warned_of():
    with pytest.warns(UserWarning, match=r"-0\.6 to 0\.6.*got 0 to 30 in 'weights'"):
        PulsedSGD(0.1).build([weights([0.0, 30.0])])
