"""Weights that are programmed into pairs of devices, and read after a time."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nengo_dl.chips.devices import Device


@dataclass(frozen=True, eq=False)
class ProgrammedWeights:
    """Weights in devices: differences of two conductances, times a scale.

    Parameters
    ----------
    device : `Device`
        Model of the devices.
    scale : ndarray
        The weights of the largest conductance; broadcasts to the weights.
    positive, negative : object
        The states of the devices of each pair.
    channel_axes : tuple of int
        The axes along which weights are of one output channel.
    generator : callable
        From words to a random generator that depends on them alone.
    """

    device: Device
    scale: np.ndarray
    positive: Any
    negative: Any
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
        positive, negative = (
            self.device.read(state, t, rng) for state in (self.positive, self.negative)
        )
        return self.scale * (positive - negative)


def program(
    weights: np.ndarray,
    device: Device,
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
    rng = generator("program")
    positive, negative = (
        device.program(np.maximum(sign * wanted, 0), rng) for sign in (1, -1)
    )
    return ProgrammedWeights(device, scale, positive, negative, channel_axes, generator)
