"""Losses and metrics over time in NumPy, item by item and step by step, and cases."""

import numpy as np

ITEMS, STEPS, CLASSES = 5, 4, 3
REDUCTIONS = ("mean", "sum", "last", "max", None)
LABELS = ("sparse", "one-hot")
SHAPES = ("nengo", "keras")
WEIGHTS = ("none", "items", "column", "mask", "steps")

RNG = np.random.RandomState(0)
OUTPUTS = RNG.uniform(0.1, 2, size=(ITEMS, STEPS, CLASSES))
CLASS_OF_ITEM = np.array([0, 2, 1, 1, 0])
LENGTHS = np.array([4, 2, 0, 3, 1])
MASK = np.arange(STEPS) < LENGTHS[:, None]


def targets(labels, shape):
    """Return the classes of items in one of the forms that users have them in."""
    y = CLASS_OF_ITEM if labels == "sparse" else np.eye(CLASSES)[CLASS_OF_ITEM]
    if shape == "keras":
        return y
    return y.reshape(ITEMS, 1, -1)


def sample_weights(kind):
    """Return weights as passed to Keras, and what each step weighs by them."""
    items = RNG.uniform(0.1, 2, size=ITEMS)
    steps = RNG.uniform(0.1, 2, size=(ITEMS, STEPS)) * MASK
    given = {
        "none": None,
        "items": items,
        "column": items[:, None],
        "mask": MASK,
        "steps": steps,
    }[kind]
    full = np.ones((ITEMS, STEPS))
    if given is None:
        return None, full
    return given, full * (given[:, None] if given.ndim == 1 else given)


def softmax(x):
    return np.exp(x) / np.sum(np.exp(x))


def reduced(outputs, weights, reduce):
    """Reduce the outputs of one item, of shape (steps, size)."""
    steps = np.flatnonzero(weights > 0)
    if reduce == "mean":
        return np.average(outputs, axis=0, weights=weights)
    if reduce == "sum":
        return sum(outputs[t] * weights[t] / weights.max() for t in steps)
    if reduce == "last":
        return outputs[steps[-1]]
    return np.max([outputs[t] for t in steps], axis=0)


def of_items(function, outputs, weights, reduce, scale=1.0):
    """Return the values of all items.

    Parameters
    ----------
    function : callable
        Takes the number of an item and a vector; returns a number.
    """
    values = np.zeros(len(outputs))
    for i, (item, weight) in enumerate(zip(outputs, weights, strict=True)):
        if not weight.any():
            continue
        if reduce is not None:
            values[i] = function(i, scale * reduced(item, weight, reduce))
        else:
            steps = [function(i, scale * output) for output in item]
            values[i] = np.average(steps, weights=weight)
    return values


def crossentropy(i, output):
    return -np.log(softmax(output)[CLASS_OF_ITEM[i]])


def crossentropy_of_probabilities(i, output):
    return -np.log(output[CLASS_OF_ITEM[i]] / output.sum())


def is_right(i, output):
    return float(np.argmax(output) == CLASS_OF_ITEM[i])


def squared_error(i, output):
    return np.mean((np.eye(CLASSES)[CLASS_OF_ITEM[i]] - output) ** 2)


def distance(low, high, order):
    """Return the penalty of activity outside of a range, for `of_items`."""

    def penalty(i, output):
        below = np.maximum(low - output, 0)
        return np.mean(np.maximum(below, output - high) ** order)

    return penalty
