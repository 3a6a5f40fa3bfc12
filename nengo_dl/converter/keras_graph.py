"""The calls that make up a Keras model, in the order in which they run.

The only file that touches Keras' graph: ``Sequential._functional`` is the graph of a
sequential model, ``Function._nodes_by_depth`` are the nodes of a graph,
``_keras_history`` is where a tensor comes from, ``_inbound_nodes`` are the calls of an
operation, and ``_keras_mask`` is the mask of a tensor. None has a public equivalent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import keras


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of a layer. A shared layer has several.

    Parameters
    ----------
    layer : keras.Layer
        What is called (or an operation of ``keras.ops``).
    inputs, outputs : tuple of KerasTensor
        What goes in, and what comes out.
    n_outer_axes : int
        How many leading axes of the tensors are no part of a signal: 1 for the
        minibatch, 2 if there is a time axis after it.
    replay : callable
        ``replay(layer, values, training)`` calls another layer as this one was called,
        with values in the place of `inputs`.
    is_wrapped : bool
        Whether the layer is inside of one that hides the time axis from it.
    has_mask : bool
        Whether one of the inputs is a mask, which says what of another one counts.
    outer_axes : tuple of int
        What ``n_outer_axes`` is for each output; empty for the same as for the inputs.
        What is known after the last time step has no axis of time.
    by_step : bool
        Whether what is made of the call does one time step of it at a time.
    """

    layer: keras.Layer
    inputs: tuple[keras.KerasTensor, ...]
    outputs: tuple[keras.KerasTensor, ...]
    n_outer_axes: int
    replay: Callable[..., Any]
    is_wrapped: bool = False
    has_mask: bool = False
    outer_axes: tuple[int, ...] = ()
    by_step: bool = False

    def signal_axes(self, axis: int | Sequence[int] | None) -> tuple[int, ...]:
        """Return axes of the layer's tensors as axes of signals.

        Parameters
        ----------
        axis : int or sequence of int or None
            As the layer counts: from 0, the minibatch, or from behind; None for all.

        Returns
        -------
        axes : tuple of int
            Counted without the minibatch and the time; negative for these.
        """
        n_outer_axes = 1 if self.is_wrapped else self.n_outer_axes
        rank = len(self.input_shape) + n_outer_axes
        if axis is None:
            axis = range(rank)
        axes = axis if isinstance(axis, Sequence) else (axis,)
        return tuple(int(a) % rank - n_outer_axes for a in axes)

    @property
    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the inputs, without the minibatch and the time."""
        return tuple(tuple(x.shape[self.n_outer_axes :]) for x in self.inputs)

    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the outputs, without the minibatch and the time."""
        outer = self.outer_axes or (self.n_outer_axes,) * len(self.outputs)
        return tuple(
            tuple(x.shape[n:]) for x, n in zip(self.outputs, outer, strict=True)
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the first input."""
        return self.input_shapes[0]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the first output."""
        return self.output_shapes[0]


def is_graph(layer: Any) -> bool:
    """Whether a layer is a functional or sequential model, with a graph inside."""
    if isinstance(layer, keras.Sequential):
        return layer._functional is not None
    return isinstance(layer, keras.Model) and hasattr(layer, "_nodes_by_depth")


def calls(model: keras.Model, n_outer_axes: int = 1) -> tuple[LayerCall, ...]:
    """List the calls in a model, each after those whose outputs it takes.

    Those of input layers are left out. A nested model is one call.
    """
    graph = model._functional if isinstance(model, keras.Sequential) else model
    known = set(map(id, graph.inputs))
    found = []
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if node.is_input:
                continue
            masks = _implicit_masks(node)
            for mask in masks.values():
                found += [_call(n, {}, n_outer_axes) for n in _leading_to(mask, known)]
            if not known.issuperset(map(id, node.outputs)):
                found.append(_call(node, masks, n_outer_axes))
                known.update(map(id, node.outputs))
    return tuple(found)


def _call(node: Any, masks: dict[int, Any], n_outer_axes: int) -> LayerCall:
    """Describe a node; ``masks`` has those of some of its inputs, by their numbers."""
    return LayerCall(
        node.operation,
        (*node.input_tensors, *masks.values()),
        tuple(node.outputs),
        n_outer_axes,
        _replay(node, tuple(masks)),
        has_mask=bool(masks) or _has_explicit_mask(node),
    )


def _replay(node: Any, masked: tuple[int, ...]) -> Callable[..., Any]:
    n_inputs = len(node.input_tensors)

    def replay(layer: Any, values: Sequence[Any], training: bool | None = None) -> Any:
        values, masks = list(values[:n_inputs]), values[n_inputs:]
        for i, mask in zip(masked, masks, strict=True):
            values[i] = keras.ops.copy(values[i])
            values[i]._keras_mask = mask
        tensors = (id(tensor) for tensor in node.input_tensors)
        args, kwargs = node.arguments.fill_in(dict(zip(tensors, values, strict=True)))
        if training is not None and isinstance(layer, keras.Layer):
            kwargs["training"] = training  # whatever was recorded, as in ``predict``
        return layer(*args, **kwargs)

    return replay


def mask_of(tensor: Any) -> Any:
    """Return the mask that a tensor carries, or None."""
    return getattr(tensor, "_keras_mask", None)


def _implicit_masks(node: Any) -> dict[int, Any]:
    """Return masks that a layer gets from its inputs, and not as an argument.

    Keras writes the masks of some calls into its graph; those of others, e.g. of lists
    of tensors, come along with the tensors.
    """
    layer = node.operation
    if not isinstance(layer, keras.Layer) or _has_explicit_mask(node):
        return {}
    if not any(name.endswith("mask") for name in signature(layer.call).parameters):
        return {}
    masks = {i: mask_of(tensor) for i, tensor in enumerate(node.input_tensors)}
    return {i: mask for i, mask in masks.items() if mask is not None}


def _has_explicit_mask(node: Any) -> bool:
    masks = {k: v for k, v in node.arguments.kwargs.items() if k.endswith("mask")}
    return any(isinstance(x, keras.KerasTensor) for x in keras.tree.flatten(masks))


def _leading_to(tensor: keras.KerasTensor, known: set[int]) -> list[Any]:
    """List nodes that compute a tensor from known ones, which it is from then on."""
    if id(tensor) in known:
        return []
    history = tensor._keras_history
    node = history.operation._inbound_nodes[history.node_index]
    nodes = [n for x in node.input_tensors for n in _leading_to(x, known)]
    known.update(map(id, node.outputs))
    return [*nodes, node]


def source(tensor: keras.KerasTensor) -> Any:
    """Return the layer (or operation) that puts out a tensor."""
    return tensor._keras_history.operation
