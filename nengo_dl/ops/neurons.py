"""Neuron types: one step of a population, registered per type.

A step function takes the neurons' parameters, the time step, the input current and the
state, and returns the output and the new state. All tensors have the shape
(n_neurons, minibatch_size or 1); parameters are floats where all neurons of a merged
group share them, and arrays of shape (n_neurons, 1) otherwise.

Numerics follow ``nengo.neurons``, so that results agree with Nengo's to rounding.

In training, a spiking neuron type is stood in for by its rate or computes its spikes
with surrogate gradients, as the settings ``training_mode`` and ``surrogate`` say.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import nengo
import numpy as np
import tensorflow as tf
from nengo.builder.neurons import SimNeurons

from nengo_dl import surrogates
from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.neurons import IntegrateAndFire, LeakyReLU, SpikingLeakyReLU
from nengo_dl.ops import host, random
from nengo_dl.ops.registry import Builder
from nengo_dl.ops.surrogates import emit_plainly, emitter, straight_through


class NeuronStep(NamedTuple):
    """A registered neuron type."""

    fn: Callable[..., tuple]
    parameters: tuple[str, ...]
    flags: tuple[str, ...]
    random: bool
    emits: bool
    rate: Callable[..., tuple] | None


steps: dict[type, NeuronStep] = {}


def register(
    *neuron_types: type,
    parameters: tuple[str, ...] = (),
    flags: tuple[str, ...] = (),
    random: bool = False,
    emits: bool = False,
    rate: Callable[..., tuple] | None = None,
) -> Callable:
    """Register the decorated step function for neuron types.

    Parameters
    ----------
    *neuron_types : type
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
    emits : bool
        Whether the step gets an argument ``emit``, which marks spikes:
        ``emit(value, distance, height=1.0)`` returns ``value``, and in training gives
        it the gradient ``height * surrogate(distance)`` with respect to ``distance``,
        that of the voltage from the threshold, 1 being the way from reset to threshold.
    rate : callable, optional
        A differentiable function like the step, without ``uniform`` and ``emit``, that
        stands in for it in training. It returns state that it freezes unchanged.

    Returns
    -------
    decorate : callable
        Takes ``step(p, dt, J, **state)``, whose tensors have the shape (n_neurons,
        minibatch_size or 1), and returns it.

    Examples
    --------
    A neuron type whose rate is the square of its current::

        @nengo_dl.ops.neurons.register(Square, parameters=("amplitude",))
        def square_step(p, dt, J):
            return p.amplitude * J * J
    """

    def decorate(fn):
        step = NeuronStep(fn, parameters, flags, random, emits, rate)
        steps.update(dict.fromkeys(neuron_types, step))
        return fn

    return decorate


def _merge_key(op):
    step = steps.get(type(op.neurons))
    if step is None:
        return (type(op.neurons), tuple(op.state))
    flags = tuple(getattr(op.neurons, name) for name in step.flags)
    return (type(op.neurons), flags, tuple(op.state))


def _is_elementwise(op):
    """Tell whether a population may be computed alone, with the same random numbers."""
    return type(op.neurons) in steps and not steps[type(op.neurons)].random


@Builder.register(
    SimNeurons,
    merge_key=_merge_key,
    is_host=lambda op: type(op.neurons) not in steps,
    is_elementwise=_is_elementwise,
)
def build_sim_neurons(ops, ctx):
    """Build one step of neurons. Sets ``output`` and ``state``, reads ``J``."""
    step = steps.get(type(ops[0].neurons))
    if step is None:
        return host.build_neurons(ops, ctx)
    states = [slot(op.state[name] for op in ops) for name in ops[0].state]
    results = [slot(op.output for op in ops), *states]
    spiking, rate = _functions(ops, ctx, step)
    return Kernel(
        name=type(ops[0].neurons).__name__,
        reads=(slot(op.J for op in ops), *states),
        writes=tuple(Write(views, "set") for views in results),
        fn=spiking(emit_plainly),
        keyed=step.random,
        training_fn=_training_fn(step, ctx.settings, spiking, rate),
    )


def _functions(ops, ctx, step):
    """Return a function from ``emit`` to one of slots, and one of slots for rates."""
    names = tuple(ops[0].state)
    kind = type(ops[0].neurons).__name__
    p = stack_parameters(ops, step)
    p.settings = ctx.settings
    stream = ctx.next_stream() if step.random else 0

    def call(function, J, *values, **extras):
        state = dict(zip(names, values, strict=True))
        result = function(p, ctx.dt, J, **state, **extras)
        result = result if isinstance(result, tuple) else (result,)
        if len(result) != 1 + len(names):
            raise ValueError(
                f"Step function of {kind}: expected the "
                f"output and {len(names)} states {names} (got {len(result)} tensors). "
                "Return one tensor for each."
            )
        return result

    def spiking(emit):
        extras = {"emit": emit} if step.emits else {}
        if not step.random:
            return lambda *slots: call(step.fn, *slots, **extras)

        def fn(key, J, *state):
            uniform = _uniform(key + [stream, 0, 0], J)
            return call(step.fn, J, *state, uniform=uniform, **extras)

        return fn

    def rate(*slots):
        return call(step.rate, *(slots[1:] if step.random else slots))

    return spiking, rate


def _training_fn(step, settings, spiking, rate):
    """Choose what stands in for a step in training; None for the step itself."""
    by_rate = isinstance(settings.surrogate, surrogates.RateDerivative)
    if step.rate is not None and settings.training_mode == "rate":
        return rate
    if step.rate is not None and (by_rate or not step.emits):
        fn = spiking(emit_plainly)
        return lambda *args: tuple(map(straight_through, fn(*args), rate(*args)))
    if step.emits:
        return spiking(emitter(surrogates.DEFAULT if by_rate else settings.surrogate))
    return None


def _uniform(key, J):
    """Random numbers that depend on the seed, the operator and the step alone."""

    def uniform(n):
        items = J.shape[1] or tf.shape(J)[1]
        return random.uniform(key, (n, J.shape[0], items), J.dtype)

    return uniform


def stack_parameters(ops, step: NeuronStep) -> SimpleNamespace:
    """Collect the parameters and flags of merged populations, by name.

    ``starts_below_threshold`` is whether no voltage is above 1 before the first step.
    """
    sizes = [op.output.size for op in ops]
    values: dict[str, Any] = {
        name: _stack([getattr(op.neurons, name) for op in ops], sizes)
        for name in step.parameters
    }
    values |= {name: getattr(ops[0].neurons, name) for name in step.flags}
    voltages = (op.state["voltage"] for op in ops if "voltage" in op.state)
    below = all(np.all(signal.initial_value <= 1) for signal in voltages)
    return SimpleNamespace(starts_below_threshold=below, **values)


def _stack(values, sizes):
    if all(np.ndim(value) == 0 and value == values[0] for value in values):
        return float(values[0])
    # one number for a population, or one for each of its neurons
    full = [np.broadcast_to(x, n) for x, n in zip(values, sizes, strict=True)]
    return np.concatenate(full).astype(float)[:, None]


@register(nengo.RectifiedLinear, parameters=("amplitude",))
def rectified_linear_step(p, dt, J):
    r"""Compute :math:`a \max(J, 0)`."""
    del dt
    return p.amplitude * tf.nn.relu(J)


def integrate(p, dt, voltage, count, emit):
    """Emit the whole part of a voltage as spikes, and keep the rest.

    The gradient goes through both, unlike with a reset to zero: what a surrogate gives
    to the spikes it takes from the rest. So a change of the current changes the number
    of later spikes once, as it changes the rate; otherwise it would do so again in
    every later step, which no leak ends.
    """
    size = tf.abs(voltage)
    distance = size - tf.maximum(tf.round(size), 1)
    n_spikes = emit(count(voltage), distance, tf.sign(voltage))
    return p.amplitude / dt * n_spikes, voltage - n_spikes


def rate_of_spiking_rectified_linear(p, dt, J, voltage):
    """Compute the rate that the spikes have on average."""
    return rectified_linear_step(p, dt, J), voltage


@register(
    nengo.SpikingRectifiedLinear,
    parameters=("amplitude",),
    emits=True,
    rate=rate_of_spiking_rectified_linear,
)
def spiking_rectified_linear_step(p, dt, J, voltage, emit):
    r"""Integrate :math:`\max(J, 0)`; emit a spike for every unit passed."""
    return integrate(p, dt, voltage + tf.nn.relu(J) * dt, tf.floor, emit)


def _leaky_relu(p, J):
    return tf.where(J < 0, p.negative_slope * J, J)


@register(LeakyReLU, parameters=("negative_slope", "amplitude"))
def leaky_relu_step(p, dt, J):
    r"""Compute :math:`a J`, or :math:`a s J` where :math:`J < 0`."""
    del dt
    return p.amplitude * _leaky_relu(p, J)


def rate_of_spiking_leaky_relu(p, dt, J, voltage):
    """Compute the rate that the spikes have on average."""
    return leaky_relu_step(p, dt, J), voltage


@register(
    SpikingLeakyReLU,
    parameters=("negative_slope", "amplitude"),
    emits=True,
    rate=rate_of_spiking_leaky_relu,
)
def spiking_leaky_relu_step(p, dt, J, voltage, emit):
    """Integrate the leaky rectified current; emit a spike for every unit passed."""
    return integrate(p, dt, voltage + _leaky_relu(p, J) * dt, _truncate, emit)


def _truncate(x):
    return tf.sign(x) * tf.floor(tf.abs(x))


@register(
    IntegrateAndFire,
    parameters=("amplitude", "min_voltage"),
    emits=True,
    rate=rate_of_spiking_rectified_linear,
)
def integrate_and_fire_step(p, dt, J, voltage, emit):
    """Integrate the signed current; emit a spike for every unit passed."""
    voltage = tf.maximum(voltage + J * dt, p.min_voltage)
    distance = voltage - tf.maximum(tf.round(voltage), 1)
    n_spikes = emit(tf.nn.relu(tf.floor(voltage)), distance)
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


@register(
    nengo.Izhikevich,
    parameters=("tau_recovery", "coupling", "reset_voltage", "reset_recovery"),
    emits=True,
)
def izhikevich_step(p, dt, J, voltage, recovery, emit):
    r"""Step Izhikevich's model (2003, https://doi.org/10.1109/TNN.2003.820440).

    .. math::
       \dot v &= 0.04 v^2 + 5 v + 140 - u + J \\
       \dot u &= a (b v - u)

    in milliseconds, by Euler's method; at 30 mV, v is reset and u is raised. There is
    no rate version, so that training always uses surrogate gradients; 100 mV is about
    the way from the reset to the threshold.
    """
    J = tf.maximum(J, -30.0)
    voltage = voltage + (0.04 * voltage**2 + 5 * voltage + 140 - recovery + J) * (
        1000 * dt
    )
    spiked = voltage >= 30
    zero = tf.zeros_like(voltage)
    spikes = emit(tf.where(spiked, zero + 1 / dt, zero), (voltage - 30) / 100, 1 / dt)
    voltage = tf.where(spiked, zero + p.reset_voltage, voltage)
    recovery = recovery + p.tau_recovery * (p.coupling * voltage - recovery) * (
        1000 * dt
    )
    recovery = tf.where(spiked, recovery + p.reset_recovery, recovery)
    return spikes, voltage, recovery
