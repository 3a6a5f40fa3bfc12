"""LIF neurons whose time constants are weights, as a cell that a `TensorNode` calls."""

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nengo_dl import surrogates
from nengo_dl.ops.lif import lif_step
from nengo_dl.ops.surrogates import emit_plainly, emitter


class LIFCell(keras.layers.Layer):
    """Step LIF neurons, whose membrane time constants are trained.

    Parameters
    ----------
    units : int
        Number of neurons.
    tau_rc, tau_ref : float
        Initial membrane time constant, and refractory period, in seconds.
    amplitude : float
        Height of spikes, times dt.
    min_voltage : float
        Lowest voltage.
    bias : ndarray of shape (units,)
        Initial biases.
    dt : float
        Length of a step, in seconds.
    surrogate : callable or str
        See `nengo_dl.surrogates`.

    Notes
    -----
    The weight is the logarithm of the time constant, which thus stays positive.
    """

    def __init__(
        self, units, tau_rc, tau_ref, amplitude, min_voltage, bias, dt, surrogate
    ):
        super().__init__(autocast=False)
        self._constants = {"tau_ref": tau_ref, "amplitude": amplitude}
        self._constants |= {"min_voltage": min_voltage, "starts_below_threshold": False}
        self._dt = dt
        self._emit = emitter(surrogates.by_name(surrogate))
        self.state_size = [units, units]
        log_tau = np.full(units, np.log(tau_rc))
        for name, value in (("log_tau_rc", log_tau), ("bias", bias)):
            weight = self.add_weight(
                name=name,
                shape=(units,),
                initializer=lambda shape, dtype, value=value: tf.constant(value, dtype),
            )
            setattr(self, name, weight)
        self.built = True

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return voltages and refractory times before the first step."""
        return [keras.ops.zeros((batch_size, size)) for size in self.state_size]

    def call(self, x, states, training=None):
        """Do one step; all tensors have the shape (items, units)."""
        tau_rc = tf.exp(tf.convert_to_tensor(self.log_tau_rc))
        p = SimpleNamespace(tau_rc=tau_rc, **self._constants)
        emit = self._emit if training else emit_plainly
        current = x + tf.convert_to_tensor(self.bias)
        spikes, *after = lif_step(p, self._dt, current, *states, emit)
        return spikes, after
