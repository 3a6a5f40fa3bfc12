"""Times one graph in one framework, a round for each line that it reads.

Run as ``python -m benchmarks.exchange.worker FRAMEWORK GRAPH`` in the framework's own
environment. Says how many spikes came out, then prints the seconds of each round, and
those of the processor.
"""

import sys
import time

from benchmarks.exchange.graphs import DT, make


def in_nengo_dl(graph, peer, x):
    """Return a function that runs a graph here."""
    import nengo_dl

    net = nengo_dl.nir.from_nir(graph, DT, peer)
    sim = nengo_dl.Simulator(net, minibatch_size=len(x), progress_bar=False)
    feeds = {net.inputs["input"]: x.reshape(*x.shape[:2], -1)}
    probe = net.outputs["output"]
    return lambda: sim.predict(feeds, verbose=0)[probe].sum()


def in_sinabs(graph, peer, x):
    """Return a function that runs a graph in sinabs, layer by layer."""
    import sinabs.layers
    import sinabs.nir
    import torch

    del peer
    model = sinabs.nir.from_nir(graph, batch_size=len(x))
    x = torch.tensor(x).flatten(0, 1)

    def run():
        for module in model.modules():
            if isinstance(module, sinabs.layers.StatefulLayer):
                module.reset_states()
        with torch.no_grad():
            y = model(x)
        return (y[0] if isinstance(y, tuple) else y).sum().item()

    return run


def in_snntorch(graph, peer, x):
    """Return a function that runs a graph in snnTorch, step by step."""
    import snntorch
    import torch
    from snntorch.import_nir import import_from_nir

    del peer
    model, x = import_from_nir(graph), torch.tensor(x)

    def run():
        for module in model.modules():
            if isinstance(module, snntorch.Leaky | snntorch.RLeaky):
                module.reset_mem()
        state, total = None, 0.0
        with torch.no_grad():
            for i in range(x.shape[1]):
                y, state = model(x[:, i], state)
                total += y.sum().item()
        return total

    return run


RUNNERS = {"nengo_dl": in_nengo_dl, "sinabs": in_sinabs, "snntorch": in_snntorch}


def main():
    """Prepare the graph, say what it puts out, and answer lines until they end."""
    framework, name = sys.argv[1:]
    run = RUNNERS[framework](*make(name))
    run()
    print(f"ready {run():.0f}", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter(), time.process_time()
        run()
        took = time.perf_counter() - began[0], time.process_time() - began[1]
        print(*took, flush=True)


if __name__ == "__main__":
    main()
