"""Neuron types that turn the rates of another type into spikes.

Their input ``J`` is the rate of the base type, which has a kernel of its own.
"""

import nengo
import numpy as np
import tensorflow as tf

from nengo_dl.ops.neurons import integrate, register


def rate_of_regular_spiking(p, dt, J, voltage):
    """Pass the base type's rate on."""
    del dt
    return p.amplitude * J, voltage


@register(
    nengo.RegularSpiking,
    parameters=("amplitude",),
    emits=True,
    rate=rate_of_regular_spiking,
)
def regular_spiking_step(p, dt, J, voltage, emit):
    """Integrate the base type's rate; emit a spike for every unit passed."""
    return integrate(p, dt, voltage + dt * J, tf.floor, emit)


def rate_of_random_spiking(p, dt, J):
    """Pass the base type's rate on."""
    del dt
    return p.amplitude * J


@register(
    nengo.StochasticSpiking,
    parameters=("amplitude",),
    flags=("negative",),
    random=True,
    rate=rate_of_random_spiking,
)
def stochastic_spiking_step(p, dt, J, uniform):
    """Round the expected number of spikes up or down at random, without bias."""
    expected = dt * (tf.abs(J) if p.negative else J)
    whole = tf.floor(expected)
    n_spikes = whole + tf.cast(uniform(1)[0] < expected - whole, J.dtype)
    return p.amplitude / dt * n_spikes * (tf.sign(J) if p.negative else 1)


@register(
    nengo.PoissonSpiking,
    parameters=("amplitude",),
    flags=("negative",),
    random=True,
    rate=rate_of_random_spiking,
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
    ``uniform(n)`` draws numbers on [0, 1) of shape (n, \\*shape of mean).
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
