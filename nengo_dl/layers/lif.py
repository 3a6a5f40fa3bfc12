"""Layers of leaky integrate-and-fire neurons."""

from typing import Any

import nengo
import numpy as np
from keras.saving import register_keras_serializable
from nengo.dists import Choice
from nengo.ensemble import Neurons

from nengo_dl import surrogates
from nengo_dl.layers.lif_cell import LIFCell
from nengo_dl.layers.network_layer import (
    NetworkLayer,
    population,
    serialized,
    weights,
)
from nengo_dl.nodes.tensor_node import TensorNode


@register_keras_serializable(package="nengo_dl")
class LIF(NetworkLayer):
    r"""Weights, and leaky integrate-and-fire neurons that receive their product.

    With the input :math:`x`, weights :math:`W` and biases :math:`b`, the voltages are

    .. math:: \tau_{rc} \dot v = W x + b - v, \qquad
        v > 1 \Rightarrow \text{spike}, v = 0 \text{ for } \tau_{ref},

    as those of `nengo.LIF`, and spikes have a height of 1. In training, a surrogate
    takes the place of the derivative of spikes (see `nengo_dl.surrogates`).

    Parameters
    ----------
    units : int
        Number of neurons.
    tau_rc : float
        Time constant of the membrane, in seconds.
    tau_ref : float
        Refractory period, in seconds.
    synapse : Synapse or float, optional
        Filter of the output; a number is the time constant of a lowpass filter, in
        seconds.
    trainable_tau : bool
        Whether each neuron's time constant of the membrane is trained.
    return_sequences : bool
        Whether to return all steps, or only the last one that a mask leaves.
    kernel_initializer, bias_initializer : str or keras.Initializer
        Of weights and biases. A current of 1 is the threshold.
    surrogate : str or callable
        See `nengo_dl.configure_settings`.
    dt : float
        Length of a time step, in seconds.
    **kwargs
        See `keras.layers.Layer`.

    Raises
    ------
    ValidationError
        If `units` is no positive whole number, or a time is out of range.

    Notes
    -----
    Inputs have the shape (items, n_steps, size), outputs (items, n_steps, units), or
    (items, units). Each item starts from a state of zero.

    Trained time constants are described in Fang et al. 2021
    (https://doi.org/10.1109/ICCV48922.2021.00266). Here, the weight is the logarithm of
    the time constant.

    Examples
    --------
    .. testcode::

       model = keras.Sequential(
           [
               keras.Input((20, 3)),
               nengo_dl.layers.LIF(16),
               nengo_dl.layers.LIF(8, synapse=0.01, return_sequences=False),
               keras.layers.Dense(2),
           ]
       )
       print(model.predict(np.ones((5, 20, 3)), verbose=0).shape)

    .. testoutput::

       (5, 2)
    """

    def __init__(
        self,
        units: int,
        tau_rc: float = 0.02,
        tau_ref: float = 0.002,
        *,
        synapse: Any = None,
        trainable_tau: bool = False,
        return_sequences: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "ones",
        surrogate: surrogates.Surrogate | str = surrogates.DEFAULT,
        dt: float = 0.001,
        **kwargs: Any,
    ):
        super().__init__(units, return_sequences, dt, surrogate, **kwargs)
        # which checks the numbers
        self._neuron_type = nengo.LIF(
            tau_rc, tau_ref, amplitude=dt, initial_state={"voltage": Choice([0])}
        )
        self.tau_rc, self.tau_ref, self.synapse = tau_rc, tau_ref, synapse
        self.trainable_tau = trainable_tau
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def make_network(self, size_in: int) -> None:
        """Make an input, neurons and a probe."""
        stimulus = nengo.Node(np.zeros(size_in), label="input")
        neurons = self._neurons()
        kernel = weights(self.kernel_initializer, (size_in, self.units))
        nengo.Connection(stimulus, neurons, transform=kernel, label="kernel")
        self._connect(neurons)
        nengo.Probe(neurons, synapse=self.synapse)

    def _connect(self, neurons: Neurons | TensorNode) -> None:
        """Connect neurons with each other, in subclasses."""

    def _neurons(self) -> Neurons | TensorNode:
        kind = self._neuron_type
        bias = weights(self.bias_initializer, (self.units,))
        if not self.trainable_tau:
            return population(kind, bias)
        constants = (kind.tau_rc, kind.tau_ref, kind.amplitude, kind.min_voltage)
        cell = LIFCell(self.units, *constants, bias, self.dt, self.surrogate)
        shape = (self.units,)
        return TensorNode(cell, shape_in=shape, shape_out=shape, pass_time=False)

    def get_config(self):
        """Return the arguments to make the same layer with."""
        names = ("tau_rc", "tau_ref", "synapse", "trainable_tau")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
            "kernel_initializer": serialized(self.kernel_initializer),
            "bias_initializer": serialized(self.bias_initializer),
        }


@register_keras_serializable(package="nengo_dl")
class RecurrentLIF(LIF):
    """Leaky integrate-and-fire neurons that are connected with each other.

    As `LIF`, with weights from the spikes of the step before to all neurons.

    Parameters
    ----------
    units : int
        Number of neurons.
    tau_rc, tau_ref : float
        See `LIF`, in seconds.
    recurrent_initializer : str or keras.Initializer
        Of the weights between neurons.
    **kwargs
        Further arguments of `LIF`.

    Raises
    ------
    ValidationError
        If `units` is no positive whole number, or a time is out of range.

    Notes
    -----
    See `LIF` for shapes.

    Examples
    --------
    .. testcode::

       layer = nengo_dl.layers.RecurrentLIF(8, return_sequences=False)
       print(layer(np.ones((5, 20, 3))).shape)

    .. testoutput::

       (5, 8)
    """

    def __init__(
        self,
        units: int,
        tau_rc: float = 0.02,
        tau_ref: float = 0.002,
        *,
        recurrent_initializer: Any = "orthogonal",
        **kwargs: Any,
    ):
        super().__init__(units, tau_rc, tau_ref, **kwargs)
        self.recurrent_initializer = recurrent_initializer

    def get_config(self):
        """Return the arguments to make the same layer with."""
        initializer = serialized(self.recurrent_initializer)
        return {**super().get_config(), "recurrent_initializer": initializer}

    def _connect(self, neurons: Neurons | TensorNode) -> None:
        kernel = weights(self.recurrent_initializer, (self.units, self.units))
        nengo.Connection(
            neurons,
            neurons,
            transform=kernel,
            synapse=nengo.Lowpass(0),  # one step later
            label="recurrent_kernel",
        )
