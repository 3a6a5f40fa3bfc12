"""Outputs that were followed over time, as parts of reports."""

import math

import numpy as np

from nengo_dl.converter.report.counters import Course
from nengo_dl.converter.report.report import OutputReport

LATENCY_PART = 0.99


def output_report(name: str, course: Course, dt: float) -> OutputReport:
    """Return what was found of an output."""
    squares = np.broadcast_to(course.squares_of_keras, course.squares.shape)
    error = tuple(map(relative, course.squares, squares))
    if course.n_labels == 0:
        return OutputReport(name, error)
    accuracy = course.n_right_mean / course.n_labels
    keras_accuracy = course.n_right_keras / course.n_labels
    from_step = latency(accuracy, keras_accuracy)
    return OutputReport(
        name,
        error,
        keras_accuracy,
        tuple(accuracy.tolist()),
        tuple((course.n_right_last / course.n_labels).tolist()),
        from_step,
        None if from_step is None else from_step * dt,
    )


def latency(accuracy: np.ndarray, wanted: float) -> int | None:
    """Return from which step on (the first is 1) it stays near to what is wanted.

    None if it does not.
    """
    is_below = accuracy < LATENCY_PART * wanted
    n_steps = int(np.flatnonzero(is_below)[-1]) + 2 if is_below.any() else 1
    return n_steps if n_steps <= len(accuracy) else None


def relative(squares: float, squares_of_keras: float) -> float | None:
    """Return a relative error from two sums of squares; None if it is infinite."""
    if squares_of_keras > 0:
        return math.sqrt(squares / squares_of_keras)
    return 0.0 if squares == 0 else None
