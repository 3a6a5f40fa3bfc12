"""Run the graphs of `tests.nir.graphs` in snnTorch, norse and sinabs.

``python -m tests.nir.record DIRECTORY`` writes an array of spikes for each case, in
single and in double precision. It needs ``nir``, ``torch`` and the three frameworks;
``make test-exchange`` installs them into an environment of their own, and compares what
this writes with ``tests/nir/data``.

Modules are those that each framework has for a node. They are called one after the
other, in the order of the graph, because the frameworks' own readers cannot read all of
these graphs: those of snnTorch and sinabs no cycles, that of snnTorch no other resets.
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
    return module.to(dtype)


def pooled(node):
    """Return the module of a pooling."""
    kernel = tuple(int(k) for k in node.kernel_size)
    if isinstance(node, nir.AvgPool2d):
        return torch.nn.AvgPool2d(kernel)
    return torch.nn.LPPool2d(1, kernel)


def snntorch_neurons(node, case, dtype):
    """Return neurons of snnTorch, as its reader makes them."""
    options = {"reset_mechanism": case.reset, "reset_delay": False, "init_hidden": True}
    if isinstance(node, nir.LIF):
        beta = 1 - (case.dt / node.tau)
        return snn.Leaky(torch.tensor(beta, dtype=dtype), **options)
    alpha, beta = 1 - (case.dt / node.tau_syn), 1 - (case.dt / node.tau_mem)
    alpha, beta = (torch.tensor(x, dtype=dtype) for x in (alpha, beta))
    return snn.Synaptic(alpha, beta, **options)


class Norse:
    """Neurons of norse, as its reader makes them."""

    def __init__(self, node, case, dtype):
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

    def __init__(self, node, case, dtype):
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


def modules(case, nodes, dtype):
    """Return a function for each node."""
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
            made[name] = NEURONS[case.peer](node, case, dtype)
    return made


def run(case, graph, x, dtype):
    """Return the spikes of all neurons of a graph, by name."""
    nodes, edges = flat(graph)
    made = modules(case, nodes, dtype)
    x, now = torch.tensor(x).to(dtype), {}
    spikes = {name: [] for name, node in nodes.items() if hasattr(node, "v_threshold")}
    for t in range(x.shape[1]):
        before, now, waiting = now, {}, list(nodes)
        while waiting:
            name = waiting.pop(0)
            sources = [a for a, b in edges if b == name]
            loop = [a for a in sources if a.endswith("w_rec")]
            if any(a not in now for a in sources if a not in loop):
                waiting.append(name)
                continue
            total = x[:, t] if isinstance(nodes[name], nir.Input) and not sources else 0
            for a in sources:
                if a in loop:
                    total = total + heard(case, made, nodes, a, before, now, x)
                else:
                    total = total + now[a]
            if name.endswith("w_rec") and case.peer != "norse":
                continue
            now[name] = made[name](total.to(dtype))
        for name, found in spikes.items():
            found.append(now[name].detach().flatten(1))
    return {name: torch.stack(found, 1).numpy() for name, found in spikes.items()}


def heard(case, made, nodes, name, before, now, x):
    """Return what a layer hears of its own spikes of the step before.

    In the first step there are none; norse leaves the biases out, too.
    """
    n = nodes[name].weight.shape[1]
    if case.peer == "norse":
        return before[name] if name in before else torch.zeros(1, n).to(x.dtype)
    lif = name.replace("w_rec", "lif")
    spikes = before[lif] if lif in before else torch.zeros(len(x), n).to(x.dtype)
    return made[name](spikes.to(x.dtype))


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
