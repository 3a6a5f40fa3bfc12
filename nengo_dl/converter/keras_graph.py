"""The calls that make up a Keras model, in the order in which they run.

The only file that touches Keras' graph: ``Sequential._functional`` is the graph of a
sequential model, ``Function._nodes_by_depth`` are the nodes of a graph. Neither has a
public equivalent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    """

    layer: keras.Layer
    inputs: tuple[keras.KerasTensor, ...]
    outputs: tuple[keras.KerasTensor, ...]
    n_outer_axes: int
    replay: Callable[..., Any]
    is_wrapped: bool = False

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
        return tuple(tuple(x.shape[self.n_outer_axes :]) for x in self.outputs)

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

    Parameters
    ----------
    model : keras.Model
        A functional or sequential model, for which `is_graph` is True.
    n_outer_axes : int
        See `LayerCall`.

    Returns
    -------
    calls : tuple of `LayerCall`
        Without those of input layers. A nested model is one call.
    """
    graph = model._functional if isinstance(model, keras.Sequential) else model
    nodes = graph._nodes_by_depth
    return tuple(
        LayerCall(
            node.operation,
            tuple(node.input_tensors),
            tuple(node.outputs),
            n_outer_axes,
            _replay(node),
        )
        for depth in sorted(nodes, reverse=True)
        for node in nodes[depth]
        if not node.is_input
    )


def _replay(node: Any) -> Callable[..., Any]:
    def replay(layer: Any, values: Sequence[Any], training: bool | None = None) -> Any:
        tensors = (id(tensor) for tensor in node.input_tensors)
        args, kwargs = node.arguments.fill_in(dict(zip(tensors, values, strict=True)))
        if training is not None and isinstance(layer, keras.Layer):
            kwargs["training"] = training  # whatever was recorded, as in ``predict``
        return layer(*args, **kwargs)

    return replay
