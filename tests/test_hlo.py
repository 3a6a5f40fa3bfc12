"""What XLA compiles can be carried to machines that have JAX alone."""

import os
import subprocess
import sys
from pathlib import Path

import nengo
import numpy as np
import pytest

from benchmarks import hlo

pytest.importorskip("jax", reason="JAX has no wheels for this version of Python")
RUNNER = Path(hlo.__file__).with_name("hlo_runner.py")


def run_by_jax(folder):
    """Run all programs in a folder, in a process that is told of no other file."""
    return subprocess.run(
        [sys.executable, "-P", str(RUNNER), str(folder), "--rounds", "1"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )


@pytest.fixture(scope="module")
def network():
    """Return a network with neurons that spike, an input and a learning rule."""
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(20 * t))
        ensemble = nengo.Ensemble(30, 1)
        error = nengo.Node(size_in=1)
        nengo.Connection(stimulus, ensemble)
        learned = nengo.Connection(ensemble, error, learning_rule_type=nengo.PES())
        nengo.Connection(error, learned.learning_rule)
        nengo.Probe(error)
    return net


@pytest.mark.parametrize("make", [hlo.simulation, hlo.training])
@pytest.mark.parametrize("minibatch", [1, 3])
def test_programs_have_equal_results_in_jax(network, tmp_path, make, minibatch):
    hlo.write(tmp_path, "net", make(network, minibatch))
    done = run_by_jax(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("net ")


def test_wrong_results_are_reported(network, tmp_path):
    hlo.write(tmp_path, "net", hlo.simulation(network, 1))
    path = tmp_path / "net.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["result0000"] = arrays["result0000"] + 1
    np.savez(path, **arrays)
    done = run_by_jax(tmp_path)
    assert done.returncode == 1
    assert "wrong results: net" in done.stderr
