"""Spike codes equal their equations, and lead back to what was encoded."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.coding import (
    Bernoulli,
    Delta,
    EventFrames,
    Latency,
    Poisson,
    Population,
    Regular,
)

SHAPES = [(3,), (3, 2), (2, 4, 5)]
RATE_CODES = [
    lambda n, seed: Poisson(n, seed=seed),
    lambda n, seed: Bernoulli(n, seed=seed),
    lambda n, seed: Regular(n),
]


@pytest.fixture
def values(rng):
    """Return a function from shapes to numbers between 0 and 1."""
    return lambda shape: rng.uniform(0, 1, size=shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("make", RATE_CODES)
def test_rates_come_back(make, shape, values):
    n_steps, rates = 4000, 400 * values(shape)
    spikes = make(n_steps, 1).encode(rates)
    assert spikes.shape == (shape[0], n_steps, *shape[1:])
    assert spikes.dtype == np.float32
    # four standard deviations of a Poisson count
    error = np.abs(make(n_steps, 1).decode(spikes) - rates) * n_steps * 0.001
    assert np.all(error <= 1 + 4 * np.sqrt(rates * n_steps * 0.001))


@pytest.mark.parametrize("make", RATE_CODES)
def test_silence_and_certainty(make):
    code = make(50, 0)
    assert not code.encode(np.zeros((2, 3))).any()
    if not isinstance(code, Poisson):
        assert np.all(code.encode(np.full((2, 3), 1000.0)) == 1)


@pytest.mark.parametrize("make", RATE_CODES[:2])
def test_seeds_repeat_and_differ(make, values):
    rates = 500 * values((4, 5))
    same = [make(30, 7).encode(rates) for _ in range(2)]
    assert np.array_equal(*same)
    assert not np.array_equal(same[0], make(30, 8).encode(rates))
    unseeded = [make(30, None).encode(rates) for _ in range(2)]
    assert not np.array_equal(*unseeded)


def test_poisson_counts_have_the_variance_of_their_mean():
    counts = Poisson(200_000, seed=0).encode([[100.0, 2500.0]])[0]
    for column, mean in zip(counts.T, (0.1, 2.5), strict=True):
        assert np.var(column) == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize("rate", [0.0, 33.0, 250.0, 1000.0, 2700.0])
def test_regular_equals_integrate_and_fire_neurons(rate):
    with nengo.Network() as net:
        neurons = nengo.Ensemble(
            1,
            1,
            neuron_type=nengo.SpikingRectifiedLinear(
                initial_state={"voltage": nengo.dists.Choice([0])}
            ),
            gain=[1],
            bias=[rate],
        ).neurons
        probe = nengo.Probe(neurons)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(200)
    expected = sim.data[probe] * 0.001
    actual = Regular(200).encode([[rate]])[0]
    # a spike may come a step later where the sum is a whole number but for rounding
    difference = np.abs(np.cumsum(actual - expected, axis=0))
    assert np.max(difference) <= 1
    assert np.mean(difference) < 0.05


def test_regular_phase_moves_spikes():
    spikes = [Regular(8, dt=1, phase=p).encode([0.25])[0] for p in (0, 0.5)]
    assert list(np.flatnonzero(spikes[0])) == [3, 7]
    assert list(np.flatnonzero(spikes[1])) == [1, 5]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tau", [None, 0.02])
def test_latencies_come_back(shape, tau, values):
    code = Latency(2000, dt=0.0005, tau=tau)
    numbers = values(shape) * 0.98 + 0.02
    spikes = code.encode(numbers)
    assert np.all(spikes.sum(axis=1) == 1)
    first = np.argmax(spikes, axis=1)
    expected = (1 - numbers) * 1999
    if tau is not None:
        expected = tau / 0.0005 * np.log(numbers / (numbers - 0.01))
    assert np.max(np.abs(first - expected)) <= 0.5 + 1e-6
    again = code.encode(code.decode(spikes))
    assert np.mean(np.argmax(again, axis=1) == first) > 0.99
    if tau is None:
        np.testing.assert_allclose(code.decode(spikes), numbers, atol=1 / 3999)


def test_numbers_below_the_threshold_have_no_spike():
    code = Latency(10, tau=0.02, threshold=0.1)
    spikes = code.encode([[0.0, 0.1, 1.0]])
    assert list(spikes.sum(axis=1)[0]) == [0, 0, 1]
    assert list(code.decode(spikes)[0, :2]) == [0, 0]


@pytest.mark.parametrize("shape", [(2, 50), (3, 40, 2), (1, 30, 4, 4)])
@pytest.mark.parametrize("threshold", [0.01, 0.3, 5.0])
def test_changes_lead_back_to_within_the_threshold(shape, threshold, rng):
    signal = np.cumsum(rng.normal(scale=0.2, size=shape), axis=1)
    code = Delta(threshold)
    events = code.encode(signal)
    assert events.shape == shape
    assert not events[:, 0].any()
    restored = code.decode(events, signal[:, 0])
    assert np.max(np.abs(restored - signal)) < threshold * (1 + 1e-6)


def test_events_are_those_of_a_loop(rng):
    signal, threshold = np.cumsum(rng.normal(size=60)), 0.7
    expected, level = [], signal[0]
    for x in signal:
        n = int(np.trunc((x - level) / threshold))
        level += n * threshold
        expected.append(n)
    assert list(Delta(threshold).encode(signal[None])[0]) == expected


@pytest.mark.parametrize("low,high", [(0.0, 1.0), (-3.0, 5.0)])
@pytest.mark.parametrize("n_units", [3, 8, 20])
def test_population_activities_equal_their_equation(low, high, n_units, values):
    code = Population(n_units, low, high, beta=1.5)
    x = low + (high - low) * values((4, 3))
    distance = (high - low) / (n_units - 2)
    for i in range(1, n_units + 1):
        center = low + (2 * i - 3) / 2 * distance
        expected = np.exp(-((x - center) ** 2) / (2 * (distance / 1.5) ** 2))
        np.testing.assert_allclose(
            code.encode(x)[..., i - 1], expected, rtol=1e-4, atol=1e-30
        )


def test_populations_lead_back(values):
    code = Population(12, -1, 1)
    x = 1.6 * values((5, 4)) - 0.8
    np.testing.assert_allclose(code.decode(code.encode(x)), x, atol=0.01)
    rates = 200 * code.encode(x)
    spikes = Poisson(5000, seed=0).encode(rates)
    from_spikes = code.decode(Poisson(5000).decode(spikes))
    np.testing.assert_allclose(from_spikes, x, atol=0.05)
    assert list(code.decode(np.zeros((2, 12)))) == [0, 0]


def test_networks_take_spikes():
    code = Poisson(n_steps=200, seed=0)
    with nengo.Network() as net:
        node = nengo.Node(np.zeros(2))
        probe = nengo.Probe(node, synapse=0.05)
    spikes = code.encode([[100.0, 300.0], [300.0, 100.0]]) / code.dt
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        rates = sim.predict({node: spikes}, verbose=0)[probe][:, 100:].mean(axis=1)
    assert rates[0, 0] < rates[0, 1] and rates[1, 0] > rates[1, 1]


MISTAKES = [
    (lambda: Poisson(0), "Poisson.n_steps"),
    (lambda: Poisson(10, dt=-1), "Poisson.dt"),
    (lambda: Poisson(10).encode([[-1.0]]), "Poisson.rates"),
    (lambda: Poisson(10).encode([[np.nan]]), "Poisson.rates"),
    (lambda: Poisson(10).encode(3.0), "Poisson.rates"),
    (lambda: Bernoulli(10).encode([[1500.0]]), "Bernoulli.rates"),
    (lambda: Regular(10, phase=1), "Regular.phase"),
    (lambda: Regular(10).decode([1, 0]), "Regular.spikes"),
    (lambda: Latency(10, tau=0), "Latency.tau"),
    (lambda: Latency(10).encode([[2.0]]), "Latency.values"),
    (lambda: Delta(0), "Delta.threshold"),
    (lambda: Delta(1).encode([[np.inf, 1.0]]), "Delta.signal"),
    (lambda: Delta(1).encode([1.0]), "Delta.spikes"),
    (lambda: Population(2), "Population.n_units"),
    (lambda: Population(5, 1, 0), "Population.high"),
    (lambda: Population(5).encode([[1.5]]), "Population.values"),
]


@pytest.mark.parametrize("mistake,where", MISTAKES)
def test_mistakes_are_named(mistake, where):
    with pytest.raises(ValidationError, match=f"{where}: .*got"):
        mistake()


KIND = [("x", int), ("y", int), ("t", int), ("p", bool)]


def recording(n_events, seed=0):
    """Make random events, in the form of tonic's data sets."""
    rng = np.random.RandomState(seed)
    events = np.zeros(n_events, KIND)
    for name, high in (("x", 5), ("y", 4), ("p", 2)):
        events[name] = rng.randint(high, size=n_events)
    events["t"] = np.sort(rng.randint(20_000, size=n_events)) + 500
    return events


@pytest.mark.parametrize("window", [None, 0.003])
def test_frames_count_events(window):
    code = EventFrames((2, 4, 5), 6, window)
    recordings = [recording(200), recording(50, 1), recording(0)]
    frames = code.encode(recordings)
    assert frames.shape == (3, 6, 2, 4, 5) and frames.dtype == np.float32
    for item, events in zip(frames, recordings, strict=True):
        expected = np.zeros_like(item)
        for x, y, t, p in events:
            length = (events["t"].max() - events["t"].min()) / 6
            since = t - events["t"].min()
            step = since // 3000 if window else min(since / length, 5)
            if step < 6:
                expected[int(step), int(p), y, x] += 1
        np.testing.assert_array_equal(item, expected)


def test_frames_lead_back_to_events():
    code = EventFrames((2, 4, 5), 6, 0.003)
    frames = code.encode([recording(200)])
    events = code.decode(frames)
    assert len(events[0]) == frames.sum()
    # times count from the first event
    earlier = np.array([(0, 0, 0, 0)], events[0].dtype)
    again = code.encode([np.concatenate([earlier, events[0]])])
    again[0, 0, 0, 0, 0] -= 1
    np.testing.assert_array_equal(again, frames)


@pytest.mark.parametrize(
    "make,message",
    [
        (lambda: EventFrames((2, 4), 6), "shape: must be the numbers"),
        (lambda: EventFrames((2, 4, 0), 6), "shape: must be a whole number"),
        (lambda: EventFrames((2, 4, 5), 6, -1), "window: must be positive"),
        (
            lambda: EventFrames((2, 4, 5), 6).encode([[1, 2]]),
            "expected the fields",
        ),
        (
            lambda: EventFrames((2, 4, 3), 6).encode([recording(20)]),
            "expected x from 0 to 2",
        ),
    ],
)
def test_mistakes_with_events_are_named(make, message):
    with pytest.raises(ValidationError, match=message):
        make()
