"""What the Keras model computes: the outputs of all its layers, nested ones too."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from nengo_dl.converter.plan import Step


def activations(
    converter: Any, inputs: Sequence[np.ndarray]
) -> tuple[Mapping[Step, list[np.ndarray]], list[np.ndarray]]:
    """Compute the outputs of all calls of layers.

    Parameters
    ----------
    converter : `Converter`
        Whose model counts.
    inputs : sequence of ndarray
        One for each input of the model, with a minibatch axis.

    Returns
    -------
    by_step : dict
        The outputs of each call, of shape (n_items, n_steps or 1, size) each.
    outputs : list of ndarray
        Those of the model, in the same form.
    """
    model = converter.model
    n_items = len(inputs[0])
    n_steps = inputs[0].shape[1] if converter.temporal_model else 1
    values = {
        id(tensor): keras.ops.convert_to_tensor(x)
        for tensor, x in zip(model.inputs, inputs, strict=True)
    }
    found: dict[Step, list[np.ndarray]] = {}

    def flat(tensor):
        array = keras.ops.convert_to_numpy(tensor)
        return np.reshape(array, (n_items, n_steps, -1)).astype(np.float32)

    def walk(steps, values):
        for step in steps:
            arguments = [values[id(tensor)] for tensor in step.call.inputs]
            outputs = _nested if step.entry is None else _called
            outputs = outputs(step, arguments, walk)
            found[step] = [flat(output) for output in outputs]
            tensors = (id(tensor) for tensor in step.call.outputs)
            values.update(zip(tensors, outputs, strict=True))

    walk(converter.steps, values)
    return found, [flat(values[id(tensor)]) for tensor in model.outputs]


def _called(step, arguments, walk):
    del walk
    layer = step.wrapper or step.call.layer
    return keras.tree.flatten(step.call.replay(layer, arguments, False))


def _nested(step, arguments, walk):
    """Compute the layers inside of a model, for all time steps at once."""
    model, outer = step.call.layer, arguments[0].shape[:2]
    if step.wrapper is not None:
        arguments = [keras.ops.reshape(x, (-1, *x.shape[2:])) for x in arguments]
    inner = dict(zip(map(id, model.inputs), arguments, strict=True))
    walk(step.inner, inner)
    outputs = [inner[id(tensor)] for tensor in model.outputs]
    if step.wrapper is not None:
        outputs = [keras.ops.reshape(y, (*outer, *y.shape[1:])) for y in outputs]
    return outputs
