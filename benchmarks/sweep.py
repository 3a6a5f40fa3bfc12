"""How long does a sweep over networks of one structure take?

Networks differ in seed, learning rate and time constants. Each is built, and runs for a
second of simulated time. Backends take turns, network by network, and all times begin
before the simulator is built and end after it is closed.
"""

import argparse
import time
from statistics import median

import nengo
import numpy as np

from benchmarks import report
from benchmarks.measure import BACKENDS, in_new_process, prepare

QUESTION = "How long does a sweep over networks of one structure take?"


def network(number, n_neurons=100):
    """Make one of the networks: a communication channel that is learned."""
    rng = np.random.RandomState(number)
    with nengo.Network(seed=number) as net:
        stimulus = nengo.Node(lambda t: np.sin(2 * np.pi * t))
        pre, post, error = (nengo.Ensemble(n_neurons, 1) for _ in range(3))
        nengo.Connection(stimulus, pre)
        learned = nengo.Connection(
            pre,
            post,
            function=lambda x: 0.0,
            synapse=rng.uniform(0.002, 0.02),
            learning_rule_type=nengo.PES(rng.uniform(1e-5, 1e-3)),
        )
        nengo.Connection(post, error)
        nengo.Connection(pre, error, transform=-1)
        nengo.Connection(error, learned.learning_rule)
        nengo.Probe(post, synapse=rng.uniform(0.01, 0.1))
    return net


def without_sharing(net, minibatch):
    """Build a simulator that compiles everything itself."""
    from nengo_dl.engine.shared_functions import SHARED

    SHARED.clear()
    return BACKENDS["nengo_dl"](net, minibatch)


def measure(n_networks, seconds):
    """Build and run all networks on all backends.

    Returns
    -------
    rows : list of dict
        "first s" is the time of the first network, "median s" that of one of the
        others, in wall-clock time; "CPU s" is the processor time of all.
    """
    prepare(["nengo", "nengo_dl"])
    ways = {**BACKENDS, "nengo_dl, nothing shared": without_sharing}
    wall = {name: [] for name in ways}
    cpu = {name: [] for name in ways}
    for number in range(n_networks):
        for name, make in ways.items():
            net = network(number)
            start, start_cpu = time.perf_counter(), time.process_time()
            with make(net, None) as sim:
                sim.run(seconds, progress_bar=False)
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - start_cpu)
            if name == "nengo_dl, nothing shared":
                # the next one has to share with the one before
                with BACKENDS["nengo_dl"](network(number), None) as sim:
                    sim.run(seconds, progress_bar=False)
    return [
        {
            "backend": name,
            "first s": times[0],
            "median s": median(times[1:]),
            "all s": sum(times),
            "all/nengo": sum(times) / sum(wall["nengo"]),
            "CPU s": sum(cpu[name]),
            "CPU/nengo": sum(cpu[name]) / sum(cpu["nengo"]),
        }
        for name, times in wall.items()
    ]


def main():
    """Measure the sweep, and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sweep", description=__doc__
    )
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1.0, help="simulated time")
    options = parser.parse_args()
    rows = in_new_process(measure, options.networks, options.seconds)
    report.save("sweep", rows, networks=options.networks, seconds=options.seconds)
    report.show(QUESTION, rows, report.environment())


if __name__ == "__main__":
    main()
