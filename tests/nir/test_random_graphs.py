"""Graphs of all kinds, read, run, written and read again."""

import warnings
from dataclasses import replace

import hypothesis
import nengo
import nir
import numpy as np
import pytest

import nengo_dl
from nengo_dl.nir import DIALECTS, from_nir, reference, to_nir
from tests.nir.random_graphs import DT, graphs, spikes

# Exact decays have many digits, and with them sums depend on their order.
SINABS = replace(DIALECTS["sinabs"], discretization="euler", scaled=True)
WAYS = [("nir",), ("nir", "subtract"), ("norse",), ("snntorch", "subtract"), (SINABS,)]
WAYS += [(SINABS, "zero")]
RANDOM = hypothesis.settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)


def run(net, x, dtype="float64"):
    """Run a network on input, and return its outputs by name."""
    with net:
        nengo_dl.configure_settings(dtype=dtype, jit_compile=False)
    with nengo_dl.Simulator(net, minibatch_size=len(x), progress_bar=False) as sim:
        data = sim.predict({net.inputs["input"]: x}, verbose=0)
    return {name: data[probe] for name, probe in net.outputs.items()}


def run_nengo(net, x):
    """Run a network in nengo.Simulator, item by item."""
    node = net.inputs["input"]
    found = {name: [] for name in net.outputs}
    for item in x:
        node.output = nengo.processes.PresentInput(item, 0.001)
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(len(item))
        for name, probe in net.outputs.items():
            found[name].append(sim.data[probe])
    return {name: np.array(items) for name, items in found.items()}


def wanted(graph, x, *how):
    """Return what the reference puts out, by name."""
    found = reference(graph, x, DT, *how)
    return found if isinstance(found, dict) else {"output": found}


def check_equal(found, expected):
    """Compare outputs, to the last bit."""
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@RANDOM
@hypothesis.given(graphs(), hypothesis.strategies.sampled_from(WAYS))
def test_networks_equal_the_reference_in_nengo(graph, how):
    x = spikes(graph)
    net = from_nir(graph, DT, *how)
    check_equal(run_nengo(net, x), wanted(graph, x, *how))


@hypothesis.settings(RANDOM, max_examples=3)
@hypothesis.given(graphs(), hypothesis.strategies.sampled_from(WAYS))
def test_networks_equal_the_reference(graph, how):
    x = spikes(graph)
    net = from_nir(graph, DT, *how)
    check_equal(run(net, x), wanted(graph, x, *how))


def as_dict(graph, prefix=""):
    """Return all fields of a graph."""
    found = {f"{prefix}edges": sorted(set(graph.edges))}
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            found |= as_dict(node, f"{prefix}{name}.")
        else:
            found |= {f"{prefix}{name}.{k}": v for k, v in node.to_dict().items()}
    return found


def check_same_graph(found, expected):
    found, expected = as_dict(found), as_dict(expected)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)
        assert np.asarray(found[key]).dtype == np.asarray(value).dtype


@RANDOM
@hypothesis.given(graphs())
def test_graphs_come_back_as_they_were(graph):
    again, report = to_nir(from_nir(graph, DT), DT)
    check_same_graph(again, graph)
    assert not report.inexact


@RANDOM
@hypothesis.given(graphs())
def test_networks_come_back_with_the_same_spikes(graph):
    """Written object by object, as a network that was never a graph."""
    net = from_nir(graph, DT)
    net.nir_origin = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again, _ = to_nir(net, DT)
    check_equal(wanted(again, spikes(graph)), wanted(graph, spikes(graph)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_files_come_back_as_they_were(tmp_path, dtype):
    lif = {n: np.ones(3, dtype) for n in ("tau", "r", "v_threshold")}
    graph = nir.NIRGraph.from_list(
        nir.Affine(np.ones((3, 2), dtype), np.zeros(3, dtype)),
        nir.LIF(v_leak=np.zeros(3, dtype), **lif),
    )
    nir.write(tmp_path / "graph.nir", graph)
    check_same_graph(to_nir(from_nir(tmp_path / "graph.nir", DT), DT)[0], graph)
