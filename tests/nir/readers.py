"""Run whole graphs in what the readers of snnTorch and norse make of them.

They read a part of `tests.nir.graphs`: neither reads a Flatten in the way of NIR, and
that of sinabs reads graphs, but runs all steps of a node at once.
"""

import copy

import norse.torch
import snntorch as snn
import torch
from norse.torch.functional.reset import reset_subtract, reset_value
from snntorch.import_nir import import_from_nir


def in_snntorch(graph, case):
    """Return what snnTorch's reader makes of a graph.

    It has no argument for the reset: neurons get another one here.
    """
    model = import_from_nir(graph)
    for name, old in list(model.named_modules()):
        if not isinstance(old, snn.SpikingNeuron):
            continue
        decays = [old.alpha, old.beta] if isinstance(old, snn.Synaptic) else [old.beta]
        new = type(old)(
            *decays,
            threshold=old.threshold,
            reset_mechanism=case.reset,
            init_hidden=True,
            reset_delay=False,
        )
        model.set_submodule(name, new)
    return model


def in_norse(graph, case):
    """Return what norse's reader makes of a graph."""
    reset = reset_subtract if case.reset == "subtract" else reset_value
    return norse.torch.from_nir(graph, reset_method=reset, dt=case.dt)


READERS = {"snntorch": in_snntorch, "norse": in_norse}


def run_whole(case, graph, x, dtype):
    """Return the spikes of all neurons of a graph, by name."""
    # readers change the graph
    model = READERS[case.peer](copy.deepcopy(graph), case).to(dtype)
    spikes = {}

    def listen(name):
        def hear(module, inputs, output):
            del module, inputs
            now = output[0] if isinstance(output, tuple) else output
            spikes.setdefault(name, []).append(now.detach())

        return hear

    modules = dict(model.named_modules())
    for module in modules.values():
        if isinstance(module, torch.nn.Linear):
            with_cast(module, dtype)
    for name in names_of_neurons(graph):
        modules[name].register_forward_hook(listen(name))
    x, state = torch.tensor(x).to(dtype), None
    for t in range(x.shape[1]):
        _, state = model(x[:, t], state)
    return {name: torch.stack(found, 1).numpy() for name, found in spikes.items()}


def names_of_neurons(graph, prefix=""):
    """List the nodes of a graph, and of those within it, that spike."""
    names = []
    for name, node in graph.nodes.items():
        if hasattr(node, "nodes"):
            names += names_of_neurons(node, f"{prefix}{name}.")
        elif hasattr(node, "v_threshold"):
            names.append(prefix + name)
    return names


def with_cast(module, dtype):
    """Let a module take spikes of snnTorch, which always have single precision."""
    module.register_forward_pre_hook(lambda _, inputs: (inputs[0].to(dtype),))
    return module
