"""Operands of operators: tensors of the model, and constants.

Constants are numbers, arrays, and variables. They broadcast as in NumPy, but not along
the axes of the minibatch and the time, which are no part of a signal.
"""

from dataclasses import dataclass
from numbers import Number
from typing import Any

import keras
import numpy as np

from nengo_dl.converter.build import array
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.operators import is_operator
from nengo_dl.converter.options import Options

N_ITEMS = 3  # of a minibatch, where an operator is tried


@dataclass(frozen=True, eq=False)
class Operand:
    """An argument of an operator."""

    index: int | None = None  # which of the inputs it is; None for a constant
    value: Any = None  # the constant, as it was written

    @property
    def is_constant(self) -> bool:
        """Whether it is no tensor of the model."""
        return self.index is None

    @property
    def numbers(self) -> np.ndarray:
        """The constant as an array of float."""
        return numbers(self.value)


def numbers(value: Any) -> np.ndarray:
    """Return a constant as an array of float."""
    known = isinstance(value, Number | np.ndarray | list | tuple)
    return np.asarray(value if known else array(value), dtype=float)


def arguments(call: LayerCall) -> tuple[tuple, dict]:
    """Return the arguments of a call, with an `Operand` for each tensor."""
    return call.replay(
        lambda *args, **kwargs: (args, kwargs),
        [Operand(i) for i in range(len(call.inputs))],
    )


def operands(call: LayerCall) -> tuple[Operand, ...]:
    """Return the operands of an operator whose arguments are tensors or constants."""
    args, _ = arguments(call)
    return tuple(a if isinstance(a, Operand) else Operand(None, a) for a in args)


def spread(call: LayerCall, operand: Operand) -> np.ndarray:
    """Return a constant in the shape of a call's output."""
    value = operand.numbers
    n_outer = max(0, value.ndim - len(call.output_shape))
    return np.broadcast_to(value.reshape(value.shape[n_outer:]), call.output_shape)


def broadcast(call: LayerCall, i: int) -> np.ndarray | None:
    """Return which elements of an input are repeated to the shape of the output.

    Of shape (size of the output,); None if nothing is repeated.
    """
    shape = call.input_shapes[i]
    if shape == call.output_shape:
        return None
    index = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    return np.broadcast_to(index, call.output_shape).ravel()


def learned(call: LayerCall, options: Options) -> str | None:
    """Say if a constant changes in training, which its copy in a network would not."""
    if options.inference_only:
        return None
    args = keras.tree.flatten(arguments(call))
    variables = {id(v) for v in options.model.trainable_variables}
    if any(id(arg) in variables for arg in args):
        return (
            "expected constants, unless inference_only is True (got a weight of a "
            "layer, which training changes)"
        )
    return None


def elementwise(call: LayerCall, options: Options) -> str | None:
    """Say why a call does not treat each element of a signal for itself."""
    if call.outputs[0].dtype.startswith("complex"):
        return "expected real numbers (got complex ones)"
    n, rank = call.n_outer_axes, len(call.outputs[0].shape)
    outer = tuple(call.outputs[0].shape[:n])
    for operand in operands(call):
        shape = operand.numbers.shape if operand.is_constant else ()
        if set(shape[: max(0, len(shape) - rank + n)]) - {1}:
            return (
                "expected constants that are the same for all items and time steps "
                f"(got one of shape {shape})"
            )
    for tensor in call.inputs:
        # what all items share has length 1 in their place
        if len(tensor.shape) != rank or tuple(tensor.shape[:n]) not in (outer, (1,)):
            shapes = ", ".join(str(tuple(x.shape)) for x in call.inputs)
            return f"expected tensors with the same number of axes (got {shapes})"
    return learned(call, options)


def keeps_items(call: LayerCall, options: Options) -> str | None:
    """Say if an operator makes more or fewer items; layers are taken to keep them."""
    del options
    if not is_operator(call.layer):
        return None
    values = [
        keras.ops.ones([N_ITEMS, *(n or 1 for n in x.shape[1:])], x.dtype)
        for x in call.inputs
    ]
    try:
        outputs = keras.tree.flatten(call.replay(call.layer, values))
    except Exception:  # whatever TensorFlow raises for such values: nothing is known
        return None
    for y in outputs:
        if tuple(y.shape[:1]) != (N_ITEMS,):
            return (
                "expected an operator that keeps the items of a minibatch apart (got "
                f"an output of shape {tuple(y.shape)} for {N_ITEMS} items). Leave the "
                "first axis as it is"
            )
    return None
