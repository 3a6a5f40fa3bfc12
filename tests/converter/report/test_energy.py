"""Energies are those by hand, and say where their numbers are from."""

import pytest

from nengo_dl.converter.report import DEVICES, Counts, Device
from nengo_dl.converter.report.energy import energies
from tests.converter.report.helpers import N_STEPS


def test_energies():
    counts = Counts(
        effective_macs=10.0, effective_acs=100.0, dense=60.0, neuron_updates=1000
    )
    chips = [
        Device("analog", "7 nm", mac=2.0, ac=1.0),
        Device("spiking", "5 nm", mac=None, ac=3.0, update=0.5, source="me"),
    ]
    analog, spiking = energies(counts, 2, chips)
    assert (analog.synapses, analog.updates, analog.total) == (120, 0, 120)
    assert (analog.macs_left_out, analog.keras) == (0, 60)
    assert (spiking.synapses, spiking.updates, spiking.total) == (300, 500, 800)
    assert (spiking.macs_left_out, spiking.keras) == (10, None)
    assert spiking.source == "me"


def test_every_device_says_where_its_numbers_are_from():
    for device in DEVICES:
        assert "https://doi.org/" in device.source
        assert 0 < device.ac < 1e-9


def test_energy_until_the_accuracy_of_keras(classifier):
    report = classifier[-1]
    steps = report.latency
    assert steps == report.outputs[0].latency
    if steps is None:
        assert report.energy_at_latency == ()
    for whole, part in zip(report.energy, report.energy_at_latency, strict=False):
        assert part.total == pytest.approx(whole.total * steps / N_STEPS, rel=0.01)
        assert part.keras == pytest.approx(whole.keras) or whole.keras is None
