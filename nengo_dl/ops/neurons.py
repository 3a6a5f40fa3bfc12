"""Neuron types: one step of a population, registered per type.

A step function takes the neurons' parameters, the time step, the input current and the
state, and returns the output and the new state. All tensors have the shape
(n_neurons, minibatch_size or 1); parameters are floats where all neurons of a merged
group share them, and arrays of shape (n_neurons, 1) otherwise.

Numerics follow ``nengo.neurons``, so that results agree with Nengo's to rounding.
"""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.neurons import SimNeurons

from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.ops import host, random, series
from nengo_dl.ops.registry import Builder


class NeuronStep(NamedTuple):
    """A registered neuron type."""

    fn: Callable[..., tuple]
    parameters: tuple[str, ...]
    flags: tuple[str, ...]
    random: bool


steps: dict[type, NeuronStep] = {}


def register(neuron_type, parameters=(), flags=(), random=False):
    """Register the decorated step function for a neuron type.

    Parameters
    ----------
    neuron_type : type
        Matched exactly: a subclass may compute something else.
    parameters : tuple of str
        Numeric attributes of the type, stacked over the merged populations and passed
        as attributes of ``p``.
    flags : tuple of str
        Attributes that merged populations must have in common, passed the same way.
    random : bool
        Whether the step needs random numbers; it then gets an argument ``uniform``, a
        function from an int to fresh numbers, uniform on [0, 1), in the shape of ``J``
        (with the int as an extra leading axis).

    Examples
    --------
    A neuron type whose rate is the square of its current::

        @nengo_dl.ops.neurons.register(Square, parameters=("amplitude",))
        def square_step(p, dt, J):
            return p.amplitude * J * J
    """

    def decorate(fn):
        steps[neuron_type] = NeuronStep(fn, parameters, flags, random)
        return fn

    return decorate


def _merge_key(op):
    step = steps.get(type(op.neurons))
    if step is None:
        return (type(op.neurons), tuple(op.state))
    flags = tuple(getattr(op.neurons, name) for name in step.flags)
    return (type(op.neurons), flags, tuple(op.state))


@Builder.register(
    SimNeurons,
    merge_key=_merge_key,
    is_host=lambda op: type(op.neurons) not in steps,
)
def build_sim_neurons(ops, ctx):
    """Build one step of neurons. Sets ``output`` and ``state``, reads ``J``."""
    step = steps.get(type(ops[0].neurons))
    if step is None:
        return host.build_neurons(ops, ctx)
    states = [slot(op.state[name] for op in ops) for name in ops[0].state]
    names = tuple(ops[0].state)
    p = stack_parameters(ops, step)
    dt = ctx.dt

    def fn(*args):
        key, args = (args[0], args[1:]) if step.random else (None, args)
        J, state = args[0], dict(zip(names, args[1:], strict=True))
        if step.random:
            J = tf.broadcast_to(J, (J.shape[0], ctx.minibatch_size))
            state["uniform"] = _uniform(key + [stream, 0], J)
        result = step.fn(p, dt, J, **state)
        result = result if isinstance(result, tuple) else (result,)
        if len(result) != 1 + len(names):
            raise ValueError(
                f"Step function of {type(ops[0].neurons).__name__}: expected the "
                f"output and {len(names)} states {names} (got {len(result)} tensors). "
                "Return one tensor for each."
            )
        return result

    stream = ctx.next_stream() if step.random else 0
    return Kernel(
        name=type(ops[0].neurons).__name__,
        reads=(slot(op.J for op in ops), *states),
        writes=tuple(
            Write(views, "set") for views in (slot(op.output for op in ops), *states)
        ),
        fn=fn,
        keyed=step.random,
    )


def _uniform(key, J):
    """Random numbers that depend on the seed, the operator and the step alone."""

    def uniform(n):
        return random.uniform(key, (n, *J.shape), J.dtype)

    return uniform


def stack_parameters(ops, step: NeuronStep) -> SimpleNamespace:
    """Collect the parameters of merged populations.

    Returns
    -------
    p : namespace
        The parameters and flags by name, and ``initial``: the initial state by name, as
        an array over all populations.
    """
    sizes = [op.output.size for op in ops]
    values: dict[str, Any] = {
        name: _stack([getattr(op.neurons, name) for op in ops], sizes)
        for name in step.parameters
    }
    values |= {name: getattr(ops[0].neurons, name) for name in step.flags}
    initial: Mapping[str, np.ndarray] = {
        name: np.concatenate([op.state[name].initial_value for op in ops])
        for name in ops[0].state
    }
    return SimpleNamespace(initial=initial, **values)


def _stack(values, sizes):
    if all(value == values[0] for value in values):
        return float(values[0])
    return np.repeat(np.asarray(values, dtype=float), sizes)[:, None]


@register(nengo.RectifiedLinear, parameters=("amplitude",))
def rectified_linear_step(p, dt, J):
    r"""Compute :math:`a \max(J, 0)`."""
    del dt
    return p.amplitude * tf.nn.relu(J)


@register(nengo.SpikingRectifiedLinear, parameters=("amplitude",))
def spiking_rectified_linear_step(p, dt, J, voltage):
    r"""Integrate :math:`\max(J, 0)`; emit a spike for every unit passed."""
    voltage = voltage + tf.nn.relu(J) * dt
    n_spikes = tf.floor(voltage)
    return p.amplitude / dt * n_spikes, voltage - n_spikes


@register(nengo.Sigmoid, parameters=("tau_ref",))
def sigmoid_step(p, dt, J):
    r"""Compute :math:`1 / (\tau_{ref} (1 + e^{-J}))`."""
    del dt
    return (1.0 / p.tau_ref) * tf.sigmoid(J)


@register(nengo.Tanh, parameters=("tau_ref",))
def tanh_step(p, dt, J):
    r"""Compute :math:`\tanh(J) / \tau_{ref}`."""
    del dt
    return (1.0 / p.tau_ref) * tf.tanh(J)


@register(nengo.LIFRate, parameters=("tau_rc", "tau_ref", "amplitude"))
def lif_rate_step(p, dt, J):
    r"""Compute the steady firing rate of a LIF neuron.

    .. math:: a / (\tau_{ref} + \tau_{rc} \log(1 + 1 / (J - 1))) \quad (J > 1)
    """
    del dt
    j = J - 1
    active = j > 0
    # 1 stands in for the currents below threshold, so that neither branch is infinite
    safe = tf.where(active, j, tf.ones_like(j))
    rate = p.amplitude / (p.tau_ref + p.tau_rc * tf.math.log1p(1.0 / safe))
    return tf.where(active, rate, tf.zeros_like(rate))


@register(nengo.LIF, parameters=("tau_rc", "tau_ref", "amplitude", "min_voltage"))
def lif_step(p, dt, J, voltage, refractory_time):
    r"""Integrate the membrane exactly, for a current that is constant over the step.

    .. math:: \tau_{rc} \dot v = J - v, \qquad v > 1 \Rightarrow \text{spike}, v = 0

    The spike's time within the step is solved for, so that the refractory period ends
    in the right fraction of a later step.
    """
    delta_t = tf.clip_by_value(2 * dt - refractory_time, 0, dt)
    # XLA keeps quotients, and computes products again for each of their readers; the
    # maximum, which changes nothing, keeps it from making a product of this one
    decay = tf.maximum(tf.exp(delta_t * (1 / p.tau_rc)), 1)
    voltage = J - (J - voltage) / decay
    spiked = voltage > 1
    # the overshoot is at most 1 - exp(-dt / tau_rc) of J - 1 if v <= 1 before the step;
    # only a user's initial state can be larger
    small = np.all(p.initial["voltage"] <= 1)
    bound = dt / np.min(p.tau_rc) if small else np.inf
    t_spike = dt + p.tau_rc * series.log1m(voltage - 1, J - 1, bound)
    zero = tf.zeros_like(voltage)
    return (
        tf.where(spiked, zero + p.amplitude / dt, zero),
        tf.where(spiked, zero, tf.maximum(voltage, p.min_voltage)),
        tf.where(spiked, p.tau_ref + t_spike, refractory_time - dt),
    )


_ADAPTATION = ("tau_n", "inc_n")


def _adapt(p, dt, adaptation, output):
    return adaptation + (dt / p.tau_n) * (p.inc_n * output - adaptation)


@register(
    nengo.AdaptiveLIFRate, parameters=("tau_rc", "tau_ref", "amplitude", *_ADAPTATION)
)
def adaptive_lif_rate_step(p, dt, J, adaptation):
    r"""Compute LIF rates for :math:`J - n`, with :math:`\tau_n \dot n = r c_n - n`."""
    output = lif_rate_step(p, dt, J - adaptation)
    return output, _adapt(p, dt, adaptation, output)


@register(
    nengo.AdaptiveLIF,
    parameters=("tau_rc", "tau_ref", "amplitude", "min_voltage", *_ADAPTATION),
)
def adaptive_lif_step(p, dt, J, voltage, refractory_time, adaptation):
    r"""Step LIF neurons with :math:`J - n`, where each spike raises ``n``."""
    output, voltage, refractory_time = lif_step(
        p, dt, J - adaptation, voltage, refractory_time
    )
    return output, voltage, refractory_time, _adapt(p, dt, adaptation, output)


@register(
    nengo.Izhikevich,
    parameters=("tau_recovery", "coupling", "reset_voltage", "reset_recovery"),
)
def izhikevich_step(p, dt, J, voltage, recovery):
    r"""Step Izhikevich's model (2003, https://doi.org/10.1109/TNN.2003.820440).

    .. math::
       \dot v &= 0.04 v^2 + 5 v + 140 - u + J \\
       \dot u &= a (b v - u)

    in milliseconds, by Euler's method; at 30 mV, v is reset and u is raised.
    """
    J = tf.maximum(J, -30.0)
    voltage = voltage + (0.04 * voltage**2 + 5 * voltage + 140 - recovery + J) * (
        1000 * dt
    )
    spiked = voltage >= 30
    zero = tf.zeros_like(voltage)
    voltage = tf.where(spiked, zero + p.reset_voltage, voltage)
    recovery = recovery + p.tau_recovery * (p.coupling * voltage - recovery) * (
        1000 * dt
    )
    recovery = tf.where(spiked, recovery + p.reset_recovery, recovery)
    return tf.where(spiked, zero + 1 / dt, zero), voltage, recovery


@register(nengo.RegularSpiking, parameters=("amplitude",))
def regular_spiking_step(p, dt, J, voltage):
    """Integrate the base type's rate; emit a spike for every unit passed."""
    voltage = voltage + dt * J
    n_spikes = tf.floor(voltage)
    return p.amplitude / dt * n_spikes, voltage - n_spikes


@register(
    nengo.StochasticSpiking, parameters=("amplitude",), flags=("negative",), random=True
)
def stochastic_spiking_step(p, dt, J, uniform):
    """Round the expected number of spikes up or down at random, without bias."""
    expected = dt * (tf.abs(J) if p.negative else J)
    whole = tf.floor(expected)
    n_spikes = whole + tf.cast(uniform(1)[0] < expected - whole, J.dtype)
    return p.amplitude / dt * n_spikes * (tf.sign(J) if p.negative else 1)


@register(
    nengo.PoissonSpiking, parameters=("amplitude",), flags=("negative",), random=True
)
def poisson_spiking_step(p, dt, J, uniform):
    """Draw the number of spikes from a Poisson distribution of mean ``J dt``."""
    n_spikes = poisson(tf.abs(J) * dt if p.negative else J * dt, uniform)
    return p.amplitude / dt * n_spikes * (tf.sign(J) if p.negative else 1)


# Means up to this are drawn by inversion, with as many terms as leave 1e-7 outside;
# larger ones as the sum of that many draws at most.
_POISSON_MEAN = 4.0
_POISSON_TERMS = 22
_POISSON_DRAWS = 8


def poisson(mean, uniform):
    """Draw from Poisson distributions by inversion, in a form that XLA compiles.

    A sum of Poisson variables is one whose mean is the sum of theirs, so large means
    (over 4) are split into up to 8 equal draws; beyond a mean of 32, where a step would
    hold more than 32 spikes, a rounded normal of the same mean and variance is used.

    Parameters
    ----------
    mean : tensor
        Not negative.
    uniform : callable
        From an int n to random numbers on [0, 1) of shape (n, \\*shape of mean).

    Returns
    -------
    counts : tensor
        Whole numbers.
    """
    draws = tf.clip_by_value(tf.math.ceil(mean / _POISSON_MEAN), 1, _POISSON_DRAWS)
    u = uniform(_POISSON_DRAWS)
    each = tf.minimum(mean / draws, _POISSON_MEAN)
    probability = tf.exp(-each)
    cumulative = probability
    counts = tf.zeros_like(u)
    for k in range(1, _POISSON_TERMS):
        counts += tf.cast(u >= cumulative, u.dtype)
        probability = probability * each / k
        cumulative = cumulative + probability
    used = tf.reshape(
        tf.range(_POISSON_DRAWS, dtype=u.dtype), (-1,) + (1,) * (len(u.shape) - 1)
    )
    small = tf.reduce_sum(tf.where(used < draws, counts, tf.zeros_like(counts)), axis=0)
    normal = tf.sqrt(-2 * tf.math.log1p(-u[0])) * tf.cos(2 * np.pi * u[1])
    large = tf.maximum(tf.round(mean + tf.sqrt(mean) * normal), 0)
    return tf.where(mean > _POISSON_MEAN * _POISSON_DRAWS, large, small)
