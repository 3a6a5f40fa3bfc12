"""Analog tiles: converters and noise around the products of weights with vectors.

The formula of converters is written for NumPy and TensorFlow alike.
"""

from dataclasses import dataclass
from math import inf
from types import ModuleType
from typing import Any

from nengo_dl.chips.bits import check_bits, n_levels
from nengo_dl.chips.checks import check_number
from nengo_dl.errors import InvalidValue, argument


@dataclass(frozen=True)
class Tile:
    r"""Converters and noise around each product of weights with a vector.

    An analog tile multiplies by currents. A digital-to-analog converter (DAC) gives it
    the vector, and an analog-to-digital converter (ADC) reads the products, which are
    noisy. With weights :math:`w`, inputs :math:`x` of the range :math:`s`, and the
    largest magnitude :math:`w_{max}` of the weights that share a scale
    (``Weights.per``),

    .. math::

       x_q &= s \, q_{in}\!\left(\frac{x}{s}\right) \\
       y &= w_{max} \, s \; q_{out}\!\left(
           \frac{\sum_j w_j x_{q,j}}{w_{max} \, s}
           + \sqrt{\sigma^2 + \rho^2 \sum_j \frac{x_{q,j}^2}{s^2}} \; \xi
       \right) \\
       q(v) &= \mathrm{clip}\left(
           \mathrm{round}\left(\frac{v \, n}{b}\right), -n, n
       \right) \frac{b}{n}, \qquad n = 2^{\mathrm{bits} - 1} - 1,

    where the bound :math:`b` of the DAC is 1, that of the ADC ``output_bound``, and
    :math:`\xi` is Gaussian noise, drawn for each output, item and step
    (Rasch et al. 2021, https://doi.org/10.1109/AICAS51828.2021.9458494). The term with
    ``read_noise`` :math:`\rho` has the distribution of fresh noise on every weight in
    every product.

    Tiles act in ``run``, ``predict``, ``evaluate`` and ``fit`` alike. The derivative of
    rounding is taken to be 1, and that of what is clipped is 0; ranges and noise have
    none.

    Parameters
    ----------
    input_bits : int or None
        Number of bits of the DAC, from 2 to 16. None does not round.
    input_bound : float or None
        The input range :math:`s`, in the units of inputs; what is larger is clipped. By
        default, it is the largest magnitude among the inputs, for each item of the
        minibatch and each step.
    output_bits : int or None
        Number of bits of the ADC, from 2 to 16. None does not round.
    output_bound : float or None
        Bound of the ADC, in units of :math:`w_{max} s`; what is larger is clipped. None
        clips nothing, and needs ``output_bits=None``.
    output_noise : float
        Standard deviation :math:`\sigma` of the noise of each output, in units of
        :math:`w_{max} s`.
    read_noise : float
        Standard deviation :math:`\rho` of noise on each weight, in units of
        :math:`w_{max}`.
    bound_management : bool
        Whether the input range is doubled, for each item and step, until no product is
        clipped, apart from its noise.

    Raises
    ------
    ValidationError
        If an argument has another value than these.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import Hardware, Tile

       tile = Tile(input_bits=3, output_bits=None, output_noise=0.0)
       with nengo.Network() as net:
           nengo_dl.configure_settings(hardware=Hardware(tile=tile))
           stimulus = nengo.Node([1.0, 0.3])
           output = nengo.Node(size_in=1)
           nengo.Connection(stimulus, output, transform=[[0.5, 1.0]], synapse=None)
           probe = nengo.Probe(output)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run_steps(1)
           print(sim.data[probe].round(3))  # 0.5 + 1 / 3

    .. testoutput::

       [[0.833]]
    """

    input_bits: int | None = 8
    input_bound: float | None = None
    output_bits: int | None = 8
    output_bound: float | None = 10.0
    output_noise: float = 0.04
    read_noise: float = 0.0
    bound_management: bool = False

    def __post_init__(self):
        for name in ("input_bits", "output_bits"):
            with argument(name, self):
                check_bits(getattr(self, name))
        for name in ("input_bound", "output_bound"):
            with argument(name, self):
                value = getattr(self, name)
                expected = "a finite number greater than 0, or None"
                if value is not None:
                    check_number(value, 0, inf, expected)
                if value == 0:
                    raise InvalidValue(f"must be {expected} (got {value!r}).")
        for name in ("output_noise", "read_noise"):
            with argument(name, self):
                check_number(
                    getattr(self, name), 0, inf, "a finite number of at least 0"
                )
        self._check_output()

    def _check_output(self):
        with argument("output_bound", self):
            if self.output_bound is None and self.output_bits is not None:
                raise InvalidValue(
                    "must be a number with output_bits (got None). Set "
                    "output_bits=None, too, for outputs without an ADC."
                )
        with argument("bound_management", self):
            if not isinstance(self.bound_management, bool):
                raise InvalidValue(
                    f"must be True or False (got {self.bound_management!r}). Leave it "
                    "out to keep the default."
                )
            if self.bound_management and self.output_bound is None:
                raise InvalidValue(
                    "must be False without output_bound (got True). Nothing is clipped "
                    "then."
                )

    @property
    def n_inputs(self) -> int:
        """(int) Number of positive levels of the DAC; 0 if it does not round."""
        return n_levels(self.input_bits)

    @property
    def n_outputs(self) -> int:
        """(int) Number of positive levels of the ADC; 0 if it does not round."""
        return n_levels(self.output_bits)

    @property
    def draws(self) -> bool:
        """(bool) Whether there is noise."""
        return self.output_noise > 0 or self.read_noise > 0


def converted(values: Any, bound: Any, n: Any, xp: ModuleType) -> Any:
    """Return what a converter makes of values.

    Parameters
    ----------
    values : ndarray or tensor
        The values.
    bound : ndarray or tensor
        The largest magnitude that there is; broadcasts to the values.
    n : ndarray or tensor or None
        Number of positive levels; None does not round. Compiled code divides by
        constants in another way than by what it reads from memory.
    xp : module
        `numpy`, or one with functions of the same names.
    """
    if n is None:
        return xp.minimum(xp.maximum(values, -bound), bound)
    # where all is zero, there is no range
    divisor = xp.where(bound > 0, bound, xp.ones_like(bound))
    return xp.clip(xp.round(values * n / divisor), -n, n) / n * bound
