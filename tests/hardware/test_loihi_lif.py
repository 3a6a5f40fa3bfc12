"""Neurons of Loihi: all numbers are those of brian2_loihi, on both simulators."""

from pathlib import Path

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl import LoihiLIF
from nengo_dl.graph.nengo_model import precision
from tests.hardware.loihi_cases import CASES, N_NEURONS, inputs

DATA = Path(__file__).parent / "data" / "loihi.npz"
DT = 2**-10  # so that time is exact in single precision, too
KEYS = ("current", "voltage", "spikes")


@pytest.fixture(scope="module")
def recorded():
    """Arrays of each case, as `tests.hardware.record` has written them."""
    with np.load(DATA) as file:
        found = {case.name: {} for case in CASES}
        for key in file.files:
            name, part = key.split("|")
            found[name][part] = file[key]
    for case in CASES:
        bits = np.unpackbits(found[case.name]["spikes"])
        size = case.n_steps * N_NEURONS
        found[case.name]["spikes"] = bits[:size].reshape(-1, N_NEURONS)
    return found


def population(case, arrays):
    """Make the neurons of a case, its inputs and probes."""
    kind = LoihiLIF(case.decay_u, case.decay_v, case.threshold, case.refractory)
    ens = nengo.Ensemble(
        N_NEURONS, 1, neuron_type=kind, gain=[1] * N_NEURONS, bias=[0] * N_NEURONS
    )
    stimulus = nengo.Node(nengo.processes.PresentInput(inputs(case), DT))
    nengo.Connection(stimulus, ens.neurons, transform=arrays["weights"], synapse=None)
    if case.recurrent:
        nengo.Connection(
            ens.neurons, ens.neurons, transform=arrays["recurrent"], synapse=0
        )
    return [nengo.Probe(ens.neurons, key) for key in (*KEYS[:2], "output")]


def in_nengo(net, n_steps, dtype):
    with precision(dtype), nengo.Simulator(net, dt=DT, progress_bar=False) as sim:
        sim.run_steps(n_steps)
        return {probe: sim.data[probe] for probe in net.probes}


def in_nengo_dl(net, n_steps, dtype):
    with net:
        nengo_dl.configure_settings(dtype=dtype)
    with nengo_dl.Simulator(net, dt=DT, progress_bar=False) as sim:
        sim.run_steps(n_steps)
        return {probe: sim.data[probe] for probe in net.probes}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("run", [in_nengo, in_nengo_dl])
def test_all_numbers_are_those_of_brian2_loihi(run, dtype, recorded):
    probes = {}
    with nengo.Network() as net:
        for case in CASES:
            probes[case] = population(case, recorded[case.name])
    data = run(net, max(case.n_steps for case in CASES), dtype)
    for case in CASES:
        assert recorded[case.name]["spikes"].any(), case.name
        for probe, key in zip(probes[case], KEYS, strict=True):
            np.testing.assert_array_equal(
                data[probe][: case.n_steps],
                recorded[case.name][key],
                err_msg=f"{case.name}, {key}",
            )
