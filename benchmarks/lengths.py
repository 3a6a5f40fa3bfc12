"""What does a number of steps cost that is new to predict?

Converted models predict runs of several lengths, one after the other, with XLA and
without: 17 convolutions, or models of ``keras.applications`` with random weights.
``python -m benchmarks.lengths ResNet50:224 --items 2 --steps 4 4 7`` chooses a model
and the size of its images.
"""

import argparse
import time

import numpy as np

from benchmarks import report
from benchmarks.auto import convolutions
from benchmarks.measure import in_new_process, prepare

QUESTION = __doc__.splitlines()[0]
CONVOLUTIONS, N_CONVOLUTIONS = "17 convolutions", 17
MODELS = (CONVOLUTIONS, "MobileNetV2:224")
N_STEPS = (10, 7, 20, 13, 10, 100)


def converted(model, n_items):
    """Return a network, and the node for its images."""
    if model == CONVOLUTIONS:
        net, node, *_ = convolutions([(8, 1)] * N_CONVOLUTIONS, 0, n_items)
        return net, node
    import keras
    import nengo

    import nengo_dl

    name, size = model.split(":")
    source = getattr(keras.applications, name)(
        weights=None, input_shape=(int(size), int(size), 3)
    )
    converter = nengo_dl.Converter(
        source,
        swap_activations={nengo.RectifiedLinear(): nengo_dl.IntegrateAndFire()},
        scale_firing_rates=1000,
        inference_only=True,
    )
    return converter.net, converter.inputs[source.input]


def measure_lengths(model, jit_compile, n_items, lengths):
    """Return a row for each number of steps."""
    prepare(["nengo_dl"])
    import nengo_dl

    net, node = converted(model, n_items)
    with net:
        nengo_dl.configure_settings(jit_compile=jit_compile)
    rng = np.random.default_rng(0)
    rows = []
    with nengo_dl.Simulator(net, minibatch_size=n_items, progress_bar=False) as sim:
        for n_steps in lengths:
            x = rng.random((n_items, n_steps, node.size_out), np.float32)
            seconds = []
            for _ in range(3):
                start = time.perf_counter(), time.process_time()
                sim.predict({node: x}, verbose=0)
                wall, cpu = time.perf_counter(), time.process_time()
                seconds.append((wall - start[0], cpu - start[1]))
            rows.append(
                {
                    "model": model,
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
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lengths", description=QUESTION
    )
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--items", type=int, default=4)
    parser.add_argument("--steps", type=int, nargs="*", default=list(N_STEPS))
    options = parser.parse_args()
    rows = [
        row
        for model in options.models
        for jit in ("auto", False)
        for row in in_new_process(
            measure_lengths, model, jit, options.items, tuple(options.steps)
        )
    ]
    report.show(QUESTION, rows)
    report.save("lengths", rows, **vars(options))


if __name__ == "__main__":
    main()
