"""Weights that are programmed into pairs of devices, and read after a time."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nengo_dl.chips.devices import Device


class Faults(NamedTuple):
    """The parts of devices that do not work.

    Parameters
    ----------
    dead, stuck : float
        Of those without a conductance, and with the largest one.
    """

    dead: float = 0.0
    stuck: float = 0.0

    def draw(
        self, shape: tuple[int, ...], rng: np.random.Generator
    ) -> np.ndarray | None:
        """Draw conductances of devices that are dead or stuck, NaN for all others.

        Larger parts have the same devices and more. None if all work.
        """
        if not (self.dead or self.stuck):
            return None
        u = rng.random(shape)
        return np.select([u < self.dead, u >= 1 - self.stuck], [0.0, 1.0], np.nan)


@dataclass(frozen=True, eq=False)
class Side:
    """One device of each pair.

    Parameters
    ----------
    state : object
        The state of all devices, as `Device.program` returns it.
    faults : ndarray or None
        The conductances of devices that are dead or stuck, and NaN for all others; None
        if all work.
    """

    state: Any
    faults: np.ndarray | None

    def read(self, device: Device, t: float, rng: np.random.Generator) -> np.ndarray:
        """Return conductances at a time in seconds."""
        found = device.read(self.state, t, rng)
        if self.faults is None:
            return found
        return np.where(np.isnan(self.faults), found, self.faults)


@dataclass(frozen=True, eq=False)
class ProgrammedWeights:
    """Weights in devices: differences of two conductances, times a scale.

    Parameters
    ----------
    device : `Device`
        Model of the devices.
    scale : ndarray
        The weights of the largest conductance; broadcasts to the weights.
    sides : tuple of `Side`
        The devices that add to the weights, and those that subtract.
    channel_axes : tuple of int
        The axes along which weights are of one output channel.
    generator : callable
        From words to a random generator that depends on them alone.
    """

    device: Device
    scale: np.ndarray
    sides: tuple[Side, Side]
    channel_axes: tuple[int, ...]
    generator: Callable[..., np.random.Generator]

    def at(self, t: float, compensation: str | None) -> np.ndarray:
        """Return the weights at a time in seconds, with the drift compensated or not.

        The factor of the compensation is measured from the weights that are read.
        """
        weights = self._read(t)
        if compensation is None:
            return weights
        axes = None if compensation == "global" else self.channel_axes
        first, now = (
            np.sum(np.abs(found), axis=axes, keepdims=True)
            for found in (self._read(0.0), weights)
        )
        return weights * np.divide(first, now, out=np.ones_like(now), where=now > 0)

    def _read(self, t: float) -> np.ndarray:
        rng = self.generator("read", repr(float(t)))
        positive, negative = (side.read(self.device, t, rng) for side in self.sides)
        return self.scale * (positive - negative)


def program(
    weights: np.ndarray,
    device: Device,
    faults: Faults,
    scale_axes: tuple[int, ...],
    channel_axes: tuple[int, ...],
    seed: int,
    name: str,
) -> ProgrammedWeights:
    """Program weights into pairs of devices.

    Parameters
    ----------
    weights : ndarray
        The wanted weights.
    device : `Device`
        Model of the devices.
    faults : `Faults`
        The parts of them that do not work.
    scale_axes, channel_axes : tuple of int
        The axes along which weights share a scale, and are of one output channel.
    seed : int
        Seed of all random numbers.
    name : str
        Name of the weights, on which random numbers depend, too.

    Returns
    -------
    programmed : `ProgrammedWeights`
    """

    def generator(*words: str) -> np.random.Generator:
        numbers = [zlib.crc32(word.encode()) for word in (name, *words)]
        return np.random.default_rng([seed, *numbers])

    weights = np.asarray(weights, dtype=float)
    scale = np.max(np.abs(weights), axis=scale_axes, keepdims=True)
    wanted = weights / np.where(scale > 0, scale, 1)
    # faults have a stream of their own: all that works stays as it is without them
    rng, rng_of_faults = generator("program"), generator("faults")
    positive, negative = (
        Side(
            device.program(np.maximum(sign * wanted, 0), rng),
            faults.draw(wanted.shape, rng_of_faults),
        )
        for sign in (1, -1)
    )
    sides = (positive, negative)
    return ProgrammedWeights(device, scale, sides, channel_axes, generator)
