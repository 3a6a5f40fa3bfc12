"""What is drawn is what was recorded: laws about marks, lines and labels."""

import matplotlib
import nengo
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from nengo.exceptions import ValidationError
from nengo.utils.ensemble import tuning_curves

import nengo_dl
from nengo_dl import plots

RNG = np.random.RandomState(0)
DT = 0.002
# spikes in each of 50 steps, of 12 neurons
COUNTS = RNG.choice([0, 0, 0, 1, 1, 2, 3], size=(50, 12))
COUNTS[0] = 1  # each neuron has a step with one spike
AMPLITUDES = [1, 0.01, 3.7, np.linspace(0.1, 5, 12)]
SIGNAL = RNG.uniform(-1, 1, size=(3, 40, 2))

ON_PROBES = [plots.raster, plots.rates, plots.decoded]


@pytest.fixture(autouse=True)
def ax():
    """Draw without a screen, into new axes."""
    matplotlib.use("Agg")
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def spikes(counts=COUNTS, amplitude=1):
    """Return spikes as a probe records them."""
    return (counts * np.asarray(amplitude) / DT).astype(np.float32)


def marks(ax):
    """Return time and row of each mark, in order."""
    points = [line.get_xydata() for line in ax.lines]
    points = np.concatenate([np.empty((0, 2)), *points])
    lower, upper, gaps = points.reshape(-1, 3, 2).transpose(1, 0, 2)
    assert np.isnan(gaps).all()
    times, rows = (lower + upper).T / 2
    order = np.lexsort([times, rows])
    return times[order], rows[order]


def lines(ax):
    """Return the vertical coordinates of all lines, as columns."""
    found = [line for line in ax.lines if len(line.get_xdata())]
    return np.stack([line.get_ydata() for line in found], axis=1)


@pytest.mark.parametrize("amplitude", AMPLITUDES, ids=str)
@pytest.mark.parametrize("is_told", [True, False])
def test_raster_has_a_mark_for_each_spike(ax, amplitude, is_told):
    given = amplitude if is_told else None
    plots.raster(spikes(amplitude=amplitude), amplitude=given, dt=DT)
    times, rows = marks(ax)
    np.testing.assert_array_equal(np.bincount(np.rint(rows).astype(int)), COUNTS.sum(0))
    # a step includes its end, and not its start
    steps = np.ceil(times / DT - 1e-6).astype(int) - 1
    np.testing.assert_array_equal(np.bincount(steps), COUNTS.sum(axis=1))


def test_single_spikes_are_at_the_ends_of_steps(ax):
    counts = RNG.choice([0, 1], size=(30, 4))
    plots.raster(spikes(counts), dt=DT)
    neurons, steps = np.nonzero(counts.T)
    np.testing.assert_allclose(marks(ax), [DT * (steps + 1), neurons])


def test_several_spikes_are_spread_over_their_step(ax):
    plots.raster(spikes([[1], [4]]), dt=DT)
    np.testing.assert_allclose(marks(ax)[0], DT * np.array([1, 1.25, 1.5, 1.75, 2]))


def test_the_smallest_spike_counts_as_one_unless_the_amplitude_is_known(ax):
    plots.raster(spikes([[2], [4]]), dt=DT)
    assert len(marks(ax)[0]) == 3
    ax.clear()
    plots.raster(spikes([[2], [4]]), amplitude=1, dt=DT)
    assert len(marks(ax)[0]) == 6


@pytest.mark.parametrize("colour", ["tab:green", (0, 0.5, 1), "0.3"])
def test_all_marks_have_the_colour_that_is_given(ax, colour):
    plots.raster(spikes([[1, -1], [0, -2]]), colour=colour, dt=DT)
    (line,) = ax.lines
    assert to_rgb(line.get_color()) == pytest.approx(to_rgb(colour), abs=0.01)


def test_neurons_have_the_colours_that_are_given(ax):
    colours = ["#ff0000", "0.2", "tab:blue", "#ff0000"]
    plots.raster(spikes(), [4, 9, 0, 2], colour=colours, dt=DT)
    for line in ax.lines:
        rows = np.rint(line.get_ydata()[::3] + 0.35).astype(int)
        for row in np.unique(rows):
            expected = to_rgb(colours[row])
            assert to_rgb(line.get_color()) == pytest.approx(expected, abs=0.01)
    assert len(ax.lines) == 3
    with pytest.raises(ValidationError, match=r"a colour, or 12, .*\(got 4\)"):
        plots.raster(spikes(), colour=colours, dt=DT)


def test_negative_spikes_have_a_colour_of_their_own(ax):
    plots.raster(spikes([[1, -1], [0, -2]]), dt=DT)
    assert [len(line.get_xdata()) / 3 for line in ax.lines] == [1, 3]
    assert len({line.get_color() for line in ax.lines}) == 2


@pytest.mark.parametrize("row", [0, 501, 1234])
def test_spikes_are_visible_however_many_rows_there_are(ax, row):
    data = np.zeros((10, 2000))
    data[5, row] = 1
    plots.raster(data, 2000)
    ax.axis("off")
    ax.figure.canvas.draw()
    assert np.asarray(ax.figure.canvas.buffer_rgba())[..., :3].min() < 220


def named_rows(ax):
    """Return the neurons that ticks are labelled with, by row."""
    ax.figure.canvas.draw()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    ticks = zip(ax.get_yticks(), labels, strict=True)
    return {row: int(label) for row, label in ticks if label}


def test_silent_neurons_have_empty_rows(ax):
    plots.raster(np.zeros((10, 3)))
    assert len(marks(ax)[0]) == 0
    assert ax.get_ylim() == (-0.5, 2.5)


@pytest.mark.parametrize("neurons", [1, 5, 12, 100, [3], [7, 2, 11], np.arange(2, 6)])
def test_raster_draws_the_neurons_that_are_asked_for(ax, neurons):
    plots.raster(spikes(), neurons, dt=DT)
    numbers = neurons
    if np.ndim(neurons) == 0:
        numbers = np.linspace(0, 11, min(neurons, 12)).astype(int)
    counts = np.bincount(np.rint(marks(ax)[1]).astype(int))
    np.testing.assert_array_equal(counts, COUNTS[:, numbers].sum(axis=0))
    names = named_rows(ax)
    assert 0 < len(names) <= 12
    for row, name in names.items():
        ends = numbers[int(np.floor(row))], numbers[int(np.ceil(row))]
        assert min(ends) <= name <= max(ends)
    part = "" if len(numbers) == 12 else f" ({len(numbers)} of 12)"
    assert ax.get_ylabel() == f"neuron{part}"


def test_ticks_are_round_if_neurons_are_left_out(ax):
    plots.raster(np.zeros((10, 1001)), 100)
    names = named_rows(ax)
    assert list(names.values()) == list(range(0, 1001, 100))
    np.testing.assert_allclose(list(names), np.linspace(0, 99, 11), atol=0.5)


def test_most_active_neurons_have_the_most_spikes():
    for n in (1, 4, 12, 30):
        found = plots.most_active(spikes(), n)
        others = np.setdiff1d(np.arange(12), found)
        totals = COUNTS.sum(axis=0)
        assert len(found) == min(n, 12)
        assert list(found) == sorted(found)
        assert totals[found].min() >= max(totals[others], default=0)
    twice = np.stack([spikes(), spikes()])
    np.testing.assert_array_equal(
        plots.most_active(twice, 4), plots.most_active(spikes(), 4)
    )


@pytest.mark.parametrize("amplitude", AMPLITUDES, ids=str)
def test_unfiltered_rates_are_spikes_per_second(ax, amplitude):
    data = spikes(amplitude=amplitude)
    plots.rates(data, 12, synapse=None, amplitude=amplitude, dt=DT)
    np.testing.assert_allclose(lines(ax), COUNTS / DT, rtol=1e-5)


@pytest.mark.parametrize("synapse", [0.01, nengo.Lowpass(0.01), nengo.Alpha(0.02)])
def test_rates_are_filtered_with_the_synapse(ax, synapse):
    plots.rates(spikes(), [3, 1], synapse=synapse, dt=DT)
    if not isinstance(synapse, nengo.synapses.Synapse):
        synapse = nengo.Lowpass(synapse)
    expected = synapse.filt(spikes()[:, [3, 1]], dt=DT)
    np.testing.assert_allclose(lines(ax), expected)
    assert ax.get_ylabel() == "firing rate (Hz)"


def test_decoded_draws_the_values_over_the_target(ax):
    plots.decoded(SIGNAL[0], SIGNAL[1], dt=DT)
    np.testing.assert_array_equal(lines(ax), np.hstack([SIGNAL[1], SIGNAL[0]]))
    target, values = ax.lines[0], ax.lines[-2]
    assert target.get_linestyle() == "--" != values.get_linestyle()
    assert target.get_color() == values.get_color() != ax.lines[-1].get_color()
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["target", "dimension 0", "dimension 1"]


@pytest.mark.parametrize("target", [SIGNAL + 1, SIGNAL[0]])
def test_targets_are_per_item_or_for_all(ax, target):
    plots.decoded(SIGNAL, target, item=2)
    expected = target[2] if target.ndim == 3 else target
    np.testing.assert_array_equal(lines(ax), np.hstack([expected, SIGNAL[2]]))


def test_spread_is_mean_and_standard_deviation_over_items(ax):
    plots.decoded(SIGNAL, SIGNAL[0], spread=True, dt=DT)
    mean, deviation = SIGNAL.mean(axis=0), SIGNAL.std(axis=0)
    np.testing.assert_allclose(lines(ax), np.hstack([SIGNAL[0], mean]))
    bands = [c for c in ax.collections if isinstance(c, PolyCollection)]
    for i, band in enumerate(bands):
        heights = band.get_paths()[0].vertices[:, 1]
        edges = np.concatenate([mean[:, i] - deviation[:, i], (mean + deviation)[:, i]])
        assert np.isin(np.round(edges, 9), np.round(heights, 9)).all()
    assert len(bands) == 2


@pytest.mark.parametrize("plot", ON_PROBES)
def test_the_first_step_ends_at_dt_and_the_axis_at_the_last(ax, plot):
    plot(spikes(), dt=DT)
    times = marks(ax)[0] if plot is plots.raster else ax.lines[0].get_xdata()
    np.testing.assert_allclose([times.min(), times.max()], [DT, 50 * DT])
    np.testing.assert_allclose(ax.get_xlim(), (0, 50.5 * DT))
    assert ax.get_xlabel() == "time (s)"


@pytest.mark.parametrize("plot", ON_PROBES)
def test_an_item_is_drawn_as_if_it_were_alone(plot):
    figure, (one, other) = plt.subplots(2)
    minibatch = np.stack([spikes(np.roll(COUNTS, i, axis=1)) for i in range(3)])
    plot(minibatch, item=2, dt=DT, ax=one)
    plot(minibatch[2], dt=DT, ax=other)
    if plot is plots.raster:
        np.testing.assert_array_equal(marks(one), marks(other))
    else:
        np.testing.assert_array_equal(lines(one), lines(other))
    plt.close(figure)


@pytest.mark.parametrize("plot", ON_PROBES)
def test_current_axes_are_used_if_none_are_given(ax, plot):
    assert plot(spikes(), dt=DT) is ax
    figure, other = plt.subplots()
    plt.sca(other)
    assert plot(spikes(), dt=DT, ax=ax) is ax
    assert not other.has_data()
    plt.close(figure)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 30])
def test_each_line_has_its_colour_and_few_have_a_legend(ax, n):
    plots.rates(RNG.uniform(size=(20, 40)), n)
    assert len({to_rgb(line.get_color()) for line in ax.lines}) == len(ax.lines) == n
    assert (ax.get_legend() is not None) == (1 < n < 8)


@pytest.mark.parametrize("plot", [plots.raster, plots.rates])
def test_thousands_of_neurons_are_thinned_out(ax, plot):
    plot(spikes(RNG.choice([0, 1], size=(20, 5000))), dt=DT)
    if plot is plots.raster:
        assert np.ptp(marks(ax)[1]) == 99
    else:
        assert len(ax.lines) < 10


@pytest.mark.parametrize("simulator", [nengo.Simulator, nengo_dl.Simulator])
def test_simulators(ax, simulator):
    options = {"progress_bar": False}
    with nengo.Network(seed=0) as net:
        if simulator is nengo_dl.Simulator:
            options["device"] = "/cpu:0"
            nengo_dl.configure_settings(jit_compile=False)
        neurons = {"neuron_type": nengo.LIF(amplitude=0.2), "radius": 2}
        ens, plane = (nengo.Ensemble(15, d, **neurons) for d in (1, 2))
        probe = nengo.Probe(ens.neurons)
    with simulator(net, **options) as sim:
        sim.run_steps(40)
        plots.raster(sim.data[probe])
        n_spikes = np.rint(sim.data[probe].sum() * sim.dt / 0.2)
        assert len(marks(ax)[0]) == n_spikes > 0
        ax.clear()
        plots.tuning(ens, sim)
        x, expected = tuning_curves(ens, sim, np.linspace(-2, 2, 200)[:, None])
        np.testing.assert_allclose(lines(ax), expected / 0.2, rtol=1e-5)
        np.testing.assert_allclose(ax.lines[0].get_xdata(), x[:, 0])
        ax.clear()
        plots.tuning(plane, sim, [4], inputs=[0.5])
        encoder = sim.data[plane].encoders[4]
        activity = tuning_curves(plane, sim, encoder[None])[1][0, 4]
        np.testing.assert_allclose(lines(ax), [[activity / 0.2]], rtol=1e-5)
        with pytest.raises(ValidationError, match=r"inputs of shape \(n_points,\)"):
            plots.tuning(ens, sim, inputs=[[0]])
        with pytest.raises(ValidationError, match="tuning: expected how many neurons"):
            plots.tuning(ens, sim, [15])
    with nengo.Network():
        direct = nengo.Ensemble(1, 1, neuron_type=nengo.Direct())
    with pytest.raises(ValidationError, match="tuning: expected an ensemble with neu"):
        plots.tuning(direct, sim)


def test_tuning_of_items_that_have_learned_differently(ax):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        stimulus = nengo.Node([0])
        ens = nengo.Ensemble(10, 1, neuron_type=nengo.RectifiedLinear())
        connection = nengo.Connection(stimulus, ens, learning_rule_type=nengo.Voja())
        nengo.Connection(nengo.Node([0]), connection.learning_rule)
    with nengo_dl.Simulator(
        net, minibatch_size=2, progress_bar=False, device="/cpu:0"
    ) as sim:
        sim.run_steps(20, data={stimulus: np.ones((2, 20, 1)) * [[[0.2]], [[1]]]})
        built = sim.data[ens]
        for item in (0, 1):
            ax.clear()
            plots.tuning(ens, sim, inputs=[0.7], item=item)
            current = 0.7 * built.scaled_encoders[item, :, 0] + built.bias[item]
            np.testing.assert_allclose(lines(ax)[0], np.maximum(current, 0), rtol=1e-4)
        with pytest.raises(ValidationError, match="tuning: expected an item from 0"):
            plots.tuning(ens, sim, item=2)


@pytest.mark.parametrize(
    "neuron_type, expected",
    [
        (nengo.Sigmoid(), 1),
        (nengo.PoissonSpiking(nengo.LIFRate(), amplitude=0.1), 1),
        (nengo.LIFRate(amplitude=0.5), 0.5),
    ],
)
def test_tuning_is_in_hertz_for_any_neuron_type(ax, neuron_type, expected):
    with nengo.Network(seed=0) as net:
        ens = nengo.Ensemble(5, 1, neuron_type=neuron_type)
    with nengo.Simulator(net, progress_bar=False) as sim:
        plots.tuning(ens, sim)
        activities = tuning_curves(ens, sim, np.linspace(-1, 1, 200)[:, None])[1]
        np.testing.assert_allclose(lines(ax), activities / expected)


@pytest.mark.parametrize(
    "data, message",
    [
        ([], r"at least one step.*got of shape \(0,\)\). Run the simulator"),
        (np.zeros((0, 3)), r"at least one step.*\(0, 3\)"),
        (np.zeros(5), r"expected data of shape \(n_steps, size\).*got of shape \(5,\)"),
        (np.zeros((1, 2, 3, 4)), r"expected data of shape .*\(1, 2, 3, 4\)"),
        ({"a": 1}, r"got a dict\). Pass the data of one probe"),
        (None, "expected data of shape"),
    ],
)
@pytest.mark.parametrize("plot", [*ON_PROBES, plots.most_active])
def test_data_that_no_probe_has(plot, data, message):
    more = (3,) if plot is plots.most_active else ()
    with pytest.raises(ValidationError, match=f"^{plot.__name__}: .*{message}"):
        plot(data, *more)


@pytest.mark.parametrize("plot", ON_PROBES)
@pytest.mark.parametrize("shape, item", [((3, 9, 2), 3), ((3, 9, 2), -1), ((9, 2), 1)])
def test_items_out_of_range(plot, shape, item):
    n = shape[0] if len(shape) == 3 else 1
    message = rf"expected an item from 0 to {n - 1}.*\(got {item}\)"
    with pytest.raises(ValidationError, match=message):
        plot(np.zeros(shape), item=item)


@pytest.mark.parametrize("plot", [plots.raster, plots.rates])
@pytest.mark.parametrize("neurons", [0, -1, [], [12], [-1], 1.5, [[0]], "all", [0.5]])
def test_neurons_out_of_range(plot, neurons):
    with pytest.raises(ValidationError, match="numbers from 0 to 11 .* evenly spaced"):
        plot(spikes(), neurons, dt=DT)


@pytest.mark.parametrize("plot", [plots.raster, plots.rates])
@pytest.mark.parametrize("amplitude", [0, -1, [1, 2], np.nan])
def test_amplitudes_out_of_range(plot, amplitude):
    with pytest.raises(ValidationError, match="positive amplitude, or 12, one for eac"):
        plot(spikes(), amplitude=amplitude, dt=DT)


@pytest.mark.parametrize(
    "data, amplitude",
    [
        (RNG.uniform(size=(30, 4)), None),
        (10.0 ** RNG.uniform(-6, 3, size=(30, 4)), None),
        (np.full((30, 4), np.nan), None),
        (spikes(), 0.7),
    ],
)
def test_raster_refuses_what_are_no_spikes(data, amplitude):
    with pytest.raises(ValidationError, match="raster: expected spikes.*without a syn"):
        plots.raster(data, amplitude=amplitude, dt=DT)


@pytest.mark.parametrize("synapse", ["lowpass", -1, [0.1]])
def test_what_is_no_synapse(synapse):
    with pytest.raises(ValidationError, match="rates: expected a time constant"):
        plots.rates(spikes(), synapse=synapse, dt=DT)


@pytest.mark.parametrize("target", [SIGNAL[0, :5], SIGNAL[0, :, :1], SIGNAL[:1, :, :1]])
def test_targets_of_another_shape(target):
    with pytest.raises(ValidationError, match=r"decoded: .* target of shape \(40, 2\)"):
        plots.decoded(SIGNAL[0], target)


def test_spread_needs_a_minibatch():
    with pytest.raises(ValidationError, match=r"minibatch_size, n_steps.*\(40, 2\)"):
        plots.decoded(SIGNAL[0], spread=True)


def test_most_active_of_none():
    with pytest.raises(ValidationError, match="most_active: expected n of at least 1"):
        plots.most_active(spikes(), 0)
