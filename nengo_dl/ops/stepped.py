"""Neurons that are defined by a recursion over steps.

See `nengo_dl.SteppedLIF` for the equations.
"""

import numpy as np
import tensorflow as tf

from nengo_dl.ops.neurons import register
from nengo_dl.stepped import SteppedLI, SteppedLIF, decay

INTEGRATION = ("tau_rc", "tau_syn", "v_leak", "amplitude")
METHOD = ("discretization", "unit")


def _length(p, dt):
    return 1.0 if p.unit == "step" else dt


def _integrate(p, dt, J, voltage, current):
    """Return voltages and currents after a step without spikes."""
    length = _length(p, dt)
    a = tf.cast(decay(p.tau_syn, length, p.discretization), J.dtype)
    b = decay(p.tau_rc, length, p.discretization)
    leak = tf.cast((1 - b) * p.v_leak, J.dtype)
    has_synapse = np.asarray(p.tau_syn) > 0
    if np.all(has_synapse):
        J = current = a * current + J * length
    elif np.any(has_synapse):
        current = tf.where(has_synapse, a * current + J * length, current)
        J = tf.where(has_synapse, current, J)
    voltage = tf.cast(b, J.dtype) * voltage + J * length
    return voltage + leak if np.any(p.v_leak) else voltage, current


@register(SteppedLI, parameters=INTEGRATION, flags=METHOD)
def stepped_li_step(p, dt, J, voltage, current):
    r"""Compute :math:`v[n] = b v[n-1] + I[n] T + (1 - b) v_{leak}`."""
    voltage, current = _integrate(p, dt, J, voltage, current)
    return p.amplitude * voltage, voltage, current


def rate_of_stepped_lif(p, dt, J, voltage, current):
    """Compute the rate for a constant current, as if steps were short."""
    del dt
    low = p.v_reset if p.reset == "zero" else 0.0
    has_synapse = np.asarray(p.tau_syn) > 0
    drive = tf.cast(np.where(has_synapse, p.tau_syn, 1.0), J.dtype) * J
    leaks = np.isfinite(p.tau_rc)
    tau_rc = tf.cast(np.where(leaks, p.tau_rc, 1.0), J.dtype)
    height = tf.cast(p.threshold - low, J.dtype)
    # 1 stands in for what is below threshold, so that neither branch is infinite
    excess = drive * tau_rc + tf.cast(p.v_leak, J.dtype) - p.threshold
    active = excess > 0
    safe = tf.where(active, excess, tf.ones_like(excess))
    leaky = 1.0 / (tau_rc * tf.math.log1p(height / safe))
    leaky = tf.where(active, leaky, tf.zeros_like(leaky))
    rates = tf.where(leaks, leaky, tf.nn.relu(drive) / height)
    if p.unit == "step" and p.max_spikes < np.inf:
        rates = tf.minimum(rates, tf.cast(p.max_spikes, J.dtype))
    return p.amplitude * rates, voltage, current


@register(
    SteppedLIF,
    parameters=(*INTEGRATION, "threshold", "v_reset", "min_voltage"),
    flags=(*METHOD, "reset", "max_spikes", "strict"),
    emits=True,
    rate=rate_of_stepped_lif,
)
def stepped_lif_step(p, dt, J, voltage, current, emit):
    """Integrate, emit spikes, and reset.

    The gradient goes through a reset that subtracts, and not through one to a value,
    as with other neurons.
    """
    threshold = tf.cast(p.threshold, J.dtype)
    late = tf.zeros_like(voltage)
    if p.reset == "snntorch":
        late = tf.cast(voltage > threshold, J.dtype)
    voltage, current = _integrate(p, dt, J, voltage, current)
    if p.reset == "snntorch":
        voltage -= late * threshold
    n_spikes = _emitted(p, voltage, threshold, emit)
    if p.reset == "zero":
        reset = tf.zeros_like(voltage) + tf.cast(p.v_reset, J.dtype)
        voltage = tf.where(n_spikes > 0, reset, voltage)
    else:
        voltage -= (n_spikes - late) * threshold
    if np.any(np.isfinite(p.min_voltage)):
        voltage = _floor(voltage, p.min_voltage)
    return p.amplitude / _length(p, dt) * n_spikes, voltage, current


def _emitted(p, voltage, threshold, emit):
    """Return numbers of spikes, with the gradient of a surrogate."""
    low = p.v_reset if p.reset == "zero" else 0.0
    if p.max_spikes == 1:
        above = voltage > threshold if p.strict else voltage >= threshold
        distance = (voltage - threshold) / tf.cast(p.threshold - low, voltage.dtype)
        return emit(tf.cast(above, voltage.dtype), distance)
    height = voltage / threshold
    most = tf.cast(p.max_spikes, voltage.dtype)
    count = tf.math.ceil(height) - 1 if p.strict else tf.floor(height)
    distance = height - tf.clip_by_value(tf.round(height), 1, most)
    return emit(tf.clip_by_value(count, 0, most), distance)


def _floor(voltage, lowest):
    """Return voltages of at least the lowest ones, rounded as `stepped.floor` does."""
    has_floor = np.isfinite(lowest)
    safe = tf.cast(np.where(has_floor, lowest, 0.0), voltage.dtype)
    moved = tf.nn.relu(voltage - safe) + safe
    return moved if np.all(has_floor) else tf.where(has_floor, moved, voltage)
