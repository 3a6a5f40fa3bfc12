"""The third part: a model that Keras has trained becomes a network that spikes."""

import time
import warnings

import keras
import nengo
import numpy as np
from keras import layers

import nengo_dl
from demo.digits import IMAGE_SHAPE, N_CLASSES
from demo.learning import MINIBATCH_SIZE, N_EPOCHS, Lesson, loss

N_STEPS, DT = 32, 0.001
N_PIXELS = IMAGE_SHAPE[0] * IMAGE_SHAPE[1]


def train(training, shown):
    """Train a small convolutional model with Keras.

    Parameters
    ----------
    training, shown : Digits
        Images to learn, and images to classify.

    Returns
    -------
    model : keras.Model
    lesson : Lesson
    """
    keras.utils.set_random_seed(0)
    model = build_model()
    model.compile(keras.optimizers.Adam(2e-3), loss=loss(), metrics=["accuracy"])
    start = time.perf_counter()
    history = model.fit(
        pictures(training),
        training.labels,
        batch_size=MINIBATCH_SIZE,
        validation_data=(pictures(shown), shown.labels),
        epochs=N_EPOCHS,
        verbose=0,
    ).history
    seconds = time.perf_counter() - start
    return model, Lesson("a convolutional model", "Keras' fit", history, seconds)


def build_model():
    """Make a model that knows nothing yet."""
    image = keras.Input((*IMAGE_SHAPE, 1))
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="edges")(image)
    x = layers.Conv2D(32, 3, strides=2, activation="relu", name="parts")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="shapes")(x)
    return keras.Model(image, layers.Dense(N_CLASSES, name="digits")(x), name="reader")


def convert(model, training):
    """Convert a Keras model, with firing rates found from its training images.

    Returns
    -------
    converter : nengo_dl.Converter
    """
    return nengo_dl.Converter(
        model,
        inference_only=True,
        allow_fallback=False,
        swap_activations={nengo.RectifiedLinear(): nengo_dl.IntegrateAndFire()},
        scale_firing_rates="auto",
        calibration_data=pictures(training),
    )


def report(converter, shown):
    """Run the spiking network on all images, and count what happens in it.

    Returns
    -------
    report : nengo_dl.converter.report.Report
    """
    return converter.report(pictures(shown), shown.labels, n_steps=N_STEPS)


def exchange(converter, path):
    """Write the spiking network as a NIR graph, read it, and compare what both do.

    Parameters
    ----------
    converter : nengo_dl.Converter
        The network, whose images have one channel.
    path : Path
        The file to write.

    Returns
    -------
    n_nodes : int
        Of the graph.
    difference : float
        Largest one between the outputs of both networks.
    """
    import nir

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of states that are written as metadata
        graph, _ = converter.to_nir(DT)
    nir.write(path, graph)
    again = nengo_dl.nir.from_nir(path, DT)
    x = np.random.RandomState(0).uniform(size=(4, N_STEPS, N_PIXELS))
    outputs = []
    for net in (converter.net, again):
        with nengo_dl.Simulator(net, DT, minibatch_size=4, progress_bar=False) as sim:
            (output,) = sim.predict(x, verbose=0).values()
            outputs.append(output)
    return len(graph.nodes), np.max(np.abs(outputs[0] - outputs[1]))


def rows(model, output, shown):
    """Compare the ways to run a model.

    Parameters
    ----------
    model : keras.Model
        The model.
    output : nengo_dl.converter.report.OutputReport
        What the converted network puts out.
    shown : Digits
        What both have seen.

    Returns
    -------
    rows : list of dict
        Which part of the images is named correctly.
    """
    correct = {
        "Keras": output.keras_accuracy,
        "as it is, a TensorNode in a Nengo network": _run_as_node(model, shown),
        "converted, after 8 steps of spikes": output.accuracy[7],
        f"converted, after {N_STEPS} steps": output.accuracy[-1],
    }
    return [{"model": way, "correct": f"{part:.1%}"} for way, part in correct.items()]


def pictures(digits):
    """Return images with the axes that a convolution has."""
    return digits.images.reshape(-1, *IMAGE_SHAPE, 1)


def _run_as_node(model, shown):
    """Return the accuracy of a Keras model in a Nengo network."""
    with nengo.Network(seed=0) as net:
        screen = nengo.Node(np.zeros(N_PIXELS))
        inside = nengo_dl.TensorNode(
            model, (*IMAGE_SHAPE, 1), (N_CLASSES,), pass_time=False
        )
        nengo.Connection(screen, inside, synapse=None)
        nengo.Probe(inside, label="output")
    with nengo_dl.Simulator(
        net, minibatch_size=MINIBATCH_SIZE, progress_bar=False
    ) as sim:
        sim.compile(loss=loss(), metrics=["accuracy"])
        data = (shown.images[:, None], shown.labels[:, None, None])
        return sim.evaluate(*data, verbose=0)["output_accuracy"]
