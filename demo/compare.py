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
    seconds : list of float
        Time of each round.
    """

    classifier: Classifier
    sim: object
    build: float
    seconds: list = field(default_factory=list)

    def run(self, n_images):
        """Show the next images, and take the time."""
        start = time.perf_counter()
        self.sim.run_steps(n_images * STEPS_PER_IMAGE, progress_bar=False)
        self.seconds.append(time.perf_counter() - start)

    def recorded(self, name):
        """Return a probe's data, shape (n_steps, size)."""
        return self.sim.data[getattr(self.classifier, name)]


def run_all(training, shown, stack, n_rounds=6):
    """Run all simulators in turns, so that the machine's load hits all of them alike.

    Parameters
    ----------
    training, shown : Digits
        Images to learn, and images to classify; as many of the latter as `n_rounds`
        share out evenly.
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
    }
    for run in runs.values():
        stack.enter_context(run.sim)
    for _ in range(n_rounds):
        for run in runs.values():
            run.run(len(shown) // n_rounds)
    return runs


def _build(training, shown, dtype):
    """Build the network for nengo_dl in a precision, or for Nengo (None)."""
    classifier = build(training, shown, dtype or "float64")
    start = time.perf_counter()
    if dtype is None:
        sim = nengo.Simulator(classifier.net, progress_bar=False)
    else:
        sim = nengo_dl.Simulator(classifier.net, progress_bar=False)
    return Run(classifier, sim, time.perf_counter() - start)


def rows(runs, labels):
    """Compare all runs with Nengo's.

    Returns
    -------
    rows : list of dict
        One for each run: how many images it names correctly, how fast it is, and how
        far it is from `nengo.Simulator`.
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
            "start": f"{run.build + max(0, run.seconds[0] - typical):.1f} s",
            "spikes moved": "-",
            "output differs by": "-",
        }
        if run is not reference:
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
