"""Models of hardware, as frozen values."""

from dataclasses import dataclass, field
from math import inf, nextafter
from typing import Any

from nengo_dl.chips.bits import check_bits, n_levels
from nengo_dl.chips.checks import check_number
from nengo_dl.chips.devices import SMALLEST, Device
from nengo_dl.chips.tiles import Tile
from nengo_dl.errors import InvalidValue, argument
from nengo_dl.names import listing, suggestion

ABOVE_ONE = nextafter(1.0, 2.0)


def _check_choice(value: Any, choices: tuple[str | None, ...]) -> None:
    if value not in choices:
        known = [choice for choice in choices if choice is not None]
        none = " or None" if None in choices else ""
        hint = suggestion(value, known) if isinstance(value, str) else ""
        raise InvalidValue(
            f"must be one of {listing(known)}{none} (got {value!r})."
            f"{hint or ' Leave it out to keep the default.'}"
        )


def _check_device(device: Any, bits: int | None) -> None:
    if device is not None and not isinstance(device, Device):
        raise InvalidValue(
            f"must be a Device or None (got {device!r}). Pass an instance, e.g. PCM()."
        )
    if device is not None and bits is not None:
        raise InvalidValue(
            f"must be None with bits (got {device!r}). Leave out the bits: devices "
            "hold weights of any value."
        )


def _check_faults(name: str, model: "Weights") -> None:
    part = getattr(model, name)
    check_number(part, 0, ABOVE_ONE, "a number from 0 to 1")
    if part and model.device is None:
        raise InvalidValue(
            f"must be 0 without a device (got {part!r}). Choose one, e.g. device=PCM()."
        )
    if name == "stuck" and model.dead + part > 1:
        raise InvalidValue(
            f"must be at most 1 - dead, which is {1 - model.dead:g} (got {part!r}). "
            "Devices are dead, or stuck, or work."
        )


@dataclass(frozen=True)
class Weights:
    r"""How hardware holds weights: in few levels, with noise in training.

    The levels are symmetric around zero:

    .. math::

       w_q = \mathrm{clip}\left(
           \mathrm{round}\left(\frac{w \, n}{s}\right), -n, n
       \right) \frac{s}{n}, \qquad n = 2^{b - 1} - 1

    with :math:`b` bits and the scale :math:`s`. In training, the derivative of
    :math:`w_q` is taken to be 1 (the straight-through estimator: Bengio, Léonard &
    Courville 2013, https://doi.org/10.48550/arXiv.1308.3432), so that gradients change
    the weights :math:`w`, and the network computes with :math:`w_q`.

    Noise in training prepares a network for hardware that is not exact. It is drawn
    anew for each minibatch, and is there in ``fit`` alone, with the same derivative.

    Parameters
    ----------
    bits : int, optional
        Number of bits :math:`b`, from 2 to 16; there are :math:`2^b - 1` levels. By
        default, weights keep the precision of the simulation.
    per : "channel" or "tensor"
        Which weights share a scale: those of one output channel (a row of a matrix, a
        filter of a convolution), or all weights of an object.
    scale : "max" or "mse"
        The scale :math:`s`, which is found anew whenever weights change. "max": their
        largest magnitude. "mse": the part of it, out of 41 parts from 0.2 to 1, with
        the smallest sum of squared errors.
    exponent : "power_of_two", optional
        Whether the step :math:`s / n` is rounded up to a power of two, as on chips that
        scale by shifting bits. It needs ``bits``.
    device : `Device`, optional
        What holds the weights: `PCM`, `PowerLaw`, or a class of your own. Its noise and
        drift come with `Simulator.program`. It needs ``bits=None``.
    noise : float
        Standard deviation of Gaussian noise on weights in training, as a part of the
        largest magnitude of those that share a scale.
    device_noise : float
        Standard deviation of more noise in training, in units of that with which the
        device programs a weight of this size. It needs a ``device``.
    clip : float, optional
        Where training clips weights after each update, in units of the root mean square
        of those that share a scale, which is their standard deviation around zero; 2.5
        is usual. Fewer large weights make the noise of hardware, which is relative to
        the largest one, smaller for all others. Optimizers of Keras do it; those of
        PyTorch do not.
    drop : float
        Probability with which a weight is zero in training, from 0 to less than 1
        (drop-connect: Wan et al. 2013,
        https://proceedings.mlr.press/v28/wan13.html, here without rescaling).
    dead, stuck : float
        Parts of all devices, of which there are two for each weight, that have no
        conductance, or the largest one. `Simulator.program` draws which ones. They
        ignore what is programmed, have no noise, and do not drift. They need a
        ``device``.

    Raises
    ------
    ValidationError
        If an argument has another value than these.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import Hardware, Weights

       with nengo.Network(seed=0) as net:
           nengo_dl.configure_settings(hardware=Hardware(Weights(bits=3)))
           stimulus = nengo.Node([1.0, 1.0, 1.0])
           output = nengo.Node(size_in=1)
           weights = [[1.0, 0.3, -0.1]]
           nengo.Connection(stimulus, output, transform=weights, synapse=None)
           probe = nengo.Probe(output)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run_steps(1)
       print(sim.data[probe].round(3))  # 1 + 1 / 3 - 0

    .. testoutput::

       [[1.333]]
    """

    bits: int | None = None
    per: str = "channel"
    scale: str = "max"
    exponent: str | None = None
    device: Device | None = None
    noise: float = 0.0
    device_noise: float = 0.0
    clip: float | None = None
    drop: float = 0.0
    dead: float = 0.0
    stuck: float = 0.0

    def __post_init__(self):
        with argument("bits", self):
            check_bits(self.bits)
        with argument("per", self):
            _check_choice(self.per, ("channel", "tensor"))
        with argument("scale", self):
            _check_choice(self.scale, ("max", "mse"))
        with argument("exponent", self):
            _check_choice(self.exponent, ("power_of_two", None))
            if self.exponent is not None and self.bits is None:
                raise InvalidValue(
                    f"must be None without bits (got {self.exponent!r}). Choose a "
                    "number of bits."
                )

        with argument("device", self):
            _check_device(self.device, self.bits)
        for name in ("noise", "device_noise"):
            with argument(name, self):
                expected = "a finite number of at least 0"
                check_number(getattr(self, name), 0, inf, expected)
                if name == "device_noise" and self.device_noise and not self.device:
                    raise InvalidValue(
                        f"must be 0 without a device (got {self.device_noise!r}). "
                        "Choose one, e.g. device=PCM()."
                    )
        with argument("clip", self):
            if self.clip is not None:
                check_number(self.clip, SMALLEST, inf, "a positive number, or None")
        with argument("drop", self):
            check_number(self.drop, 0, 1, "a number from 0 to less than 1")
        for name in ("dead", "stuck"):
            with argument(name, self):
                _check_faults(name, self)

    @property
    def draws(self) -> bool:
        """(bool) Whether training draws random numbers."""
        return self.noise > 0 or self.device_noise > 0 or self.drop > 0

    @property
    def acts(self) -> bool:
        """(bool) Whether networks compute with other weights in any method."""
        return self.bits is not None or self.draws

    @property
    def holds(self) -> bool:
        """(bool) Whether it does anything to weights, at any time."""
        return self.acts or self.device is not None or self.clip is not None

    @property
    def n_levels(self) -> int:
        """(int) Number of positive levels; 0 for weights that are not quantised."""
        return n_levels(self.bits)


@dataclass(frozen=True)
class Hardware:
    """A model of hardware that parts of a network are put on.

    It is the value of the setting ``hardware``, see `.configure_settings`.

    Parameters
    ----------
    weights : `Weights`
        How it holds weights.
    tile : `Tile` or None
        Converters and noise around the products of these weights with vectors. None
        computes exact products.

    Raises
    ------
    ValidationError
        If an argument has another type.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import Hardware, Weights

       with nengo.Network() as net:
           nengo_dl.configure_settings(hardware=Hardware(Weights(bits=8)))
           ens = nengo.Ensemble(10, 1)
           conn = nengo.Connection(ens, ens)
       net.config[conn].hardware = None  # this one stays digital
    """

    weights: Weights = field(default_factory=Weights)
    tile: Tile | None = None

    def __post_init__(self):
        with argument("weights", self):
            if not isinstance(self.weights, Weights):
                raise InvalidValue(
                    f"must be Weights (got {self.weights!r}). Pass e.g. "
                    "Weights(bits=8)."
                )
        with argument("tile", self):
            if not isinstance(self.tile, Tile | None):
                raise InvalidValue(
                    f"must be a Tile or None (got {self.tile!r}). Pass e.g. Tile()."
                )
