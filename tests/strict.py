"""All of the package once, to be run by itself with warnings as errors.

TensorFlow's own warnings at import are not meant: they come before the filter.
"""

import os
import sys
import warnings

import keras
import matplotlib
import nengo
import numpy as np

import nengo_dl

N_STEPS = 5


def network():
    """Build what the package treats in different ways."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        stimulus = nengo.Node([0.5], label="stimulus")
        noise = nengo.Node(nengo.processes.WhiteNoise(seed=1), size_out=1)
        matrix = nengo.Node(lambda t: np.array([[t]]), size_out=1)
        ens = nengo.Ensemble(8, 1, neuron_type=nengo.LIFRate(), label="ens")
        post = nengo.Ensemble(5, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()))
        for node in (stimulus, noise, matrix):
            nengo.Connection(node, ens, synapse=None)
        conn = nengo.Connection(ens, post, learning_rule_type=nengo.PES())
        nengo.Connection(stimulus, conn.learning_rule)
        layer = nengo_dl.Layer(keras.layers.Dense(1))(ens)
        python = nengo.Node(lambda t, x: x[None], size_in=1, size_out=1)
        nengo.Connection(post, python)
        nengo.Probe(python)
        nengo.Probe(conn, "weights")
        net.out = nengo.Probe(layer, synapse=0.01, label="out")
        net.spikes = nengo.Probe(post.neurons)
    return net


def simulate(folder):
    """Call all methods of a simulator."""
    net, path = network(), os.path.join(folder, "params")
    x = np.ones((2, N_STEPS, 1))
    inputs = {"stimulus": x}
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
        nengo_dl.plots.raster(sim.data[net.spikes])
        sim.compile("adam", loss={net.out: "mse"}, metrics={net.out: ["mae"]})
        validation = {"validation_data": (inputs, {net.out: x})}
        sim.fit(inputs, {net.out: x}, verbose=0, **validation)
        sim.evaluate(inputs, {net.out: x}, verbose=0)
        sim.predict(inputs, verbose=0)
        sim.save_params(path, include_state=True)
        sim.load_params(path, include_state=True)
        sim.reset()
        sim.get_nengo_params(net.ensembles[0])
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(N_STEPS)
        sim.freeze_params(net)


def convert():
    """Convert a model, look at what it does, and run it."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(2, 3, activation="relu")(inputs)
    x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    data = np.random.RandomState(0).uniform(size=(4, 8, 8, 1)).astype("float32")
    nengo_dl.Converter(model).verify()
    converter = nengo_dl.Converter(
        model,
        swap_activations={"relu": nengo.SpikingRectifiedLinear()},
        scale_firing_rates="auto",
        calibration_data=data,
    )
    report = converter.report(data, np.zeros(4, int), n_steps=N_STEPS)
    str(report), report.to_json(), report.plot()


def put_into_keras():
    """Train a network as a layer."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        stimulus = nengo.Node([0.5])
        ens = nengo.Ensemble(5, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(stimulus, ens, synapse=None)
        nengo.Probe(ens)
    inputs = keras.Input((N_STEPS, 1))
    model = keras.Model(inputs, nengo_dl.NengoLayer(net)(inputs))
    model.compile("sgd", loss="mse")
    x = np.ones((2, N_STEPS, 1))
    model.fit(x, x, verbose=0)


if __name__ == "__main__":
    matplotlib.use("Agg")
    nengo.rc.set("decoder_cache", "enabled", "False")
    warnings.simplefilter("error")
    for step in (lambda: simulate(sys.argv[1]), convert, put_into_keras):
        step()
    print("no warning")
