"""Which outputs of a Keras model are those of a classifier, and how it decides."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import nengo

from nengo_dl.converter import activations
from nengo_dl.converter.conversion import Decision, EachOf, OneOf
from nengo_dl.converter.forms import SoftmaxOver
from nengo_dl.converter.plan import ConversionStep, Plan

# Names in ``keras.losses``, of classes and functions alike without their underscores
OF_CLASSES = (
    *("categoricalcrossentropy", "sparsecategoricalcrossentropy"),
    *("categoricalfocalcrossentropy", "categoricalhinge"),
)
OF_ELEMENTS = ("binarycrossentropy", "binaryfocalcrossentropy")


def decisions(plan: Plan) -> list[Decision | None]:
    """Return how each output of the model decides; None for one of numbers.

    The loss that the model was compiled with tells it, or else its last activation.
    """
    model = plan.options.model
    losses = _losses(getattr(plan.options.passed, "loss", None), model.output_names)
    layers = [_layer_of(tensor, plan.steps) for tensor in model.outputs]
    return [
        _by_loss(loss) or _by_activation(layer)
        for loss, layer in zip(losses, layers, strict=True)
    ]


def _losses(given: Any, names: Sequence[str]) -> Iterator[Any]:
    """Yield the loss of each output, from any form that ``compile`` takes."""
    for i, name in enumerate(names):
        if isinstance(given, Mapping):
            yield given.get(name)
        elif isinstance(given, list | tuple):
            yield given[i] if i < len(given) else None
        else:
            yield given


def _by_loss(loss: Any) -> Decision | None:
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if loss is None:
        return None
    is_object = isinstance(loss, keras.losses.Loss)
    name = type(loss).__name__ if is_object else getattr(loss, "__name__", "")
    name = name.replace("_", "").lower()
    # what hinges compare are no probabilities
    from_logits = "hinge" in name
    if is_object:
        from_logits = loss.get_config().get("from_logits", from_logits)
    if name in OF_CLASSES:
        return OneOf(from_logits)
    return EachOf(from_logits) if name in OF_ELEMENTS else None


def _by_activation(layer: keras.Operation | None) -> Decision | None:
    form = None if layer is None else activations.of_layer(layer)
    if isinstance(form, SoftmaxOver):
        return OneOf(from_logits=False)
    return EachOf(from_logits=False) if isinstance(form, nengo.Sigmoid) else None


def _layer_of(
    tensor: keras.KerasTensor, steps: tuple[ConversionStep, ...]
) -> keras.Operation | None:
    """Return the layer, or the one in a nested model, that a tensor comes from."""
    for step in steps:
        for i, output in enumerate(step.call.outputs):
            if output is tensor:
                if step.rule is not None:
                    return step.call.layer
                inner = step.call.layer
                return _layer_of(inner.outputs[i], step.inner)
    return None
