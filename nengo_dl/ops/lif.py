"""Leaky integrate-and-fire neurons: rates and spikes, with and without adaptation."""

import nengo
import numpy as np
import tensorflow as tf

from nengo_dl.neurons import SoftLIFRate
from nengo_dl.ops import series
from nengo_dl.ops.neurons import register


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


def _soft_lif_rate(p, sigma, J):
    """Compute the rate of `SoftLIFRate`, in a form that never leaves the range."""
    x = (J - 1) / sigma
    z = sigma * tf.math.softplus(x)
    # stand-ins keep the branches that are not taken, and their gradients, finite
    tail, small, one = x < -36, z < 1, tf.ones_like(z)
    log_z = tf.where(tail, x + np.log(sigma), tf.math.log(tf.where(tail, one, z)))
    ratio = tf.where(
        small,
        tf.math.log1p(z) - log_z,
        tf.math.log1p(1 / tf.where(small, one, z)),
    )
    return p.amplitude / (p.tau_ref + p.tau_rc * ratio)


@register(SoftLIFRate, parameters=("tau_rc", "tau_ref", "amplitude", "sigma"))
def soft_lif_rate_step(p, dt, J):
    r"""Compute LIF rates with :math:`z = \sigma \log(1 + e^{(J - 1) / \sigma})`.

    .. math:: a / (\tau_{ref} + \tau_{rc} \log(1 + 1 / z))
    """
    del dt
    return _soft_lif_rate(p, p.sigma, J)


def _trained_lif_rate(p, J):
    """Compute LIF rates, smoothed if the network's settings say so."""
    if p.settings.lif_smoothing is None:
        return lif_rate_step(p, None, J)
    return _soft_lif_rate(p, p.settings.lif_smoothing, J)


def rate_of_lif(p, dt, J, voltage, refractory_time):
    """Compute the steady firing rate; the membrane stands still."""
    del dt
    return _trained_lif_rate(p, J), voltage, refractory_time


@register(
    nengo.LIF,
    parameters=("tau_rc", "tau_ref", "amplitude", "min_voltage"),
    emits=True,
    rate=rate_of_lif,
)
def lif_step(p, dt, J, voltage, refractory_time, emit):
    r"""Integrate the membrane exactly, for a current that is constant over the step.

    .. math:: \tau_{rc} \dot v = J - v, \qquad v > 1 \Rightarrow \text{spike}, v = 0

    The spike's time within the step is solved for, so that the refractory period ends
    in the right fraction of a later step.

    No gradient goes through the reset, which would teach neurons to spike less whenever
    it teaches them to spike more (Zenke & Vogels 2021,
    https://doi.org/10.1162/neco_a_01367), nor through the time of a spike, which is
    infinitely sensitive at the threshold.
    """
    refractory_time = tf.stop_gradient(refractory_time)
    delta_t = tf.clip_by_value(2 * dt - refractory_time, 0, dt)
    # XLA keeps quotients, and computes products again for each of their readers; the
    # maximum, which changes nothing, keeps it from making a product of this one
    decay = tf.maximum(tf.exp(delta_t * (1 / p.tau_rc)), 1)
    voltage = J - (J - voltage) / decay
    spiked = voltage > 1
    # the overshoot is at most 1 - exp(-dt / tau_rc) of J - 1 if v <= 1 before the step;
    # only a user's initial state can be larger
    bound = dt / np.min(p.tau_rc) if p.starts_below_threshold else np.inf
    # what is not finite, where there is no spike, must not reach a trained tau_rc
    t_spike = dt + tf.stop_gradient(p.tau_rc * series.log1m(voltage - 1, J - 1, bound))
    zero = tf.zeros_like(voltage)
    spikes = tf.where(spiked, zero + p.amplitude / dt, zero)
    return (
        emit(spikes, voltage - 1, p.amplitude / dt),
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


def rate_of_adaptive_lif(p, dt, J, voltage, refractory_time, adaptation):
    """Compute rates that adapt; the membrane stands still."""
    output = _trained_lif_rate(p, J - adaptation)
    return output, voltage, refractory_time, _adapt(p, dt, adaptation, output)


@register(
    nengo.AdaptiveLIF,
    parameters=("tau_rc", "tau_ref", "amplitude", "min_voltage", *_ADAPTATION),
    emits=True,
    rate=rate_of_adaptive_lif,
)
def adaptive_lif_step(p, dt, J, voltage, refractory_time, adaptation, emit):
    r"""Step LIF neurons with :math:`J - n`, where each spike raises ``n``."""
    output, voltage, refractory_time = lif_step(
        p, dt, J - adaptation, voltage, refractory_time, emit
    )
    return output, voltage, refractory_time, _adapt(p, dt, adaptation, output)
