"""Run the demo: ``python -m demo``.

First, a network of spiking ensembles classifies handwritten digits, on
`nengo.Simulator` and on `nengo_dl.Simulator`. Then, a network is trained by examples,
and a Keras model is put into one. Prints tables and leaves pictures in ``demo/output``.
"""

import time
import warnings
from contextlib import ExitStack
from pathlib import Path

from demo import compare, digits, learning, pictures

OUTPUT = Path(__file__).parent / "output"
N_DRAWN = 10


def main():
    """Compare the simulators, train networks, and draw what they did."""
    # the demo is no less complete without a GPU
    warnings.filterwarnings("ignore", message="No GPU")
    start = time.perf_counter()
    OUTPUT.mkdir(exist_ok=True)
    training, shown = digits.load()
    print(
        f"{len(training)} digits to learn, {len(shown)} others to classify, "
        "each shown to spiking neurons for 0.1 s\n"
    )
    with ExitStack() as stack:
        runs = compare.run_all(training, shown, stack)
        print(compare.table(compare.rows(runs, shown.labels)))
        draw(runs, shown[:N_DRAWN])
    learn(training, shown)
    print(f"\nThe demo took {time.perf_counter() - start:.0f} s.")


def draw(runs, shown):
    """Draw spikes and decoded outputs for the first images."""
    reference, ours = runs[compare.REFERENCE], runs[compare.DEFAULT]
    pictures.raster(
        OUTPUT / "raster.png", shown, ours.recorded("seen"), ours.recorded("named")
    )
    pictures.decoded(
        OUTPUT / "decoded.png",
        shown,
        {
            name: runs[name].recorded("output")
            for name in (compare.REFERENCE, compare.DEFAULT)
        },
        {
            name: compare.difference(runs[name], reference)
            for name in (compare.DEFAULT, compare.SAME_PRECISION)
        },
    )
    print(f"\nPictures: {OUTPUT / 'raster.png'}\n          {OUTPUT / 'decoded.png'}")


def learn(training, shown):
    """Train a Nengo network and a Keras model, and draw how they learn."""
    n_items = len(training) // learning.MINIBATCH_SIZE * learning.MINIBATCH_SIZE
    print(
        f"\nThe same digits, learned from {n_items} examples in {learning.N_EPOCHS} "
        f"epochs; spiking neurons see each for {learning.N_STEPS} ms\n"
    )
    lessons = [
        train(training[:n_items], shown)
        for train in (learning.train_spikes, learning.train_keras)
    ]
    print(compare.table(learning.rows(lessons)))
    pictures.curves(OUTPUT / "learning.png", lessons)
    print(f"\nPicture: {OUTPUT / 'learning.png'}")


if __name__ == "__main__":
    main()
