"""Does the time to start grow with width, and the memory with the length of a run?"""

import argparse
import time
from statistics import median

import nengo

from benchmarks import report
from benchmarks.measure import (
    BACKENDS,
    Task,
    in_new_process,
    in_turns,
    make_network,
    measure_memory,
    measure_times,
    memory,
    peak_memory,
    prepare,
    ratio,
    run_time,
)

WIDTH_QUESTION = "Does the time to start grow with a network's width?"
LARGE_QUESTION = "How long do large networks take to start, and for a step?"
BUILDER_QUESTION = "Where is Nengo's builder faster when decoders are solved together?"
LENGTH_QUESTION = "Does a long run hold more memory than its probe data?"
QUESTIONS = {
    "width": WIDTH_QUESTION,
    "large": LARGE_QUESTION,
    "builder": BUILDER_QUESTION,
    "length": LENGTH_QUESTION,
}
# Ensembles, connections, and neurons in each ensemble
BUILDS = ((64, 256, 50), (16, 64, 200), (8, 32, 1000))


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
    """Measure ensembles with twice as many connections, see `measure_start`."""
    row = measure_start(("ensembles", (n_ensembles, 2 * n_ensembles)), steps, rounds)
    return {"ensembles": n_ensembles, "connections": 2 * n_ensembles, **row}


def measure_start(name, steps, rounds):
    """Measure the time until a network has run, and a step.

    Returns
    -------
    row : dict
        "start" is construction and first run together; "beyond the builder" is what is
        left of it without the time of Nengo's builder.
    """
    builder = in_new_process(measure_builder, name)
    task = Task(name, ("nengo_dl",), steps, rounds)
    times = in_new_process(measure_times, task)["nengo_dl"]
    peak, libraries = in_new_process(measure_memory, task, "nengo_dl")
    return {
        "nengo builder s": builder,
        "build s": times.build,
        "first run s": times.first_run,
        "start beyond the builder s": times.build + times.first_run - builder,
        "us/step": times.step * 1e6,
        "MiB": peak,
        "MiB of libraries": libraries,
    }


def measure_large(chain, subnetworks, steps, rounds):
    """Measure a chain of ensembles, and subnetworks like Spaun's.

    Returns
    -------
    rows : list of dict
        The last row has as many ensembles as the one before, and all of them equal.
    """
    cognitive = ("cognitive", (subnetworks,))
    counts = in_new_process(_counts, cognitive)
    names = [("chain", (chain,)), cognitive, ("ensembles", counts)]
    return [
        {
            "network": ":".join(map(str, (name, *arguments))),
            **measure_start((name, arguments), steps, rounds),
        }
        for name, arguments in names
        if arguments[0]
    ]


def _counts(name):
    """Return numbers of ensembles, connections, and neurons in each ensemble."""
    prepare(["nengo"])
    net = make_network(name)
    ensembles = net.all_ensembles
    if not ensembles:
        return 0, 0, 0
    return (
        len(ensembles),
        len(net.all_connections),
        net.n_neurons // len(ensembles),
    )


def measure_decoders(n_ensembles, n_connections, n_neurons, rounds):
    """Measure Nengo's builder, with decoders one by one and together.

    Returns
    -------
    row : dict
        Seconds of processor time, and the median ratio.
    """
    prepare(["nengo"])
    from nengo.cache import NoDecoderCache

    from nengo_dl.graph.decoders import SharedDecoders

    net = make_network(("ensembles", (n_ensembles, n_connections, n_neurons)))

    def build(cache):
        nengo.builder.Model(dt=0.001, decoder_cache=cache).build(net)

    _, cpu = in_turns(
        {
            "alone": lambda: build(NoDecoderCache()),
            "together": lambda: build(SharedDecoders(NoDecoderCache())),
        },
        rounds,
    )
    return {
        "ensembles": n_ensembles,
        "connections": n_connections,
        "neurons": n_neurons,
        "one by one CPU s": median(cpu["alone"]),
        "together CPU s": median(cpu["together"]),
        "ratio": ratio(cpu["together"], cpu["alone"]),
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
    """Answer all questions, or the chosen ones."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__
    )
    parser.add_argument("--widths", type=int, nargs="*", default=[50, 500, 5000])
    parser.add_argument("--length", type=int, default=1_000_000, help="0 leaves it out")
    parser.add_argument("--chain", type=int, default=20_000, help="0 leaves it out")
    parser.add_argument(
        "--subnetworks",
        type=int,
        default=2000,
        help="convolutions and associative memories; Nengo's builder takes half a "
        "second for each",
    )
    parser.add_argument("--steps", type=int, default=200, help="of a run, for widths")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = {"width": [], "large": [], "builder": [], "length": []}
    for width in options.widths:
        rows["width"].append(measure_width(width, options.steps, options.rounds))
    sizes = (options.chain, options.subnetworks, options.steps, options.rounds)
    rows["large"] = measure_large(*sizes)
    for case in BUILDS:
        rows["builder"].append(in_new_process(measure_decoders, *case, options.rounds))
    if options.length:
        for backend in BACKENDS:
            row = in_new_process(measure_length, backend, options.length)
            rows["length"].append(row)
    for key, question in QUESTIONS.items():
        if rows[key]:
            report.show(question, rows[key])
    report.save("scaling", rows, steps=options.steps, rounds=options.rounds)


if __name__ == "__main__":
    main()
