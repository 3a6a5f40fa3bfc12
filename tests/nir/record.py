"""Run the graphs of `tests.nir.graphs` in snnTorch, norse and sinabs.

``python -m tests.nir.record DIRECTORY`` writes an array of spikes for each case, in
single and in double precision. It needs ``nir``, ``torch`` and the three frameworks;
``make test-exchange`` installs them into an environment of their own, and compares what
this writes with ``tests/nir/data``.

Graphs are read by the frameworks' own readers where these can read them, see
`tests.nir.readers`. The others are run node by node: modules are those that each
framework has for a node, or for a layer that hears itself, and are called one after the
other, in the order of the graph.
"""

import argparse
import sys
from pathlib import Path

import nir
import numpy as np
import sinabs.layers as sl
import snntorch as snn
import torch
from norse.torch.functional.reset import reset_subtract, reset_value
from norse.torch.module.iaf import IAFCell, IAFParameters
from norse.torch.module.leaky_integrator_box import LIBoxCell, LIBoxParameters
from norse.torch.module.lif_box import LIFBoxCell, LIFBoxParameters

from tests.nir.graphs import CASES, random_input
from tests.nir.readers import run_whole, with_cast
from tests.nir.spikes import packed

# --- what each framework makes of a node ------------------------------------------


def weighted(node, dtype):
    """Return the module of a linear map, which all frameworks take from torch."""
    if isinstance(node, nir.Affine):
        module = torch.nn.Linear(node.weight.shape[1], node.weight.shape[0])
    else:
        module = torch.nn.Conv2d(
            node.weight.shape[1] * node.groups,
            node.weight.shape[0],
            node.weight.shape[2:],
            stride=tuple(node.stride),
            padding=tuple(node.padding),
            dilation=tuple(node.dilation),
            groups=node.groups,
        )
    module.weight.data = torch.tensor(node.weight)
    module.bias.data = torch.tensor(node.bias)
    return with_cast(module.to(dtype), dtype)


def pooled(node):
    """Return the module of a pooling."""
    kernel = tuple(int(k) for k in node.kernel_size)
    if isinstance(node, nir.AvgPool2d):
        return torch.nn.AvgPool2d(kernel)
    return torch.nn.LPPool2d(1, kernel)


def snntorch_neurons(node, heard, case, dtype):
    """Return neurons of snnTorch, as its reader makes them."""
    decays = [1 - (case.dt / tau) for tau in time_constants(node)]
    decays = [torch.tensor(x, dtype=dtype) for x in decays]
    options = {"reset_mechanism": case.reset, "init_hidden": True}
    if heard is None:
        kind = snn.Leaky if isinstance(node, nir.LIF) else snn.Synaptic
        return kind(*decays, reset_delay=False, **options)
    options["linear_features"] = heard.weight.shape[0]
    if isinstance(node, nir.LIF):
        layer = snn.RLeaky(*decays, reset_delay=False, **options)
        layer.recurrent = weighted(heard, dtype)
        return layer
    layer = snn.RSynaptic(*decays, reset_delay=True, **options)
    layer.recurrent = weighted(heard, dtype)
    return lambda x: reset_at_once(layer, x)


def time_constants(node):
    """Return those of the current, if there is one, and of the voltage."""
    return [node.tau] if isinstance(node, nir.LIF) else [node.tau_syn, node.tau_mem]


def reset_at_once(layer, x):
    """Step neurons of snnTorch, and reset them as its other neurons are reset.

    RSynaptic fails if it should do so itself, with ``reset_delay=False``: it takes its
    arguments, which are None, for its state.
    """
    spikes = layer(x)
    by = layer.threshold if layer.reset_mechanism == "subtract" else layer.mem
    layer.mem = layer.mem - (spikes - layer.reset) * by
    return spikes


class Norse:
    """Neurons of norse, as its reader makes them."""

    def __init__(self, node, heard, case, dtype):
        assert heard is None, "its reader reads all graphs with cycles"

        def of(x):
            return torch.tensor(x).to(dtype)

        reset = reset_subtract if case.reset == "subtract" else reset_value
        self.state, self.synapse, self.synapse_state = None, None, None
        if isinstance(node, nir.IF):
            self.cell = IAFCell(IAFParameters(v_th=of(node.v_threshold)), dt=case.dt)
            return
        tau = node.tau_mem if isinstance(node, nir.CubaLIF) else node.tau
        parameters = LIFBoxParameters(
            tau_mem_inv=1 / of(tau),
            v_th=of(node.v_threshold),
            v_leak=of(node.v_leak),
            reset_method=reset,
        )
        self.cell = LIFBoxCell(parameters, dt=case.dt)
        if isinstance(node, nir.CubaLIF):
            self.w_in, self.r = of(node.w_in), of(node.r)
            synapse = LIBoxParameters(1 / of(node.tau_syn), of(node.v_leak))
            self.synapse = LIBoxCell(synapse, dt=case.dt)

    def __call__(self, x):
        """Step the neurons."""
        if self.synapse is not None:
            x, self.synapse_state = self.synapse(self.w_in * x, self.synapse_state)
            x = self.r * x
        z, self.state = self.cell(x, self.state)
        return z


class Sinabs:
    """Neurons of sinabs, as its reader makes them."""

    def __init__(self, node, heard, case, dtype):
        assert heard is None, "its reader reads no graphs with cycles"
        threshold = torch.tensor(node.v_threshold).to(dtype)
        if isinstance(node, nir.IF):
            self.layer = sl.IAF(spike_threshold=threshold, min_v_mem=-threshold)
        else:
            self.layer = sl.LIF(
                tau_mem=torch.tensor(node.tau),
                spike_threshold=threshold,
                min_v_mem=None,
                norm_input=False,
            )
        self.layer = self.layer.to(dtype)

    def __call__(self, x):
        """Step the neurons."""
        return self.layer(x[:, None])[:, 0]


NEURONS = {"snntorch": snntorch_neurons, "norse": Norse, "sinabs": Sinabs}


# --- running graphs ---------------------------------------------------------------


def flat(graph, prefix=""):
    """Return the nodes of a graph and of those within it, and edges between them."""
    nodes, edges = {}, []
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            inner, within = flat(node, f"{prefix}{name}.")
            nodes, edges = nodes | inner, edges + within
        else:
            nodes[f"{prefix}{name}"] = node

    def end(name, kind):
        node = graph.nodes[name]
        if isinstance(node, nir.NIRGraph):
            name = f"{name}.{kind}"
        return prefix + name

    return nodes, edges + [(end(a, "output"), end(b, "input")) for a, b in graph.edges]


def modules(case, nodes, loops, dtype):
    """Return a function for each node; `loops` has the weights of those in cycles."""
    made = {}
    for name, node in nodes.items():
        if isinstance(node, nir.Affine | nir.Conv2d):
            made[name] = weighted(node, dtype)
        elif isinstance(node, nir.AvgPool2d | nir.SumPool2d):
            made[name] = pooled(node)
        elif isinstance(node, nir.Flatten):
            made[name] = lambda x: x.flatten(1)
        elif isinstance(node, nir.Input | nir.Output):
            made[name] = lambda x: x
        else:
            made[name] = NEURONS[case.peer](node, loops.get(name), case, dtype)
    return made


def run_nodes(case, graph, x, dtype):
    """Return the spikes of all neurons of a graph, by name."""
    nodes, edges = flat(graph)
    # modules of layers that hear themselves have the weights of the cycle in them
    loops = {a: nodes[b] for a, b in edges if (b, a) in edges}
    loops = {a: node for a, node in loops.items() if is_neurons(nodes[a])}
    inside = {
        name for name, node in nodes.items() if any(node is w for w in loops.values())
    }
    edges = [(a, b) for a, b in edges if a not in inside and b not in inside]
    nodes = {name: node for name, node in nodes.items() if name not in inside}
    made = modules(case, nodes, loops, dtype)
    x = torch.tensor(x).to(dtype)
    spikes = {name: [] for name, node in nodes.items() if is_neurons(node)}
    for t in range(x.shape[1]):
        now, waiting = {}, list(nodes)
        while waiting:
            name = waiting.pop(0)
            sources = [a for a, b in edges if b == name]
            if any(a not in now for a in sources):
                waiting.append(name)
                continue
            total = sum(now[a] for a in sources) if sources else x[:, t]
            now[name] = made[name](total)
        for name, found in spikes.items():
            found.append(now[name].detach().flatten(1))
    return {name: torch.stack(found, 1).numpy() for name, found in spikes.items()}


def is_neurons(node):
    """Whether a node of a graph spikes."""
    return hasattr(node, "v_threshold")


def main():
    """Write a file for each case and precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for case in CASES:
        graph = case.make(case.dt)
        x = random_input(case, graph)
        run = run_whole if case.is_read_whole else run_nodes
        for dtype in (torch.float32, torch.float64):
            with torch.no_grad():
                spikes = run(case, graph, x, dtype)
            kind = str(dtype).removeprefix("torch.")
            np.savez_compressed(
                directory / f"{case.label}-{kind}.npz", **packed(spikes)
            )
            rates = ", ".join(f"{k} {x.mean():.3f}" for k, x in spikes.items())
            print(f"{case.label} {kind}: {rates}")


if __name__ == "__main__":
    sys.exit(main())
