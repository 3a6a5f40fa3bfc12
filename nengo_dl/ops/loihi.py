"""Neurons in the integers of Loihi; see `nengo_dl.LoihiLIF` for the equations.

Roundings have the gradient of what they round.
"""

import numpy as np
import tensorflow as tf

from nengo_dl.loihi import ONE, UNIT, LoihiLIF
from nengo_dl.ops.neurons import register
from nengo_dl.ops.surrogates import straight_through


def _decayed(x, decay):
    """Return what is left of integers, see ``nengo_dl.loihi.decayed``."""
    kept, size = tf.cast(ONE - decay, x.dtype), tf.abs(x)
    high = tf.floor(size / ONE)
    low = size - high * ONE
    left = tf.sign(x) * (high * kept + tf.floor(low * kept / ONE))
    return straight_through(left, x * (kept / ONE))


def rate_of_loihi_lif(p, dt, J, voltage, current, refractory_time):
    """Compute the rate for a constant input, see `LoihiLIF.rates`."""
    del dt

    def number(value):
        return tf.cast(value, J.dtype)

    height, leak = UNIT * np.asarray(p.threshold), np.asarray(p.decay_v) / ONE
    drive = J * number(ONE / np.maximum(p.decay_u, 1)) + number(p.bias)
    excess = drive - number(leak * height)
    # 1 stands in for what is below threshold, so that no branch is infinite
    active = excess > 0
    safe = tf.where(active, excess, tf.ones_like(excess))
    with np.errstate(divide="ignore"):
        per_log = number(1 / -np.log1p(-np.where(leak > 0, leak, 0.5)))
    leaky = tf.math.log1p(number(leak * height) / safe) * per_log
    n = tf.where(leak > 0, leaky, number(height) / safe)
    period = tf.maximum(n + 0.5, 1) + number(p.refractory - 1)
    rates = tf.where(active, p.amplitude / period, tf.zeros_like(period))
    return rates, voltage, current, refractory_time


@register(
    LoihiLIF,
    parameters=(
        "decay_u",
        "decay_v",
        "threshold",
        "refractory",
        "bias",
        "min_voltage",
        "amplitude",
    ),
    emits=True,
    rate=rate_of_loihi_lif,
)
def loihi_lif_step(p, dt, J, voltage, current, refractory_time, emit):
    """Integrate, emit spikes, and reset, in integers.

    The gradient does not go through the reset, as with other neurons.
    """
    del dt
    height = tf.cast(UNIT * p.threshold, J.dtype)
    current = _decayed(current, p.decay_u) + straight_through(tf.round(J), J)
    held = refractory_time > 0
    moved = _decayed(voltage, p.decay_v) + current + tf.cast(p.bias, J.dtype)
    if np.any(np.isfinite(p.min_voltage)):
        moved = tf.maximum(moved, tf.cast(p.min_voltage, J.dtype))
    moved = tf.where(held, voltage, moved)
    above = tf.logical_and(moved > height, tf.logical_not(held))
    spiked = tf.cast(above, J.dtype)
    distance = (moved - height) / tf.maximum(height, 1)
    left = tf.nn.relu(refractory_time - 1)
    return (
        p.amplitude * emit(spiked, distance),
        tf.where(above, tf.zeros_like(moved), moved),
        current,
        tf.where(above, tf.zeros_like(left) + tf.cast(p.refractory - 1, J.dtype), left),
    )
