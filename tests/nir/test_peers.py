"""Networks of graphs have the spikes of the frameworks that the graphs are for.

``tests/nir/data`` has these spikes, as `tests.nir.record` writes them. With
``NIR_DATA=DIRECTORY`` they are read from there: ``make test-exchange`` does so.
"""

import os
from dataclasses import replace
from pathlib import Path

import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.nir import DIALECTS, from_nir, reference
from tests.nir.graphs import CASES, random_input
from tests.nir.spikes import unpacked

DATA = Path(__file__).parent / "data"
RECORDED = Path(os.environ.get("NIR_DATA", DATA))


def recorded(case, dtype, directory=RECORDED):
    return unpacked(directory / f"{case.label}-{dtype}.npz")


def drawn(case, dtype):
    graph = case.make(case.dt)
    x = random_input(case, graph)
    return graph, x.reshape(*x.shape[:2], -1).astype(dtype)


def numerics(case):
    """Return the numerics of a case: those of its framework, or all but its cycles."""
    own = DIALECTS[case.peer]
    return replace(own, late=case.late) if case.late else case.peer


def count_differences(found, expected):
    return {name: int(np.sum(found[name] != expected[name])) for name in expected}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_reference_has_the_spikes_of_the_framework(case, dtype):
    graph, x = drawn(case, dtype)
    found = reference(graph, x, case.dt, numerics(case), case.reset, all_nodes=True)
    expected = recorded(case, dtype)
    assert not any(count_differences(found, expected).values())
    assert all(spikes.any() for name, spikes in expected.items() if name != "last")


# Compiled in single precision, as users have it, and not compiled in double precision.
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("peer", ["snntorch", "norse", "sinabs"])
def test_networks_have_the_spikes_of_the_framework(peer, dtype):
    """All cases of a framework are one network, so that it compiles once."""
    cases = [case for case in CASES if case.peer == peer]
    with nengo.Network() as net:
        nengo_dl.configure_settings(dtype=dtype, jit_compile=dtype == "float32")
        inputs, probes = {}, {}
        for case in cases:
            graph, x = drawn(case, dtype)
            sub = from_nir(graph, case.dt, numerics(case), case.reset)
            inputs[sub.inputs["input"]] = x
            probes[case] = {
                name: nengo.Probe(sub.nir_map[name]) for name in recorded(case, dtype)
            }
    with nengo_dl.Simulator(net, minibatch_size=len(x), progress_bar=False) as sim:
        data = sim.predict(inputs, verbose=0)
    for case, by_name in probes.items():
        found = {name: data[probe] for name, probe in by_name.items()}
        different = count_differences(found, recorded(case, dtype))
        assert not any(different.values()), (case.label, different)


def test_nengo_simulator_has_the_same_spikes():
    case = next(case for case in CASES if case.name == "recurrent-synaptic")
    graph, x = drawn(case, "float64")
    net = from_nir(graph, case.dt, numerics(case), case.reset)
    net.inputs["input"].output = nengo.processes.PresentInput(x[0], 0.001)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(x.shape[1])
    expected = recorded(case, "float64")["last"][0]
    np.testing.assert_array_equal(sim.data[net.outputs["output"]], expected)


@pytest.mark.skipif(RECORDED == DATA, reason="nothing was recorded anew")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_files_are_what_frameworks_put_out_now(case):
    for dtype in ("float32", "float64"):
        now, before = recorded(case, dtype), recorded(case, dtype, DATA)
        assert not any(count_differences(now, before).values())
