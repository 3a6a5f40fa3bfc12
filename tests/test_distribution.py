"""Training on several devices, and in several processes, equals training on one."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests import distributed_training
from tests.simulator.helpers import filtered, make_sim

SECONDS = 300


def expected(shuffle):
    """Return what training on one device gives."""
    found = distributed_training.train(shuffle=shuffle)
    losses = found["fit 0 loss"]
    assert losses[-1] < losses[0]
    return found


def start(kind, path, **variables):
    """Start a process that trains."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.distributed_training", kind, str(path)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(processes):
    """Wait for processes; end all of them if one fails, as others wait for it."""
    try:
        for process in processes:
            output, _ = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, output
    finally:
        for process in processes:
            process.kill()
            process.wait()


def free_ports(count):
    """Find ports that nobody uses, for now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def compare(path, expected):
    with np.load(path) as file:
        assert set(file) == set(expected)
        for name in expected:
            np.testing.assert_allclose(
                file[name], expected[name], rtol=1e-4, atol=1e-5, err_msg=name
            )


def test_two_devices(tmp_path):
    path = tmp_path / "found.npz"
    finish([start("mirrored", path)])
    compare(path, expected(shuffle=False) | distributed_training.train_layer())


def test_two_processes(tmp_path):
    paths = [tmp_path / f"found{i}.npz" for i in range(2)]
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    finish(
        [
            start("workers", path, TF_CONFIG=json.dumps(config(workers, i)))
            for i, path in enumerate(paths)
        ]
    )
    found = expected(shuffle=True)
    for path in paths:
        compare(path, found)


def config(workers, index):
    return {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}


@pytest.mark.parametrize("method", ["predict", "evaluate"])
def test_there_is_no_state_to_keep(method):
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        sim = make_sim(filtered(), device=None)
    with sim:
        sim.compile(loss="mse")
        args = ({"probe": np.zeros((1, 5, 1))},) if method == "evaluate" else ()
        with pytest.warns(UserWarning, match="stateful=True has no effect.*strategy"):
            getattr(sim, method)(None, *args, n_steps=5, stateful=True, verbose=0)
        assert sim.n_steps == 0
        sim.run_steps(5)
        assert sim.n_steps == 5
