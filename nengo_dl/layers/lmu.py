"""Legendre memory units."""

from typing import Any

import nengo
import numpy as np
from keras.saving import register_keras_serializable
from nengo.exceptions import ValidationError
from nengo.neurons import NeuronType
from scipy.linalg import expm

from nengo_dl import surrogates
from nengo_dl.arguments import whole
from nengo_dl.descriptions import described, restored
from nengo_dl.errors import argument, arguments_of
from nengo_dl.layers.network_layer import (
    NetworkLayer,
    population,
    serialized,
    weights,
)

ONE_STEP = nengo.Lowpass(0)


def legendre_system(order: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return matrices A, of shape (order, order), and B, of shape (order, 1).

    :math:`\theta \dot m = A m + B u` holds the last :math:`\theta` of u as coefficients
    of Legendre polynomials.
    """
    i = np.arange(order)[:, None]
    j = i.T
    a = (2 * i + 1) * np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
    return a, (2 * i + 1) * (-1.0) ** i


@register_keras_serializable(package="nengo_dl")
class LMU(NetworkLayer):
    r"""A Legendre memory unit: a memory of the recent input, read by neurons.

    With input :math:`x_t`, the memory :math:`m_t` holds the last :math:`\theta` steps
    of :math:`u_t`, and the output :math:`h_t` is

    .. math::
       u_t &= W_u x_t \\
       m_t &= \bar A m_{t-1} + \bar B u_t \\
       h_t &= f(W_x x_t + W_m m_t + W_h h_{t-1} + b).

    :math:`\bar A, \bar B` follow from :math:`\theta \dot m = A m + B u`, whose solution
    is exact for inputs that are constant over a step. They are not trained.

    Parameters
    ----------
    units : int
        Number of neurons.
    order : int
        Number of polynomials, that is, of values that hold the past of one signal.
    theta : float
        Length of the memory, in steps.
    memory_d : int
        Number of signals in the memory.
    neuron_type : NeuronType
        The function :math:`f`, which may spike; a hyperbolic tangent by default.
    trainable_theta : bool
        Whether the length of the memory is trained. The system is then stepped by
        Euler's method, and theta has to be large compared with the order.
    return_sequences : bool
        Whether to return all steps, or only the last one that a mask leaves.
    kernel_initializer, recurrent_initializer : str or keras.Initializer
        Of :math:`W_u, W_x, W_m`, and of :math:`W_h`. Biases start at 0.
    surrogate : str or callable
        For spiking neurons, see `nengo_dl.configure_settings`.
    dt : float
        Length of a time step, in seconds.
    **kwargs
        See `keras.layers.Layer`.

    Raises
    ------
    ValidationError
        If `units`, `order` or `memory_d` is no positive whole number, `theta` is less
        than a step, or `dt` is not positive.

    Notes
    -----
    Inputs have the shape (items, n_steps, size), outputs (items, n_steps, units), or
    (items, units). Voelker, Kajić & Eliasmith 2019 describe the unit
    (https://proceedings.neurips.cc/paper/2019/hash/952285b9b7e7a1be5aa7849f32ffff05-Abstract.html).

    Examples
    --------
    .. testcode::

       layer = nengo_dl.layers.LMU(units=8, order=6, theta=20, return_sequences=False)
       print(layer(np.ones((5, 20, 3))).shape)

    .. testoutput::

       (5, 8)
    """

    def __init__(
        self,
        units: int,
        order: int,
        theta: float,
        *,
        memory_d: int = 1,
        neuron_type: NeuronType = nengo.Tanh(tau_ref=1),  # noqa: B008 (frozen)
        trainable_theta: bool = False,
        return_sequences: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        surrogate: surrogates.Surrogate | str = surrogates.DEFAULT,
        dt: float = 0.001,
        **kwargs: Any,
    ):
        super().__init__(units, return_sequences, dt, surrogate, **kwargs)
        with arguments_of(type(self)):
            with argument("order"):
                self.order = whole(order, 1)
            with argument("memory_d"):
                self.memory_d = whole(memory_d, 1)
            if not theta >= 1:
                raise ValidationError(
                    f"must be a number of steps, at least 1 (got {theta!r}). Pass "
                    "about as many as the sequences have.",
                    attr="theta",
                )
        self.theta, self.trainable_theta = theta, trainable_theta
        self.neuron_type = neuron_type
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer

    def make_network(self, size_in: int) -> None:
        """Make an input, a memory, neurons and a probe."""
        stimulus = nengo.Node(np.zeros(size_in), label="input")
        written = nengo.Node(size_in=self.memory_d, label="written")
        neurons = population(self.neuron_type, np.zeros(self.units))
        memory = self._memory(written)
        self._weigh(stimulus, written, "encoder")
        self._weigh(stimulus, neurons, "kernel")
        self._weigh(memory, neurons, "memory_kernel")
        recurrent = weights(self.recurrent_initializer, (self.units, self.units))
        nengo.Connection(
            neurons, neurons, transform=recurrent, synapse=ONE_STEP, label="recurrent"
        )
        nengo.Probe(neurons, synapse=None)

    def _weigh(self, pre: Any, post: Any, label: str) -> None:
        kernel = weights(self.kernel_initializer, (pre.size_out, post.size_in))
        nengo.Connection(pre, post, transform=kernel, label=label)

    def _memory(self, written: nengo.Node) -> nengo.Node:
        """Make the memory of a node; all of its weights are constants but theta."""
        a, b = legendre_system(self.order)
        memory = nengo.Node(size_in=self.order * self.memory_d, label="memory")
        if self.trainable_theta:
            change = nengo.Node(size_in=memory.size_in, label="change")
            self._fixed(memory, memory, np.eye(self.order), ONE_STEP)
            self._fixed(memory, change, a, ONE_STEP)
            self._fixed(written, change, b)
            nengo.Connection(
                change, memory, transform=1 / self.theta, label="inverse_theta"
            )
            return memory
        size = self.order + 1
        system = np.zeros((size, size))
        system[: self.order] = np.hstack([a, b]) / self.theta
        solution = expm(system)
        self._fixed(memory, memory, solution[: self.order, : self.order], ONE_STEP)
        self._fixed(written, memory, solution[: self.order, self.order :])
        return memory

    def _fixed(
        self, pre: Any, post: Any, matrix: np.ndarray, synapse: Any = None
    ) -> None:
        """Connect nodes by one matrix for each of the signals."""
        network = nengo.Network.context[-1]
        transform = np.kron(np.eye(self.memory_d), matrix)
        conn = nengo.Connection(pre, post, transform=transform, synapse=synapse)
        network.config[conn].trainable = False

    def get_config(self):
        """Return the arguments to make the same layer with."""
        names = ("order", "theta", "memory_d", "trainable_theta")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
            "neuron_type": described(self.neuron_type),
            "kernel_initializer": serialized(self.kernel_initializer),
            "recurrent_initializer": serialized(self.recurrent_initializer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LMU":
        """Make a layer from the result of `get_config`."""
        neuron_type = restored(config["neuron_type"])
        return super().from_config({**config, "neuron_type": neuron_type})
