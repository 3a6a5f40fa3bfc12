"""Networks in Loihi's integers: weights, decays, outputs, and what is refused."""

import functools

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl
from nengo.exceptions import BuildError, ValidationError
from sklearn.datasets import load_digits

import nengo_dl
from nengo_dl import LoihiLIF
from nengo_dl.hardware import LOIHI, check, loihi, rewiring
from nengo_dl.hardware.paths import Paths
from nengo_dl.nodes.array_node import ArrayNode, Scale

DT = 0.001


def run(net, n_steps):
    """Return the data of all probes, from nengo.Simulator."""
    with nengo.Simulator(net, dt=DT, progress_bar=False) as sim:
        sim.run_steps(n_steps)
        return [sim.data[probe] for probe in net.probes]


def feedforward(neuron_type=None, synapse=0.005):
    """Decode a value, and its square in a second population."""
    kind = nengo.LIF() if neuron_type is None else neuron_type
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = kind
        net.config[nengo.Connection].synapse = synapse
        stimulus = nengo.Node(lambda t: np.sin(6 * t))
        first = nengo.Ensemble(80, 1, label="first")
        second = nengo.Ensemble(60, 1, label="second")
        relay = nengo.Node(size_in=1, label="relay")
        nengo.Connection(stimulus, first)
        nengo.Connection(first, relay, function=np.square)
        nengo.Connection(relay, second, synapse=None)
        nengo.Probe(first, synapse=0.03)
        nengo.Probe(second, synapse=0.03)
    return net


def memory():
    """Integrate an input."""
    with nengo.Network(seed=1) as net:
        stimulus = nengo.Node(lambda t: float(t < 0.2))
        ens = nengo.Ensemble(150, 1)
        nengo.Connection(stimulus, ens, transform=0.4, synapse=0.1)
        nengo.Connection(ens, ens, synapse=0.1)
        nengo.Probe(ens, synapse=0.05)
    return net


def neurons(n, kind, seed):
    """Make neurons that are used as such."""
    rng = np.random.RandomState(seed)
    return nengo.Ensemble(
        n, 1, neuron_type=kind, gain=rng.uniform(1, 2, n), bias=rng.uniform(0, 2, n)
    ).neurons


def wiring():
    """Connect neurons through nodes: two to one, with factors, with averages."""
    with nengo.Network(seed=2) as net:
        net.config[nengo.Connection].synapse = None
        first = neurons(16, nengo.LIF(amplitude=0.01), 0)
        second = neurons(16, nengo.LIF(amplitude=0.02), 1)
        third = neurons(32, nengo.LIF(amplitude=0.01), 2)
        fourth = neurons(6, nengo.LIF(), 3)
        relay, means = nengo.Node(size_in=16), nengo.Node(size_in=8)
        factors = ArrayNode(Scale((32,), (32,), np.linspace(1, 2, 32)))
        nengo.Connection(first, relay)
        nengo.Connection(second, relay)
        nengo.Connection(relay, third, transform=FILTERS)
        nengo.Connection(third, factors)
        nengo.Connection(factors, means, transform=np.kron(np.eye(8), np.ones(4) / 4))
        weights = np.random.RandomState(4).normal(size=(4, 8))
        nengo.Connection(means, fourth[1:5], transform=weights)
        nengo.Probe(third, synapse=0.1)
        nengo.Probe(fourth, synapse=0.1)
    return net


FILTERS = nengo.Convolution(
    2,
    (4, 4, 1),
    padding="same",
    init=np.random.RandomState(3).normal(size=(3, 3, 1, 2)),
)
NETWORKS = {
    "wiring": wiring,
    "LIF": feedforward,
    "LIF, forgetful of inhibition": lambda: feedforward(nengo.LIF(min_voltage=-np.inf)),
    "LIF, other constants": lambda: feedforward(nengo.LIF(0.05, 0.001), 0.02),
    "memory": memory,
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_decoded_values_stay_near_those_of_the_network(make):
    net = make()
    chip = loihi(net, DT)
    for ours, theirs in zip(run(chip, 600), run(net, 600), strict=True):
        ours, theirs = ours[100:], theirs[100:]
        assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.1 * max(np.ptp(theirs), 1)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_all_of_a_network_is_on_the_chip_and_the_network_as_it_was(make):
    net = make()
    before = [(c.synapse, repr(c.transform)) for c in net.all_connections]
    report = check(loihi(net, DT), strict=True)
    assert report.fits and "no violations" in str(report)
    assert before == [(c.synapse, repr(c.transform)) for c in net.all_connections]
    assert not any(isinstance(e.neuron_type, LoihiLIF) for e in net.all_ensembles)
    assert not check(net).fits


def test_weights_between_neurons_are_what_loihi_holds():
    chip = loihi(feedforward(), DT)
    (conn,) = (
        c
        for c in chip.all_connections
        if isinstance(c.pre_obj, nengo.ensemble.Neurons)
        and isinstance(c.post_obj, nengo.ensemble.Neurons)
    )
    kind = conn.post_obj.ensemble.neuron_type
    gain = np.array(conn.post_obj.ensemble.gain)[:, None]
    height = conn.pre_obj.ensemble.neuron_type.amplitude
    weights = gain * conn.transform.init * height
    mantissas = weights / np.abs(weights[weights != 0]).min()
    assert LOIHI.has(weights)
    assert 100 < len(np.unique(weights.round())) <= 256
    np.testing.assert_allclose(mantissas, mantissas.round(), atol=1e-6)
    assert (kind.decay_u, kind.decay_v, kind.refractory) == (742, 200, 2)
    assert kind.decay_u == round(4096 * (1 - np.exp(-DT / 0.005)))
    assert kind.decay_v == round(4096 * (1 - np.exp(-DT / 0.02)))


# Values of a host are rounded where they arrive, which depends on the precision.
@pytest.mark.parametrize("make, dtype", [(feedforward, "float64"), (wiring, "float32")])
def test_both_simulators_compute_the_same_integers(make, dtype):
    chip = loihi(make(), DT)
    with chip:
        nengo_dl.configure_settings(dtype=dtype)
        for ens in chip.all_ensembles:
            for state in ("current", "voltage"):
                nengo.Probe(ens.neurons, state)
            nengo.Probe(ens.neurons, "refractory_time")
    expected = run(chip, 150)
    with nengo_dl.Simulator(chip, dt=DT, progress_bar=False) as sim:
        sim.run_steps(150)
        found = [sim.data[probe] for probe in chip.probes]
    assert sum(map(np.any, expected)) >= 8
    for ours, theirs in zip(found[2:], expected[2:], strict=True):
        np.testing.assert_array_equal(ours, theirs)


# --- converted models -----------------------------------------------------------------


@functools.cache
def digits():
    """Return images and labels, for training and for the test."""
    data = load_digits()
    order = np.random.RandomState(0).permutation(len(data.target))
    x, y = data.images[order][..., None] / 16, data.target[order]
    return (x[:1200], y[:1200]), (x[1200:], y[1200:])


def dense():
    x = inputs = keras.Input((8, 8, 1))
    x = kl.Flatten()(x)
    for _ in range(2):
        x = kl.Dense(48, activation="relu")(x)
    return keras.Model(inputs, kl.Dense(10)(x))


def conv():
    x = inputs = keras.Input((8, 8, 1))
    for filters in (8, 16):
        x = kl.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = kl.AveragePooling2D(2)(x)
    return keras.Model(inputs, kl.Dense(10)(kl.Flatten()(x)))


def accuracy(net, x, y, n_steps=40):
    """Return how many labels the mean output gets right, in per cent."""
    node = next(n for n in net.all_nodes if type(n) is nengo.Node and not n.size_in)
    (probe,) = net.all_probes
    steps = np.tile(x.reshape(len(x), 1, -1), (1, n_steps, 1))
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, minibatch_size=len(x), progress_bar=False) as sim:
        scores = sim.predict({node: steps}, verbose=0)[probe].mean(axis=1)
    return 100 * np.mean(scores.argmax(axis=1) == y)


@functools.cache
def trained(make):
    """Return a model that has learned the digits."""
    keras.utils.set_random_seed(0)
    model, ((x, y), _) = make(), digits()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.005), loss=loss, jit_compile=False)
    model.fit(x, y, batch_size=50, epochs=15, verbose=0)
    return model


# models, neuron types, rates in Hz, and the points that may be lost
CONVERTED = {
    "dense, LIF": (dense, nengo.LIF(), 2000, 0.5),
    "conv, LIF": (conv, nengo.LIF(), 2000, 0.5),
    "dense, IF": (dense, nengo_dl.IntegrateAndFire(), 250, 1.0),
}


@pytest.mark.parametrize("make, kind, rate, loss", CONVERTED.values(), ids=CONVERTED)
def test_digits_stay_as_accurate(make, kind, rate, loss):
    model, ((x, _), test) = trained(make), digits()
    converter = nengo_dl.Converter(
        model,
        swap_activations={"relu": kind},
        scale_firing_rates="auto",
        calibration_data=x[:100],
        target_rate=rate,
        inference_only=True,
    )
    chip = loihi(converter.net, DT)
    assert check(chip).fits
    before, after = (accuracy(net, *test) for net in (converter.net, chip))
    assert before > 90
    assert after >= before - loss


def test_convolutions_stay_convolutions():
    model = conv()
    converter = nengo_dl.Converter(
        model,
        swap_activations={"relu": nengo_dl.IntegrateAndFire()},
        scale_firing_rates=200,
        inference_only=True,
    )
    chip = loihi(converter.net, DT)
    second = chip.all_ensembles[1].neurons
    (conn,) = (c for c in chip.all_connections if c.post_obj == second)
    assert isinstance(conn.transform, nengo.Convolution)
    values = conn.transform.init / np.abs(conn.transform.init).max()
    assert 60 < len(np.unique(values)) <= 256
    report = check(chip)
    assert report.fits
    assert [core.neurons for core in report.cores] == [512, 256]
    # taps of the second convolution within 4 x 4 averages of 4 neurons each
    taps = sum((4 - abs(i)) * (4 - abs(j)) for i in (-1, 0, 1) for j in (-1, 0, 1))
    zeros = np.sum(conn.transform.init == 0)
    assert report.cores[1].axons_in == 512
    assert taps * 8 * 16 * 4 * 0.9 < report.cores[1].synapses <= taps * 8 * 16 * 4
    assert (report.cores[1].synapses == taps * 8 * 16 * 4) == (zeros == 0)


# --- what has no form -----------------------------------------------------------------


def test_one_error_lists_all_that_has_no_form():
    with nengo.Network() as net:
        rates = nengo.Ensemble(5, 1, neuron_type=nengo.LIFRate(), label="rates")
        mixed = nengo.Ensemble(5, 1, label="mixed")
        slow = nengo.Ensemble(5, 1, neuron_type=nengo.LIF(tau_ref=0.1), label="slow")
        slow.max_rates = nengo.dists.Choice([5])
        nengo.Connection(rates, mixed, synapse=0.1)
        nengo.Connection(mixed, mixed, synapse=0.005)
        nengo.Connection(mixed, slow, synapse=nengo.Alpha(0.1), label="alpha")
        relay = nengo.Node(size_in=1, label="relay")
        nengo.Connection(relay, relay, synapse=0.1, label="cycle")
        nengo.Connection(relay, mixed, synapse=None)
    with pytest.raises(BuildError) as error:
        loihi(net)
    for text in (
        "rates.*neurons of LIF, IntegrateAndFire.*got LIFRate",
        "mixed.*one time constant.*got 0.005 s, 0.1 s",
        "slow.*at most 64 steps.*got 100",
        "alpha.*Lowpass or a delay.*Alpha",
        "cycle.*no cycle of nodes",
    ):
        error.match(f"(?s){text}")


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: loihi(3), "loihi: expected a Network"),
        (lambda: loihi(nengo.Network(), dt=0), "loihi: must be a positive number"),
        (lambda: check(3), "check: expected a Network"),
        (
            lambda: check(nengo.Network(), chip=3),
            "check: expected chip to be ChipLimits",
        ),
    ],
)
def test_wrong_arguments(call, match):
    with pytest.raises(ValidationError, match=match):
        call()


def test_sparse_weights_are_the_same(monkeypatch):
    expected = run(loihi(wiring(), DT), 50)
    monkeypatch.setattr(rewiring, "MAX_DENSE", 10)
    chip = loihi(wiring(), DT)
    assert any(isinstance(c.transform, nengo.Sparse) for c in chip.all_connections)
    for ours, theirs in zip(run(chip, 50), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


# --- paths ----------------------------------------------------------------------------


def wired(transforms, sizes):
    """Connect nodes of sizes to neurons, by one transform after the other."""
    with nengo.Network(seed=0) as net:
        last = nengo.Node(np.zeros(sizes[0]))
        for i, size in enumerate(sizes[1:-1]):
            node = nengo.Node(size_in=size)
            nengo.Connection(last, node, transform=transforms[i], synapse=None)
            last = node
        ens = nengo.Ensemble(
            sizes[-1], 1, neuron_type=LoihiLIF(), gain=nengo.dists.Uniform(1, 2)
        )
        ens.bias = np.zeros(sizes[-1])
        nengo.Connection(last, ens.neurons, transform=transforms[-1], synapse=None)
        net.probe = nengo.Probe(ens.neurons, "input")
    return net


def convolution(shape, n_filters, kernel, strides, padding, last=True, groups=1):
    n_in = shape[-1 if last else 0]
    init = np.random.RandomState(1).normal(size=(*kernel, n_in // groups, n_filters))
    return nengo.Convolution(
        n_filters,
        shape,
        kernel_size=kernel,
        strides=strides,
        padding=padding,
        channels_last=last,
        groups=groups,
        init=init,
    )


TRANSFORMS = {
    "strides": [convolution((7, 6, 3), 4, (3, 2), (2, 1), "same")],
    "channels first": [convolution((3, 7, 6), 4, (3, 3), (2, 2), "valid", last=False)],
    "groups": [convolution((5, 5, 4), 4, (2, 2), (1, 1), "same", groups=2)],
    "one axis": [convolution((9, 2), 3, (4,), (2,), "same")],
    "two": [
        convolution((6, 6, 1), 2, (3, 3), (1, 1), "valid"),
        convolution((4, 4, 2), 3, (2, 2), (2, 2), "valid"),
    ],
    "dense": [nengo.Dense((5, 4), init=np.arange(20.0).reshape(5, 4))],
}


@pytest.mark.parametrize("transforms", TRANSFORMS.values(), ids=TRANSFORMS)
def test_matrices_of_paths_are_what_nengo_computes(transforms):
    sizes = [t.size_in for t in transforms] + [transforms[-1].size_out]
    net = wired(transforms, sizes)
    x = np.random.RandomState(2).normal(size=sizes[0])
    net.all_nodes[0].output = x
    with nengo.Simulator(net, dt=DT, progress_bar=False) as sim:
        sim.step()
        expected = sim.data[net.probe][0]
    paths = Paths(net, sim.model)
    ((path,),) = paths.by_target.values()
    assert not paths.problems and len(path.links) == len(transforms)
    np.testing.assert_allclose(path.matrix @ x, expected, atol=1e-6)
