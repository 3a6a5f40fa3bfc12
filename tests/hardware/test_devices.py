"""Devices: the formulas' statistics, and simulations with weights that drift."""

import signal
from dataclasses import dataclass

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError, ValidationError

import nengo_dl
from nengo_dl.hardware import PCM, Device, PowerLaw, Weights
from nengo_dl.simulator.runner import Runner

N_DEVICES = 100_000
DAY = 86400.0


@pytest.mark.parametrize("g", [0.0, 0.02, 0.2, 0.5, 0.8, 1.0])
def test_programmed_pcm_has_the_statistics_of_the_formulas(g):
    state = PCM().program(np.full(N_DEVICES, g), np.random.default_rng(0))
    # moments of a Gaussian with its negative part at zero, and of one folded
    sd = max(-1.1731 * g**2 + 1.9650 * g + 0.26348, 0) / 25
    xi = np.random.default_rng(1).standard_normal(1_000_000)
    reached = np.maximum(g + sd * xi, 0)
    logarithm = np.log(max(g, 1e-12))
    mean = np.clip(-0.0155 * logarithm + 0.0244, 0.049, 0.1)
    exponents = np.abs(mean + np.clip(-0.0125 * logarithm - 0.0059, 0.008, 0.045) * xi)
    for found, expected in (
        (state.conductance, reached),
        (state.exponent, exponents),
    ):
        np.testing.assert_allclose(np.mean(found), np.mean(expected), atol=6e-4)
        np.testing.assert_allclose(np.std(found), np.std(expected), atol=6e-4)


@pytest.mark.parametrize("t", [1.0, DAY, 365 * DAY])
def test_read_pcm_has_the_statistics_of_the_formulas(t):
    device, rng = PCM(programming=0.0), np.random.default_rng(0)
    state = device.program(np.full(N_DEVICES, 0.5), rng)
    drifted = 0.5 * ((t + 20) / 20) ** -state.exponent
    share = min(0.0088 / 0.5**0.65, 0.2)
    sd = drifted * share * np.sqrt(np.log((t + 20 + 250e-9) / 500e-9))
    noise = (device.read(state, t, rng) - drifted) / sd
    np.testing.assert_allclose((np.mean(noise), np.std(noise)), (0, 1), atol=0.01)
    still = PCM(programming=0.0, reading=0.0, drift=0.0)
    np.testing.assert_array_equal(still.read(still.program([0.5], rng), t, rng), 0.5)


@dataclass(frozen=True)
class Halved(Device):
    """Devices of a user: half of the conductance is read."""

    def program(self, g, rng):
        """Keep the conductances."""
        return g

    def read(self, state, t, rng):
        """Return half of them."""
        return 0.5 * state

    def sd(self, g):
        """Return a tenth of them."""
        return 0.1 * g


WEIGHTS = np.random.RandomState(0).uniform(-1, 1, size=(30, 20))


def network(device, labels=("first", "second"), **arguments):
    """Make a network of matrices in devices."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(
            hardware=Weights(device=device, **arguments),
            dtype="float64",
            jit_compile=False,
        )
        net.node = nengo.Node(np.ones(20), label="node")
        net.conns, net.outputs = {}, {}
        for label in labels:
            out = nengo.Node(size_in=30)
            net.conns[label] = nengo.Connection(
                net.node, out, transform=WEIGHTS, synapse=None, label=label
            )
            net.outputs[label] = nengo.Probe(out, label=f"{label} probe")
    return net


def test_all_methods_compute_with_the_weights_at_a_time():
    net = network(PCM())
    probe, conn = net.outputs["first"], net.conns["first"]
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.compile(loss={probe: "mse"})
        for _ in range(2):  # without and with a Keras model
            chip = sim.program(seed=3)
            with chip.at(DAY, compensation=None):
                weights = chip.weights(DAY, compensation=None)["first.weights"]
                np.testing.assert_array_equal(sim.data[conn].weights, weights)
                sim.run_steps(1)
                predicted = sim.predict(n_steps=1, verbose=0)[probe]
                loss = sim.evaluate(y={probe: predicted}, n_steps=1, verbose=0)["loss"]
                for name, call in {
                    "fit": lambda y: sim.fit(n_steps=1, y={probe: y}),
                    "reset": lambda y: sim.reset(),
                    "load_params": lambda y: sim.load_params("not there"),
                }.items():
                    with pytest.raises(SimulationError, match=f"{name}: .*chip.at"):
                        call(predicted)
            expected = weights @ np.ones(20)
            np.testing.assert_allclose(sim.data[probe][-1], expected, atol=1e-12)
            np.testing.assert_allclose(predicted[0, 0], expected, atol=1e-12)
            assert loss < 1e-20
            np.testing.assert_array_equal(sim.data[conn].weights, WEIGHTS)
        with chip.at(DAY):
            sim.freeze_params(net)
            np.testing.assert_array_equal(
                conn.transform.init, chip.weights(DAY)["first.weights"]
            )
        assert sim.n_steps == 2


@pytest.mark.parametrize("compensation", ["global", "channel"])
def test_compensation_undoes_drift_that_all_devices_share(compensation):
    with nengo_dl.Simulator(network(PowerLaw(nu=0.1)), progress_bar=False) as sim:
        chip = sim.program()
        np.testing.assert_allclose(
            chip.weights(DAY, None)["first.weights"], WEIGHTS * (DAY + 1) ** -0.1
        )
        np.testing.assert_allclose(
            chip.weights(DAY, compensation)["first.weights"], WEIGHTS
        )


def test_chips_depend_on_seed_and_names_alone():
    found = []
    for labels, seed in (
        (("first", "second"), 1),
        (("other", "second", "first"), 1),
        (("first", "second"), 2),
    ):
        net = network(PCM(), labels)
        with nengo_dl.Simulator(net, progress_bar=False) as sim:
            chip = sim.program(seed)
            found.append(chip.weights(DAY))
            np.testing.assert_array_equal(
                chip.weights(DAY)["first.weights"], found[-1]["first.weights"]
            )
    for name in ("first.weights", "second.weights"):
        np.testing.assert_array_equal(found[0][name], found[1][name])
        assert not np.any(found[0][name] == found[2][name])
    assert not np.any(found[0]["first.weights"] == found[0]["second.weights"])


def test_a_device_of_a_user():
    net = network(Halved(), per="tensor", device_noise=2.0)
    largest = np.max(np.abs(WEIGHTS))
    with nengo_dl.Simulator(net, seed=0, progress_bar=False) as sim:
        chip = sim.program()
        np.testing.assert_allclose(chip.weights(0, None)["first.weights"], WEIGHTS / 2)
        calls = [
            sim.keras_model({"node": np.eye(20)[None]}, training=True)
            for _ in range(20)
        ]
    noise = np.array([call["first_probe"][0] for call in calls]).transpose(0, 2, 1)
    xi = (noise - WEIGHTS) / (2 * 0.1 * np.abs(WEIGHTS))
    np.testing.assert_allclose((np.mean(xi), np.std(xi)), (0, 1), atol=0.05)
    assert largest <= 1


def test_training_goes_on_after_programming():
    net = network(PCM(), noise=0.1)
    targets = {probe: np.zeros((1, 1, 30)) for probe in net.outputs.values()}
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        chip = sim.program()
        with chip.at(1.0):
            pass
        sim.compile(keras.optimizers.SGD(1.0), loss="mse")
        sim.fit(n_steps=1, y=targets, verbose=0)
        assert not np.array_equal(sim.data[net.conns["first"]].weights, WEIGHTS)


@pytest.mark.parametrize("n_before", [0, 1])
def test_ctrl_c_while_weights_are_exchanged(n_before, monkeypatch):
    net = network(PCM())
    put, calls = Runner.put, []

    def interrupted(*args):
        if len(calls) == n_before:
            signal.raise_signal(signal.SIGINT)
        calls.append(1)
        put(*args)

    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        chip = sim.program()
        monkeypatch.setattr(Runner, "put", interrupted)
        with pytest.raises(KeyboardInterrupt), chip.at(DAY):
            assert n_before == 1, "the block is not entered"
        assert len(calls) == 2
        np.testing.assert_array_equal(sim.data[net.conns["first"]].weights, WEIGHTS)
        sim.compile(loss="mse")
        targets = {probe: np.zeros((1, 1, 30)) for probe in net.outputs.values()}
        sim.fit(n_steps=1, y=targets, verbose=0)  # which refuses weights of chips


def chip(time, compensation="global"):
    """Ask a chip for its weights."""
    with nengo_dl.Simulator(network(PCM()), progress_bar=False) as sim:
        return sim.program().weights(time, compensation)


def program(device, seed=0):
    """Program a network."""
    net = network(device, noise=0.1)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        return sim.program(seed)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: chip(-1.0), "Chip.t: must be a number of seconds.*got -1.0"),
        (lambda: chip(np.nan), "Chip.t: must be a number of seconds.*got nan"),
        (lambda: chip(1.0, "all"), "Chip.compensation: must be 'global', .*got 'all'"),
        (lambda: program(None), "Simulator.program: expected weights in devices"),
        (lambda: program(PCM(), -1), "Simulator.seed: .*got -1"),
        (lambda: PCM(t_0=0), "PCM.t_0: must be a positive number.*got 0"),
        (lambda: PCM(drift=-1), "PCM.drift: must be a number of at least 0.*got -1"),
        (lambda: PowerLaw(nu="a"), "PowerLaw.nu: .*got 'a'"),
        (lambda: Weights(device=PCM), "Weights.device: must be a Device.*an instance"),
        (lambda: Weights(bits=4, device=PCM()), "Weights.device: must be None with"),
        (lambda: Weights(device_noise=1), "device_noise: must be 0 without a device"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValidationError, match=message):
        call()
