"""Whether a converted network computes the same as its Keras model."""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import keras
import nengo
import numpy as np
import tensorflow as tf

from nengo_dl.converter.build import array
from nengo_dl.converter.keras_conversion import KerasConversion
from nengo_dl.converter.presentation import Arrays, checked_inputs, flat
from nengo_dl.simulator import Simulator

N_ITEMS, N_STEPS = 2, 10
N_EPOCHS, LEARNING_RATE = 3, 0.1


def verify(
    conversion: KerasConversion, training: bool, inputs: Any, atol: float, rtol: float
) -> bool:
    """Compare outputs, see `Converter.verify`."""
    model, source = conversion.plan.options.model, conversion.source
    if inputs is None:
        lengths = [N_ITEMS, N_STEPS][: source.n_outer_axes]
        inputs = [
            np.ones([n or length for n, length in zip_longest(spec.shape, lengths)])
            for spec in source.inputs
        ]
    inputs = checked_inputs("Converter.verify", source.inputs, inputs)
    before = [array(variable) for variable in model.variables]
    with Simulator(
        conversion.net,
        minibatch_size=len(inputs[0]),
        progress_bar=False,
        device="/cpu:0",
    ) as sim:
        data = dict(zip(conversion.inputs, flat(source, inputs), strict=True))
        if training:
            _check_parameters(model, sim)
            _train_network(sim, data, conversion)
        found = sim.predict_on_batch(data)
    # layers that could not be copied are those of the model
    _restore(model, before)
    with _trained(model, inputs) if training else contextlib.nullcontext():
        wanted = source.compute(inputs)
    for spec, probe, values in zip(
        source.outputs, conversion.outputs, wanted, strict=True
    ):
        # what Keras has of the last time step, the network has of all steps so far
        is_last = spec.n_outer_axes < source.n_outer_axes
        got = found[probe][:, -1] if is_last else found[probe]
        _compare(spec.name, np.ravel(got), np.ravel(values), atol, rtol)
    return True


@contextlib.contextmanager
def _trained(model: keras.Model, inputs: Arrays) -> Iterator[None]:
    """Fit a model to ones, and give it back its weights afterwards."""
    before = [array(variable) for variable in model.variables]
    values = keras.tree.pack_sequence_as(model.input, list(inputs))
    try:
        for _ in range(N_EPOCHS):
            with tf.GradientTape() as tape:
                outputs = keras.tree.flatten(model(values, training=True))
                losses = [tf.reduce_mean(tf.square(y - 1)) for y in outputs]
                loss = tf.add_n([*losses, *model.losses])
            weights = model.trainable_variables
            gradients = tape.gradient(loss, weights)
            for variable, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    variable.assign_sub(LEARNING_RATE * tf.convert_to_tensor(gradient))
        yield
    finally:
        _restore(model, before)


def _restore(model: keras.Model, values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)


def _train_network(
    sim: Simulator, data: dict[nengo.Node, np.ndarray], conversion: KerasConversion
) -> None:
    """Fit a network to ones."""
    n_items, n_steps, _ = next(iter(data.values())).shape
    targets, losses = {}, {}
    for spec, probe in zip(conversion.source.outputs, conversion.outputs, strict=True):
        targets[probe] = np.ones((n_items, n_steps, probe.size_in))
        is_last = spec.n_outer_axes < conversion.source.n_outer_axes
        losses[probe] = _last_error if is_last else "mse"
    sim.compile(keras.optimizers.SGD(LEARNING_RATE), loss=losses)
    sim.fit(data, targets, epochs=N_EPOCHS, verbose=0)


def _last_error(y_true, y_pred):
    """Return the squared errors of the last time step."""
    return keras.ops.mean(keras.ops.square(y_pred[:, -1:] - y_true[:, -1:]), axis=-1)


def _check_parameters(model: keras.Model, sim: Simulator) -> None:
    wanted = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    got = sum(int(np.prod(v.shape)) for v in sim.keras_model.trainable_variables)
    if got != wanted:
        raise ValueError(
            f"Converter.verify: expected {wanted} trainable parameters, as in the "
            f"Keras model (got {got})."
        )


def _compare(name: str, got, wanted, atol: float, rtol: float) -> None:
    equal = got.shape == wanted.shape and np.isclose(got, wanted, atol=atol, rtol=rtol)
    if not np.all(equal):
        difference = np.abs(got - wanted).max() if got.shape == wanted.shape else np.nan
        raise ValueError(
            f"Converter.verify: expected the same values of output '{name}' as from "
            f"Keras (got {np.sum(~np.asarray(equal))} of {wanted.size} that differ by "
            f"more than atol={atol:g} + rtol={rtol:g}, by {difference:.3g} at most)."
        )
