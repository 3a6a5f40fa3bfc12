"""How long does a user wait for single steps, short runs, and Python in the loop?"""

import argparse
from collections.abc import Callable
from statistics import median

from benchmarks import networks, report
from benchmarks.measure import (
    BACKENDS,
    in_new_process,
    in_turns,
    make_network,
    prepare,
    ratio,
)

# name: (network of `networks`, with its arguments; steps of a call; calls of a round)
CASES = {
    "step": (("closed_loop", (100, 1, False)), 1, 100),
    "step, Python node": (("closed_loop", (100, 1)), 1, 100),
    "10 steps": (("closed_loop", (100, 1, False)), 10, 50),
    "10 steps, Python node": (("closed_loop", (100, 1)), 10, 50),
    "1,000 steps, Python node": (("closed_loop", (100, 1)), 1000, 1),
    "1,000 steps, 1,000 neurons": (("closed_loop", (1000, 1)), 1000, 1),
    "1,000 steps, 5 Python nodes": (("closed_loop", (100, 5)), 1000, 1),
}
ONCE = "build, and run 1,000 steps once"
# what is compiled when it has paid is no part of the question
WARM_UP = 2000


def measure(name, n_rounds):
    """Run both simulators in turns.

    Returns
    -------
    row : dict
        Microseconds per call of each, their ratio, and that of processor time.
    """
    prepare(BACKENDS)
    network, steps, calls = CASES[name]
    net = make_network(network)
    sims = {key: make(net, None) for key, make in BACKENDS.items()}
    functions = {key: _calls(sim, steps, calls) for key, sim in sims.items()}
    for sim in sims.values():
        sim.run_steps(WARM_UP, progress_bar=False)
    for function in functions.values():
        function()
    wall, cpu = in_turns(functions, n_rounds)
    for sim in sims.values():
        sim.close()
    return _row(name, wall, cpu, calls)


def measure_once(n_rounds):
    """Build and run a small network once, as tests and notebooks do."""
    prepare(BACKENDS)
    functions = {key: _once(make) for key, make in BACKENDS.items()}
    # the first of all loads parts of TensorFlow
    for function in functions.values():
        function()
    wall, cpu = in_turns(functions, n_rounds)
    return _row(ONCE, wall, cpu, 1)


def _calls(sim, steps, calls) -> Callable[[], None]:
    def call():
        for _ in range(calls):
            if steps == 1:
                sim.step()
            else:
                sim.run_steps(steps, progress_bar=False)

    return call


def _once(make) -> Callable[[], None]:
    from nengo_dl.engine.shared_functions import SHARED

    def build_and_run():
        SHARED.clear()  # nothing of the round before
        with make(networks.closed_loop(100, 1, False), None) as sim:
            sim.run_steps(1000)

    return build_and_run


def _row(name, wall, cpu, calls):
    return {
        "case": name,
        **{
            f"{key} (us/call)": round(1e6 * median(times) / calls, 1)
            for key, times in wall.items()
        },
        "ratio to nengo": round(ratio(wall["nengo_dl"], wall["nengo"]), 2),
        "of processor time": round(ratio(cpu["nengo_dl"], cpu["nengo"]), 2),
    }


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.waiting", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    rows = [in_new_process(measure, name, options.rounds) for name in CASES]
    rows.append(in_new_process(measure_once, options.rounds))
    report.show(__doc__, rows)
    report.save("waiting", rows, **vars(options))


if __name__ == "__main__":
    main()
