"""Training of a converted network through its spikes, to agree with its model.

The outputs of the model are the targets, so that labels are not needed (Hinton, Vinyals
& Dean 2015, Distilling the knowledge in a neural network,
https://arxiv.org/abs/1503.02531). Gradients go through the spikes and all steps.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nengo_dl.config import Settings, configure_settings, get_setting
from nengo_dl.converter.conversion import Conversion, EachOf, OneOf
from nengo_dl.converter.presentation import Arrays, flat, minibatches, simulator
from nengo_dl.converter.readout import Readout, readouts
from nengo_dl.losses import LossOverTime
from nengo_dl.surrogates import FastSigmoid, Surrogate

N_AT_ONCE = 128  # items for which the model computes targets
# Logits are divided by it, so that targets tell how near the other classes are
TEMPERATURE = 3.0
# Its tails are twice as wide as usual. In `benchmarks.conversion`, deep networks of
# leaky neurons lose a third less with it.
SURROGATE = FastSigmoid(slope=5.0)
# Of the minibatches, whose weights are averaged in the end (Polyak & Juditsky 1992,
# Acceleration of stochastic approximation by averaging, https://doi.org/10.1137/0330046)
AVERAGED = 0.1


@dataclass(frozen=True)
class Training:
    """How a network is trained."""

    epochs: int
    n_steps: int
    learning_rate: float
    minibatch_size: int
    surrogate: Surrogate | str
    dt: float
    verbose: Any


def distil(
    conversion: Conversion,
    inputs: Arrays,
    labels: Sequence[np.ndarray | None],
    training: Training,
) -> keras.callbacks.History:
    """Train the network of a conversion on data of the model's shapes.

    Weights, and all constants that are added to what arrives at neurons, are trained
    and written into the Nengo objects. Labels are classes, of shape (n_items, ...), for
    each output, or None.
    """
    n_items = len(inputs[0])
    size = min(training.minibatch_size, n_items)
    # the first items once more, where the last minibatch would not be full
    items = np.resize(np.arange(n_items), -(-n_items // size) * size)
    arrays = flat(conversion.source, inputs)
    wanted = _outputs(conversion, inputs)
    read = readouts(conversion)
    targets = map(_targets, read, wanted, labels)
    losses = map(_loss, read, wanted, labels)
    n_minibatches = training.epochs * len(items) // size
    schedule = keras.optimizers.schedules.CosineDecay(
        training.learning_rate, n_minibatches
    )
    momentum = 1 - 1 / max(1, AVERAGED * n_minibatches)
    with (
        _prepared(conversion, training.surrogate),
        simulator(conversion.net, training.dt, size) as sim,
    ):
        sim.compile(
            keras.optimizers.Adam(schedule, use_ema=True, ema_momentum=momentum),
            loss=dict(zip(conversion.outputs, losses, strict=True)),
        )
        history = sim.fit(
            {n: x[items] for n, x in zip(conversion.inputs, arrays, strict=True)},
            {p: y[items] for p, y in zip(conversion.outputs, targets, strict=True)},
            n_steps=training.n_steps,
            epochs=training.epochs,
            verbose=training.verbose,
        )
        sim.freeze_params(conversion.net)
    return history


def _outputs(conversion: Conversion, inputs: Arrays) -> list[np.ndarray]:
    """Return the outputs of the model, of shape (n_items, n_steps or 1, size)."""
    parts = [
        conversion.source.compute([x[items] for x in inputs])
        for items in minibatches(len(inputs[0]), N_AT_ONCE)
    ]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _targets(
    readout: Readout, outputs: np.ndarray, labels: np.ndarray | None
) -> np.ndarray:
    """Return what an output is compared with: probabilities, or the model's output.

    With labels, probabilities are half those of the model, and half those of labels.
    """
    decide, shape = readout.spec.decide, readout.spec.signal_shape
    if decide is None:
        return outputs
    to_logits, to_probabilities, _ = CLASSIFIERS[type(decide)]
    values = outputs.reshape(*outputs.shape[:2], *shape)
    logits = values if decide.from_logits else to_logits(values)
    soft = keras.ops.convert_to_numpy(to_probabilities(logits / _temperature(labels)))
    soft = soft.reshape(outputs.shape)
    if labels is None:
        return soft
    certain = np.eye(shape[-1])[labels].reshape(len(outputs), 1, -1)
    return 0.5 * (soft + certain)


def _loss(readout: Readout, outputs: np.ndarray, labels: np.ndarray | None) -> Any:
    """Return the loss that compares an output with its targets."""
    decide, shape = readout.spec.decide, readout.spec.signal_shape
    temperature = _temperature(labels)
    square = float(np.mean(outputs**2)) or 1.0

    def loss(y_true, y_pred):
        y_true, y_pred = (keras.ops.reshape(y, (-1, *shape)) for y in (y_true, y_pred))
        if decide is None:
            error = keras.ops.square(y_true - y_pred) / square
        else:
            to_logits, _, crossentropy = CLASSIFIERS[type(decide)]
            logits = y_pred if decide.from_logits else to_logits(y_pred)
            error = crossentropy(y_true, logits / temperature, from_logits=True)
            error = temperature**2 * error  # so that gradients do not depend on it
        axes = tuple(range(1, len(error.shape)))
        return keras.ops.mean(error, axis=axes) if axes else error

    over_time = readout.over_time
    return loss if over_time == "each" else LossOverTime(loss, over_time)


def _temperature(labels: np.ndarray | None) -> float:
    """Return what logits are divided by; labels are certain, and are not softened."""
    return TEMPERATURE if labels is None else 1.0


def _log(values: Any) -> Any:
    return keras.ops.log(keras.ops.maximum(values, keras.config.epsilon()))


# By kind of decision: logits of probabilities, probabilities of logits, cross entropy
CLASSIFIERS: dict[type, tuple[Callable, Callable, Callable]] = {
    OneOf: (_log, keras.ops.softmax, keras.losses.categorical_crossentropy),
    EachOf: (
        lambda values: _log(values) - _log(1 - values),
        keras.ops.sigmoid,
        keras.losses.binary_crossentropy,
    ),
}


@contextlib.contextmanager
def _prepared(conversion: Conversion, surrogate: Surrogate | str) -> Iterator[None]:
    """Prepare a network for training through its spikes, and undo that afterwards."""
    net = conversion.net
    before = Settings.read(net)
    trainable = {conn: net.config[conn].trainable for conn in conversion.constants}
    kept = {p: get_setting(net, "keep_history", obj=p) for p in conversion.outputs}
    changes: dict[str, Any] = {
        "inference_only": False,
        "training_mode": "spiking",
        "surrogate": surrogate,
    }
    try:
        with net:
            configure_settings(**changes)
        for conn in trainable:
            net.config[conn].trainable = True
        for probe in (p for p, keeps in kept.items() if keeps is False):
            net.config[probe].keep_history = True
        yield
    finally:
        with net:
            configure_settings(**{name: getattr(before, name) for name in changes})
        for conn, value in trainable.items():
            net.config[conn].trainable = value
        for probe in (p for p, keeps in kept.items() if keeps is False):
            net.config[probe].keep_history = False
