"""Networks evaluated over time: one chip after the other, and nothing else changed."""

import json

import matplotlib
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import SimulationError, ValidationError

import nengo_dl
from nengo_dl.durations import duration
from nengo_dl.hardware import PCM, DriftReport, Weights
from nengo_dl.simulator.drift_report import DriftMetric

DAY = 86400.0
TIMES = (1.0, DAY)
X = np.random.RandomState(0).uniform(-1, 1, size=(8, 3, 20))
WEIGHTS = np.random.RandomState(1).uniform(-1, 1, size=(30, 20))


@pytest.fixture(name="net")
def fixture_net():
    """Make a network with weights in devices, and with state."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(hardware=Weights(device=PCM()), jit_compile=False)
        net.node = nengo.Node(np.zeros(20), label="node")
        out = nengo.Node(size_in=30)
        net.conn = nengo.Connection(
            net.node, out, transform=WEIGHTS, synapse=0.01, label="conn"
        )
        net.probe = nengo.Probe(out, label="probe")
    return net


@pytest.fixture(name="sim")
def fixture_sim(net):
    """Make a simulator that has run, and is compiled."""
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        sim.run_steps(3, data={net.node: np.ones((4, 3, 20))})
        sim.compile(loss="mse", metrics=["mae"])
        yield sim


def everything(sim, net, path):
    """Return all that a report must not change."""
    sim.save_params(path, include_state=True)
    with np.load(f"{path}.npz") as file:
        found = {name: file[name] for name in file.files}
    return {**found, "n_steps": sim.n_steps, "data": sim.data[net.probe]}


def check_same(before, after):
    """Compare two of them."""
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(value, after[name], err_msg=name)


Y = np.zeros((8, 3, 30))


@pytest.mark.parametrize("compensation", ["global", "channel", None])
def test_values_are_those_of_one_chip_after_the_other(net, sim, compensation, tmp_path):
    before = everything(sim, net, tmp_path / "before")
    report = sim.evaluate_over_time(
        {net.node: X}, {net.probe: Y}, TIMES, 3, seed=5, compensation=compensation
    )
    check_same(before, everything(sim, net, tmp_path / "after"))
    exact = sim.evaluate({net.node: X}, {net.probe: Y}, verbose=0)
    assert report.exact == pytest.approx(exact)
    values = {name: [] for name in exact}
    for seed in (5, 6, 7):
        chip = sim.program(seed)
        for t in TIMES:
            with chip.at(t, compensation):
                found = sim.evaluate({net.node: X}, {net.probe: Y}, verbose=0)
            for name, value in found.items():
                values[name].append(value)
    for name, found in values.items():
        rows = np.reshape(found, (3, 2))
        for statistic in ("mean", "std", "min", "max"):
            ours = getattr(report, "sd" if statistic == "std" else statistic)[name]
            expected = getattr(np, statistic)(rows, axis=0)
            np.testing.assert_allclose(ours, expected, rtol=1e-6)
    assert report.times == TIMES and report.programmings == 3
    assert report.sd["loss"][0] > 0 and report.compensation == compensation


class Failure(Exception):
    """An error, or Ctrl-C."""


@pytest.mark.parametrize("error", [Failure, KeyboardInterrupt])
@pytest.mark.parametrize("n_calls", [0, 1, 4])
def test_failures_leave_all_as_it_was(net, sim, tmp_path, error, n_calls, monkeypatch):
    calls = []
    model, evaluate = sim.keras_model, sim.keras_model.evaluate

    def failing(*args, **kwargs):
        calls.append(1)
        if len(calls) > n_calls:
            raise error
        return evaluate(*args, **kwargs)

    before = everything(sim, net, tmp_path / "before")
    monkeypatch.setattr(model, "evaluate", failing)
    with pytest.raises(error):
        sim.evaluate_over_time(X, Y, TIMES, 3)
    monkeypatch.undo()
    assert len(calls) == n_calls + 1
    check_same(before, everything(sim, net, tmp_path / "after"))
    sim.fit(X, Y, verbose=0)  # which refuses weights that are lent


def test_nothing_is_compiled_for_another_programming(sim, monkeypatch):
    made, begin = [], tf.Graph.__init__

    def counted(*args, **kwargs):
        made.append(1)
        return begin(*args, **kwargs)

    monkeypatch.setattr(tf.Graph, "__init__", counted)
    counts = []
    for programmings in (1, 5):
        sim.evaluate_over_time(X, Y, TIMES, programmings)
        counts.append(len(made))
    assert counts[0] == counts[1] > 0


def test_networks_over_time_and_datasets(sim):
    held = sim.evaluate_over_time(X[:, :1], Y, TIMES, 2, n_steps=3)
    repeated = sim.evaluate_over_time(np.repeat(X[:, :1], 3, 1), Y, TIMES, 2)
    np.testing.assert_allclose(held.mean["loss"], repeated.mean["loss"], rtol=1e-5)
    dataset = tf.data.Dataset.from_tensor_slices(({"node": X}, {"probe": Y})).batch(4)
    by_dataset = sim.evaluate_over_time(dataset, times=TIMES, programmings=2)
    arrays = sim.evaluate_over_time(X, Y, TIMES, 2)
    np.testing.assert_allclose(by_dataset.mean["loss"], arrays.mean["loss"], rtol=1e-5)


REPORT = DriftReport(
    (0.0, 1.0, 3600.0, 31536000.0),
    "global",
    3,
    (
        DriftMetric("loss", 0.1, ((0.1, 0.2, 0.3, 0.4), (0.2, 0.3, 0.5, 0.9))),
        DriftMetric("probe_loss", 0.1, ((0.1, 0.2, 0.3, 0.4), (0.2, 0.3, 0.5, 0.9))),
        DriftMetric("probe_accuracy", 0.9, ((0.9, 0.8, 0.7, 0.6), (0.8, 0.8, 0.5, 0))),
    ),
)


def test_reports_are_data_and_text():
    contents = REPORT.to_dict()
    assert json.loads(json.dumps(contents)) == contents
    accuracy = contents["metrics"]["probe_accuracy"]
    np.testing.assert_allclose(accuracy["mean"], [0.85, 0.8, 0.6, 0.3])
    np.testing.assert_allclose(accuracy["sd"], [0.05, 0, 0.1, 0.3])
    assert accuracy["min"] == [0.8, 0.8, 0.5, 0] and accuracy["exact"] == 0.9
    assert hash(REPORT) and REPORT == REPORT
    rows = [line.split() for line in str(REPORT).splitlines()]
    assert ["1", "y", "0.3", "0.3", "0", "0.6"] in rows
    assert ["0", "s", "0.85", "0.05", "0.8", "0.9"] in rows
    times = (0.5, 59, 60, 5400, DAY, 30 * DAY, 2 * 365 * DAY)
    assert [*map(duration, times)] == [
        *("0.5 s", "59 s", "1 min", "1.5 h", "1 d", "30 d", "2 y")
    ]


def test_plots():
    matplotlib.use("Agg")
    figure = REPORT.plot()
    assert [ax.get_title() for ax in figure.axes] == ["loss", "probe_accuracy"]
    drawn = (REPORT.metrics[0], REPORT.metrics[2])
    for ax, metric in zip(figure.axes, drawn, strict=True):
        line = next(found for found in ax.lines if len(found.get_xdata()) == 4)
        np.testing.assert_array_equal(line.get_xdata(), REPORT.times)
        np.testing.assert_allclose(line.get_ydata(), REPORT.mean[metric.name])
        assert [x.get_text() for x in ax.get_xticklabels()] == "0 s,1 s,1 h,1 y".split(
            ","
        )
    (ax,) = REPORT.plot(["probe_loss"]).axes
    assert ax.get_title() == "probe_loss"
    with pytest.raises(KeyError, match="got 'acuracy'.*Did you mean 'probe_accuracy'"):
        REPORT.plot(["acuracy"])
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"times": 3}, "Simulator.times: must be several times.*got 3"),
        ({"times": ()}, "Simulator.times: must be one time or more"),
        ({"times": (1.0, -1.0)}, "Simulator.times: must be a number of sec.*got -1.0"),
        ({"programmings": 0}, "Simulator.programmings: .*at least 1.*got 0"),
        ({"seed": -1}, "Simulator.seed: .*got -1"),
        ({"compensation": "all"}, "Simulator.compensation: .*got 'all'"),
        ({"x": iter([X])}, "Simulator.x: must be data that can be read many times"),
    ],
)
def test_errors(sim, arguments, message):
    with pytest.raises(ValidationError, match=message):
        sim.evaluate_over_time(**{"x": X, "y": Y} | arguments)


def test_only_on_weights_in_devices_at_rest(net, sim):
    with pytest.raises(SimulationError, match="evaluate_over_time: .*within chip.at"):
        with sim.program().at(1.0):
            sim.evaluate_over_time(X, Y)
    digital = nengo_dl.hardware.remove(net)
    with nengo_dl.Simulator(digital, minibatch_size=4, progress_bar=False) as other:
        with pytest.raises(ValidationError, match="expected weights in devices"):
            other.evaluate_over_time(X, Y)
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as other:
        with pytest.raises(ValidationError, match="expected to know the loss"):
            other.evaluate_over_time(X, Y)
