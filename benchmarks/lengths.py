"""What does a number of steps cost that is new to predict?

A converted model of 17 convolutions predicts runs of several lengths, one after the
other, with XLA and without.
"""

import argparse
import time

import numpy as np

from benchmarks import report
from benchmarks.auto import convolutions
from benchmarks.measure import in_new_process, prepare

QUESTION = __doc__.splitlines()[0]
N_CONVOLUTIONS, N_ITEMS = 17, 4
N_STEPS = (10, 7, 20, 13, 10, 100)


def measure_lengths(jit_compile):
    """Return a row for each number of steps."""
    prepare(["nengo_dl"])
    import nengo_dl

    layers = [(8, 1), *[(8, 1)] * (N_CONVOLUTIONS - 1)]
    net, node, *_ = convolutions(layers, 0, N_ITEMS)
    with net:
        nengo_dl.configure_settings(jit_compile=jit_compile)
    rng = np.random.default_rng(0)
    rows = []
    with nengo_dl.Simulator(net, minibatch_size=N_ITEMS, progress_bar=False) as sim:
        for n_steps in N_STEPS:
            x = rng.random((N_ITEMS, n_steps, node.size_out), np.float32)
            seconds = []
            for _ in range(3):
                start = time.perf_counter(), time.process_time()
                sim.predict({node: x}, verbose=0)
                wall, cpu = time.perf_counter(), time.process_time()
                seconds.append((wall - start[0], cpu - start[1]))
            rows.append(
                {
                    "jit_compile": str(jit_compile),
                    "steps": n_steps,
                    "first s": seconds[0][0],
                    "of the CPU": seconds[0][1],
                    "later s": min(wall for wall, _ in seconds[1:]),
                }
            )
    return rows


def main():
    """Print the table."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.lengths", description=QUESTION
    ).parse_args()
    rows = [
        row for jit in ("auto", False) for row in in_new_process(measure_lengths, jit)
    ]
    report.show(QUESTION, rows)
    report.save("lengths", rows)


if __name__ == "__main__":
    main()
