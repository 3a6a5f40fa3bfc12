"""Energies of arithmetic: of single operations on devices, and of all in a network.

Constants are as published. They are for single operations; memory, communication and
idle power come on top.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nengo_dl.converter.report.operations import Counts

if TYPE_CHECKING:
    from nengo_dl.converter.report.report import Report


@dataclass(frozen=True)
class Device:
    """Energies of single operations.

    Parameters
    ----------
    name : str
        What the device is called.
    technology : str
        The process it is made in.
    mac : float or None
        Of a multiplication and addition, in J; None for a device that has none.
    ac : float
        Of an addition of a weight for a spike (a synaptic operation), in J.
    update : float
        Of bringing one neuron forward by one step, in J; 0 if it is part of ``ac``, or
        not known.
    source : str
        Where the numbers are from.

    Examples
    --------
    .. testcode::

       from nengo_dl.converter.report import Device

       chip = Device("mine", "7 nm", mac=1e-12, ac=2e-13, source="measured")
       print(chip.ac / chip.mac)

    .. testoutput::

       0.2
    """

    name: str
    technology: str
    mac: float | None
    ac: float
    update: float = 0.0
    source: str = ""


@dataclass(frozen=True)
class Energy:
    """Energy of one item (one inference) on a device; an estimate of arithmetic alone.

    Parameters
    ----------
    device : str
        The device's name.
    technology, source : str
        As in `Device`.
    synapses : float
        Of multiplications and additions, in J.
    updates : float
        Of the updates of neurons, in J.
    total : float
        The sum of both.
    macs_left_out : float
        How many multiplications per item are not in it, because the device has none.
    keras : float or None
        Of all multiplications of one pass through the Keras model, zeros included, in
        J; None if the device has none.
    """

    device: str
    technology: str
    source: str
    synapses: float
    updates: float
    total: float
    macs_left_out: float
    keras: float | None


HOROWITZ = "Horowitz 2014, https://doi.org/10.1109/ISSCC.2014.6757323"
DAVIES = "Davies et al. 2018, https://doi.org/10.1109/MM.2018.112130359"
MEROLLA = "Merolla et al. 2014, https://doi.org/10.1126/science.1254642"
DEVICES = (
    # additions 0.9 pJ, multiplications 3.7 pJ
    Device("float32", "45 nm", mac=4.6e-12, ac=0.9e-12, source=HOROWITZ),
    # additions 0.03 pJ, multiplications 0.2 pJ
    Device("int8", "45 nm", mac=0.23e-12, ac=0.03e-12, source=HOROWITZ),
    # all updates are counted as those of active neurons; inactive ones take 52 pJ
    Device("Loihi", "14 nm", None, ac=23.6e-12, update=81e-12, source=DAVIES),
    # the power of the whole chip, divided by the number of synaptic events
    Device("TrueNorth", "28 nm", None, ac=26e-12, source=MEROLLA),
)


def energies(
    counts: Counts, n_steps: int, devices: Iterable[Device]
) -> tuple[Energy, ...]:
    """Estimate the energy of one item, which takes so many steps, on devices."""
    return tuple(_energy(counts, n_steps, device) for device in devices)


def energies_at_latency(
    report: Report, devices: Iterable[Device]
) -> tuple[Energy, ...]:
    """Estimate the energy of the first steps, as many as are enough, on devices."""
    if report.latency is None:
        return ()
    whole, part = report.total, report.latency / report.n_steps
    counts = Counts(
        effective_macs=part * (whole.effective_macs or 0.0),
        effective_acs=part * (whole.effective_acs or 0.0),
        dense=part * (whole.dense or 0.0),
        neuron_updates=round(part * whole.neuron_updates),
    )
    return energies(counts, report.latency, devices)


def _energy(counts: Counts, n_steps: int, device: Device) -> Energy:
    macs, acs = counts.effective_macs or 0.0, counts.effective_acs or 0.0
    synapses, keras = acs * device.ac, None
    if device.mac is not None:
        synapses += macs * device.mac
        keras = (counts.dense or 0.0) / n_steps * device.mac
    updates = counts.neuron_updates * device.update
    return Energy(
        device.name,
        device.technology,
        device.source,
        synapses,
        updates,
        synapses + updates,
        macs if device.mac is None else 0.0,
        keras,
    )
