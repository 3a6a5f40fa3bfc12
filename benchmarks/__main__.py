"""How much faster than nengo.Simulator is nengo_dl, and what does it cost to start?"""

import argparse
import sys

from benchmarks import picture, report
from benchmarks.measure import (
    BACKENDS,
    Task,
    in_new_process,
    measure_memory,
    measure_times,
    ratio,
)
from benchmarks.networks import NETWORKS

QUESTION = __doc__


def parse_arguments(arguments=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=QUESTION,
        epilog="Other questions: python -m benchmarks.limit, .scaling, .minibatch, "
        ".waiting",
    )
    parser.add_argument(
        "networks",
        nargs="*",
        metavar="network",
        help=f"all of them by default: {', '.join(NETWORKS)}; or ensembles:N:M for N "
        "ensembles with M connections",
    )
    parser.add_argument(
        "--backend",
        nargs="+",
        choices=BACKENDS,
        default=list(BACKENDS),
        help="ratios need both (default)",
    )
    parser.add_argument(
        "--minibatch",
        type=int,
        help="items that nengo_dl runs at once; nengo.Simulator would run them one "
        "after the other",
    )
    parser.add_argument(
        "--steps", type=int, default=1000, help="of one run (%(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="runs to take the median of (%(default)s)"
    )
    parser.add_argument(
        "--no-memory", action="store_true", help="leave out the peak of memory"
    )
    parser.add_argument("--json", metavar="FILE", help="where to write the results")
    parser.add_argument(
        "--plot", metavar="FILE", help="draw the ratios as a picture, e.g. speed.png"
    )
    parser.add_argument(
        "--saved",
        metavar="FILE",
        help="show the results in this file, and measure nothing",
    )
    options = parser.parse_args(arguments)
    options.networks = [_network(parser, name) for name in options.networks or NETWORKS]
    return options


def _network(parser, name):
    """Return what a `Task` wants for a name on the command line."""
    kind, *numbers = name.split(":")
    if kind == "ensembles" and len(numbers) == 2 and all(map(str.isdigit, numbers)):
        return kind, tuple(map(int, numbers))
    if name not in NETWORKS:
        parser.error(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    return name


def measure(task, with_memory=True):
    """Measure one network in processes of its own.

    Returns
    -------
    rows : list of dict
        One for each backend. "faster" is `nengo.Simulator`'s time per step over this
        backend's, for the same number of items; columns that end in "/nengo" are this
        backend's over `nengo.Simulator`'s.
    """
    times = in_new_process(measure_times, task)
    rows = []
    for backend, t in times.items():
        row = {
            "network": task.label,
            "backend": backend,
            "us/step": t.step * 1e6,
            "build s": t.build,
            "first run s": t.first_run,
        }
        if with_memory:
            row["MiB"], _ = in_new_process(measure_memory, task, backend)
        rows.append(row)
    if "nengo" in times:
        n_items = task.minibatch or 1
        reference = dict(rows[list(times).index("nengo")])
        for row in rows:
            items = n_items if row["backend"] == "nengo_dl" else 1
            faster = ratio(times["nengo"].rounds, times[row["backend"]].rounds)
            row["faster"] = faster * items
            for key in ("build s", "first run s", "MiB"):
                if key in row:
                    row[key.removesuffix(" s") + "/nengo"] = row[key] / reference[key]
    return rows


def measure_all(options):
    """Measure the chosen networks one by one, and save the results."""
    rows = []
    for i, network in enumerate(options.networks, start=1):
        task = Task(
            network,
            tuple(options.backend),
            options.steps,
            options.rounds,
            options.minibatch,
        )
        print(f"{i}/{len(options.networks)} {task.label}", file=sys.stderr, flush=True)
        rows.extend(measure(task, with_memory=not options.no_memory))
    report.save(
        "simulators",
        rows,
        options.json,
        steps=options.steps,
        rounds=options.rounds,
        minibatch=options.minibatch,
    )
    return rows, report.environment()


def main():
    """Measure the chosen networks, or take what was saved; print a table, and draw."""
    options = parse_arguments()
    rows, about = report.load(options.saved) if options.saved else measure_all(options)
    report.show(QUESTION, rows, about)
    if options.plot:
        picture.draw_ratios(rows, options.plot, report.summary(about))
        print(f"Drawn to {options.plot}")


if __name__ == "__main__":
    main()
