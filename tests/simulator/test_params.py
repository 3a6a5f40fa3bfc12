"""Parameters that go back into Nengo objects: get_nengo_params and freeze_params."""

import pickle
import warnings

import nengo
import numpy as np
import pytest
import scipy.sparse
from nengo.builder import Model
from nengo.exceptions import NengoWarning, SimulatorClosed, ValidationError
from nengo.transforms import SparseMatrix

import nengo_dl
from nengo_dl.graph import parameters as table
from nengo_dl.simulator import SimulationData
from tests import small_networks
from tests.simulator.helpers import make_sim

# Nengo divides by gains of zero to find intercepts, which nothing uses
pytestmark = pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning:nengo")

TOLERANCE = {"float32": 1e-5, "float64": 1e-6}
RATE = nengo.LIFRate()
MATRIX = np.array([[0.5, -1.0], [0.25, 2.0], [1.5, 0.0]])


# --- networks, which probe all that parameters can change -------------------------


def decoded():
    """Build functions, slices, transforms, a loop, and two kinds of solvers."""
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(lambda t: [np.sin(60 * t), np.cos(60 * t)])
        a = nengo.Ensemble(20, 2, radius=1.5, neuron_type=RATE)
        b = nengo.Ensemble(15, 3)
        out = nengo.Node(size_in=3)
        nengo.Connection(stimulus, a, synapse=None)
        nengo.Connection(a, a, transform=0.3, synapse=0.02)
        nengo.Connection(a, b, transform=MATRIX)
        nengo.Connection(a[1], b[[2, 0]], function=lambda x: [x, x**2])
        nengo.Connection(a, b[:1], function=np.prod, transform=0.5)
        nengo.Connection(b, out, transform=[1.0, 2.0, -1.0], synapse=0.01)
        nengo.Connection(b[::-1], out, solver=nengo.solvers.Lstsq(), seed=3)
        points = np.linspace(-1, 1, 20)[:, None] * [1, -1]
        nengo.Connection(a, out[0], function=points[:, :1] ** 2, eval_points=points)
        nengo.Probe(a, synapse=0.01)
        nengo.Probe(b[1:], synapse=0.01, solver=nengo.solvers.LstsqL2(reg=0.2))
        nengo.Probe(out)
    return net


def full_weights():
    """Build solvers that give weights from neurons to neurons."""
    with nengo.Network(seed=1) as net:
        stimulus = nengo.Node(lambda t: [np.sin(60 * t)])
        a, b = nengo.Ensemble(12, 1), nengo.Ensemble(10, 2, neuron_type=RATE)
        solver = nengo.solvers.LstsqL2(weights=True)
        nengo.Connection(stimulus, a)
        nengo.Connection(a, b[1], solver=solver, function=np.square)
        nengo.Connection(a, b, transform=[[1.0], [-0.5]], solver=solver)
        nengo.Connection(
            b,
            b,
            transform=nengo.Dense((2, 2)),
            solver=nengo.solvers.LstsqDrop(weights=True, drop=0.5),
        )
        nengo.Connection(
            a, b[:1], solver=nengo.solvers.LstsqMultNoise(weights=True), synapse=None
        )
        nengo.Probe(b, synapse=0.01)
        nengo.Probe(b.neurons)
    return net


def neurons():
    """Build connections from and to neurons."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=2) as net:
        stimulus = nengo.Node(lambda t: [np.sin(60 * t)])
        a = nengo.Ensemble(6, 1, neuron_type=nengo.RectifiedLinear())
        b = nengo.Ensemble(5, 2, neuron_type=nengo.SpikingRectifiedLinear())
        c = nengo.Ensemble(6, 1, neuron_type=RATE, gain=np.ones(6), bias=np.ones(6))
        nengo.Connection(stimulus, a)
        nengo.Connection(a.neurons, b.neurons, transform=rng.uniform(-0.1, 0.1, (5, 6)))
        nengo.Connection(a.neurons[[4, 1]], b.neurons[3:], transform=[0.1, -0.1])
        nengo.Connection(a.neurons, c.neurons, transform=0.01, synapse=None)
        nengo.Connection(a.neurons[:2], b, transform=nengo.dists.Uniform(-0.01, 0.01))
        nengo.Connection(a, b.neurons, transform=np.ones((5, 1)))
        nengo.Connection(a, c.neurons[[0, 2]], function=lambda x: [x, -x])
        nengo.Connection(stimulus, c.neurons, transform=rng.uniform(-1, 1, (6, 1)))
        nengo.Probe(b.neurons)
        nengo.Probe(c.neurons)
    return net


def transforms():
    """Build transforms of the output of nodes and neurons, of every type."""
    matrix = scipy.sparse.random(4, 8, density=0.3, random_state=0)
    dist = nengo.dists.Uniform(-1, 1)
    with nengo.Network(seed=3) as net:
        stimulus = nengo.Node(lambda t: np.sin(np.arange(8) * 20 * t))
        ens = nengo.Ensemble(20, 2, neuron_type=RATE)
        nengo.Connection(stimulus[:2], ens, transform=0.5)
        nengo.Connection(stimulus[2:4], ens, transform=[1.0, -0.5])
        nengo.Connection(
            stimulus[3], ens, function=lambda x: x**3, transform=[[1], [2]]
        )
        nengo.Connection(stimulus, ens, transform=dist)
        for transform in (
            nengo.Sparse((4, 8), init=matrix.tocsr()),
            nengo.Sparse((4, 8), init=matrix.tocoo()),
            nengo.Sparse((4, 8), indices=[[0, 1], [0, 1], [3, 7]], init=[1.0, 2, 3]),
            nengo.Sparse((4, 8), indices=[[2, 2], [0, 5]], init=dist),
            nengo.Convolution(2, (4, 2), kernel_size=(3,), strides=(1,)),
            nengo.Convolution(
                2, (2, 4), (2,), (2,), "same", channels_last=False, groups=2
            ),
            nengo.Convolution(1, (2, 4, 1), kernel_size=(1, 3)),
            nengo.ConvolutionTranspose(1, (2, 4), None, (3,), (2,), "same", False),
        ):
            node = nengo.Node(size_in=transform.size_out)
            nengo.Connection(stimulus, node, transform=transform, synapse=None)
            nengo.Probe(node)
        nengo.Probe(ens, synapse=0.01)
    return net


def special_ensembles():
    """Build noise, encoders of any length, gains of zero, and Direct mode."""
    with nengo.Network(seed=4) as net:
        stimulus = nengo.Node(lambda t: [np.sin(60 * t), 0.5])
        noise = nengo.processes.WhiteNoise(nengo.dists.Gaussian(0, 0.1), seed=2)
        a = nengo.Ensemble(6, 2, neuron_type=RATE, noise=noise, radius=0.5)
        b = nengo.Ensemble(
            4,
            2,
            neuron_type=nengo.Sigmoid(),
            encoders=np.array([[3.0, 0], [0, 0], [1, 1], [0, 0.1]]),
            normalize_encoders=False,
            gain=[1, 1, 0, 2],
            bias=[1, 2, 3, 4],
        )
        direct = nengo.Ensemble(1, 2, neuron_type=nengo.Direct())
        for ens in (a, b, direct):
            nengo.Connection(stimulus, ens)
        nengo.Connection(direct, a, function=lambda x: -x, transform=MATRIX[:2])
        nengo.Connection(direct, b)
        nengo.Probe(a.neurons)
        nengo.Probe(b.neurons)
        nengo.Probe(direct)
    return net


def learning():
    """Build rules that change decoders, encoders and weights."""
    with nengo.Network(seed=5) as net:
        stimulus = nengo.Node(lambda t: np.cos(50 * t))
        a, b = nengo.Ensemble(8, 1, neuron_type=RATE), nengo.Ensemble(5, 1)
        conn = nengo.Connection(
            a,
            b,
            function=np.square,
            learning_rule_type=[nengo.PES(1e-3), nengo.Voja(learning_rate=1e-2)],
        )
        weights = nengo.Connection(
            a,
            b,
            solver=nengo.solvers.LstsqL2(weights=True),
            learning_rule_type=nengo.PES(1e-3),
        )
        nengo.Connection(
            a.neurons,
            b.neurons,
            transform=np.ones((5, 8)),
            learning_rule_type=nengo.BCM(),
        )
        nengo.Connection(stimulus, a, synapse=None)
        nengo.Connection(b, conn.learning_rule[0])
        nengo.Connection(stimulus, conn.learning_rule[0], transform=-1)
        nengo.Connection(stimulus, weights.learning_rule)
        nengo.Probe(b, synapse=0.01)
        nengo.Probe(conn, "weights")
        nengo.Probe(b, "scaled_encoders")
    return net


NETWORKS = (
    decoded,
    full_weights,
    neurons,
    transforms,
    special_ensembles,
    learning,
    small_networks.subnetworks,
    small_networks.integrator,
    small_networks.empty,
)


def quiet(make, dtype="float64"):
    net = make()
    with net:
        nengo_dl.configure_settings(dtype=dtype, jit_compile=False)
    return net


def nengo_sim(net, **kwargs):
    return nengo.Simulator(net, progress_bar=False, optimize=False, **kwargs)


def run(sim, n_steps=30):
    sim.run_steps(n_steps)
    return [np.array(sim.data[probe]) for probe in sim.model.probes]


def assert_close(actual, expected, relative):
    for one, other in zip(actual, expected, strict=True):
        scale = max(1, np.max(np.abs(other), initial=0))
        np.testing.assert_allclose(one, other, rtol=0, atol=relative * scale)


@pytest.fixture
def perturb(monkeypatch):
    """Return what gives all parameters of a simulator new values, as training does."""

    def perturb(sim):
        rng = np.random.RandomState(0)
        values = {}
        for parameter in table.parameters(sim.model):
            signal = parameter.signal
            value = sim.parameter(signal)
            factor = rng.uniform(0.9, 1.1, np.shape(value)).astype(value.dtype)
            values[signal] = np.asarray(value * factor)
        monkeypatch.setattr(sim, "parameter", values.get)
        return values

    return perturb


def parameters(data):
    """List every array that training may change, of any simulator's data."""
    values = []
    for obj in data:
        if isinstance(obj, nengo.Ensemble) and data[obj].gain is not None:
            values += [data[obj].scaled_encoders, data[obj].bias]
        elif isinstance(obj, nengo.Connection) and data[obj].weights is not None:
            values.append(dense(data[obj].weights))
    return values


def dense(weights):
    """Return weights as an array; sparse ones may have several values in one place."""
    if isinstance(weights, SparseMatrix):
        weights = weights.allocate()
    return weights.toarray() if scipy.sparse.issparse(weights) else weights


def set_parameters(sim, values):
    """Give the signals of `nengo.Simulator` new values."""
    found = table.parameters(sim.model)
    for parameter, value in zip(found, values, strict=True):
        signal = parameter.signal
        target = sim.signals[signal]
        if signal.sparse:
            initial, target = signal.initial_value, target.data
            if isinstance(initial, SparseMatrix):
                value = SparseMatrix(initial.indices, value, initial.shape).allocate()
                value = value.data
            elif initial.format != "csr":
                matrix = initial.tocoo(copy=True)
                matrix.data = value
                value = matrix.asformat(initial.format).data
        target.setflags(write=True)
        target[...] = value


# --- freezing ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("make", NETWORKS)
def test_nengo_starts_from_what_was_learned(make, dtype):
    net = quiet(make, dtype)
    with make_sim(net) as sim:
        run(sim)
        sim.freeze_params(net)
        sim.reset(include_trainable=False)
        expected = run(sim)
    with nengo_sim(net) as reference:
        assert_close(run(reference), expected, TOLERANCE[dtype])


@pytest.mark.parametrize("make", NETWORKS)
def test_nengo_gets_the_parameters(make, perturb):
    net = quiet(make)
    with nengo_sim(net) as reference, make_sim(net) as sim:
        values = perturb(sim)
        set_parameters(reference, values.values())
        expected = run(reference)
        live = parameters(sim.data)
        sim.freeze_params(net)
        frozen = parameters(SimulationData(sim))
    assert_close(frozen, live, 0)  # the simulation itself has not changed
    with nengo_sim(net) as rebuilt:
        assert_close(parameters(rebuilt.data), live, 1e-12)
        # a law on its own, because not all parameters are visible in `data`
        assert_close(run(rebuilt), expected, 1e-6)
    # freezing what is frozen changes nothing
    with make_sim(net) as again:
        assert_close(parameters(again.data), live, 1e-12)
        again.freeze_params(net)
    with nengo_sim(net) as rebuilt:
        assert_close(parameters(rebuilt.data), live, 1e-12)


@pytest.mark.parametrize("weights", [False, True])
def test_frozen_networks_can_be_pickled(weights):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ens = nengo.Ensemble(10, 2)
        solver = nengo.solvers.LstsqL2(weights=weights)
        nengo.Connection(ens, ens[0], function=np.prod, solver=solver)
    with make_sim(net) as sim:
        sim.freeze_params(net)
        live = parameters(sim.data)
    copy = pickle.loads(pickle.dumps(net))
    for other in (copy, net.copy()):
        with nengo_sim(other) as rebuilt:
            assert_close(parameters(rebuilt.data), live, 1e-6)


def test_parts_can_be_frozen_alone(perturb):
    net = quiet(decoded)
    a, b = net.ensembles
    recurrent = net.connections[1]
    before = {obj: obj.__getstate__() for obj in net.all_objects}
    with make_sim(net) as sim:
        perturb(sim)
        sim.freeze_params(a)
        sim.freeze_params([recurrent])
        live = sim.data[a], sim.data[recurrent]
    for obj in before:
        if obj not in (a, recurrent):
            assert obj.__getstate__() == before[obj]
    with nengo_sim(net) as rebuilt:
        for name in ("scaled_encoders", "bias"):
            actual, expected = getattr(rebuilt.data[a], name), getattr(live[0], name)
            np.testing.assert_allclose(actual, expected, rtol=1e-12)
        np.testing.assert_allclose(rebuilt.data[recurrent].weights, live[1].weights)


def test_direct_mode_is_left_alone():
    net = quiet(special_ensembles)
    direct = net.ensembles[2]
    with make_sim(net) as sim:
        sim.freeze_params(net)
        sim.freeze_params(direct)
    assert direct.gain is None and direct.bias is None
    assert net.connections[3].function is not None


def test_frozen_arrays_are_copies():
    net = quiet(decoded)
    ens, conn = net.ensembles[0], net.connections[1]
    with make_sim(net) as sim:
        built = sim.model.params
        sim.freeze_params(net)
        for name in ("gain", "bias", "encoders"):
            assert not np.shares_memory(getattr(ens, name), getattr(built[ens], name))
        assert not np.shares_memory(conn.solver.values, built[conn].weights)


@pytest.mark.parametrize(
    "find, error, message",
    [
        (lambda net: net.all_nodes[0], TypeError, "expected a Network, .*of type Node"),
        (lambda net: net.ensembles[0].neurons, TypeError, "of type Neurons.*owns the"),
        (lambda net: 3, TypeError, "of type int"),
        (lambda net: nengo.Network(), ValueError, "expected a part of the simulated"),
        (lambda net: decoded().ensembles[0], ValueError, "Simulator was made with"),
        (lambda net: decoded().connections[0], ValueError, "expected a part"),
    ],
)
def test_what_cannot_be_frozen(find, error, message):
    net = quiet(decoded)
    ens = net.ensembles[0]
    with make_sim(net) as sim:
        wrong = find(net)
        with pytest.raises(error, match=f"Simulator.freeze_params: .*{message}"):
            sim.freeze_params(wrong)
        with pytest.raises(error, match=message):
            sim.freeze_params([ens, wrong])
    assert ens.gain is None  # nothing has been changed


# --- arguments of new objects -----------------------------------------------------


def test_arguments_build_equal_ensembles(perturb):
    net = quiet(special_ensembles)
    with make_sim(net) as sim:
        perturb(sim)
        ensembles = net.ensembles[:2]
        arguments = sim.get_nengo_params(ensembles)
        live = [sim.data[ens] for ens in ensembles]
        gains = [sim.model.params[ens].gain for ens in ensembles]
    with nengo.Network() as other, warnings.catch_warnings():
        warnings.simplefilter(
            "error", NengoWarning
        )  # e.g. that rates and gains are both given
        other.config[nengo.Ensemble].max_rates = nengo.dists.Choice([100])
        for ens, kwargs in zip(ensembles, arguments, strict=True):
            assert kwargs.keys() == {
                "encoders",
                "normalize_encoders",
                "gain",
                "bias",
                "max_rates",
                "intercepts",
            }
            nengo.Ensemble(
                ens.n_neurons,
                ens.dimensions,
                radius=ens.radius,
                neuron_type=ens.neuron_type,
                **kwargs,
            )
        built = nengo_sim(other).data
    for new, expected, gain in zip(other.ensembles, live, gains, strict=True):
        np.testing.assert_allclose(built[new].scaled_encoders, expected.scaled_encoders)
        np.testing.assert_allclose(built[new].bias, expected.bias)
        np.testing.assert_allclose(built[new].gain, gain)


@pytest.mark.parametrize("make", [decoded, full_weights, neurons, transforms])
def test_arguments_build_equal_connections(make, perturb):
    net = quiet(make)
    with make_sim(net) as sim:
        perturb(sim)
        arguments = sim.get_nengo_params(net.connections)
        live = [sim.data[conn].weights for conn in net.connections]
        sim.freeze_params(net)  # so that solvers need nothing of the ensembles
    with net:
        copies = [
            nengo.Connection(conn.pre, conn.post, **kwargs)
            for conn, kwargs in zip(net.connections[:], arguments, strict=True)
        ]
    for conn, kwargs, weights in zip(net.connections, arguments, live, strict=False):
        is_decoded = isinstance(conn.pre_obj, nengo.Ensemble)
        names = ("function", "transform", "solver") if is_decoded else ("transform",)
        assert tuple(kwargs) == names
        if weights is None:
            assert kwargs == {"transform": None}
    model = Model()
    model.build(net)
    for copy, weights in zip(copies, live, strict=True):
        built = model.params[copy].weights
        if weights is None:
            assert built is None
        elif isinstance(weights, np.ndarray):
            assert built.shape == weights.shape
            np.testing.assert_allclose(built, weights)
        else:
            np.testing.assert_allclose(built.toarray(), weights.toarray())


def test_decoders_and_transforms():
    net = quiet(decoded)
    scalar, matrix = net.connections[1], net.connections[2]
    with make_sim(net) as sim:
        kwargs = sim.get_nengo_params(matrix)
        weights = sim.data[matrix].weights
        encoders = sim.get_nengo_params(net.ensembles[0])["encoders"]
    assert type(kwargs["solver"]) is nengo.solvers.NoSolver
    assert not kwargs["solver"].weights
    np.testing.assert_array_equal(kwargs["solver"].values, weights.T)
    np.testing.assert_array_equal(kwargs["function"]([1, 2]), np.zeros(3))
    assert kwargs["transform"] is nengo.Connection.transform.default
    assert scalar.function is None  # reading changes nothing
    np.testing.assert_allclose(np.linalg.norm(encoders, axis=1), 1)
    with make_sim(quiet(transforms)) as sim:
        net = sim.model.toplevel
        kwargs = sim.get_nengo_params(net.connections[0])
        assert kwargs["transform"].shape == () and kwargs["transform"] == 0.5
        convolution = sim.get_nengo_params(net.connections[9])["transform"]
        before = net.connections[9].transform
        assert convolution.kernel_shape == before.kernel_shape
        for name in ("strides", "padding", "channels_last", "groups", "input_shape"):
            assert getattr(convolution, name) == getattr(before, name)


def test_one_or_several():
    net = quiet(decoded)
    ens, conn = net.ensembles[0], net.connections[1]
    ens.label, conn.label = "ens", "conn"
    with make_sim(net) as sim:
        one = sim.get_nengo_params(ens)
        of_neurons = sim.get_nengo_params(ens.neurons)
        several = sim.get_nengo_params([ens, conn])
        labelled = sim.get_nengo_params((ens.neurons, conn), as_dict=True)
        assert sim.get_nengo_params([]) == []
        assert sim.get_nengo_params([], as_dict=True) == {}
        assert list(sim.get_nengo_params(ens, as_dict=True)) == ["ens"]
    assert list(labelled) == ["ens", "conn"]
    for name, value in one.items():
        for other in (of_neurons, several[0], labelled["ens"]):
            np.testing.assert_array_equal(other[name], value)
    assert several[1].keys() == labelled["conn"].keys()


@pytest.mark.parametrize("label", ["same", None])
def test_labels_must_differ(label):
    net = quiet(decoded)
    for ens in net.ensembles:
        ens.label = label
    with (
        make_sim(net) as sim,
        pytest.raises(ValueError, match=rf"different labels \(got 2 with {label!r}"),
    ):
        sim.get_nengo_params(net.ensembles, as_dict=True)


@pytest.mark.parametrize(
    "find, message",
    [
        (lambda net: net.ensembles[2], "expected an Ensemble with neurons"),
        (lambda net: net.ensembles[2].neurons, "expected an Ensemble with neurons"),
        (lambda net: net.nodes[0], "of type Node.*Leave out"),
        (lambda net: net.probes[0], "of type Probe"),
        (lambda net: net, "of type Network"),
        (lambda net: 3, "of type int"),
        (lambda net: decoded().ensembles[0], "not part of the simulated network"),
        (lambda net: decoded().connections[0], "not part of the simulated network"),
    ],
)
def test_objects_without_parameters(find, message):
    net = quiet(special_ensembles)
    with make_sim(net) as sim:
        for objs in (find(net), [net.ensembles[0], find(net)]):
            with pytest.raises(ValueError, match=message):
                sim.get_nengo_params(objs)


class Doubled(nengo.transforms.Transform):
    """A transform that is none of Nengo's."""

    size_in = size_out = 2

    def sample(self, rng=np.random):
        return np.array(2.0)


@nengo.builder.Builder.register(Doubled)
def build_doubled(model, transform, sig_in, decoders=None, encoders=None, rng=None):
    dense = nengo.Dense((2, 2), init=2.0)
    return model.build(dense, sig_in, decoders=decoders, encoders=encoders, rng=rng)


def test_unknown_transforms():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        a, b = nengo.Node([1, 2]), nengo.Ensemble(3, 2)
        conn = nengo.Connection(a, b, transform=Doubled())
    with make_sim(net) as sim:
        for call, obj in ((sim.get_nengo_params, conn), (sim.freeze_params, net)):
            with pytest.raises(NotImplementedError, match="a transform that Nengo has"):
                call(obj)
    assert b.gain is None


def test_trained_encoders_need_a_gain(monkeypatch):
    net = quiet(special_ensembles)
    ens = net.ensembles[1]
    with make_sim(net) as sim:
        monkeypatch.setattr(sim, "parameter", lambda s: np.ones(s.shape))
        with pytest.raises(ValueError, match=r"where the gain is 0 .*neurons \[2\]"):
            sim.get_nengo_params(ens)


# --- minibatches ------------------------------------------------------------------


def learner(stimulus):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node(stimulus)
        ens = nengo.Ensemble(5, 1, neuron_type=RATE)
        out = nengo.Node(size_in=1)
        nengo.Connection(node, ens, synapse=None)
        conn = nengo.Connection(ens, out, learning_rule_type=nengo.PES(0.1))
        nengo.Connection(node, ens, learning_rule_type=nengo.Voja(learning_rate=0.1))
        nengo.Connection(node, conn.learning_rule, synapse=None)
    return net


@pytest.mark.parametrize("minibatch_size", [None, 1, 3])
def test_equal_minibatch_items_are_one(minibatch_size):
    net = learner([0.5])
    ens, conn = net.ensembles[0], net.connections[1]
    with make_sim(net, minibatch_size=minibatch_size) as sim:
        sim.run_steps(5)
        sim.freeze_params(net)
        weights, built = sim.data[conn].weights, sim.model.params
        scaled = sim.data[ens].scaled_encoders
    # what is frozen is that of the first item; others may be rounded differently
    weights, scaled = weights.reshape(-1, 1, 5), scaled.reshape(-1, 5, 1)
    np.testing.assert_allclose(weights, weights[:1].repeat(len(weights), 0), rtol=1e-5)
    weights, scaled = weights[0], scaled[0]
    assert not np.allclose(weights, built[conn].weights)
    assert not np.allclose(scaled, built[ens].scaled_encoders)
    with nengo_sim(net) as rebuilt:
        np.testing.assert_allclose(rebuilt.data[conn].weights, weights)
        np.testing.assert_allclose(rebuilt.data[ens].scaled_encoders, scaled, rtol=1e-6)


def test_different_minibatch_items():
    net = learner([0.5])
    node, ens, conn = net.nodes[0], net.ensembles[0], net.connections[1]
    with make_sim(net, minibatch_size=2) as sim:
        sim.run_steps(5, data={node: np.stack([np.ones((5, 1)), np.zeros((5, 1))])})
        message = "of <.*> to be the same for all minibatch items .got 2.*=1"
        for obj in (net, ens, conn):
            with pytest.raises(ValueError, match=message):
                sim.freeze_params(obj)
            with pytest.raises(ValueError, match=message):
                sim.get_nengo_params([net.connections[0], *net.ensembles, conn])
        sim.freeze_params(net.connections[0])  # what nothing learns is shared
    assert ens.gain is None and conn.function is None


# --- live sparse weights, and closed simulators -----------------------------------


def test_sparse_weights_are_live(perturb):
    net = quiet(transforms)
    with make_sim(net) as sim:
        values = perturb(sim)
        for conn in net.connections[4:8]:
            signal = sim.model.sig[conn]["weights"]
            initial, live = sim.model.params[conn].weights, sim.data[conn].weights
            assert type(live) is type(initial)
            initial, live = dense(initial), dense(live)
            factors = live[initial != 0] / initial[initial != 0]
            assert np.all((factors >= 0.9) & (factors <= 1.1) & (factors != 1))
            assert live.sum() == pytest.approx(values[signal].sum())


def test_closed_simulators():
    net = quiet(decoded)
    with make_sim(net) as sim:
        pass
    for method in ("freeze_params", "get_nengo_params"):
        with pytest.raises(SimulatorClosed, match=f"Simulator.{method}: .*is closed"):
            getattr(sim, method)(net)


def test_unknown_objects_are_validation_errors():
    with make_sim(quiet(decoded)) as sim, pytest.raises(ValidationError):
        sim.get_nengo_params(decoded().ensembles[0])
