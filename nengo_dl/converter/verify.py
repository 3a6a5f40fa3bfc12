"""Whether a converted network computes the same as its Keras model."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from nengo_dl.converter.arguments import as_array
from nengo_dl.converter.build import array
from nengo_dl.converter.plan import outer_axes
from nengo_dl.simulator import Simulator

N_ITEMS, N_STEPS = 2, 10
N_EPOCHS, LEARNING_RATE = 3, 0.1


def verify(converter, training, inputs, atol, rtol):
    """Compare outputs, see `Converter.verify`."""
    model = converter.model
    if inputs is None:
        inputs = [np.ones(_shape(tensor, converter)) for tensor in model.inputs]
    inputs = inputs if isinstance(inputs, list | tuple) else [inputs]
    inputs = [as_array("Converter.verify", x) for x in inputs]
    _check_inputs(model, inputs)
    n_items = len(inputs[0])
    n_steps = inputs[0].shape[1] if converter.temporal_model else 1
    before = [array(variable) for variable in model.variables]
    with Simulator(
        converter.net, minibatch_size=n_items, progress_bar=False, device="/cpu:0"
    ) as sim:
        data = {
            converter.inputs[tensor]: x.reshape(n_items, n_steps, -1)
            for tensor, x in zip(model.inputs, inputs, strict=True)
        }
        if training:
            _check_parameters(model, sim)
            _train_network(sim, data, converter)
        found = sim.predict_on_batch(data)
    # layers that could not be copied are those of the model
    _restore(model, before)
    with _trained(model, inputs) if training else contextlib.nullcontext():
        expected = _outputs(model, inputs)
    has_time = _has_time(converter)
    for tensor, wanted, is_series in zip(
        model.outputs, expected, has_time, strict=True
    ):
        got = found[converter.outputs[tensor]]
        got = got if is_series else got[:, -1]
        _compare(tensor.name, np.ravel(got), np.ravel(wanted), atol, rtol)
    return True


def _check_inputs(model, inputs):
    wanted = [tuple(tensor.shape) for tensor in model.inputs]
    fit = len(inputs) == len(wanted) and all(
        len(x.shape) == len(shape)
        and all(m in (None, n) for n, m in zip(x.shape, shape, strict=True))
        for x, shape in zip(inputs, wanted, strict=True)
    )
    if not fit:
        raise ValueError(
            f"Converter.verify: expected inputs of shapes {wanted} (got "
            f"{[x.shape for x in inputs]}). Pass data as for the Keras model."
        )


def _has_time(converter):
    """Return of each output whether all time steps count, or the last one alone."""
    outer = outer_axes(converter.steps)
    if not converter.temporal_model:
        return [True for _ in converter.model.outputs]
    return [outer.get(id(tensor), 2) > 1 for tensor in converter.model.outputs]


def _shape(tensor, converter):
    if not converter.temporal_model:
        return (N_ITEMS, *tensor.shape[1:])
    return (N_ITEMS, tensor.shape[1] or N_STEPS, *tensor.shape[2:])


def _outputs(model, inputs):
    """Call a model as Keras does in prediction."""
    outputs = keras.tree.flatten(model(_structured(model, inputs), training=False))
    return [array(y) for y in outputs]


def _structured(model, inputs):
    """Return inputs in the form that a model takes, e.g. as a dict."""
    return keras.tree.pack_sequence_as(model.input, inputs)


@contextlib.contextmanager
def _trained(model, inputs):
    """Fit a model to ones, and give it back its weights afterwards."""
    before = [array(variable) for variable in model.variables]
    inputs = _structured(model, inputs)
    try:
        for _ in range(N_EPOCHS):
            with tf.GradientTape() as tape:
                outputs = keras.tree.flatten(model(inputs, training=True))
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


def _restore(model, values):
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)


def _train_network(sim, data, converter):
    """Fit a network to ones."""
    n_items, n_steps, _ = next(iter(data.values())).shape
    probes = converter.net.probes
    targets = {probe: np.ones((n_items, n_steps, probe.size_in)) for probe in probes}
    losses = dict.fromkeys(probes, "mse")
    for probe, is_series in zip(probes, _has_time(converter), strict=True):
        if not is_series:
            losses[probe] = _last_error
    sim.compile(keras.optimizers.SGD(LEARNING_RATE), loss=losses)
    sim.fit(data, targets, epochs=N_EPOCHS, verbose=0)


def _last_error(y_true, y_pred):
    """Return the squared errors of the last time step."""
    return keras.ops.mean(keras.ops.square(y_pred[:, -1:] - y_true[:, -1:]), axis=-1)


def _check_parameters(model, sim):
    wanted = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    got = sum(int(np.prod(v.shape)) for v in sim.keras_model.trainable_variables)
    if got != wanted:
        raise ValueError(
            f"Converter.verify: expected {wanted} trainable parameters, as in the "
            f"Keras model (got {got})."
        )


def _compare(name, got, wanted, atol, rtol):
    equal = got.shape == wanted.shape and np.isclose(got, wanted, atol=atol, rtol=rtol)
    if not np.all(equal):
        difference = np.abs(got - wanted).max() if got.shape == wanted.shape else np.nan
        raise ValueError(
            f"Converter.verify: expected the same values of output '{name}' as from "
            f"Keras (got {np.sum(~np.asarray(equal))} of {wanted.size} that differ by "
            f"more than atol={atol:g} + rtol={rtol:g}, by {difference:.3g} at most)."
        )
