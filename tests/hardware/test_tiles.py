"""Products on analog tiles, against the formulas of aihwkit written in NumPy."""

from functools import cache

import keras
import nengo
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from nengo.exceptions import BuildError, SimulationError, ValidationError

import nengo_dl
from nengo_dl.engine.binding import bind
from nengo_dl.engine.joining import joined
from nengo_dl.graph import tiling
from nengo_dl.graph.plan import plan_unmerged
from nengo_dl.hardware import Hardware, Tile, Weights, convert, remove
from nengo_dl.nodes import Stencil
from nengo_dl.ops.random import gaussian
from tests.hardware.test_networks import network as ensembles


def discretised(values, bound, bits):
    """Round and clip as aihwkit does, with its resolution of 1 / (2**bits - 2).

    Rasch et al. 2021, https://doi.org/10.1109/AICAS51828.2021.9458494: steps are twice
    the bound times the resolution, so that there are 63 above zero for 7 bits.
    """
    step = 2 * bound * (1 / (2**bits - 2))
    return np.clip(np.round(values / step) * step, -bound, bound)


def products(matrix, largest, x, tile, s):
    """Multiply a vector in aihwkit's units: inputs and weights up to 1."""
    x = np.clip(x / s, -1, 1)
    given = x if tile.input_bits is None else discretised(x, 1, tile.input_bits)
    return matrix / largest[:, None] @ given, given


def read(matrix, largest, x, tile):
    """Read the products of a vector, with a range of its own; return the range, too."""
    s = np.max(np.abs(x)) if tile.input_bound is None else tile.input_bound
    y, _ = products(matrix, largest, x, tile, s)
    while tile.bound_management and np.max(np.abs(y)) > tile.output_bound:
        s = 2 * s
        y, _ = products(matrix, largest, x, tile, s)
    if tile.output_bound is not None:
        y = np.clip(y, -tile.output_bound, tile.output_bound)
    if tile.output_bits is not None:
        y = discretised(y, tile.output_bound, tile.output_bits)
    return y * largest * s, s


def kernel(*shape):
    """Draw weights."""
    return np.random.RandomState(0).uniform(-1, 1, size=shape)


SPARSE = scipy.sparse.random(30, 36, 0.3, random_state=0, data_rvs=np.random.randn)
# From a name to a transform from 36 inputs, and the channel of each of its outputs
TRANSFORMS = {
    "dense": (kernel(50, 36), np.arange(50)),
    "convolution": (
        nengo.Convolution(3, (6, 6, 1), kernel_size=(3, 3), init=kernel(3, 3, 1, 3)),
        np.tile(np.arange(3), 16),
    ),
    "groups": (
        nengo.Convolution(
            4, (3, 3, 4), kernel_size=(2, 2), groups=4, init=kernel(2, 2, 1, 4)
        ),
        np.tile(np.arange(4), 4),
    ),
    "channels first": (
        nengo.Convolution(
            4, (4, 3, 3), channels_last=False, padding="same", init=kernel(3, 3, 4, 4)
        ),
        np.repeat(np.arange(4), 9),
    ),
    "transposed": (
        nengo.ConvolutionTranspose(2, (3, 3, 4), init=kernel(3, 3, 4, 2)),
        np.tile(np.arange(2), 25),
    ),
    "stencil": (
        Stencil([[0, 2], [1, 3]], 4, init=kernel(2, 9, 3)),
        np.tile(np.arange(3), 2),
    ),
    "sparse": (nengo.Sparse((30, 36), init=SPARSE), np.zeros(30, int)),
}
DAC_AND_ADC = Tile(7, None, 9, 12.0, output_noise=0.0)
TILES = {
    "aihwkit": DAC_AND_ADC,
    "coarse": Tile(5, 0.8, 5, 2.0, output_noise=0.0),
    "DAC alone": Tile(4, None, None, None, output_noise=0.0),
    "ADC alone": Tile(None, None, 6, 1.5, output_noise=0.0),
}


@cache
def matrix_of(name):
    """Return a transform as a matrix, with Nengo's simulator."""
    transform, _ = TRANSFORMS[name]
    columns = np.eye(36)
    with nengo.Network() as net:
        node = nengo.Node(lambda t: columns[int(round(t * 1000)) - 1])
        size_out = len(transform) if isinstance(transform, np.ndarray) else None
        out = nengo.Node(size_in=size_out or transform.size_out)
        nengo.Connection(node, out, transform=transform, synapse=None)
        probe = nengo.Probe(out)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(36)
    return sim.data[probe].T


def largest_weights(matrix, channels, per):
    """Return the largest weight that each output has a share in the scale of."""
    groups = channels if per == "channel" else np.zeros_like(channels)
    return np.array([np.max(np.abs(matrix[groups == group])) for group in groups])


def network(transform, tile, weights=None, **settings):
    """Make a network with one connection on a tile."""
    hardware = Hardware(weights or Weights(), tile)
    settings = {"dtype": "float64", "jit_compile": False} | settings
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(hardware=hardware, **settings)
        net.node = nengo.Node(np.zeros(36), label="node")
        size_out = len(transform) if isinstance(transform, np.ndarray) else None
        out = nengo.Node(size_in=size_out or transform.size_out)
        net.conn = nengo.Connection(
            net.node, out, transform=transform, synapse=None, label="conn"
        )
        net.probe = nengo.Probe(out, label="probe")
    return net


X = np.random.RandomState(1).normal(size=(3, 2, 36))


def run(net, x=X, seed=0):
    """Return the probed values of some items and steps."""
    options = {"minibatch_size": len(x), "seed": seed, "progress_bar": False}
    with nengo_dl.Simulator(net, **options) as sim:
        sim.run_steps(x.shape[1], data={net.node: x})
        return sim.data[net.probe]


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_products_are_those_of_aihwkit(name, tile):
    transform, channels = TRANSFORMS[name]
    number = list(TRANSFORMS).index(name) + list(TILES).index(tile)
    per = "channel" if number % 2 and name != "sparse" else "tensor"
    dtype = "float32" if number % 4 < 2 else "float64"
    settings = {"jit_compile": name == "groups" or number % 3 == 0, "dtype": dtype}
    found = run(network(transform, TILES[tile], Weights(per=per), **settings))
    matrix = matrix_of(name)
    largest = largest_weights(matrix, channels, per)
    expected = np.array(
        [[read(matrix, largest, x, TILES[tile])[0] for x in steps] for steps in X]
    )
    is_equal = np.isclose(found, expected, rtol=1e-5, atol=1e-5)
    # float32 may round to the next level
    assert np.mean(is_equal) >= 0.995 if dtype == "float32" else is_equal.all()
    if tile != "DAC alone":
        assert np.mean(np.isclose(found, X @ matrix.T, atol=1e-5)) < 0.5


@pytest.mark.parametrize("jit_compile", [False, True])
def test_managed_ranges_are_doubled_until_nothing_is_clipped(jit_compile):
    matrix, x = np.abs(kernel(20, 36)), np.abs(X)
    tile = Tile(7, None, 9, 2.5, output_noise=0.0, bound_management=True)
    found = run(network(matrix, tile, jit_compile=jit_compile), x)
    largest = np.max(matrix, axis=1)
    doubled = set()
    for item, steps in enumerate(x):
        for step, vector in enumerate(steps):
            expected, s = read(matrix, largest, vector, tile)
            doubled.add(s / np.max(vector))
            # the largest input lies in the middle between two levels of the DAC
            tolerance = largest * s / 63 + 1e-9
            assert np.all(np.abs(found[item, step] - expected) <= tolerance)
            assert np.all(found[item, step] <= 2.5 * largest * s + 1e-9)
    assert min(doubled) > 1 and max(doubled) >= 4
    clipped = run(network(matrix, Tile(7, None, 9, 2.5, output_noise=0.0)), x)
    exact = x @ matrix.T
    assert np.std(found - exact) < 0.1 * np.std(clipped - exact)


@pytest.mark.parametrize(
    "name, per",
    [
        ("dense", "channel"),
        ("convolution", "tensor"),
        ("channels first", "channel"),
        ("groups", "channel"),
        ("sparse", "tensor"),
    ],
)
def test_read_noise_has_the_variance_of_fresh_noise_on_every_weight(name, per):
    transform, channels = TRANSFORMS[name]
    tile = Tile(7, None, None, None, output_noise=0.0, read_noise=0.1)
    settings = {"jit_compile": True, "dtype": "float32"}
    net = network(transform, tile, Weights(per=per), **settings)
    x = np.broadcast_to(X[:1, :1], (2000, 20, 36))
    found = run(net, x).reshape(-1, net.probe.size_in)
    matrix = matrix_of(name)
    s = np.max(np.abs(X[0, 0]))
    given = discretised(X[0, 0] / s, 1, 7) * s
    deviations = found - matrix @ given
    largest = largest_weights(matrix, channels, per)
    expected = (0.1 * largest) ** 2 * ((matrix != 0) @ given**2)
    np.testing.assert_allclose(np.var(found, axis=0), expected, rtol=0.03)
    np.testing.assert_allclose(np.mean(deviations), 0, atol=0.01)
    # each output has noise of its own
    correlations = np.corrcoef(deviations[:, expected > 0].T)
    assert np.max(np.abs(correlations - np.eye(len(correlations)))) < 0.03
    rng, drawn = np.random.RandomState(2), []
    for _ in range(3000):
        noise = 0.1 * largest[:, None] * rng.normal(size=matrix.shape)
        drawn.append((matrix + (matrix != 0) * noise) @ given)
    np.testing.assert_allclose(np.var(drawn, axis=0), expected, rtol=0.15)


def test_output_noise_has_the_standard_deviation_of_the_formula():
    weights, tile = kernel(10, 36), Tile(None, None, None, None, output_noise=0.3)
    x = np.random.RandomState(1).normal(size=(50, 40, 36))
    for model, axis in ((Weights(), 1), (Weights(per="tensor"), None)):
        unit = np.max(np.abs(weights), axis=axis) * np.max(np.abs(x), -1)[..., None]
        xi = (run(network(weights, tile, model), x) - x @ weights.T) / (0.3 * unit)
        np.testing.assert_allclose(np.std(xi), 1, atol=0.02)
        np.testing.assert_allclose(np.mean(xi), 0, atol=0.02)


def test_draws_are_finite_in_float32():
    @tf.function(jit_compile=True)
    def largest(step):
        key = tf.stack([3, step, 1])
        return tf.reduce_max(tf.abs(gaussian(key, (1000, 10_000), "float32")))

    found = [float(largest(tf.constant(step))) for step in range(10)]  # 1e8 draws
    assert np.isfinite(found).all() and 5 < max(found) < 6


NOISY = Tile(8, None, None, None, output_noise=0.1, read_noise=0.1)
READ = Tile(output_noise=0.1, read_noise=0.1)
LABELS = ("first", "second")


def two(labels=LABELS, n_items=3, tile=NOISY, **settings):
    """Return the outputs of two connections with the same weights, by label."""
    settings = {"dtype": "float64", "jit_compile": False} | settings
    with nengo.Network() as net:
        nengo_dl.configure_settings(hardware=Hardware(tile=tile), **settings)
        node, probes = nengo.Node(np.zeros(36)), {}
        for label in labels:
            out = nengo.Node(size_in=5)
            weights = kernel(5, 36)
            nengo.Connection(node, out, transform=weights, synapse=None, label=label)
            probes[label] = nengo.Probe(out)
    options = {"minibatch_size": n_items, "seed": 3, "progress_bar": False}
    with nengo_dl.Simulator(net, **options) as sim:
        sim.run_steps(2, data={node: X[:n_items]})
        return {label: sim.data[probe] for label, probe in probes.items()}


SAME = {
    "another order of objects": {"labels": ("other", *reversed(LABELS))},
    "not stacked": {"planner": plan_unmerged},
    "compiled": {"jit_compile": True},
    "compiled, in float32": {"jit_compile": True, "dtype": "float32"},
    "fewer items": {"n_items": 2},
}


expected_of_two = cache(two)


@pytest.mark.parametrize("name", SAME)
def test_noise_depends_on_seed_names_steps_and_items_alone(name):
    changes = {"dtype": "float64", **SAME[name]}
    base = {"dtype": changes["dtype"]}
    for tile in (NOISY, READ):
        expected, found = expected_of_two(tile=tile, **base), two(tile=tile, **changes)
        for label in LABELS:
            n_items = len(found[label])
            np.testing.assert_allclose(
                found[label], expected[label][:n_items], atol=1e-6, rtol=1e-6
            )


def test_no_two_outputs_have_the_same_noise():
    found = two()
    noise = np.array([found[label] - X @ kernel(5, 36).T for label in LABELS])
    assert len(np.unique(np.round(noise, 9))) == noise.size


@pytest.mark.parametrize("jit_compile", [False, True])
def test_all_methods_compute_the_same(jit_compile):
    zeros = np.zeros((3, 2, 5))
    net = network(kernel(5, 36), NOISY, jit_compile=jit_compile, dtype="float32")
    reference = network(kernel(5, 36), NOISY)
    expected = run(reference, seed=4)
    options = {"minibatch_size": 3, "progress_bar": False}
    with nengo_dl.Simulator(net, seed=4, **options) as sim:
        predicted = sim.predict({net.node: X}, verbose=0)[net.probe]
        sim.compile(keras.optimizers.SGD(0.0), loss={net.probe: "mse"})
        loss = sim.evaluate({net.node: X}, {net.probe: zeros}, verbose=0)["loss"]
        options = {"epochs": 2, "shuffle": False, "verbose": 0}
        history = sim.fit({net.node: X}, {net.probe: zeros}, **options)
        sim.run_steps(2, data={net.node: X})
        np.testing.assert_allclose(sim.data[net.probe], expected, atol=1e-5)
    np.testing.assert_allclose(predicted, expected, atol=1e-5)
    np.testing.assert_allclose(loss, np.mean(expected**2), rtol=1e-5)
    # each minibatch of training draws other numbers, as other seeds do
    others = [np.mean(run(reference, seed=seed) ** 2) for seed in (5, 6)]
    np.testing.assert_allclose(history.history["loss"], others, rtol=1e-5)
    assert len({round(x, 6) for x in (loss, *others)}) == 3
    layer = nengo_dl.NengoLayer(net, outputs=[net.probe], seed=4)
    np.testing.assert_allclose(layer({"node": X}), expected, atol=1e-5)


def test_python_in_the_loop_changes_nothing():
    expected = run(network(kernel(5, 36), NOISY))
    net = network(kernel(5, 36), NOISY)
    with net:
        same = nengo.Node(lambda t, x: x, size_in=36)
        nengo.Connection(net.node, same, synapse=None)
        net.conn = net.connections[0]
        nengo.Connection(same, net.probe.target, transform=kernel(5, 36), synapse=None)
    net.connections.remove(net.conn)
    net.connections[-1].label = "conn"
    np.testing.assert_allclose(run(net), expected, atol=1e-9)


def test_held_inputs_have_the_noise_of_each_step():
    net = network(kernel(5, 36), NOISY, jit_compile=True)
    with nengo_dl.Simulator(net, minibatch_size=3, progress_bar=False) as sim:
        held = sim.predict({net.node: X[:, :1]}, n_steps=4, verbose=0)[net.probe]
        x = np.repeat(X[:, :1], 4, axis=1)
        repeated = sim.predict({net.node: x}, verbose=0)[net.probe]
    np.testing.assert_allclose(held, repeated, atol=1e-6)
    assert np.all(np.std(held, axis=1) > 0)


@pytest.mark.parametrize(
    "size, names", [(36, ["InputRange", "Dac", "DotInc"]), (37, [])]
)
def test_products_of_inputs_are_computed_for_all_steps_together(size, names):
    """Unless they would take more memory than inputs."""
    net = network(kernel(size, 36), Tile())
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        engine = sim.keras_model.layers[-1].engine
        bound = bind(engine.kernels, engine.layout)
        found = joined(bound, engine.layout, (), False)
        assert [item.kernel.name for item, _ in found] == names
        assert [is_used for _, is_used in found] == [True, False, True][: len(names)]


def gradients(net, x):
    """Return the gradients of the sum of outputs, by inputs and by weights."""
    options = {"minibatch_size": len(x), "seed": 0, "progress_bar": False}
    with nengo_dl.Simulator(net, **options) as sim:
        model, x = sim.keras_model, tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model({"node": x}, training=True)
            loss = tf.reduce_sum(outputs["probe"] * np.arange(1.0, 6.0))
        (weights,) = model.trainable_variables
        return [np.array(g) for g in tape.gradient(loss, [x, weights.value])]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradients_are_those_of_the_identity_but_for_what_is_clipped(jit_compile):
    weights = kernel(5, 36)
    tile = Tile(4, 1.2, 5, 2.0, output_noise=0.1)
    net = network(weights, tile, jit_compile=jit_compile)
    by_inputs, by_weights = gradients(net, X)
    upstream = np.broadcast_to(np.arange(1.0, 6.0), (3, 2, 5))
    limit = 2.0 * 1.2 * np.max(np.abs(weights), axis=1)
    given = 1.2 * discretised(np.clip(X / 1.2, -1, 1), 1, 4)
    # the first call of training draws with the next seed
    noisy = run(network(weights, Tile(4, 1.2, None, None, 0.1)), seed=1)
    is_read = np.abs(noisy) <= limit
    assert 0.1 < np.mean(is_read) < 0.9
    upstream = upstream * is_read
    np.testing.assert_allclose(
        by_inputs, (upstream @ weights) * (np.abs(X) <= 1.2), atol=1e-9
    )
    np.testing.assert_allclose(
        by_weights, np.einsum("bto,bti->oi", upstream, given), atol=1e-9
    )


def test_gradients_pass_managed_ranges():
    weights = np.abs(kernel(5, 36))
    tile = Tile(None, None, 9, 2.0, output_noise=0.0, bound_management=True)
    upstream = np.broadcast_to(np.arange(1.0, 6.0), (3, 2, 5))
    for jit_compile in (False, True):
        net = network(weights, tile, jit_compile=jit_compile)
        by_inputs, by_weights = gradients(net, np.abs(X))
        np.testing.assert_allclose(by_inputs, upstream @ weights, atol=1e-9)
        expected = np.einsum("bto,bti->oi", upstream, np.abs(X))
        np.testing.assert_allclose(by_weights, expected, atol=1e-9)


def test_fixed_arguments_stay_shared_by_items():
    """The largest weights are one for all items, also where noise is drawn."""
    net = network(kernel(5, 36), NOISY)
    with nengo_dl.Simulator(net, minibatch_size=3, progress_bar=False) as sim:
        layer = sim.keras_model.layers[-1]
        engine = layer.engine
        prepared = engine.step().prepare(layer.parameters.blocks())
    bound = bind(engine.kernels, engine.layout)
    (item,) = (item for item in bound if item.kernel.name == "Adc")
    assert item.kernel.keyed
    largest = prepared.arguments[item.number][2]
    assert largest.shape == (1, 1, 5, 1, 1)
    np.testing.assert_allclose(np.ravel(largest), np.max(np.abs(kernel(5, 36)), axis=1))


def test_ensembles_have_tiles_for_encoders_and_decoders():
    fine = Tile(16, None, 16, 50.0, output_noise=0.0)
    found = {}
    for name, tile in (("none", None), ("fine", fine), ("coarse", Tile(4))):
        net = ensembles(Hardware(tile=tile))
        with net:
            nengo_dl.configure_settings(jit_compile=False)
        with nengo_dl.Simulator(net, seed=0, progress_bar=False) as sim:
            operators = sim.keras_model.layers[-1].engine.program.operators
            sim.run_steps(100)
            names = [type(op).__name__ for op in operators]
            found[name] = sim.data[net.all_probes[0]], names
    assert found["none"][1].count("Adc") == 0
    assert found["fine"][1].count("Adc") == 3  # two encoders, and decoders
    exact, fine, coarse = (found[name][0] for name in found)
    assert np.max(np.abs(fine - exact)) < 0.05
    assert np.max(np.abs(coarse - exact)) > np.max(np.abs(fine - exact))


def test_spikes_are_exact_to_a_dac():
    """One neuron at a time spikes, so that 2 bits are enough."""
    tile = Tile(2, None, None, None, output_noise=0.0)
    matrix = kernel(5, 36)
    spikes = 1000.0 * np.random.RandomState(0).randint(2, size=(3, 4, 36))
    spikes[:, 2] = 0  # without spikes there is no range
    found = run(network(matrix, tile), spikes)
    np.testing.assert_allclose(found, spikes @ matrix.T, atol=1e-9)


def test_bits_and_devices_go_with_tiles():
    weights, tile = kernel(5, 36), DAC_AND_ADC
    found = run(network(weights, tile, Weights(bits=4)))
    n = np.round(weights * 7 / np.max(np.abs(weights), axis=1, keepdims=True))
    held = n / 7 * np.max(np.abs(weights), axis=1, keepdims=True)
    largest = np.max(np.abs(weights), axis=1)
    expected = [[read(held, largest, x, tile)[0] for x in steps] for steps in X]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_frozen_weights_come_without_tiles():
    net = network(kernel(5, 36), Tile())
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.warns(UserWarning, match="tiles are not.*Connection"):
            sim.freeze_params(net)
    np.testing.assert_array_equal(net.conn.transform.init, kernel(5, 36))
    assert net.config[nengo.Connection].hardware.tile == Tile()


def test_gradients_of_tiles_are_not_checked():
    net = network(kernel(5, 36), Tile(), Weights(bits=4))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(SimulationError, match="exact products.*'conn.weights'"):
            sim.check_gradients()
    with nengo_dl.Simulator(remove(net), progress_bar=False) as sim:
        sim.check_gradients()


def test_learned_weights_are_on_no_tile():
    net = ensembles(Hardware(tile=Tile()))
    net.conn.learning_rule_type = nengo.PES()
    with net:
        nengo.Connection(net.second, net.conn.learning_rule)
    with pytest.warns(UserWarning, match="hardware has no effect on weights"):
        nengo_dl.Simulator(net, progress_bar=False).close()


def test_operators_that_are_no_known_products_are_errors(monkeypatch):
    def unknown(op):
        raise NotImplementedError

    monkeypatch.setattr(tiling, "product_layout", unknown)
    with pytest.raises(BuildError, match="a tile can compute.*DotInc"):
        run(network(kernel(5, 36), Tile()))


def test_whole_networks_are_put_on_tiles_and_taken_off():
    net = convert(network(kernel(5, 36), None), Hardware(tile=DAC_AND_ADC))
    assert np.std(run(net_with_ends(net)) - X @ kernel(5, 36).T) > 0.001
    exact = run(net_with_ends(remove(net)))
    np.testing.assert_allclose(exact, X @ kernel(5, 36).T, atol=1e-9)


def net_with_ends(net):
    """Return a copy of `network` with its node and its probe."""
    net.node, net.probe = net.nodes[0], net.probes[0]
    return net


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"input_bits": 1}, "Tile.input_bits: must be a whole number from 2.*got 1"),
        ({"output_bits": 8.0}, "Tile.output_bits: .*got 8.0"),
        ({"input_bound": 0}, "Tile.input_bound: .*greater than 0, or None.*got 0"),
        ({"input_bound": np.inf}, "Tile.input_bound: .*got inf"),
        ({"output_bound": -1}, "Tile.output_bound: .*got -1"),
        ({"output_bound": "10"}, "Tile.output_bound: .*got '10'"),
        ({"output_bound": None}, "output_bound: must be a number with output_bits"),
        ({"output_noise": -0.1}, "Tile.output_noise: .*at least 0.*got -0.1"),
        ({"read_noise": np.nan}, "Tile.read_noise: .*got nan"),
        ({"bound_management": 1}, "bound_management: must be True or False.*got 1"),
        (
            {"bound_management": True, "output_bits": None, "output_bound": None},
            "bound_management: must be False without output_bound",
        ),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValidationError, match=message):
        Tile(**arguments)


def test_hardware_checks_its_tile():
    with pytest.raises(ValidationError, match="Hardware.tile: must be a Tile or None"):
        Hardware(tile=8)
    assert hash(Hardware(tile=Tile())) == hash(Hardware(tile=Tile()))
