"""What mistakes are made with: small networks, simulators and models, made once."""

import warnings
from functools import cached_property

import keras
import nengo
import numpy as np
import tensorflow as tf

import nengo_dl

RATE = nengo.LIFRate()


class Plain(nengo.synapses.Synapse):
    """A synapse that has no step in TensorFlow."""

    def make_state(self, shape_in, shape_out, dt, dtype=None, y0=0):
        return {}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        return lambda t, x: x


class World:
    """All that a mistake can be made with.

    Parameters
    ----------
    folder : str
        Where files can be written.
    """

    def __init__(self, folder):
        self.folder = folder
        self._made = []
        self.x = np.ones((2, 3, 1))

    # --- simulators ---------------------------------------------------------------

    def simulator(self, net, **kwargs):
        """Make a simulator without a progress bar."""
        sim = nengo_dl.Simulator(
            net, **{"device": "/cpu:0", "progress_bar": False, **kwargs}
        )
        self._made.append(sim)
        return sim

    def close(self):
        """Close all simulators that were made."""
        for sim in self._made:
            sim.close()

    @cached_property
    def sim(self):
        """A simulator that is compiled, of ``net``."""
        sim = self.simulator(self.net, minibatch_size=2)
        sim.compile("sgd", loss="mse")
        return sim

    @cached_property
    def new(self):
        """A simulator that is not compiled."""
        return self.simulator(self.net, minibatch_size=2)

    @cached_property
    def closed(self):
        """A simulator that is closed."""
        sim = self.simulator(self.net)
        sim.close()
        return sim

    @cached_property
    def two(self):
        """A simulator with two input nodes and two probes."""
        sim = self.simulator(self.other, minibatch_size=2)
        sim.compile("sgd", loss="mse")
        return sim

    @cached_property
    def frozen(self):
        """A simulator that cannot be trained."""
        return self.simulator(self.chain(inference_only=True))

    @cached_property
    def delayed(self):
        """A simulator with a synapse on the way."""
        return self.simulator(self.chain(connection=0.01))

    @cached_property
    def without_probes(self):
        """A simulator without outputs."""
        with nengo.Network() as net:
            nengo_dl.configure_settings(jit_compile=False)
            nengo.Node([1])
        return self.simulator(net)

    @cached_property
    def taught(self):
        """A simulator whose items have learned different things."""
        with self.chain() as net:
            net.conn.learning_rule_type = nengo.PES(0.1)
            nengo.Connection(net.stim, net.conn.learning_rule)
        sim = self.simulator(net, minibatch_size=2)
        sim.run_steps(3, data=self.x * [[[1.0]], [[2.0]]])
        return sim

    # --- networks -----------------------------------------------------------------

    def chain(self, synapse=None, connection=None, python=False, **settings):
        """Build a node, an ensemble, a node, and a probe of it."""
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(**{"jit_compile": False, **settings})
            net.stim = nengo.Node([0.5], label="stim")
            net.ens = nengo.Ensemble(6, 1, neuron_type=RATE, label="ens")
            nengo.Connection(net.stim, net.ens, synapse=connection)
            function = (lambda t, x: x) if python else None
            net.out = nengo.Node(function, size_in=1, label="out")
            net.conn = nengo.Connection(net.ens, net.out, synapse=None, label="dec")
            net.probe = nengo.Probe(net.out, synapse=synapse, label="p")
        return net

    @cached_property
    def net(self):
        """The network that most mistakes are made with."""
        return self.chain()

    @cached_property
    def other(self):
        """A network with two inputs, two probes, and an ensemble without neurons."""
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(jit_compile=False)
            net.b = nengo.Node([0.5], label="b")
            net.c = nengo.Node([0.5, 1], label="c")
            net.q = nengo.Probe(net.b, label="q")
            nengo.Probe(net.c, label="r")
            net.direct = nengo.Ensemble(
                3, 1, neuron_type=nengo.Direct(), label="direct"
            )
        return net

    # --- whole flows --------------------------------------------------------------

    def run_function(self, function):
        """Run a node of a function, of the time, and of an input if it takes one."""
        with nengo.Network() as net:
            nengo_dl.configure_settings(jit_compile=False)
            size_in = function.__code__.co_argcount - 1
            node = nengo.Node(function, size_in=size_in, size_out=1, label="mine")
            nengo.Probe(node)
        self.simulator(net).run_steps(2)

    def fit_one_step(self, net):
        """Train a network on data of one step."""
        sim = self.simulator(net)
        sim.compile("sgd", loss="mse")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sim.fit(self.x[:, :1], self.x[:, :1], verbose=0)

    def configure(self, **settings):
        """Simulate a network with settings."""
        with nengo.Network() as net:
            nengo_dl.configure_settings(**settings)
            nengo.Probe(nengo.Node([1]))
        self.simulator(net)

    def set_trainable(self, value):
        """Choose for one ensemble."""
        net = self.chain(trainable=None)
        net.config[net.ens].trainable = value
        self.simulator(net)

    def tensor_node(self, *args, **kwargs):
        """Run a TensorNode."""
        with nengo.Network() as net:
            nengo_dl.configure_settings(jit_compile=False)
            node = nengo_dl.TensorNode(*args, **kwargs)
            nengo.Probe(node)
            if node.size_in:
                nengo.Connection(nengo.Node(np.ones(node.size_in)), node, synapse=None)
        self.simulator(net).run_steps(1)

    def layer(self, function, start=None, **kwargs):
        """Run a Layer."""
        with nengo.Network() as net:
            nengo_dl.configure_settings(jit_compile=False)
            start = nengo.Node([1.0]) if start is None else start
            nengo.Probe(nengo_dl.Layer(function)(start, **kwargs))
        self.simulator(net).run_steps(1)

    def run_in_nengo(self):
        """Run a TensorNode on another simulator."""
        with nengo.Network() as net:
            nengo_dl.TensorNode(lambda t: tf.reshape(t, (1, 1)), shape_in=None)
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(1)

    def train_what_learns(self):
        """Ask for training of weights that a learning rule changes."""
        with self.chain(trainable=True) as net:
            net.conn.learning_rule_type = nengo.PES()
            nengo.Connection(net.stim, net.conn.learning_rule)
        self.simulator(net)

    def run_synapse(self):
        """Simulate a synapse without a step in TensorFlow."""
        self.simulator(self.chain(connection=Plain()))

    # --- Keras --------------------------------------------------------------------

    @cached_property
    def model(self):
        """A Keras model."""
        inputs = keras.Input((4,))
        hidden = keras.layers.Dense(3, activation="relu", name="hidden")(inputs)
        return keras.Model(inputs, keras.layers.Dense(2, name="last")(hidden))

    @cached_property
    def sequence(self):
        """A Keras model of sequences of any length."""
        inputs = keras.Input((None, 4))
        return keras.Model(inputs, keras.layers.Dense(2)(inputs))

    @cached_property
    def normalized(self):
        """A Keras model with a layer that has no native form."""
        inputs = keras.Input((4,))
        return keras.Model(inputs, keras.layers.UnitNormalization()(inputs))

    @cached_property
    def converter(self):
        """A converted model."""
        return nengo_dl.Converter(self.model)

    @cached_property
    def nengo_layer(self):
        """A network as a layer, with the default name."""
        return nengo_dl.NengoLayer(self.net, name="net")

    # --- files --------------------------------------------------------------------

    @cached_property
    def saved(self):
        """The path of a file of ``sim``."""
        path = f"{self.folder}/saved"
        self.sim.save_params(path)
        return path

    @cached_property
    def text(self):
        """The path of a file that is something else."""
        with open(f"{self.folder}/text.npz", "w", encoding="utf-8") as file:
            file.write("text")
        return f"{self.folder}/text"
