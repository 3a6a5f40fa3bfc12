"""What does a minibatch of 32 cost, compared with one item?"""

import argparse
from contextlib import ExitStack
from statistics import median

from benchmarks import report
from benchmarks.measure import (
    BACKENDS,
    in_new_process,
    interleaved,
    make_network,
    prepare,
    ratio,
)
from benchmarks.networks import NETWORKS

# the networks that have 1,000 neurons and more
LARGE = (
    "ensemble_array",
    "basal_ganglia",
    "cconv",
    "ensembles64",
    "ensembles500",
    "random_network",
    "conv",
    "dense",
)


def measure(name, minibatch_size, steps, n_rounds):
    """Run one item and a minibatch in turns.

    Returns
    -------
    row : dict
        "cost" is the time of a minibatch over that of one item.
    """
    prepare(["nengo_dl"])
    sims = {}
    with ExitStack() as stack:
        for size in (1, minibatch_size):
            sim = BACKENDS["nengo_dl"](make_network(name), size)
            sims[size] = stack.enter_context(sim)
        interleaved(sims, steps, 2)
        times = interleaved(sims, steps, n_rounds)
    one, many = times[1], times[minibatch_size]
    return {
        "network": name,
        "neurons": make_network(name).n_neurons,
        "us/step, 1 item": median(one) / steps * 1e6,
        f"us/step, {minibatch_size} items": median(many) / steps * 1e6,
        "cost": ratio(many, one),
        "us/step and item": median(many) / steps / minibatch_size * 1e6,
    }


def main():
    """Measure the chosen networks, each in a process of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.minibatch", description=__doc__
    )
    parser.add_argument("networks", nargs="*", metavar="network", help=str(LARGE))
    parser.add_argument("--size", type=int, default=32, help="of the minibatch")
    parser.add_argument("--steps", type=int, default=200, help="of one run")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    for name in options.networks:
        if name not in NETWORKS:
            parser.error(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    rows = [
        in_new_process(measure, name, options.size, options.steps, options.rounds)
        for name in options.networks or LARGE
    ]
    report.show(__doc__, rows)
    report.save("minibatch", rows, **vars(options))


if __name__ == "__main__":
    main()
