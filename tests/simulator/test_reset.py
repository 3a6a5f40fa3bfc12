"""What a reset puts back, and what depends on seeds."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.simulator.helpers import assert_same_data, data_of, make_sim, random_network


@pytest.fixture(scope="module")
def random_sim():
    net = random_network()
    with make_sim(net) as sim:
        yield net, sim


def test_reset_starts_again(random_sim):
    net, sim = random_sim
    sim.reset()
    initial = sim.data[net.learned].weights
    sim.run_steps(10)
    sim.run_steps(10)
    expected = data_of(sim)
    assert not np.array_equal(sim.data[net.learned].weights, initial)
    for _ in range(2):
        sim.reset()
        assert (sim.n_steps, sim.time) == (0, 0)
        assert len(sim.data[net.output]) == 0
        np.testing.assert_array_equal(sim.data[net.learned].weights, initial)
        sim.run_steps(20)
        assert_same_data(data_of(sim), expected)


def test_reset_without_parameters(random_sim):
    net, sim = random_sim
    sim.reset()
    sim.run_steps(20)
    learned = sim.data[net.learned].weights
    sim.reset(include_trainable=False)
    assert sim.n_steps == 0 and len(sim.data[net.output]) == 0
    np.testing.assert_array_equal(sim.data[net.learned].weights, learned)


def test_reset_without_probes(random_sim):
    net, sim = random_sim
    sim.reset()
    sim.run_steps(20)
    expected = data_of(sim)
    sim.reset(include_probes=False)
    assert sim.n_steps == 0
    assert_same_data(data_of(sim), expected)
    sim.run_steps(20)
    assert_same_data(data_of(sim), [np.concatenate([x, x]) for x in expected])


def test_reset_without_processes(random_sim):
    net, sim = random_sim
    sim.reset()
    sim.run_steps(20)
    expected = sim.data[net.noise_probe]
    sim.reset()
    sim.run_steps(10)
    sim.reset(include_processes=False)
    sim.run_steps(10)
    np.testing.assert_array_equal(sim.data[net.noise_probe], expected[10:])


def test_reset_with_another_seed(random_sim):
    net, sim = random_sim
    sim.reset()
    before = sim.seed
    sim.run_steps(20)
    first = data_of(sim)
    encoders = sim.data[net.ensembles[0]].encoders
    sim.reset(seed=before + 1)
    assert sim.seed == before + 1
    sim.run_steps(20)
    for one, other in zip(data_of(sim), first, strict=True):
        assert not np.array_equal(one, other)
    np.testing.assert_array_equal(sim.data[net.ensembles[0]].encoders, encoders)
    sim.reset(seed=before)
    sim.run_steps(20)
    assert_same_data(data_of(sim), first)


def test_soft_reset(random_sim):
    net, sim = random_sim
    sim.reset()
    sim.run_steps(20)
    noise, learned = sim.data[net.noise_probe], sim.data[net.learned].weights
    sim.reset()
    sim.run_steps(10)
    weights = sim.data[net.learned].weights
    with pytest.warns(DeprecationWarning, match=r"Use reset\(include_processes=False"):
        sim.soft_reset()
    assert sim.n_steps == 0 and sim.data[net.noise_probe].shape == (10, 1)
    np.testing.assert_array_equal(sim.data[net.learned].weights, weights)
    sim.run_steps(10)
    np.testing.assert_array_equal(sim.data[net.noise_probe], noise)
    with pytest.warns(DeprecationWarning):
        sim.soft_reset(include_trainable=True, include_probes=True)
    assert len(sim.data[net.noise_probe]) == 0
    assert not np.array_equal(sim.data[net.learned].weights, learned)


def test_clear_probes(random_sim):
    net, sim = random_sim
    sim.reset()
    sim.run_steps(20)
    expected = data_of(sim)
    sim.reset()
    sim.run_steps(12)
    sim.clear_probes()
    assert sim.n_steps == 12
    assert all(len(sim.data[probe]) == 0 for probe in net.probes)
    sim.run_steps(8)
    assert_same_data(data_of(sim), [x[12:] for x in expected])


def test_equal_seeds_give_equal_results(random_sim):
    net, sim = random_sim
    sim.reset()
    sim.run_steps(20)
    with make_sim(random_network()) as other:
        other.run_steps(20)
        assert_same_data(data_of(other), data_of(sim))
    with make_sim(net, seed=sim.seed + 1) as other:
        other.run_steps(20)
        assert not np.array_equal(other.data[net.spikes], sim.data[net.spikes])
        assert not np.array_equal(
            other.data[net.noise_probe], sim.data[net.noise_probe]
        )


SCRIPT = """
import hashlib

from tests import small_networks
from tests.simulator.helpers import data_of, make_sim, random_network

digest = hashlib.sha256()
for make in (random_network, small_networks.subnetworks):
    with make_sim(make()) as sim:
        sim.run_steps(30)
        for values in data_of(sim):
            digest.update(values.tobytes())
print(digest.hexdigest())
"""


def test_results_do_not_depend_on_the_hash_seed():
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    digests = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(digests) == 1
