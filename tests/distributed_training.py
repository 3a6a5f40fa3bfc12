"""Trains a network under a strategy, in a process of its own; see test_distribution.

Usage: ``python -m tests.distributed_training KIND FILE``, where KIND is "mirrored" (two
devices of one process) or "workers" (as the variable TF_CONFIG says). What has been
computed goes to FILE.
"""

import contextlib
import sys

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl

MINIBATCH, N_ITEMS, N_STEPS = 4, 12, 5
RNG = np.random.RandomState(0)
X = RNG.normal(size=(N_ITEMS, N_STEPS, 3))
Y = RNG.normal(size=(N_ITEMS, N_STEPS, 4))


def network():
    """Build spiking neurons, a Keras layer, and a function in Python."""
    dense = keras.layers.Dense(4, kernel_initializer=keras.initializers.GlorotNormal(0))
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        stimulus = nengo.Node(np.zeros(3))
        ens = nengo.Ensemble(10, 3, intercepts=nengo.dists.Uniform(-1, 0.5))
        nengo.Connection(stimulus, ens, synapse=None)
        out = nengo_dl.Layer(dense)(ens.neurons, transform=np.full((4, 10), 1e-3))
        square = nengo.Node(lambda t, x: t + x**2, size_in=3)
        nengo.Connection(ens, square)
        nengo.Probe(out, synapse=0.002, label="out")
        nengo.Probe(square, label="square")
    return net


def train(strategy=None, shuffle=True):
    """Train a network on arrays and on a dataset; return all that comes of it."""
    net = network()
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        sim = nengo_dl.Simulator(net, minibatch_size=MINIBATCH, progress_bar=False)
    found = {}
    with sim:
        sim.compile(
            keras.optimizers.Adam(0.01),
            loss={"out": "mse"},
            metrics={"out": ["mae", "mse"]},
        )
        # a random order, which is the same in all processes
        keras.utils.set_random_seed(0)
        options = {"epochs": 2, "verbose": 0}
        other = {"validation_data": (X[:4], {"out": Y[:4]})}
        fits = (
            sim.fit(X, {"out": Y}, shuffle=shuffle, **other, **options),
            sim.fit(dataset(), shuffle=False, **options),
        )
        for i, history in enumerate(fits):
            found |= {f"fit {i} {k}": v for k, v in history.history.items()}
        found |= sim.evaluate(X, {"out": Y}, verbose=0)
        outputs = sim.predict(X, verbose=0)
        found |= {f"predicted {probe.label}": x for probe, x in outputs.items()}
        outputs = sim.predict_on_batch(X[:MINIBATCH])
        found |= {f"on batch {probe.label}": x for probe, x in outputs.items()}
        for i, weight in enumerate(sim.keras_model.get_weights()):
            found[f"weight {i}"] = weight
        sim.run_steps(3)
        sim.freeze_params(net)
        found["run"] = sim.data[net.probes[0]]
        found["frozen"] = net.ensembles[0].encoders
    return found


def dataset():
    data = tf.data.Dataset.from_tensor_slices(({"node": X}, {"out": Y}))
    return data.batch(MINIBATCH)


def random_spikes(strategy):
    """Check that replicas draw random numbers of their own."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ens = nengo.Ensemble(50, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()))
        nengo.Probe(ens.neurons)
    with strategy.scope():
        sim = nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False)
    with sim:
        ((first, second),) = sim.predict(n_steps=20, verbose=0).values()
    assert np.any(first) and np.any(second) and np.any(first != second)


def train_layer(strategy=None):
    """Train a Keras model with a network in it."""
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        inputs = keras.Input((N_STEPS, 3))
        model = keras.Model(inputs, nengo_dl.NengoLayer(network())(inputs)["out"])
        model.compile(keras.optimizers.Adam(0.01), loss="mse", jit_compile=False)
    history = model.fit(X, Y, batch_size=MINIBATCH, shuffle=False, verbose=0)
    weights = {f"layer weight {i}": w for i, w in enumerate(model.get_weights())}
    return {"layer loss": history.history["loss"], **weights}


def save_and_load(strategy, path):
    """Check that parameters make the round trip through a file."""
    with strategy.scope():
        sim = nengo_dl.Simulator(network(), minibatch_size=2, progress_bar=False)
    with sim:
        sim.save_params(path)
        before = sim.keras_model.get_weights()
        sim.keras_model.set_weights([weight + 1 for weight in before])
        sim.load_params(path)
        for one, other in zip(sim.keras_model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(one, other)


def check_minibatch_size(strategy):
    """Check that all replicas must get as many items."""
    message = "minibatch_size: must be a multiple of the 2 replicas .* [(]got 3[)]"
    with strategy.scope(), pytest.raises(ValidationError, match=message):
        nengo_dl.Simulator(network(), minibatch_size=3, progress_bar=False)


def check_what_keras_lacks(strategy):
    """Check that Keras cannot do what the documentation says that it cannot."""
    with strategy.scope():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
        several = len(strategy.extended.worker_devices) > 1
        model.compile("sgd", loss="mse", jit_compile=several)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        model.fit(X[:4, 0], Y[:4, 0], verbose=0)


def main(kind, path):
    # what runs once is not worth optimizing
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    if kind == "mirrored":
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        (device,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(device, two)
        strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
    else:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    assert strategy.num_replicas_in_sync == 2
    # TensorFlow begins an extra pass for several devices, which changes the order
    found = train(strategy, shuffle=kind != "mirrored")
    if kind == "mirrored":
        found |= train_layer(strategy)
        save_and_load(strategy, path + ".params")
        check_minibatch_size(strategy)
        random_spikes(strategy)
    check_what_keras_lacks(strategy)
    np.savez(path, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
