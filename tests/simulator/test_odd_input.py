"""What nobody expects, and what works all the same or is refused with a reason."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError

import nengo_dl
from tests.simulator.helpers import make_sim

X = np.linspace(-1, 1, 12).reshape(2, 6, 1)


def trainable(label="stimulus"):
    """Build a weight between two nodes, all with one label."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.stimulus = nengo.Node([0.5], label=label)
        node = nengo.Node(size_in=1, label=label)
        net.conn = nengo.Connection(
            net.stimulus, node, transform=0.5, synapse=None, label=label
        )
        net.probe = nengo.Probe(node, label=label)
    return net


FORMS = [
    lambda x: x.astype(np.longdouble),
    lambda x: x.astype(np.float16),
    lambda x: x.tolist(),
    lambda x: tuple(map(tuple, x.tolist())),
    lambda x: [x],
    lambda x: [x.tolist()],
]


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_arrays(form):
    """Inputs, targets, weights: all mean what the plain array does."""
    x = np.round(4 * X) / 4  # exact in all types
    results = []
    for change in (lambda array: array, form):
        with make_sim(trainable(), minibatch_size=2) as sim:
            sim.compile("sgd", loss="mse")
            given = change(x)
            history = sim.fit(given, change(2 * x), verbose=0).history
            output = sim.predict(given, verbose=0)[sim.model.toplevel.probe]
            sim.run_steps(6, data=given)
            results.append([history["loss"], output, sim.data[sim.model.probes[0]]])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


LABELS = ["a" * 70_000, "a\ud800b", "a\0b", "größe → 大", " ", "a/b"]


@pytest.mark.parametrize("label", LABELS, ids=range(len(LABELS)))
def test_labels(label, tmp_path):
    """Any label will do, also where names are made of it."""
    with make_sim(trainable(label), minibatch_size=2) as sim:
        net = sim.model.toplevel
        sim.compile("sgd", loss="mse")
        sim.fit({net.stimulus: X}, {net.probe: X}, verbose=0)
        trained = sim.data[net.conn].weights
        sim.save_params(tmp_path / "a", include_state=True)
        sim.keras_model.save_weights(tmp_path / "a.weights.h5")
        for load in (
            lambda: sim.load_params(tmp_path / "a", include_state=True),
            lambda: sim.keras_model.load_weights(tmp_path / "a.weights.h5"),
        ):
            sim.reset()
            assert sim.data[net.conn].weights != trained
            load()
            assert sim.data[net.conn].weights == trained


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_forks_are_refused():
    """TensorFlow would hang in them; probe data can be read."""
    net = trainable()
    with make_sim(net) as sim:
        sim.run_steps(2)
        uses = [
            lambda: sim.run_steps(2),
            lambda: sim.predict(n_steps=2),
            lambda: sim.keras_model,
            lambda: sim.reset(),
            lambda: make_sim(net),
            lambda: nengo_dl.NengoLayer(net),
        ]
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            refused = 0
            for use in uses:
                try:
                    use()
                except SimulationError as exc:
                    refused += "a fork of it" in str(exc) and "spawn" in str(exc)
            os._exit(refused if sim.data[net.probe].shape == (2, 1) else 100)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == len(uses)
        sim.run_steps(1)


def test_warnings_as_errors(tmp_path):
    """The whole package, from networks and Keras models to reports, gives none."""
    script = Path(__file__).parents[1] / "strict.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "no warning", done.stderr[-2000:]
