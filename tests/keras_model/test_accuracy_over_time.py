"""Beside a loss over time, "accuracy" is that of what the loss compares."""

import keras
import numpy as np
import pytest

from nengo_dl.keras_model.objectives import build_objectives
from nengo_dl.losses import CrossentropyOverTime, LossOverTime
from nengo_dl.metrics import AccuracyOverTime

# Losses, with the threshold above which an output of size 1 means yes
LOSSES = [
    *((CrossentropyOverTime(reduce), 0.0) for reduce in ("mean", "last", "max", None)),
    (CrossentropyOverTime(from_logits=False), 0.5),
    (LossOverTime("mse", "sum"), 0.5),
]


@pytest.mark.parametrize("loss, threshold", LOSSES)
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("form", ["metrics", "weighted_metrics"])
def test_of_what_the_loss_compares(loss, threshold, size, form, rng):
    outputs = rng.normal(size=(30, 5, size)).astype("float32")
    labels = rng.randint(max(size, 2), size=(30, 1, 1))
    expected = AccuracyOverTime(loss.reduce, threshold)
    expected.update_state(labels, outputs)
    for word in ("accuracy", "acc"):
        terms = build_objectives(["a"], loss, **{form: {"a": word}})
        terms.update_metrics({"a": labels}, {"a": outputs}, {})
        (term,) = terms.metrics
        assert term.metric.name == f"a_{word}"
        np.testing.assert_allclose(term.metric.result(), expected.result())


def test_of_each_step_beside_other_losses(rng):
    outputs = {name: rng.normal(size=(30, 5, 4)) for name in "ab"}
    labels = {name: rng.randint(4, size=(30, 5, 1)) for name in "ab"}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    both = {"a": loss, "b": CrossentropyOverTime("last")}
    terms = build_objectives(["a", "b"], both, metrics=["accuracy"])
    labels["b"] = labels["b"][:, :1]
    terms.update_metrics(labels, outputs, {})
    values = [float(term.metric.result()) for term in terms.metrics]
    correct = [(outputs["a"].argmax(-1) == labels["a"][..., 0]).mean()]
    correct.append((outputs["b"][:, -1].argmax(-1) == labels["b"][:, 0, 0]).mean())
    np.testing.assert_allclose(values, correct, rtol=1e-6)
