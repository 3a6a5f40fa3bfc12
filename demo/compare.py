"""The comparison: the same images on several simulators, in turns."""

import time
from dataclasses import dataclass, field
from statistics import median

import nengo
import numpy as np

import nengo_dl
from demo.network import STEPS_PER_IMAGE, Classifier, answers, build

REFERENCE = "nengo.Simulator"
SAME_PRECISION = "nengo_dl, float64"
DEFAULT = "nengo_dl, float32"


@dataclass
class Run:
    """One simulator on its way through the images.

    Parameters
    ----------
    classifier : Classifier
        The network.
    sim : nengo.Simulator or nengo_dl.Simulator
        Its simulator.
    build : float
        Seconds that it took to build.
    n_at_once : int or None
        Size of the minibatch that the images are dealt out to, None for no minibatch.
    seconds : list of float
        Time of each round.
    """

    classifier: Classifier
    sim: object
    build: float
    n_at_once: int | None = None
    seconds: list = field(default_factory=list)

    def run(self, images):
        """Show images, shape (n_images, 64), and take the time."""
        n_steps = len(images) * STEPS_PER_IMAGE
        options = {"progress_bar": False}
        if self.n_at_once is not None:
            n_steps //= self.n_at_once
            shown = images.reshape(self.n_at_once, -1, images.shape[1])
            shown = np.repeat(shown, STEPS_PER_IMAGE, axis=1)
            options["data"] = {self.classifier.screen: shown}
        start = time.perf_counter()
        self.sim.run_steps(n_steps, **options)
        self.seconds.append(time.perf_counter() - start)

    def recorded(self, name):
        """Return a probe's data for all images in turn, shape (n_steps, size)."""
        data = self.sim.data[getattr(self.classifier, name)]
        if self.n_at_once is None:
            return data
        rounds = np.split(data, len(self.seconds), axis=1)
        return np.concatenate(rounds).reshape(-1, data.shape[-1])


def run_all(training, shown, stack, n_rounds=6, n_at_once=30):
    """Run all simulators in turns, so that the machine's load hits all of them alike.

    Parameters
    ----------
    training, shown : Digits
        Images to learn, and images to classify; as many of the latter as `n_rounds` and
        `n_at_once` share out evenly.
    stack : ExitStack
        Closes the simulators.

    Returns
    -------
    runs : dict of str to Run
    """
    runs = {
        REFERENCE: _build(training, shown, None),
        SAME_PRECISION: _build(training, shown, "float64"),
        DEFAULT: _build(training, shown, "float32"),
        f"{DEFAULT}, {n_at_once} at once": _build(
            training, shown, "float32", n_at_once
        ),
    }
    for run in runs.values():
        stack.enter_context(run.sim)
    for images in np.split(shown.images, n_rounds):
        for run in runs.values():
            run.run(images)
    return runs


def _build(training, shown, dtype, n_at_once=None):
    """Build the network for nengo_dl in a precision, or for Nengo (None)."""
    classifier = build(training, shown, dtype or "float64")
    start = time.perf_counter()
    if dtype is None:
        sim = nengo.Simulator(classifier.net, progress_bar=False)
    else:
        sim = nengo_dl.Simulator(
            classifier.net, minibatch_size=n_at_once, progress_bar=False
        )
    return Run(classifier, sim, time.perf_counter() - start, n_at_once)


def rows(runs, labels):
    """Compare all runs with Nengo's.

    Returns
    -------
    rows : list of dict
        One for each run: how many images it names correctly, how fast it is, and how
        far it is from `nengo.Simulator`. In a minibatch images follow on other images,
        and so its spikes are not compared.
    """
    reference = runs[REFERENCE]
    n_images = len(labels) / len(reference.seconds)
    result = []
    for name, run in runs.items():
        typical = median(run.seconds)
        row = {
            "simulator": name,
            "correct": f"{np.mean(answers(run.recorded('output')) == labels):.1%}",
            "ms per image": f"{typical / n_images * 1e3:.2f}",
            "faster": f"{_ratio(reference.seconds, run.seconds):.1f} x",
            # what the first round takes longer than others is not paid again
            "start": f"{run.build + run.seconds[0] - typical:.1f} s",
            "spikes moved": "-",
            "output differs by": "-",
        }
        if run is not reference and run.n_at_once is None:
            row["spikes moved"] = moved_spikes(run, reference)
            error = np.sqrt(np.mean(difference(run, reference) ** 2))
            row["output differs by"] = f"{error:.0e} rms"
        result.append(row)
    return result


def moved_spikes(run, reference):
    """Say how many spikes of a run are not where the reference has them."""
    pairs = [(run.recorded(key), reference.recorded(key)) for key in ("seen", "named")]
    moved = sum(np.count_nonzero((a > 0) & ~(b > 0)) for a, b in pairs)
    return f"{moved} of {sum(np.count_nonzero(b) for _, b in pairs)}"


def difference(run, reference):
    """Return how far the outputs are apart at each step, shape (n_steps,)."""
    return np.abs(run.recorded("output") - reference.recorded("output")).max(axis=1)


def _ratio(numerator, denominator):
    """Return the median ratio of times, round by round."""
    return median(a / b for a, b in zip(numerator, denominator, strict=True))


def table(rows):
    """Lay out dicts with the same keys as lines under a header."""
    cells = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            [line[0].ljust(widths[0])] + list(map(str.rjust, line[1:], widths[1:]))
        )
        for line in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])
