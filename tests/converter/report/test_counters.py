"""Outputs are followed over time, in any chunks and minibatches."""

import numpy as np
import pytest

import nengo_dl
from nengo_dl.converter import presentation
from nengo_dl.converter.report.counters import latency
from tests.converter.report.helpers import DT, N_STEPS


def test_accuracy_over_time(classifier):
    converter, x, y, report = classifier
    (node,), (probe,) = converter.inputs.values(), converter.outputs.values()
    steps = np.repeat(x[:, None], N_STEPS, axis=1)
    with nengo_dl.Simulator(
        converter.net, dt=DT, minibatch_size=7, progress_bar=False, device="/cpu:0"
    ) as sim:
        found = sim.predict({node: steps}, verbose=0)[probe]
    (output,) = report.outputs
    wanted = np.asarray(converter.model(x))
    assert output.keras_accuracy == np.mean(wanted.argmax(axis=1) == y)
    for t in (1, 5, N_STEPS):
        mean = found[:, :t].mean(axis=1)
        assert output.accuracy[t - 1] == np.mean(mean.argmax(axis=1) == y)
        last = found[:, t - 1].argmax(axis=1)
        assert output.last_accuracy[t - 1] == np.mean(last == y)
        error = np.linalg.norm(mean - wanted) / np.linalg.norm(wanted)
        assert output.error[t - 1] == pytest.approx(error, rel=1e-4)
    assert report.layers[-1].error == pytest.approx(output.error[-1], rel=1e-4)
    assert output.latency == latency(np.array(output.accuracy), output.keras_accuracy)
    if output.latency is not None:
        assert output.latency_seconds == output.latency * DT


@pytest.mark.parametrize(
    "accuracy, steps",
    [
        *(([1.0], 1), ([0, 0, 1], 3), ([0.99, 1, 1], 1), ([1, 0.9, 1, 1], 3)),
        *(([0, 0], None), ([1, 1, 0.5], None)),
    ],
)
def test_latency_is_when_accuracy_stays(accuracy, steps):
    """Near to that of Keras."""
    assert latency(np.array(accuracy), 1.0) == steps
    assert latency(np.array(accuracy), 0.0) == 1


@pytest.mark.parametrize("minibatch_size, max_values", [(3, 2**25), (100, 1), (2, 900)])
def test_items_and_steps_may_be_split(
    classifier, monkeypatch, minibatch_size, max_values
):
    converter, x, y, report = classifier
    monkeypatch.setattr(presentation, "MAX_VALUES", max_values)
    one_hot = np.eye(4)[y]
    other = converter.report(
        x, one_hot, n_steps=N_STEPS, dt=DT, minibatch_size=minibatch_size
    )
    assert other.rasters == report.rasters
    assert other.outputs[0].accuracy == report.outputs[0].accuracy
    for name, value in vars(report.total).items():
        assert getattr(other.total, name) == pytest.approx(value), name
    for mine, theirs in zip(other.layers, report.layers, strict=True):
        assert mine.error == pytest.approx(theirs.error, rel=1e-4)
