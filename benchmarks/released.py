"""How much memory does each simulator keep that has been used and closed?

Run ``python -m benchmarks.released``. TensorFlow keeps, for ever, the graph of each
training step in which an optimizer has summed gradients over replicas, also that of a
plain Keras model, which is there for comparison. So a program that trains thousands of
simulators should do so in several processes.
"""

import gc
import resource
import sys

import keras
import nengo
import numpy as np

import nengo_dl

N_SIMULATORS = 10
X = np.ones((8, 5, 1))


def network():
    """Build a network that is small beside what is measured."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0.5])
        ens = nengo.Ensemble(8, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(node, ens, synapse=None)
        nengo.Probe(ens)
    return net


def simulator(use):
    """Return a function that makes a simulator, uses and closes it."""

    def make():
        with nengo_dl.Simulator(
            network(), minibatch_size=8, device="/cpu:0", progress_bar=False
        ) as sim:
            sim.compile("sgd", loss="mse")
            use(sim)

    return make


def keras_model():
    """Train a Keras model without any Nengo."""
    inputs = keras.Input((5, 1))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", loss="mse")
    model.fit(X, X, verbose=0)


def peak():
    """Return the most memory that this process has had, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def kept(make):
    """Return by how many MiB each call makes the process larger."""
    make()
    gc.collect()
    before = peak()
    for _ in range(N_SIMULATORS):
        make()
    gc.collect()
    return (peak() - before) / N_SIMULATORS


USES = {
    "run": simulator(lambda sim: sim.run_steps(5)),
    "predict": simulator(lambda sim: sim.predict(X, verbose=0)),
    "evaluate": simulator(lambda sim: sim.evaluate(X, X, verbose=0)),
    "fit": simulator(lambda sim: sim.fit(X, X, verbose=0)),
    "fit of a Keras model": keras_model,
}


def main():
    """Print a table."""
    print(f"{'Use':22} MiB kept by each")
    for name, make in USES.items():
        print(f"{name:22} {kept(make):.2f}", flush=True)


if __name__ == "__main__":
    main()
