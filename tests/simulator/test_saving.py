"""Trained simulations in files, and in Nengo objects."""

import pickle

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError, SimulatorClosed

import nengo_dl
from nengo_dl.keras_model.layer import EngineLayer
from nengo_dl.keras_model.weights import WeightTable
from nengo_dl.simulator.npz import MARKER
from tests import small_networks
from tests.simulator.helpers import make_sim

RATE = nengo.LIFRate()
N_STEPS = 10


# --- networks ---------------------------------------------------------------------


def small(make):
    """Build a network that starts fast and computes exactly."""
    net = make()
    with net:
        nengo_dl.configure_settings(dtype="float64", jit_compile=False)
    return net


def ensembles():
    """Build all kinds of parameters; so many of a kind that they are stacked."""
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([0.5, -0.5])
        array = nengo.networks.EnsembleArray(5, 10, neuron_type=RATE, label="array")
        ens = nengo.Ensemble(8, 2, neuron_type=RATE, label="ens")
        nengo.Connection(stimulus, array.input[:2], synapse=None)
        nengo.Connection(array.output[:2], ens, label="in")
        nengo.Connection(ens.neurons, ens.neurons, transform=nengo.dists.Uniform(0, 1))
        nengo.Probe(array.output)
        nengo.Probe(ens, synapse=0.01, label="out")
    return net


def layers():
    """Build Keras layers: one is used twice, one has weights that are not trained."""
    dense, norm, last = (
        keras.layers.Dense(3, dtype="float64"),
        keras.layers.BatchNormalization(dtype="float64"),
        keras.layers.Dense(2, dtype="float64"),
    )
    with nengo.Network(seed=0) as net:
        x = nengo.Node([0.1, 0.2, 0.3])
        for layer in (dense, norm, dense, last):
            x = nengo_dl.Layer(layer)(x)
        out = nengo.Node(size_in=1)
        nengo.Connection(x, out, transform=[[1, 2]], synapse=None, label="sum")
        nengo.Probe(x, synapse=0.01)
        nengo.Probe(out)
    return net


NETWORKS = [ensembles, layers, *small_networks.ALL]
LEARNED = ("ensemble.encoders_1", "ensemble_to_ensemble.weights")


def train(sim, differ=True):
    """Change all parameters, by training and by learning rules.

    Parameters
    ----------
    differ : bool
        Whether the minibatch items get different data, and so learn different things.
    """
    sizes = {p: s["in"].size for p, s in sim.model.sig.items() if is_vector(sim, p)}
    if not sizes:
        return
    rng = np.random.RandomState(0)

    def draw(size):
        data = rng.normal(size=(sim.minibatch_size if differ else 1, N_STEPS, size))
        return np.broadcast_to(data, (sim.minibatch_size, N_STEPS, size))

    x = {node: draw(node.size_out) for node in sim.node_inputs}
    y = {probe: draw(size) for probe, size in sizes.items()}
    sim.compile(keras.optimizers.SGD(0.1), loss=dict.fromkeys(sizes, linear))
    sim.fit(x, y, n_steps=N_STEPS, verbose=0)


def linear(y_true, y_pred):
    """Have a gradient that is large everywhere."""
    return y_true * y_pred


def is_vector(sim, obj):
    return isinstance(obj, nengo.Probe) and sim.model.sig[obj]["in"].ndim == 1


# --- files ------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return tmp_path / "params"


def read(path):
    with np.load(f"{path}.npz") as file:
        return {name: file[name] for name in file if name != MARKER}


def all_of(sim, path):
    """Return all that a simulation has, its state included."""
    path = path.with_name("all")
    sim.save_params(path, include_state=True)
    return read(path)


def assert_equal(actual, expected):
    assert list(actual) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)


def outputs(sim):
    """Run some steps; the first item's data of all probes."""
    sim.run_steps(N_STEPS)
    return [sim.data[probe][0] for probe in sim.model.probes]


def one_item(arrays):
    """Leave out all items but the first, of what learning rules change."""
    return {k: v[0] if k in LEARNED else v for k, v in arrays.items()}


@pytest.mark.parametrize("make", NETWORKS)
def test_another_simulator_has_the_same_parameters(make, path):
    again = path.with_name("again")
    with make_sim(small(make), minibatch_size=2) as sim:
        sim.save_params(path)
        before = read(path)
        train(sim, differ=False)
        sim.save_params(path)
        saved = one_item(read(path))
        sim.reset(include_trainable=False)
        expected = outputs(sim)
    for minibatch_size in (1, 3):
        with make_sim(small(make), minibatch_size=minibatch_size) as sim:
            sim.load_params(path)
            sim.save_params(again)
            assert_equal(one_item(read(again)), saved)
            for one, other in zip(outputs(sim), expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)
    if make is not small_networks.empty:
        assert any(np.any(one_item(before)[name] != saved[name]) for name in saved)


def spiking():
    """Build state of many kinds, and neurons that spike at random."""
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: np.sin(50 * t))
        a = nengo.Ensemble(8, 1)
        b = nengo.Ensemble(8, 1, neuron_type=nengo.PoissonSpiking(RATE), label="b")
        nengo.Connection(stimulus, a, synapse=0.01)
        nengo.Connection(a, b, synapse=nengo.Alpha(0.01))
        nengo.Connection(b, a)
        nengo.Probe(b, synapse=0.01)
        nengo.Probe(b.neurons)
    return net


@pytest.mark.parametrize("make", [spiking, small_networks.learning])
def test_another_simulator_goes_on_from_a_saved_state(make, path):
    with make_sim(small(make), minibatch_size=2, seed=1) as sim:
        train(sim)
        sim.run_steps(N_STEPS)
        sim.save_params(path, include_state=True)
        sim.clear_probes()
        expected = outputs(sim)
    with make_sim(small(make), minibatch_size=2, seed=1) as sim:
        sim.load_params(path, include_state=True)
        assert sim.n_steps == N_STEPS
        for one, other in zip(outputs(sim), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_a_state_needs_the_same_minibatch_size_if_its_items_differ(path):
    net = small(ensembles)
    data = np.arange(6.0).reshape(3, 1, 2)
    with make_sim(net, minibatch_size=3) as sim:
        sim.save_params(path.with_name("equal"), include_state=True)
        sim.run_steps(1, data=data)
        sim.save_params(path, include_state=True)
    with make_sim(net, minibatch_size=2) as sim:
        sim.run_steps(2)
        sim.load_params(path.with_name("equal"), include_state=True)
        assert sim.n_steps == 0
        before = all_of(sim, path)
        message = "expected the 3 minibatch items of .*Make it with minibatch_size=3"
        with pytest.raises(SimulationError, match=message):
            sim.load_params(path, include_state=True)
        assert_equal(all_of(sim, path), before)


def refuse(*args, **kwargs):
    pytest.fail("This takes too long for large networks.")


def live(sim):
    """Return the parameters that ``sim.data`` shows."""
    arrays = []
    for obj in (*sim.model.toplevel.all_ensembles, *sim.model.toplevel.all_connections):
        if isinstance(obj, nengo.Ensemble):
            arrays += [sim.data[obj].scaled_encoders, sim.data[obj].bias]
        elif sim.data[obj].weights is not None:
            weights = sim.data[obj].weights
            arrays.append(getattr(weights, "data", weights))
    return arrays


@pytest.mark.parametrize("make", NETWORKS)
def test_parameters_are_read_and_saved_without_keras(make, path, monkeypatch):
    """Layers are for training, and whole blocks of parameters for runs."""
    with make_sim(small(make), minibatch_size=2) as sim:
        with monkeypatch.context() as patched:
            patched.setattr(EngineLayer, "__init__", refuse)
            first = live(sim)
            sim.save_params(path)
            saved = read(path)
        _ = sim.tensor_graph
        with monkeypatch.context() as patched:
            patched.setattr(WeightTable, "blocks", refuse)
            for before, after in zip(first, live(sim), strict=True):
                np.testing.assert_array_equal(before, after)
            sim.save_params(path)
            assert_equal(read(path), saved)


def test_what_is_loaded_ahead_of_a_layer_arrives_there(path):
    net = small(ensembles)
    with make_sim(net) as trained:
        for variable in trained.tensor_graph.parameters.variables:
            variable.assign(variable + 1)
        trained.save_params(path)
        expected = list(
            map(keras.ops.convert_to_numpy, trained.tensor_graph.parameters.variables)
        )
        trained.run_steps(N_STEPS)
    with make_sim(net) as sim:
        sim.load_params(path)
        sim.run_steps(N_STEPS)
        assert_equal(
            dict(enumerate(sim.tensor_graph.parameters.variables)),
            dict(enumerate(expected)),
        )
        sim.reset(include_trainable=False)
        sim.run_steps(N_STEPS)
        for probe in net.probes:
            np.testing.assert_allclose(sim.data[probe], trained.data[probe])


def test_names_do_not_depend_on_keras(path):
    with make_sim(small(layers)) as sim:
        train(sim)
        sim.save_params(path)
    keras.layers.Dense(1), keras.layers.BatchNormalization()  # change Keras' counts
    with make_sim(small(layers)) as sim:
        sim.load_params(path)
        names = list(read(path))
    assert names == [
        "sum.weights",
        "dense_0/0/kernel",
        "dense_0/1/bias",
        "batchnormalization_1/0/gamma",
        "batchnormalization_1/1/beta",
        "batchnormalization_1/2/moving_mean",
        "batchnormalization_1/3/moving_variance",
        "dense_2/0/kernel",
        "dense_2/1/bias",
    ]


@pytest.mark.parametrize("make", [ensembles, layers, small_networks.learning])
def test_files_have_the_order_of_keras(make, path):
    with make_sim(small(make)) as sim:
        train(sim)
        sim.save_params(path)
        values = read(path)
        weights = np.concatenate([np.ravel(w) for w in sim.keras_model.get_weights()])
        stored = np.concatenate([np.ravel(array) for array in values.values()])
        np.testing.assert_array_equal(stored[: len(weights)], weights)
        # such files had no names in NengoDL 3.6
        np.savez_compressed(f"{path}.npz", *values.values())
    with make_sim(small(make)) as sim:
        sim.load_params(path)
        sim.save_params(path)
    assert_equal(read(path), values)


def test_keras_saves_weights_for_other_minibatch_sizes(tmp_path):
    path = tmp_path / "model.weights.h5"
    net = small(ensembles)
    with make_sim(net, minibatch_size=2) as sim:
        train(sim)
        sim.keras_model.save_weights(path)
        weights = sim.keras_model.get_weights()
    with make_sim(net) as sim:
        sim.keras_model.load_weights(path)
        for one, other in zip(sim.keras_model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(one, other)


# --- files that do not fit ----------------------------------------------------------


def one_ensemble(n_neurons=8, label="in"):
    """Build the same names for other numbers of neurons."""
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([0.5, -0.5])
        ens = nengo.Ensemble(n_neurons, 2, neuron_type=RATE, label="ens")
        nengo.Connection(stimulus, ens, transform=0.5, label=label)
        nengo.Probe(ens)
    return net


def another():
    return one_ensemble(9, "other")


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def truncated(path):
    file = path.with_suffix(".npz")
    file.write_bytes(file.read_bytes()[:-200])


def damaged(path):
    file = path.with_suffix(".npz")
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 50] = bytes(50)
    file.write_bytes(content)


def foreign(path):
    path.with_suffix(".npz").write_text("no parameters", encoding="utf-8")


def malicious(path):
    arrays = read(path)
    trap = np.array([Trap(str(path.with_name("trap")))], dtype=object)
    name = next(iter(arrays))
    np.savez(path.with_suffix(".npz"), **{**arrays, name: trap})


def pickled(path):
    trap = pickle.dumps(Trap(str(path.with_name("trap"))))
    path.with_suffix(".npz").write_bytes(trap)


def removed(path):
    path.with_suffix(".npz").unlink()


def from_another_network(path):
    with make_sim(small(another)) as sim:
        sim.save_params(path)


def with_state(path):
    with make_sim(small(one_ensemble)) as sim:
        sim.save_params(path, include_state=True)


BAD_FILES = [
    (truncated, SimulationError, "damaged or something else"),
    (damaged, SimulationError, "load_params '.*params.npz': "),
    (foreign, SimulationError, "damaged or something else"),
    (malicious, SimulationError, "never loaded, because they could run any code"),
    (pickled, SimulationError, "damaged or something else"),
    (removed, FileNotFoundError, "expected a file '.*params.npz'"),
    (from_another_network, SimulationError, r"'in.weights' is missing"),
    (from_another_network, SimulationError, r"'ens.bias': expected shape \(8,\), got"),
    (from_another_network, SimulationError, "'other.weights' is not part of this"),
    (with_state, SimulationError, "holds the state .*pass include_state=True"),
]


@pytest.mark.parametrize("spoil, error, message", BAD_FILES)
def test_bad_files_change_nothing(spoil, error, message, path):
    with make_sim(small(one_ensemble)) as sim:
        sim.save_params(path)
        train(sim)
        sim.run_steps(N_STEPS)
        before = all_of(sim, path)
        spoil(path)
        with pytest.raises(error, match=message):
            sim.load_params(path)
        assert_equal(all_of(sim, path), before)
        assert sim.n_steps == N_STEPS
    assert not path.with_name("trap").exists()


def test_a_file_without_state(path):
    with make_sim(small(one_ensemble)) as sim:
        sim.save_params(path)
        with pytest.raises(SimulationError, match="no state .*include_state=False"):
            sim.load_params(path, include_state=True)


def test_old_names_of_arguments(path):
    with make_sim(small(one_ensemble)) as sim:
        for call in (sim.save_params, sim.load_params):
            with pytest.warns(DeprecationWarning, match="Use include_state"):
                call(path, include_non_trainable=True)
        assert sum(name.startswith("state/") for name in read(path)) > 1


def test_closed_simulators_neither_save_nor_load(path):
    with make_sim(small(one_ensemble)) as sim:
        sim.save_params(path)
    for call in (sim.save_params, sim.load_params):
        with pytest.raises(SimulatorClosed, match="_params: the simulator is closed"):
            call(path)


# --- Nengo objects ----------------------------------------------------------------


@pytest.mark.parametrize("make", [ensembles, *small_networks.ALL])
def test_nengo_runs_what_was_trained(make):
    net = small(make)
    with make_sim(net) as sim:
        train(sim)
        sim.freeze_params(net)
        sim.reset(include_trainable=False)
        sim.run_steps(N_STEPS)
        data = [np.array(sim.data[probe]) for probe in sim.model.probes]
    with nengo.Simulator(net, progress_bar=False, optimize=False) as reference:
        reference.run_steps(N_STEPS)
        for probe, expected in zip(sim.model.probes, data, strict=True):
            actual = reference.data[probe]
            scale = max(1, np.max(np.abs(expected), initial=0))
            np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6 * scale)
