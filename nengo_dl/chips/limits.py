"""Limits of digital chips, as frozen values, and the weights that they hold."""

from dataclasses import dataclass, fields
from numbers import Integral

import numpy as np

from nengo_dl.errors import InvalidValue, argument


@dataclass(frozen=True)
class ChipLimits:
    r"""Limits of a digital chip, by default those of Loihi.

    Those are of Davies et al. 2018 (https://doi.org/10.1109/MM.2018.112130359). Weights
    are whole numbers of ``weight_bits`` bits with the sign, times ``weight_unit``, and
    times a power of two that the weights of a connection share:

    .. math:: w = m \, 2^k \, \text{unit}, \qquad
       -2^{b - 1} \le m < 2^{b - 1}, \qquad 0 \le k \le k_{max}

    On Loihi, these are even mantissas from -256 to 254, times :math:`2^{6 + e}`, with
    exponents :math:`e = k - 1` (Michaelis et al. 2022,
    https://doi.org/10.3389/fninf.2022.1015624).

    Parameters
    ----------
    name : str
        Of the chip.
    cores : int
        Number of cores.
    neurons : int
        Most neurons of a core.
    axons_in, axons_out : int
        Most neurons that a core hears of, and most pairs of one of its neurons and a
        core that hears of it.
    memory : int
        Bytes for the weights of a core.
    weight_bits : int
        Bits :math:`b` of a weight.
    weight_unit : int
        The step of the smallest weights.
    max_shift : int
        The largest power :math:`k_{max}`.

    Raises
    ------
    ValidationError
        If a limit is no whole number, or is negative.

    Examples
    --------
    .. testcode::

       from nengo_dl.hardware import ChipLimits

       small = ChipLimits("half of Loihi", cores=64)
       print(small.neurons)

    .. testoutput::

       1024
    """

    name: str = "Loihi"
    cores: int = 128
    neurons: int = 1024
    axons_in: int = 4096
    axons_out: int = 4096
    memory: int = 128 * 1024
    weight_bits: int = 8
    weight_unit: int = 64
    max_shift: int = 8

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "name":
                continue
            with argument(field.name, self):
                is_whole = isinstance(value, Integral) and not isinstance(value, bool)
                low = 0 if field.name == "max_shift" else 1
                if not (is_whole and value >= low):
                    raise InvalidValue(
                        f"must be a whole number of at least {low} (got {value!r}). "
                        "Leave it out for that of Loihi."
                    )

    @property
    def max_weight(self) -> int:
        """(int) The largest weight."""
        return (2 ** (self.weight_bits - 1) - 1) * self.weight_unit * 2**self.max_shift

    def shift_for(self, largest: float) -> int:
        """Return the smallest power with which weights reach a magnitude.

        Parameters
        ----------
        largest : float
            The magnitude; 0 or more.

        Returns
        -------
        shift : int
            The power, which is at most ``max_shift``.
        """
        top = (2 ** (self.weight_bits - 1) - 1) * self.weight_unit
        needed = np.ceil(np.log2(max(largest, top) / top) - 1e-9)
        return int(min(needed, self.max_shift))

    def rounded(self, weights: np.ndarray, shift: int) -> np.ndarray:
        """Return the nearest weights of the chip, with a power that they share.

        Parameters
        ----------
        weights : ndarray of any shape
            The weights.
        shift : int
            The power.

        Returns
        -------
        rounded : ndarray
            Of the same shape.
        """
        half, step = 2 ** (self.weight_bits - 1), self.weight_unit * 2.0**shift
        # with the largest power, the lowest number has a bit more than weights have
        lowest = -half if shift < self.max_shift else 1 - half
        return np.clip(np.rint(weights / step), lowest, half - 1) * step

    def has(self, weights: np.ndarray) -> bool:
        """Whether a connection on the chip can have weights, to rounding.

        Parameters
        ----------
        weights : ndarray of any shape
            All weights of the connection.

        Returns
        -------
        has : bool
            Whether there is a power with which the chip has all of them.
        """
        largest = np.max(np.abs(weights), initial=0)
        return any(
            np.all(np.abs(self.rounded(weights, k) - weights) <= 1e-5 * largest)
            for k in range(self.max_shift + 1)
        )


LOIHI = ChipLimits()


def held_by_loihi(weights: np.ndarray) -> np.ndarray:
    """Return weights as Loihi holds them, with one exponent."""
    return LOIHI.rounded(weights, LOIHI.shift_for(np.max(np.abs(weights), initial=0)))


def held_by_host(weights: np.ndarray) -> np.ndarray:
    """Return weights with as many bits, times any power of two."""
    largest = np.max(np.abs(weights), initial=0)
    if largest == 0:
        return weights
    step = 2.0 ** np.ceil(np.log2(largest / (2 ** (LOIHI.weight_bits - 1) - 1)))
    return np.rint(weights / step) * step
