"""Run the demo: ``python -m demo``.

First, a network of spiking ensembles classifies handwritten digits, on
`nengo.Simulator` and on `nengo_dl.Simulator`. Then spiking neurons are trained by
examples, and last a Keras model is converted to spiking neurons. Prints tables and
leaves pictures in ``demo/output``.
"""

import time
import warnings
from contextlib import ExitStack
from pathlib import Path

import matplotlib

from demo import compare, conversion, digits, learning, pictures

OUTPUT = Path(__file__).parent / "output"
N_DRAWN = 10


def main():
    """Compare the simulators, train networks, convert one, and draw what they did."""
    # the demo is no less complete without a GPU
    warnings.filterwarnings("ignore", message="TensorFlow cannot use the GPU")
    matplotlib.rcParams.update(pictures.STYLE)
    start = time.perf_counter()
    OUTPUT.mkdir(exist_ok=True)
    training, shown = digits.load()
    print(
        "Handwritten digits of 8 x 8 pixels, from scikit-learn: "
        f"{len(training)} to learn, {len(shown)} others to classify"
    )
    simulate(training, shown)
    # minibatches are full
    n_items = len(training) // learning.MINIBATCH_SIZE * learning.MINIBATCH_SIZE
    training = training[:n_items]
    spiking = learn(training, shown)
    convolutional = convert(training, shown)
    picture(
        "learning.png",
        "loss and accuracy in parts 2 and 3",
        pictures.curves([spiking, convolutional]),
    )
    print(f"\nThe demo took {time.perf_counter() - start:.0f} s.")


def simulate(training, shown):
    """Run the same network on several simulators, and draw what it does."""
    headline("1. The same network on two simulators")
    print(
        "1000 LIF neurons see the images, each for 0.1 s; 400 others, in ten "
        "ensembles, name the digits.\n"
    )
    with ExitStack() as stack:
        runs = compare.run_all(training, shown, stack)
        print(compare.table(compare.rows(runs, shown.labels)))
        print(
            "\nstart: seconds to build and compile; spikes moved: to another step "
            "than on nengo.Simulator\n"
        )
        draw(runs, shown[:N_DRAWN])


def draw(runs, shown):
    """Draw spikes and decoded outputs for the first images."""
    reference, ours = runs[compare.REFERENCE], runs[compare.DEFAULT]
    spikes = (ours.recorded("seen"), ours.recorded("named"))
    picture(
        "raster.png",
        "spikes while the first ten images are shown",
        pictures.raster(shown, *spikes),
    )
    picture(
        "decoded.png",
        "which digits these spikes stand for, on both simulators",
        pictures.decoded(
            shown,
            {
                name: runs[name].recorded("output")
                for name in (compare.REFERENCE, compare.DEFAULT)
            },
            {
                name: compare.difference(runs[name], reference)
                for name in (compare.DEFAULT, compare.SAME_PRECISION)
            },
        ),
    )


def learn(training, shown):
    """Train spiking neurons by examples."""
    headline("2. Spiking neurons learn from examples")
    print(
        f"{learning.N_HIDDEN} LIF neurons that know nothing yet see {len(training)} "
        f"images, each for {learning.N_STEPS} ms, in {learning.N_EPOCHS} epochs."
    )
    lesson, rows = learning.train(training, shown)
    print(f"sim.fit took {lesson.seconds:.0f} s. Then, on images that are new:\n")
    print(compare.table(rows))
    return lesson


def convert(training, shown):
    """Train a Keras model, convert it, and report what the spiking network does."""
    headline("3. A Keras model becomes a spiking network")
    model, lesson = conversion.train(training, shown)
    print(
        f"Keras trained two convolutions and two dense layers in {lesson.seconds:.0f} "
        "s. nengo_dl.Converter\nmakes integrate-and-fire neurons of them; it takes "
        "their firing rates from the training images.\n"
    )
    converter = conversion.convert(model, training)
    report = conversion.report(converter, shown)
    print(compare.table(conversion.rows(model, report.outputs[0], shown)))
    print("\nWhat happens in the spiking network, and what it costs:\n")
    print(f"{report}\n")
    picture("report.png", "firing rates, spikes, accuracy over time", report.plot())
    path = OUTPUT / "reader.nir"
    n_nodes, difference = conversion.exchange(converter, path)
    print(
        f"{path}: the network for other spiking frameworks, a graph of {n_nodes} "
        f"nodes; read back, its output differs by {difference:.1g}"
    )
    return lesson


def headline(text):
    """Print the title of a part."""
    print(f"\n\n{text}\n{'=' * len(text)}\n")


def picture(name, content, figure):
    """Save a picture, and say what is in it."""
    figure.savefig(OUTPUT / name)
    print(f"{OUTPUT / name}: {content}")


if __name__ == "__main__":
    main()
