"""What does a module of torch cost that is called, next to a Python node?

The input of "known" is one of the network's, so one call computes all steps, or a
single one if it is held ("held", where the others get the same data). "filtered"
has a synapse before the module, which is therefore called in each step. "node" is the
same with a node whose function calls the module. "translated" is not called at all.
"""

import argparse
from statistics import median

import nengo
import numpy as np

from benchmarks import report
from benchmarks.measure import in_turns, prepare, ratio

QUESTION = __doc__.splitlines()[0]
SIZE, N_STEPS = 64, 1000


def network(make_node, synapse):
    """Return a network with a node behind its input."""
    with nengo.Network(seed=0) as net:
        net.source = nengo.Node(np.zeros(SIZE))
        node = make_node()
        nengo.Connection(net.source, node, synapse=synapse)
        net.probe = nengo.Probe(node)
    return net


def networks():
    """Return the networks to compare, by name."""
    import torch

    import nengo_dl

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(SIZE, SIZE), torch.nn.ReLU(), torch.nn.Linear(SIZE, SIZE)
    )
    example = torch.zeros(2, SIZE)

    def function(t, x):
        del t
        with torch.no_grad():
            return module(torch.tensor(x, dtype=torch.float32)[None])[0].numpy()

    def layer(mode):
        layer = nengo_dl.torch.layer(module, example, mode=mode)
        return nengo_dl.TensorNode(layer, shape_in=(SIZE,), pass_time=False)

    return {
        "known": network(lambda: layer("call"), None),
        "filtered": network(lambda: layer("call"), 0.01),
        "node": network(lambda: nengo.Node(function, size_in=SIZE), 0.01),
        "translated": network(lambda: layer("translate"), None),
    }


def functions(sim, net):
    """Return what to time in one simulator, by name."""
    x = np.random.default_rng(0).random((1, N_STEPS, SIZE), np.float32)
    y = np.zeros_like(x)
    sim.compile("sgd", "mse")
    return {
        "run": lambda: sim.run_steps(N_STEPS, data={net.source: x}),
        "predict": lambda: sim.predict({net.source: x}, verbose=0),
        "fit": lambda: sim.fit({net.source: x}, {net.probe: y}, verbose=0),
        "held": lambda: sim.predict({net.source: x[:, :1]}, n_steps=N_STEPS, verbose=0),
    }


def measure(n_rounds):
    """Return a row for each method."""
    prepare(["nengo_dl"])
    import nengo_dl

    made = {}
    for name, net in networks().items():
        sim = nengo_dl.Simulator(net, progress_bar=False)
        made[name] = functions(sim, net)
    rows = []
    for method in ("run", "predict", "fit", "held"):
        compared = {name: found[method] for name, found in made.items()}
        for function in compared.values():
            function()
        wall, _ = in_turns(compared, n_rounds)
        row = {"1 item, 1,000 steps": method}
        row |= {f"{n} us/step": median(t) / N_STEPS * 1e6 for n, t in wall.items()}
        row["filtered / node"] = ratio(wall["filtered"], wall["node"])
        row["known / filtered"] = ratio(wall["known"], wall["filtered"])
        rows.append(row)
    return rows


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--rounds", type=int, default=7)
    rows = measure(parser.parse_args().rounds)
    report.show(QUESTION, rows)
    report.save("torch_calls", rows)


if __name__ == "__main__":
    main()
