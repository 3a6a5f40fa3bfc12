"""Does the time to start grow with width, and the memory with the length of a run?"""

import argparse
import time

import nengo

from benchmarks import report
from benchmarks.measure import (
    BACKENDS,
    Task,
    in_new_process,
    make_network,
    measure_memory,
    measure_times,
    memory,
    peak_memory,
    prepare,
    run_time,
)

WIDTH_QUESTION = "Does the time to start grow with a network's width?"
LENGTH_QUESTION = "Does a long run hold more memory than its probe data?"


def measure_builder(name):
    """Return the seconds that Nengo's builder takes, without its simulator.

    Nengo's simulator also looks for what it can merge, for a quarter of an hour with
    5,000 ensembles.
    """
    prepare(["nengo"])
    net = make_network(name)
    start = time.perf_counter()
    nengo.builder.Model(dt=0.001).build(net)
    return time.perf_counter() - start


def measure_width(n_ensembles, steps, rounds):
    """Measure ensembles with twice as many connections.

    Returns
    -------
    row : dict
        "start" is construction and first run together; "beyond the builder" is what is
        left of it without the time of Nengo's builder.
    """
    name = ("ensembles", (n_ensembles, 2 * n_ensembles))
    builder = in_new_process(measure_builder, name)
    task = Task(name, ("nengo_dl",), steps, rounds)
    times = in_new_process(measure_times, task)["nengo_dl"]
    peak, libraries = in_new_process(measure_memory, task, "nengo_dl")
    return {
        "ensembles": n_ensembles,
        "connections": 2 * n_ensembles,
        "nengo builder s": builder,
        "build s": times.build,
        "first run s": times.first_run,
        "start beyond the builder s": times.build + times.first_run - builder,
        "us/step": times.step * 1e6,
        "MiB": peak,
        "MiB of libraries": libraries,
    }


def measure_length(backend, steps):
    """Measure the memory that a long run of the integrator adds.

    Returns
    -------
    row : dict
        MiB that the run's probe data takes, that the process has more after the run
        than before, and that it had more at its peak.
    """
    prepare([backend])
    net = make_network("integrator")
    (probe,) = net.all_probes
    with BACKENDS[backend](net, None) as sim:
        # all that is made once is there after a run of some chunks
        sim.run_steps(20_000)
        before, kept = memory(), sim.data[probe].nbytes
        seconds = run_time(sim, steps)
        after, peak = memory(), peak_memory()
        data = (sim.data[probe].nbytes - kept) / 2**20
    return {
        "backend": backend,
        "steps": steps,
        "us/step": seconds / steps * 1e6,
        "probe data MiB": data,
        "more after the run MiB": after - before,
        "more at its peak MiB": peak - before,
    }


def main():
    """Answer both questions, or the chosen one."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__
    )
    parser.add_argument("--widths", type=int, nargs="*", default=[50, 500, 5000])
    parser.add_argument("--length", type=int, default=1_000_000, help="0 leaves it out")
    parser.add_argument("--steps", type=int, default=200, help="of a run, for widths")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = {"width": [], "length": []}
    for width in options.widths:
        rows["width"].append(measure_width(width, options.steps, options.rounds))
    if options.length:
        for backend in BACKENDS:
            row = in_new_process(measure_length, backend, options.length)
            rows["length"].append(row)
    for key, question in (("width", WIDTH_QUESTION), ("length", LENGTH_QUESTION)):
        if rows[key]:
            report.show(question, rows[key])
    report.save("scaling", rows, steps=options.steps, rounds=options.rounds)


if __name__ == "__main__":
    main()
