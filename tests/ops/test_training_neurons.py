"""What stands in for neurons in training: rates, or spikes with other gradients."""

from typing import NamedTuple

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder import Signal
from nengo.builder.neurons import SimNeurons

from nengo_dl.loihi import LoihiLIF
from nengo_dl.neurons import (
    IntegrateAndFire,
    LeakyReLU,
    Pointwise,
    SoftLIFRate,
    SpikingLeakyReLU,
)
from nengo_dl.ops import BuildContext, Builder, neurons
from nengo_dl.settings import Settings
from nengo_dl.stepped import SteppedLI, SteppedLIF
from nengo_dl.surrogates import ArcTan, FastSigmoid, RateDerivative, Triangular
from tests.network_specs import SlowSoftplus

DT = 0.001
N_ITEMS = 3
LIF_ARGS = {"tau_rc": 0.03, "tau_ref": 0.001, "amplitude": 0.5}
ADAPTATION = {"tau_n": 0.05, "inc_n": 0.02}


class Case(NamedTuple):
    """A spiking type, and the type whose step its training computes.

    Parameters
    ----------
    neurons : NeuronType
        The spiking type.
    rate : NeuronType or float
        The rate type, or the factor that a given rate is multiplied with.
    smooth : NeuronType or None
        The rate type where ``lif_smoothing`` is 0.1, if another one.
    currents : tuple of float
        The range of currents to try.
    """

    neurons: nengo.neurons.NeuronType
    rate: object
    smooth: object = None
    currents: tuple[float, float] = (-3, 9)


CASES = [
    Case(
        nengo.LIF(**LIF_ARGS), nengo.LIFRate(**LIF_ARGS), SoftLIFRate(0.1, **LIF_ARGS)
    ),
    Case(nengo.LIF(min_voltage=-np.inf), nengo.LIFRate(), SoftLIFRate(0.1)),
    Case(
        nengo.AdaptiveLIF(**LIF_ARGS, **ADAPTATION),
        nengo.AdaptiveLIFRate(**LIF_ARGS, **ADAPTATION),
    ),
    Case(
        nengo.SpikingRectifiedLinear(amplitude=0.5),
        nengo.RectifiedLinear(amplitude=0.5),
        currents=(-900, 2500),
    ),
    Case(
        IntegrateAndFire(amplitude=0.5),
        nengo.RectifiedLinear(amplitude=0.5),
        currents=(-900, 2500),
    ),
    Case(
        SteppedLIF(amplitude=0.5),
        nengo.RectifiedLinear(amplitude=0.5),
        currents=(-900, 900),
    ),
    Case(
        SpikingLeakyReLU(0.4, amplitude=0.5),
        LeakyReLU(0.4, amplitude=0.5),
        currents=(-2500, 1500),
    ),
    Case(
        nengo.RegularSpiking(nengo.Tanh(), amplitude=0.5), 0.5, currents=(-2500, 1500)
    ),
    Case(
        nengo.StochasticSpiking(nengo.Tanh(), amplitude=0.5), 0.5, currents=(-900, 900)
    ),
    Case(nengo.PoissonSpiking(nengo.LIFRate(), amplitude=0.5), 0.5, currents=(0, 900)),
]
IZHIKEVICH = Case(nengo.Izhikevich(), None, currents=(-20, 60))
LOIHI = Case(
    LoihiLIF(2048, 256, threshold=50, refractory=2, amplitude=0.5),
    None,
    currents=(-2000, 3000),
)
RATE_TYPES = [
    nengo.RectifiedLinear(),
    nengo.Sigmoid(),
    nengo.Tanh(),
    nengo.LIFRate(),
    nengo.AdaptiveLIFRate(),
    SoftLIFRate(),
    LeakyReLU(),
    Pointwise("elu"),
    SteppedLI(),
]
INTEGRATORS = [case for case in CASES if case.currents[1] > 1000]
SURROGATES = [FastSigmoid(5), RateDerivative(), tf.nn.sigmoid]
LIMITS = {
    "voltage": (0, 1),
    "refractory_time": (0, 0.003),
    "adaptation": (0, 0.3),
    "recovery": (-5, 5),
    "current": (0, 1),
}


def case_id(case):
    return repr(case.neurons)


def build(neuron_type, n, *, dtype="float64", minibatch_size=N_ITEMS, **settings):
    """Build a kernel of n neurons."""
    names = neuron_type.state
    state = {name: Signal(np.zeros(n), name=name) for name in names}
    op = SimNeurons(neuron_type, Signal(np.zeros(n)), Signal(np.zeros(n)), state=state)
    settings = Settings(dtype=dtype, **settings)
    ctx = BuildContext(DT, np.dtype(dtype), minibatch_size, settings=settings)
    return Builder.build((op,), ctx)


def spiking(surrogate):
    return {"training_mode": "spiking", "surrogate": surrogate}


def draw(case, n, dtype="float64", seed=0, n_items=N_ITEMS):
    """Draw a current and state."""
    rng = np.random.RandomState(seed)
    ranges = [case.currents, *(LIMITS[name] for name in case.neurons.state)]
    return [
        tf.constant(rng.uniform(*limits, size=(n, n_items)), dtype) for limits in ranges
    ]


def key(kernel, step=1):
    """Return what a kernel wants as first arguments."""
    return [tf.constant([7, step, N_ITEMS])] if kernel.keyed else []


def numeric_gradient(fn, J, epsilon=1e-6):
    """Differentiate a function of currents that does not mix them."""
    return (fn(J + epsilon) - fn(J - epsilon)) / (2 * epsilon)


def analytic_gradient(fn, J):
    with tf.GradientTape() as tape:
        tape.watch(J)
        total = tf.reduce_sum(fn(J))
    return tape.gradient(total, J, unconnected_gradients="zero")


# --- which function trains ----------------------------------------------------------


@pytest.mark.parametrize("mode", ["rate", "spiking"])
def test_only_spiking_types_have_a_training_function(mode):
    for neuron_type in RATE_TYPES:
        assert build(neuron_type, 2, training_mode=mode).training_fn is None
    for case in (*CASES, IZHIKEVICH, LOIHI):
        assert build(case.neurons, 2, training_mode=mode).training_fn is not None
    tried = [*RATE_TYPES, *(case.neurons for case in (*CASES, IZHIKEVICH, LOIHI))]
    packages = ("nengo", "nengo_dl")
    ours = {cls for cls in neurons.steps if cls.__module__.split(".")[0] in packages}
    assert ours == set(map(type, tried))


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
@pytest.mark.parametrize("mode", ["rate", "spiking"])
def test_types_without_tensorflow_step_have_none(mode):
    assert build(SlowSoftplus(), 2, training_mode=mode).training_fn is None


def test_steps_that_return_too_little_are_named():
    class Forgetful(nengo.LIF):
        pass

    def without_state(p, dt, J, voltage, refractory_time):
        return J

    neurons.steps[Forgetful] = neurons.NeuronStep(
        None, (), (), False, False, without_state
    )
    try:
        kernel = build(Forgetful(), 2)
        with pytest.raises(ValueError, match="of Forgetful: expected .* 2 states .*1"):
            kernel.training_fn(*draw(CASES[0], 2))
    finally:
        del neurons.steps[Forgetful]


# --- rates ----------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [None, 0.1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_rate_mode_computes_the_rate_type_and_freezes_the_rest(case, dtype, smoothing):
    kernel = build(case.neurons, 50, dtype=dtype, lif_smoothing=smoothing)
    J, *state = draw(case, 50, dtype)
    output, *after = kernel.training_fn(*key(kernel), J, *state)
    state = dict(zip(case.neurons.state, state, strict=True))
    after = dict(zip(case.neurons.state, after, strict=True))
    rate = case.smooth if smoothing and case.smooth is not None else case.rate
    if isinstance(rate, float):
        expected = [rate * J]
    elif smoothing and isinstance(case.neurons, nengo.AdaptiveLIF):
        soft = build(SoftLIFRate(0.1, **LIF_ARGS), 50, dtype=dtype)
        expected = [*soft.fn(J - state["adaptation"]), after.pop("adaptation")]
    else:
        evolving = [state.pop(name) for name in rate.state]
        expected = build(rate, 50, dtype=dtype).fn(J, *evolving)
        for name, value in zip(rate.state, expected[1:], strict=True):
            np.testing.assert_array_equal(after.pop(name), value)
    np.testing.assert_array_equal(output, expected[0])
    for name, value in after.items():
        assert value is state[name]


@pytest.mark.parametrize("smoothing", [None, 0.05])
@pytest.mark.parametrize("case", [*CASES, LOIHI], ids=case_id)
def test_gradient_of_rates(case, smoothing):
    kernel = build(case.neurons, 200, lif_smoothing=smoothing)
    J, *state = draw(case, 200)

    def rates(J):
        return kernel.training_fn(*key(kernel), J, *state)[0]

    # a finite difference across a corner says nothing
    smooth = np.abs(J) > 1e-3
    offset = dict(zip(case.neurons.state, state, strict=True)).get("adaptation", 0)
    smooth &= np.abs(J - offset - 1) > 1e-2
    expected, found = numeric_gradient(rates, J), analytic_gradient(rates, J)
    scale = 1 + np.abs(expected)
    np.testing.assert_array_less((np.abs(found - expected) / scale)[smooth], 1e-5)


@pytest.mark.parametrize("neuron_type", RATE_TYPES, ids=repr)
def test_gradient_of_rate_types(neuron_type):
    case = Case(neuron_type, None)
    kernel = build(neuron_type, 200)
    J, *state = draw(case, 200)
    smooth = (np.abs(J) > 1e-3) & (np.abs(J - sum(state) - 1) > 1e-2)

    def rates(J):
        return kernel.fn(J, *state)[0]

    expected, found = numeric_gradient(rates, J), analytic_gradient(rates, J)
    scale = 1 + np.abs(expected)
    np.testing.assert_array_less((np.abs(found - expected) / scale)[smooth], 1e-5)


# --- spikes ---------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("surrogate", SURROGATES, ids=["fast", "rate", "function"])
@pytest.mark.parametrize("case", [*CASES, IZHIKEVICH, LOIHI], ids=case_id)
def test_spiking_mode_computes_the_same_spikes(case, surrogate, graph):
    kernel = build(case.neurons, 40, dtype="float32", **spiking(surrogate))
    fn, training_fn = kernel.fn, kernel.training_fn
    if graph:
        fn, training_fn = map(tf.function, (fn, training_fn))
    J, *state = draw(case, 40, "float32")
    for step in range(20):
        expected = fn(*key(kernel, step), J, *state)
        found = training_fn(*key(kernel, step), J, *state)
        for value, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(value, other)
        state = expected[1:]


@pytest.mark.parametrize("case", [*CASES, LOIHI], ids=case_id)
def test_rate_surrogate_has_the_gradient_of_the_rate(case):
    kernel = build(case.neurons, 30, **spiking(RateDerivative()))
    rates = build(case.neurons, 30)
    J, *state = draw(case, 30)
    found, expected = (
        analytic_gradient(lambda J, k=k: k.training_fn(*key(k), J, *state)[0], J)
        for k in (kernel, rates)
    )
    np.testing.assert_array_equal(found, expected)
    assert np.any(found != 0)


@pytest.mark.parametrize("surrogate", [FastSigmoid(), ArcTan()], ids=repr)
@pytest.mark.parametrize("neuron_type", [nengo.StochasticSpiking, nengo.PoissonSpiking])
def test_random_spikes_have_the_gradient_of_their_rate(neuron_type, surrogate):
    kernel = build(neuron_type(nengo.LIFRate(), amplitude=0.3), 5, **spiking(surrogate))
    J = tf.constant(np.linspace(0, 900, 15).reshape(5, 3))
    found = analytic_gradient(lambda J: kernel.training_fn(*key(kernel), J)[0], J)
    np.testing.assert_allclose(found, 0.3 * np.ones((5, 3)))


def test_surrogate_gradient_of_lif():
    surrogate = FastSigmoid(3)
    kernel = build(nengo.LIF(**LIF_ARGS), 200, **spiking(surrogate))
    J, voltage, refractory_time = draw(CASES[0], 200)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([J, voltage, refractory_time])
        spikes, after, refractory = kernel.training_fn(J, voltage, refractory_time)
    delta_t = np.clip(2 * DT - refractory_time, 0, DT)
    decay = np.exp(-delta_t / LIF_ARGS["tau_rc"])
    membrane = J - (J - voltage) * decay
    slope = LIF_ARGS["amplitude"] / DT * surrogate(membrane - 1)
    for source, expected in ((voltage, slope * decay), (J, slope * (1 - decay))):
        found = tape.gradient(spikes, source)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    # the reset ends the gradient through the voltage
    runs = (spikes == 0) & (membrane >= 0)
    assert np.any(runs) and np.any(spikes > 0)
    np.testing.assert_allclose(tape.gradient(after, voltage), np.where(runs, decay, 0))
    # and none goes through the times of spikes
    for value in (spikes, after):
        assert tape.gradient(value, refractory_time) is None
    for source in (J, voltage):
        assert tape.gradient(refractory, source) is None


@pytest.mark.parametrize("surrogate", [FastSigmoid(), ArcTan(), Triangular()], ids=repr)
@pytest.mark.parametrize("case", INTEGRATORS, ids=case_id)
def test_gradient_of_integrators_goes_to_spikes_or_stays(case, surrogate):
    kernel = build(case.neurons, 100, **spiking(surrogate))
    J, voltage = draw(case, 100)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(voltage)
        spikes, after = kernel.training_fn(J, voltage)
    emitted = tape.gradient(spikes, voltage) * DT / case.neurons.amplitude
    kept = tape.gradient(after, voltage)
    np.testing.assert_allclose(emitted + kept, np.ones((100, N_ITEMS)))
    assert np.all(emitted >= 0) and np.all(kept >= 0)
    np.testing.assert_allclose(np.max(emitted), surrogate(0.0), rtol=0.3)


@pytest.mark.parametrize("case", INTEGRATORS, ids=case_id)
def test_gradient_of_the_number_of_spikes_is_that_of_the_rate(case):
    """What has not been emitted at the end is in the voltage."""
    kernel = build(case.neurons, 20, **spiking(FastSigmoid()))
    rates = build(case.neurons, 20)
    J, voltage = draw(case, 20)

    def total(J, v=voltage):
        emitted = 0.0
        for _ in range(15):
            spikes, v = kernel.training_fn(J, v)
            emitted += spikes * DT / case.neurons.amplitude
        return emitted + v

    def expected(J):
        if isinstance(case.neurons, IntegrateAndFire):
            return 15 * DT * J  # whose voltage counts what lies below zero, too
        rate = rates.training_fn(J, voltage)[0]
        return 15 * DT * rate / case.neurons.amplitude

    found = analytic_gradient(total, J)
    np.testing.assert_allclose(found, analytic_gradient(expected, J), atol=1e-12)


@pytest.mark.parametrize("mode", ["rate", "spiking"])
@pytest.mark.parametrize("surrogate", [FastSigmoid(), RateDerivative()], ids=repr)
def test_types_without_rate_use_a_surrogate_in_all_modes(mode, surrogate):
    kernel = build(nengo.Izhikevich(), 10, training_mode=mode, surrogate=surrogate)
    J, voltage, recovery = draw(IZHIKEVICH, 10)
    voltage = voltage * 100 - 70  # from reset to threshold

    def spikes(J):
        return kernel.training_fn(J, voltage, recovery)[0]

    membrane = voltage + 0.04 * voltage**2 + 5 * voltage + 140 - recovery + J
    expected = FastSigmoid()((membrane - 30) / 100) / 100 / DT
    np.testing.assert_allclose(analytic_gradient(spikes, J), expected, rtol=1e-6)
    assert np.any(spikes(J) > 0)


# --- through time ---------------------------------------------------------------------

# Where functions have corners, and where a branch that is not taken is infinite.
JUST_ABOVE, JUST_BELOW = np.nextafter(np.float32(1), [np.float32(2), np.float32(0)])
HARD_CURRENTS = [0, 1, JUST_ABOVE, -1, 1e-30, 999.9999, 1000, -1e4, 1e5]
HARD_STATES = {
    "voltage": [0, 1, JUST_BELOW, 0.5],
    "refractory_time": [0, DT, 2 * DT, 0.5],
    "adaptation": [0, 0, 1, 0.1],
    "recovery": [0, 1, -1, 0.1],
    "current": [0, 1, -1, 0.1],
}


def hard_values(neuron_type, dtype):
    """Combine all hard currents with all hard states."""
    states = [HARD_STATES[name] for name in neuron_type.state]
    rows = [(J, *state) for J in HARD_CURRENTS for state in zip(*states, strict=True)]
    columns = np.array(rows or [(J,) for J in HARD_CURRENTS], dtype).T
    return [tf.constant(np.repeat(column[:, None], N_ITEMS, 1)) for column in columns]


def loop_gradient(kernel, J, state, n_steps=8):
    """Differentiate all outputs of several steps by the current and first state."""

    def body(i, state, total):
        keys = [tf.stack([7, i, N_ITEMS])] if kernel.keyed else []
        output, *state = kernel.training_fn(*keys, J, *state)
        return i + 1, [tf.ensure_shape(s, J.shape) for s in state], total + output

    with tf.GradientTape() as tape:
        tape.watch([J, *state])
        _, _, total = tf.while_loop(
            lambda i, *_: i < n_steps,
            body,
            (0, list(state), tf.zeros_like(J)),
            maximum_iterations=n_steps,
        )
        total = tf.reduce_sum(total)
    return tape.gradient(total, [J, *state], unconnected_gradients="zero")


@pytest.mark.parametrize(
    "settings",
    [{}, {"lif_smoothing": 0.05}, spiking(FastSigmoid()), spiking(RateDerivative())],
    ids=str,
)
@pytest.mark.parametrize("case", [*CASES, IZHIKEVICH], ids=case_id)
def test_gradient_through_time_is_finite(case, settings):
    J, *state = hard_values(case.neurons, "float32")
    if isinstance(case.neurons, nengo.PoissonSpiking):
        J = tf.abs(J)
    kernel = build(case.neurons, J.shape[0], dtype="float32", **settings)
    for gradient in loop_gradient(kernel, J, state):
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("neuron_type", RATE_TYPES, ids=repr)
def test_gradient_of_rate_types_is_finite(neuron_type):
    J, *state = hard_values(neuron_type, "float32")
    kernel = build(neuron_type, J.shape[0], dtype="float32")
    gradient = analytic_gradient(lambda J: kernel.fn(J, *state)[0], J)
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_compiled_gradients_are_the_same(case):
    kernel = build(case.neurons, 20, **spiking(FastSigmoid()))
    J, *state = draw(case, 20)
    compiled = tf.function(loop_gradient, jit_compile=True, autograph=False)
    expected = loop_gradient(kernel, J, state)
    for found, wanted in zip(compiled(kernel, J, state), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)


# --- minibatches ----------------------------------------------------------------------


@pytest.mark.parametrize("surrogate", [FastSigmoid(), RateDerivative()], ids=repr)
@pytest.mark.parametrize(
    "case", [c for c in (*CASES, IZHIKEVICH) if c.neurons.state], ids=case_id
)
def test_a_current_that_all_items_share(case, surrogate):
    kernel = build(case.neurons, 6, minibatch_size=None, **spiking(surrogate))
    J, *state = draw(case, 6)

    @tf.function(input_signature=[tf.TensorSpec((6, None), J.dtype)] * len(state))
    def differentiate(*state):
        def spikes(J):
            return kernel.training_fn(J, *state)[0]

        return spikes(J[:, :1]), analytic_gradient(spikes, J[:, :1])

    def spikes(J):
        return kernel.training_fn(J, *state)[0]

    found, gradient = differentiate(*state)
    repeated = tf.repeat(J[:, :1], N_ITEMS, axis=1)
    np.testing.assert_array_equal(found, spikes(repeated))
    each = analytic_gradient(spikes, repeated)
    np.testing.assert_allclose(gradient[:, 0], np.sum(each, axis=1), rtol=1e-9)


def test_parameters_of_merged_populations():
    types = [nengo.LIF(amplitude=a, tau_rc=t) for a, t in ((1, 0.02), (0.5, 0.05))]
    ops = [
        SimNeurons(
            neuron_type,
            Signal(np.zeros(2)),
            Signal(np.zeros(2)),
            state={name: Signal(np.zeros(2)) for name in neuron_type.state},
        )
        for neuron_type in types
    ]
    values = draw(CASES[0], 4)
    for settings in ({}, {"lif_smoothing": 0.1}, spiking(ArcTan())):
        ctx = BuildContext(
            DT, np.dtype("float64"), N_ITEMS, settings=Settings(**settings)
        )
        merged = Builder.build(tuple(ops), ctx).training_fn
        for i, op in enumerate(ops):
            rows = slice(2 * i, 2 * i + 2)
            alone = Builder.build((op,), ctx).training_fn
            for fn in (
                lambda f, *x: f(*x)[0],
                lambda f, J, *state: analytic_gradient(lambda J: f(J, *state)[0], J),
            ):
                found = fn(merged, *values)[rows]
                expected = fn(alone, *(value[rows] for value in values))
                np.testing.assert_allclose(found, expected, rtol=1e-12)
