"""Does the time to start grow with width, and the memory with the length of a run?"""

import argparse

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


def measure_width(n_ensembles, steps, rounds):
    """Measure ensembles with twice as many connections.

    Returns
    -------
    row : dict
        "nengo_dl start s" is construction and first run together.
    """
    task = Task(
        ("ensembles", (n_ensembles, 2 * n_ensembles)), ("nengo",), steps, rounds
    )
    nengos = in_new_process(measure_times, task)["nengo"]
    ours = Task(task.network, ("nengo_dl",), steps, rounds)
    times = in_new_process(measure_times, ours)["nengo_dl"]
    peak, libraries = in_new_process(measure_memory, ours, "nengo_dl")
    start = times.build + times.first_run
    return {
        "ensembles": n_ensembles,
        "connections": 2 * n_ensembles,
        "nengo build s": nengos.build,
        "nengo_dl build s": times.build,
        "nengo_dl first run s": times.first_run,
        "start - nengo build s": start - nengos.build,
        "nengo us/step": nengos.step * 1e6,
        "nengo_dl us/step": times.step * 1e6,
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
