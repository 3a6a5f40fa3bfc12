"""Recurrent cells and layers in a TensorNode, step by step: as in Keras, over time."""

import keras
import nengo
import numpy as np
import pytest
from keras import layers as kl
from nengo.exceptions import ValidationError

import nengo_dl
from tests.simulator.helpers import make_sim

N_STEPS = 5


class Lmu(kl.Layer):
    """A cell with a memory that is linear, and layers of its own."""

    def __init__(self, units):
        super().__init__()
        self.units, self.state_size = units, [units, 2]
        self.encode, self.mix = kl.Dense(2), kl.Dense(units, activation="tanh")

    def call(self, x, states):
        hidden, memory = states
        memory = 0.9 * memory + self.encode(keras.ops.concatenate([x, hidden], -1))
        hidden = self.mix(keras.ops.concatenate([x, hidden, memory], -1))
        return hidden, [hidden, memory]


class Counter(kl.Layer):
    """A cell that starts from ones, and counts in whole numbers."""

    state_size = (2, 1)

    def get_initial_state(self, batch_size=None):
        ones = keras.ops.ones((batch_size, 2))
        return ones, keras.ops.zeros((batch_size, 1), "int32")

    def call(self, x, states):
        total, count = states
        total = total + x[:, :2]
        return total * keras.ops.cast(count, "float32"), (total, count + 1)


class Single(kl.Layer):
    """A cell with a single state, which is no list, and no initial state."""

    state_size = 3

    def call(self, x, states):
        state = states[0] + x
        return state, [state]


CELLS = {
    "simple": lambda: kl.SimpleRNNCell(3),
    "lstm": lambda: kl.LSTMCell(3, dropout=0.5, recurrent_dropout=0.5),
    "gru": lambda: kl.GRUCell(3),
    "gru_before": lambda: kl.GRUCell(3, reset_after=False, use_bias=False),
    "stacked": lambda: kl.StackedRNNCells([kl.LSTMCell(3), kl.GRUCell(2)]),
    "lmu": lambda: Lmu(3),
    "counter": Counter,
    "single": Single,
}
LAYERS = {
    "simple": lambda: kl.SimpleRNN(3),
    "lstm": lambda: kl.LSTM(3, stateful=True, unroll=True),
    "gru": lambda: kl.GRU(3, return_sequences=True),
    "rnn": lambda: kl.RNN(Lmu(3)),
    "convolution": lambda: kl.ConvLSTM1D(2, 2),
}
SHAPES = {"convolution": (4, 3)}


def network(layers, jit_compile=False):
    """Connect an input to a node for each layer, by name."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=jit_compile)
        net.probes_of, net.inputs_of = {}, {}
        for name, layer in layers.items():
            shape = SHAPES.get(name, (3,))
            source = nengo.Node(np.zeros(int(np.prod(shape))), label=f"{name} in")
            node = nengo_dl.Layer(layer)(source, shape_in=shape, label=name)
            net.inputs_of[name] = source
            net.probes_of[name] = nengo.Probe(node)
    return net


def data_for(net, minibatch_size):
    rng = np.random.RandomState(1)
    return {
        node: rng.uniform(-1, 1, size=(minibatch_size, N_STEPS, node.size_out))
        for node in net.inputs_of.values()
    }


def by_keras(name, layer, x):
    """Return the output of all steps."""
    cell = layer.cell if isinstance(layer, kl.RNN) else layer
    if name == "convolution":
        rnn = kl.ConvLSTM1D(2, 2, return_sequences=True)
        rnn.cell = cell
    else:
        rnn = kl.RNN(cell, return_sequences=True)
    return np.array(rnn(x.reshape(*x.shape[:2], *SHAPES.get(name, (3,)))))


@pytest.mark.parametrize(
    "kinds, minibatch_size, jit_compile",
    [(CELLS, None, False), (CELLS, 3, True), (LAYERS, 3, False)],
    ids=["cells", "compiled", "layers"],
)
def test_steps_are_those_of_keras(kinds, minibatch_size, jit_compile):
    """Whole, in pieces, after a reset, and by `predict`, which leaves the state."""
    keras.utils.set_random_seed(0)
    layers = {name: make() for name, make in kinds.items()}
    net = network(layers, jit_compile)
    data = data_for(net, minibatch_size or 1)

    def check(sim, found):
        for name, layer in layers.items():
            x = data[net.inputs_of[name]].astype("float32")
            wanted = by_keras(name, layer, x).reshape(*x.shape[:2], -1)
            got = np.reshape(found[net.probes_of[name]], wanted.shape)
            np.testing.assert_allclose(got, wanted, atol=2e-6, err_msg=name)

    with make_sim(net, minibatch_size=minibatch_size) as sim:
        check(sim, sim.predict(data, verbose=0))
        for start, stop in ((0, 2), (2, N_STEPS)):
            part = {node: x[:, start:stop] for node, x in data.items()}
            sim.run_steps(stop - start, data=part)
        check(sim, sim.data)
        sim.reset()
        sim.run_steps(N_STEPS, data=data, stateful=False)
        check(sim, sim.data)


def test_state_is_saved(tmp_path):
    net = network({name: CELLS[name]() for name in ("stacked", "counter")})
    data = data_for(net, 2)
    first = {node: x[:, :2] for node, x in data.items()}
    rest = {node: x[:, 2:] for node, x in data.items()}
    with make_sim(net, minibatch_size=2) as sim:
        sim.run_steps(2, data=first)
        sim.save_params(tmp_path / "saved", include_state=True)
        sim.run_steps(N_STEPS - 2, data=rest)
        wanted = {probe: sim.data[probe][:, 2:] for probe in net.probes}
    with make_sim(net, minibatch_size=2) as sim:
        sim.load_params(tmp_path / "saved", include_state=True)
        sim.run_steps(N_STEPS - 2, data=rest)
        for probe in net.probes:
            np.testing.assert_allclose(sim.data[probe], wanted[probe], atol=1e-6)


def test_training_is_that_of_keras():
    """Gradients go through all steps."""
    keras.utils.set_random_seed(0)
    names = ("simple", "gru", "gru_before", "stacked", "lmu")
    cells, twins = ({name: CELLS[name]() for name in names} for _ in "ab")
    net = network(cells)
    data = data_for(net, 4)
    inputs = [keras.Input((N_STEPS, 3)) for _ in names]
    rnns = [kl.RNN(cell, return_sequences=True) for cell in twins.values()]
    model = keras.Model(inputs, [rnn(x) for rnn, x in zip(rnns, inputs, strict=True)])
    x = list(data.values())
    y = [np.ones((4, N_STEPS, probe.size_in)) for probe in net.probes]
    model(x)  # makes the weights of cells without a build method
    with make_sim(net, minibatch_size=4) as sim:
        for name in names:
            twins[name].set_weights(cells[name].get_weights())
        sim.compile(keras.optimizers.SGD(0.5), loss="mse")
        sim.fit(data, dict(zip(net.probes, y, strict=True)), epochs=3, verbose=0)
        losses = ["mse"] * len(names)
        model.compile(keras.optimizers.SGD(0.5), loss=losses, jit_compile=False)
        model.fit(x, y, epochs=3, verbose=0)
    for name in names:
        got, wanted = cells[name].get_weights(), twins[name].get_weights()
        for i in range(len(wanted)):
            np.testing.assert_allclose(got[i], wanted[i], atol=1e-5, err_msg=name)


class Masks(kl.Layer):
    """A cell that puts out what dropout leaves of ones."""

    def __init__(self):
        super().__init__()
        self.inner = kl.SimpleRNNCell(
            16, dropout=0.5, kernel_initializer="identity", activation=None
        )
        self.state_size, self.cells = 16, [self.inner]

    def call(self, x, states, training=False):
        y, _ = self.inner(keras.ops.ones_like(x), states, training=training)
        return y, states


def test_dropout_is_the_same_in_all_steps():
    """As in Keras; it differs from call to call, and is absent from inference."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        source = nengo.Node(np.zeros(16))
        nengo.Probe(nengo_dl.Layer(Masks())(source))
    x = np.zeros((2, 3, 16), "float32")
    with make_sim(net, minibatch_size=2) as sim:
        layer = sim.keras_model.layers[-1]
        assert np.all(np.array(layer([x])["probe"]) == 1)
        first, second = (np.array(layer([x], training=True)["probe"]) for _ in "ab")
    for masks in (first, second):
        assert set(np.unique(masks)) == {0, 2}
        assert np.array_equal(masks[:, 0], masks[:, 1])
        assert np.array_equal(masks[:, 0], masks[:, 2])
    assert not np.array_equal(first, second)


def test_sequences_are_passed_as_a_whole():
    """A recurrent layer whose input has an axis of time is a layer like others."""
    layer = kl.Bidirectional(kl.LSTM(2))
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        source = nengo.Node(np.zeros(12))
        probe = nengo.Probe(nengo_dl.Layer(layer)(source, shape_in=(4, 3)))
    x = np.random.RandomState(0).uniform(size=(2, 3, 12)).astype("float32")
    with make_sim(net, minibatch_size=2) as sim:
        got = sim.predict(x, verbose=0)[probe]
    for step in range(3):
        wanted = layer(x[:, step].reshape(2, 4, 3))
        np.testing.assert_allclose(got[:, step], wanted, atol=1e-6)


class Shrinks(kl.Layer):
    state_size = 3

    def call(self, x, states):
        return x, [states[0][:, :1]]


WRONG = [
    (lambda: kl.LSTM(2, go_backwards=True), "steps so far .got LSTM, which has go_b"),
    (
        lambda: kl.Bidirectional(kl.GRU(2)),
        "got Bidirectional, which runs backwards.*Pa",
    ),
    (lambda: kl.GRU(2, return_state=True), "expected return_state=False"),
    (Shrinks, r"states of the shapes that it gets, \[\(3,\)\] .*got \[\(1,\)\]"),
]


@pytest.mark.parametrize("make, message", WRONG)
def test_what_cannot_run_step_by_step(make, message):
    with pytest.raises(ValidationError, match=message):
        make_sim(network({"a": make()})).close()


def test_cells_take_the_input_alone():
    with nengo.Network(), pytest.raises(ValidationError, match="pass_time=False"):
        nengo_dl.TensorNode(kl.LSTMCell(2), shape_in=(3,))
