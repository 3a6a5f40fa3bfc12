"""Training in memory: gradient descent by pulses that move weights in their devices."""

import math
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.saving import register_keras_serializable
from nengo.exceptions import ValidationError

from nengo_dl.arguments import check_seed
from nengo_dl.chips.pulses import ConstantStep, Drawn, PulsedDevice
from nengo_dl.descriptions import described, restored
from nengo_dl.errors import InvalidValue, argument
from nengo_dl.keras_model.hardware_marks import names_on_hardware
from nengo_dl.names import listing
from nengo_dl.ops.random import gaussian, uniform

# They would write weights otherwise than by pulses.
REFUSED = ("weight_decay", "use_ema")
# Names of the variables of the optimizer that hold what is ``Drawn``
VARIABLES = ("step_up", "step_down", "bound_up", "bound_down")


@dataclass(frozen=True, eq=False)
class Pulsed:
    """A variable that is changed by pulses.

    Parameters
    ----------
    streams : tuple of str
        Names the random numbers of each of its parameters; empty for digital ones.
    is_pulsed : ndarray of bool
        Which of the parameters are on hardware; broadcasts to the variable.
    devices : list of `keras.Variable`
        What was ``Drawn``, each of the shape of the variable.
    """

    streams: tuple[str, ...]
    is_pulsed: np.ndarray
    devices: list[keras.Variable]


@register_keras_serializable(package="nengo_dl")
class PulsedSGD(keras.optimizers.Optimizer):
    r"""Gradient descent that changes weights on hardware by pulses.

    A chip that is trained in memory can make a conductance a little larger or smaller
    by a pulse, and cannot write a number into it. For a gradient :math:`g`, a weight
    gets

    .. math::

       n = \left\lfloor \frac{\eta \lvert g \rvert}{\Delta w_{min}} + u \right\rfloor

    pulses against the sign of the gradient, where :math:`\eta` is the learning rate,
    and :math:`u` is uniform on [0, 1), so that the mean of :math:`n` is exact. The sum
    of their steps is :math:`\Delta w \, (n + \sigma_c \sqrt{n} \, \xi)`, with the steps
    and the bounds of the weight's own device (Gokmen & Vlasov 2016,
    https://doi.org/10.3389/fnins.2016.00333).

    What is not on hardware is changed as by ``keras.optimizers.SGD``.

    Parameters
    ----------
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule
        The learning rate :math:`\eta`. A schedule changes the numbers of pulses.
    device : `ConstantStep` or `SoftBounds`, optional
        The devices that hold weights; by default ``ConstantStep()``.
    seed : int
        Seed of all random numbers, from 0 to 2**32 - 1: those of the devices, which are
        drawn when training begins, and those of the pulses.
    **kwargs
        See ``keras.optimizers.Optimizer``: ``name``, ``clipnorm``, ``clipvalue`` and
        ``global_clipnorm``, which clip gradients before they become pulses,
        ``gradient_accumulation_steps`` and ``loss_scale_factor``. There is no
        ``weight_decay`` and no ``use_ema``, which would write weights.

    Raises
    ------
    ValidationError
        If an argument is invalid, or if nothing that is to be trained is on hardware.

    Warns
    -----
    UserWarning
        If weights are larger than the bounds of their devices.

    Notes
    -----
    The pulses of a minibatch are those of its mean gradient. A chip that updates after
    each item also makes the pulses up and down that cancel here, and their noise.

    Devices and pulses depend on the seed and on the names of parameters, but not on
    what else there is in a network. The drawn devices are variables of the optimizer,
    which files of Keras and `.resume_fit` keep. With and without XLA, random numbers
    are the same, but gradients are rounded differently, which now and then decides
    about a pulse.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import PulsedSGD, Weights

       with nengo.Network(seed=0) as net:
           nengo_dl.configure_settings(hardware=Weights())
           stimulus = nengo.Node([1.0, 1.0])
           out = nengo.Node(size_in=1)
           nengo.Connection(stimulus, out, transform=[[0.1, -0.2]], synapse=None)
           probe = nengo.Probe(out)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.compile(PulsedSGD(0.1), loss="mse")
           x, y = np.ones((100, 1, 2)), 0.5 * np.ones((100, 1, 1))
           sim.fit({stimulus: x}, {probe: y}, verbose=0)
           print(sim.predict({stimulus: x[:1]}, verbose=0)[probe].round(1))

    .. testoutput::

       [[[0.5]]]
    """

    def __init__(
        self,
        learning_rate: Any,
        device: PulsedDevice | None = None,
        seed: int = 0,
        **kwargs: Any,
    ):
        cls = type(self)
        device = ConstantStep() if device is None else device
        with argument("device", cls):
            if not isinstance(device, PulsedDevice):
                raise InvalidValue(
                    f"must be ConstantStep or SoftBounds (got {device!r}). Pass an "
                    "instance, e.g. GokmenVlasov()."
                )
        for name in REFUSED:
            with argument(name, cls):
                if kwargs.get(name):
                    raise InvalidValue(
                        f"must be left out (got {kwargs[name]!r}). It would write "
                        "weights, which pulses alone can change; a loss of a probe, "
                        "e.g. nengo_dl.losses.Regularize, works by pulses."
                    )
        super().__init__(learning_rate, **kwargs)
        self.device = device
        with argument("seed", cls):
            self.seed = check_seed(seed)

    def build(self, variables: list[keras.Variable]) -> None:
        """Draw the devices of all weights on hardware.

        Parameters
        ----------
        variables : list of keras.Variable
            All that will be trained.

        Raises
        ------
        ValidationError
            If no weights are on hardware, or if they have a constraint, which would
            write them.
        """
        if self.built:
            return
        streams = dict(_streams(variables))
        if not streams:
            raise ValidationError(
                "expected weights on hardware among those that are trained (got "
                f"{listing(v.path for v in variables)}). Call "
                "configure_settings(hardware=Weights()) in the network, or use "
                "keras.optimizers.SGD.",
                attr="optimizer",
                obj=self,
            )
        _check_unclipped([variables[i] for i in streams], self)
        super().build(variables)
        self._pulsed = [
            self._with_devices(v, streams[i]) if i in streams else None
            for i, v in enumerate(variables)
        ]

    def update_step(
        self, gradient: Any, variable: Any, learning_rate: tf.Tensor
    ) -> None:
        """Change a variable.

        Parameters
        ----------
        gradient : tensor
            Of the shape of the variable.
        variable : variable
            One of those that devices have been drawn for.
        learning_rate : scalar tensor
            The present learning rate.
        """
        ops = keras.ops
        gradient = ops.cast(gradient, variable.dtype)
        rate = ops.cast(learning_rate, variable.dtype)
        change = ops.multiply(gradient, rate)
        pulsed = self._pulsed[self._get_variable_index(variable)]
        if pulsed is None:
            self.assign_sub(variable, change)
            return
        change = -tf.convert_to_tensor(change)
        weights = tf.convert_to_tensor(variable)
        devices = Drawn(*map(tf.convert_to_tensor, pulsed.devices))
        u, xi = self._random_numbers(pulsed.streams, weights)
        moved = self.device.pulsed(weights, change, devices, u, xi, ops)
        self.assign(variable, tf.where(pulsed.is_pulsed, moved, weights + change))

    def get_config(self) -> dict[str, Any]:
        """Return a configuration from which the optimizer can be made again.

        Returns
        -------
        config : dict
            Arguments of the class, in a form for JSON.
        """
        own = {"device": described(self.device), "seed": self.seed}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "PulsedSGD":
        """Make an optimizer from the result of `get_config`.

        Parameters
        ----------
        config : dict
            The arguments of the class.
        custom_objects : dict, optional
            Classes by name, for a learning rate that is not of Keras.

        Returns
        -------
        optimizer : `PulsedSGD`
            An optimizer that has not begun.
        """
        config = {**config, "device": restored(config["device"])}
        return super().from_config(config, custom_objects)

    def _with_devices(self, variable: keras.Variable, streams: tuple) -> Pulsed:
        """Draw the devices of a variable."""
        shape, n = tuple(variable.shape), len(streams)
        each = shape[1:] if n > 1 else shape
        drawn = [self.device.draw(each, self.seed, stream) for stream in streams]
        values = Drawn(
            *(np.reshape(found, shape) for found in zip(*drawn, strict=True))
        )
        spread = (n, *[1] * len(each)) if n > 1 else ()
        is_pulsed = np.reshape([bool(stream) for stream in streams], spread)
        _warn_beyond(variable, streams, is_pulsed, self.device)
        devices = [
            self.add_variable_from_reference(variable, name, _initializer(value))
            for name, value in zip(VARIABLES, values, strict=True)
        ]
        return Pulsed(streams, is_pulsed, devices)

    def _random_numbers(
        self, streams: tuple[str, ...], weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draw the numbers of one update, from the seed and its number alone."""
        seed = tf.bitcast(tf.constant(self.seed, tf.uint32), tf.int32)
        number = tf.cast(tf.convert_to_tensor(self.iterations), tf.int32)
        key = tf.stack([seed, number, tf.zeros((), tf.int32)])
        shape = (len(streams), math.prod(weights.shape) // len(streams))
        return tuple(
            tf.reshape(numbers, weights.shape)
            for numbers in (
                uniform(key, shape, weights.dtype, _rows(streams, "pulses")),
                gaussian(key, shape, weights.dtype, _rows(streams, "steps")),
            )
        )


def _check_unclipped(variables: list[keras.Variable], optimizer: "PulsedSGD") -> None:
    """Raise ValidationError where something else would write weights on hardware."""
    constrained = [v.path for v in variables if v.constraint is not None]
    if constrained:
        raise ValidationError(
            f"expected weights that pulses alone change (got {listing(constrained)}, "
            "with a constraint that writes them after each update). Leave out "
            "Weights(clip=...): devices have bounds of their own.",
            attr="optimizer",
            obj=optimizer,
        )


def _streams(variables: list[keras.Variable]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield which variables have weights on hardware, and names for these.

    Equal names, of several networks in a model, get numbers. What is digital has none.
    """
    uses: dict[str, int] = {}

    def unique(name: str) -> str:
        count = uses.get(name, 0)
        uses[name] = count + 1
        return f"{name}/{count}" if count else name

    for i, variable in enumerate(variables):
        names = names_on_hardware(variable)
        if names:
            yield i, tuple("" if name is None else unique(name) for name in names)


def _rows(streams: tuple[str, ...], kind: str) -> np.ndarray:
    """Number the random numbers of parameters, by their names alone."""
    names = (f"{stream}.{kind}".encode() for stream in streams)
    return np.array([zlib.crc32(name) for name in names], dtype=np.uint32)


def _initializer(value: np.ndarray) -> Any:
    return lambda shape, dtype: tf.constant(value, dtype, tuple(shape))


def _warn_beyond(
    variable: keras.Variable,
    streams: tuple[str, ...],
    is_pulsed: np.ndarray,
    device: PulsedDevice,
) -> None:
    """Warn of weights that the first update will cut off."""
    with tf.init_scope():
        values = np.where(is_pulsed, np.asarray(variable), 0.0)
    low, high = float(np.min(values)), float(np.max(values))
    if low < device.w_min or high > device.w_max:
        warnings.warn(
            f"PulsedSGD: expected weights from {device.w_min:g} to {device.w_max:g}, "
            f"the mean bounds of their devices (got {low:g} to {high:g} in "
            f"{listing(filter(None, streams))}). The first update cuts them off. "
            "Choose w_min, w_max and dw_min for these weights, or set hardware=None "
            "for what shall stay digital.",
            stacklevel=2,
        )
