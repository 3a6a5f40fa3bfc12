"""A Keras model as the source of a conversion: its layers, and what they compute."""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence

import keras
import numpy as np

from nengo_dl.converter.build import array
from nengo_dl.converter.conversion import SourceLayer, TensorSpec
from nengo_dl.converter.decisions import decisions
from nengo_dl.converter.keras_graph import is_graph
from nengo_dl.converter.options import Options
from nengo_dl.converter.plan import ConversionStep, Plan, outer_axes

Arrays = list[np.ndarray]


class KerasSource:
    """The model of a plan, see `nengo_dl.converter.conversion.Source`.

    Calls of layers are the steps of the plan.
    """

    def __init__(self, plan: Plan):
        model = plan.options.model
        self._model, self._steps = model, plan.steps
        self.n_outer_axes = plan.options.n_outer_axes
        self.name = model.name
        outer = dict.fromkeys(map(id, model.inputs), self.n_outer_axes)
        outer |= outer_axes(plan.steps)
        self.inputs = input_specs(plan.options)
        self.outputs = tuple(
            TensorSpec(name, tuple(tensor.shape), outer[id(tensor)], decide)
            for name, tensor, decide in zip(
                model.output_names, model.outputs, decisions(plan), strict=True
            )
        )
        self.layers = _layers(model, plan.steps)

    def compute(self, inputs: Sequence[np.ndarray]) -> Arrays:
        """Return the outputs of the model."""
        values = keras.tree.pack_sequence_as(self._model.input, list(inputs))
        outputs = keras.tree.flatten(self._model(values, training=False))
        pairs = zip(outputs, self.outputs, strict=True)
        return [_flat(y, inputs, spec.n_outer_axes) for y, spec in pairs]

    def compute_all(
        self, inputs: Sequence[np.ndarray]
    ) -> tuple[Mapping[Hashable, Arrays], Arrays]:
        """Return the outputs of all calls of layers, nested ones too, and the model."""
        found: dict[Hashable, Arrays] = {}
        tensors = [keras.ops.convert_to_tensor(x) for x in inputs]
        values = dict(zip(map(id, self._model.inputs), tensors, strict=True))

        def flat(tensor):  # whole numbers and booleans as floats
            return _flat(tensor, inputs, self.n_outer_axes).astype(np.float32)

        def walk(steps, values):
            for step in steps:
                arguments = [values[id(tensor)] for tensor in step.call.inputs]
                if step.rule is None:
                    outputs = _nested(step, arguments, walk)
                else:
                    replayed = step.call.replay(step.layer, arguments, False)
                    outputs = keras.tree.flatten(replayed)
                found[step] = [flat(y) for y in outputs]
                values.update(zip(map(id, step.call.outputs), outputs, strict=True))

        walk(self._steps, values)
        outputs = (values[id(tensor)] for tensor in self._model.outputs)
        return found, [flat(y) for y in outputs]


def _flat(tensor, inputs: Sequence[np.ndarray], n_outer_axes: int) -> np.ndarray:
    """Return a tensor as an array of shape (n_items, n_steps or 1, size)."""
    n_steps = inputs[0].shape[1] if n_outer_axes > 1 else 1
    return np.reshape(array(tensor), (len(inputs[0]), n_steps, -1))


def input_specs(options: Options) -> tuple[TensorSpec, ...]:
    """Describe the inputs of the model that is to be converted."""
    n, inputs = options.n_outer_axes, options.model.inputs
    return tuple(TensorSpec(x.name, tuple(x.shape), n) for x in inputs)


def _nested(step: ConversionStep, arguments: list, walk) -> list:
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


def _layers(
    model: keras.Model, steps: tuple[ConversionStep, ...]
) -> tuple[SourceLayer, ...]:
    """List the layers of a model, in the order in which Keras lists them."""
    found: dict[int, list[tuple[str, ConversionStep]]] = {}
    for name, step in _named(steps):
        found.setdefault(id(step.layer), []).append((name, step))
    listed = dict.fromkeys(_listed(model))
    return tuple(_layer(found[key]) for key in listed if key in found)


def _layer(calls: list[tuple[str, ConversionStep]]) -> SourceLayer:
    (name, first), steps = calls[0], tuple(step for _, step in calls)
    weights = getattr(first.layer, "weights", ())
    return SourceLayer(
        name,
        type(first.layer).__name__,
        sum(math.prod(weight.shape) for weight in weights),
        steps,
        all(map(_keeps_time, steps)),
    )


def _keeps_time(step: ConversionStep) -> bool:
    call = step.call
    return step.wrapper is not None or min(call.outer_axes) == call.n_outer_axes


def _named(
    steps: tuple[ConversionStep, ...], prefix: str = ""
) -> Iterator[tuple[str, ConversionStep]]:
    """Yield names and steps, in the order in which they were converted."""
    for step in steps:
        name = prefix + step.layer.name
        if step.rule is None:
            yield from _named(step.inner, name + "/")
        else:
            yield name, step


def _listed(model: keras.Model) -> Iterator[int]:
    """Yield the ids of the layers of a model, those inside of others where they are."""
    is_list = isinstance(model, keras.Sequential)
    for layer in model.layers if is_list else model.operations:
        yield id(layer)
        is_wrapper = isinstance(layer, keras.layers.TimeDistributed)
        inner = layer.layer if is_wrapper else layer
        if is_graph(inner):
            yield from _listed(inner)
