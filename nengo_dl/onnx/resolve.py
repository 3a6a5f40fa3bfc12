"""From an ONNX graph to one that can be translated: constants folded, shapes known.

Shapes are tensors in ONNX, and nodes compute with them. Here, all that follows from
shapes and constants is computed, nodes of old versions take their newest form, and what
does nothing is left out. What remains computes with the inputs of the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange import graph as exchange
from nengo_dl.exchange.emitter import layer_name
from nengo_dl.exchange.graph import Ref, Weight
from nengo_dl.onnx.axes import axes_of
from nengo_dl.onnx.dims import Length, NotKnown, is_items, is_known, lengths
from nengo_dl.onnx.folding import can_fold, fold, part_of_shape
from nengo_dl.onnx.fuse import fused
from nengo_dl.onnx.graph import NUMBERS, Graph, Node
from nengo_dl.onnx.reshapes import flattened, reshaped, size_of, squeezed
from nengo_dl.onnx.shapes import Computed, Shape, infer
from nengo_dl.onnx.versions import broadcast_axis, modern

ARITHMETIC = ("Add", "Div", "Mul", "Sub")
# Which inputs of operators are weights, if they are constant floats; of arithmetic,
# those with more than one element
WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gather": (0,),
    "Gemm": (1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "MatMul": (0, 1),
    "PRelu": (1,),
    **dict.fromkeys(ARITHMETIC, (0, 1)),
}
# Which of them no gradient changes
BUFFERS: Mapping[str, tuple[int, ...]] = {"BatchNormalization": (3, 4)}


@dataclass
class Resolver:
    """A walk through a graph, and all that it has found out so far.

    Parameters
    ----------
    n_items : int or None
        Size of minibatches that the file was written for, which shapes in it may have.
    known : dict
        By the names of values: arrays, or `Computed`.
    nodes : list of `nengo_dl.exchange.graph.Node`
        Those that compute with the inputs.
    weights : dict of str to `Weight`
        By the names of values.
    """

    n_items: int | None
    known: dict[str, Any]
    nodes: list[exchange.Node] = field(default_factory=list)
    weights: dict[str, Weight] = field(default_factory=dict)

    def run(self, graph: Graph) -> None:
        """Go through the nodes of a graph, or of a branch of one."""
        self.known.update(graph.constants)
        for node in graph.nodes:
            arguments = [self.known[name] if name else None for name in node.inputs]
            try:
                results = self._results(*modern(node, arguments))
            except (InvalidValue, NotKnown) as error:
                results = self._problem(node, arguments, error)
            self.known.update(zip(node.outputs, results, strict=False))

    def _results(self, node: Node, arguments: tuple[Any, ...]) -> Sequence[Any]:
        """Return arrays or `Computed` for the outputs of a node."""
        rule = RULES.get(node.operator)
        if can_fold(node, arguments):
            return fold(node, arguments)
        if rule is not None:
            return rule(self, node, arguments)
        return self.add(node, arguments)

    def add(
        self,
        node: Node,
        arguments: Sequence[Any],
        outputs: Sequence[Computed] | None = None,
    ) -> Sequence[Computed]:
        """Add a node that computes, and return its outputs."""
        outputs = infer(node, arguments) if outputs is None else outputs
        made = exchange.Node(
            operator=f"onnx.{node.operator}",
            name=node.name.strip("/"),
            path=node.name,
            arguments=tuple(
                self._argument(node, i, x) for i, x in enumerate(arguments)
            ),
            keywords=node.attributes,
            outputs=node.outputs,
            shapes=tuple(_known_shape(out.shape) for out in outputs),
            dtypes=tuple(map(_dtype, outputs)),
        )
        self.nodes.append(made)
        return outputs

    def _argument(self, node: Node, i: int, x: Any) -> Any:
        """Return an argument as nodes have it: a name, a constant, or None."""
        if isinstance(x, Computed):
            return Ref(x.name)
        if not isinstance(x, np.ndarray):
            return x
        if not is_known(x):
            return tuple(_length(n) for n in x.ravel())
        is_weight = i in WEIGHTS.get(node.operator, ()) and x.dtype.kind == "f"
        if is_weight and (x.size > 1 or node.operator not in ARITHMETIC):
            name = node.inputs[i]
            is_trained = i not in BUFFERS.get(node.operator, ())
            self.weights.setdefault(name, Weight(name, x, is_trained))
            return Ref(name)
        return x

    def output(self, name: str) -> str:
        """Return the name of the value that is an output."""
        found = self.known[name]
        if isinstance(found, Computed):
            return found.name
        node = Node("Constant", name, (), (name,), {}, 0)
        self._problem(node, (), InvalidValue("expected outputs that are computed"))
        return name

    def _problem(
        self, node: Node, arguments: Sequence[Any], error: Exception
    ) -> Sequence[Computed]:
        """Add a node that cannot be translated, and return what is known of it."""
        reason = str(error)
        if isinstance(error, NotKnown):
            reason = f"expected a result for all sizes of the minibatch (got {error})"
        outputs = [Computed(name, None, None) for name in node.outputs]
        made = exchange.Node(
            operator=f"onnx.{node.operator}",
            name=node.name,
            path=node.name,
            arguments=tuple(Ref(x.name) for x in arguments if isinstance(x, Computed)),
            outputs=node.outputs,
            shapes=(None,) * len(outputs),
            problem=reason,
        )
        self.nodes.append(made)
        return outputs


def resolved(
    graph: Graph, shapes: Sequence[Sequence[Any]], has_items: bool
) -> exchange.Graph:
    """Return a graph that can be translated, with or without a minibatch.

    Parameters
    ----------
    graph : `Graph`
        As it is in the file.
    shapes : sequence of tuple
        Of the inputs.
    has_items : bool
        Whether the first axis is a minibatch of any size.
    """
    for each in graph.inputs:
        if each.dtype.name not in NUMBERS:
            raise InvalidValue(
                f"expected inputs of numbers (got {each.dtype.name} for {each.name!r})"
            )
    first = shapes[0][0] if has_items else None
    resolver = Resolver(first if isinstance(first, int) else None, {})
    inputs = []
    for each, shape in zip(graph.inputs, shapes, strict=True):
        own = (Length(), *shape[1:]) if has_items else tuple(shape)
        resolver.known[each.name] = Computed(each.name, own, each.dtype)
        shown = (None, *shape[1:]) if has_items else tuple(shape)
        inputs.append(exchange.Input(each.name, shown, each.dtype.name, has_items))
    resolver.run(graph)
    outputs = tuple(resolver.output(name) for name in graph.outputs)
    needed = exchange.needed(resolver.nodes, outputs)
    nodes, weights = fused(needed, resolver.weights, outputs)
    return exchange.Graph(
        name=layer_name(graph.name),
        inputs=tuple(inputs),
        nodes=nodes,
        outputs=outputs,
        weights=weights,
        dtype=_precision(graph),
    )


def _precision(graph: Graph) -> str:
    """Return the type of the first input of floats."""
    floats = (each.dtype.name for each in graph.inputs)
    return next((name for name in floats if "float" in name), "float32")


def _dtype(out: Computed) -> str | None:
    """Return the type of a value, if it is one of numbers that are computed with."""
    name = None if out.dtype is None else out.dtype.name
    return name if name in NUMBERS else None


def _known_shape(shape: Shape | None) -> exchange.Shape | None:
    """Return a shape with None for the minibatch; None if it has no such form."""
    if shape is None or any(isinstance(n, Length) and not is_items(n) for n in shape):
        return None
    return tuple(None if isinstance(n, Length) else n for n in shape)


def _length(n: Any) -> int | None:
    if not isinstance(n, Length):
        return int(n)
    if not is_items(n):
        raise NotKnown(f"the length {n} for n items")
    return None


def _shape_of(x: Computed) -> Shape:
    if x.shape is None:
        raise InvalidValue("expected an input whose shape is known")
    return x.shape


# --- operators about shapes -------------------------------------------------------


def _identity(resolver: Resolver, node: Node, arguments) -> Sequence[Any]:
    return arguments[:1]


def _shape(resolver: Resolver, node: Node, arguments) -> Sequence[Any]:
    shape = _shape_of(arguments[0])
    found = lengths(shape)
    return [part_of_shape(node, found)]


def _size(resolver: Resolver, node: Node, arguments) -> Sequence[Any]:
    return [np.array(size_of(_shape_of(arguments[0])))]


def _reshape(resolver: Resolver, node: Node, arguments) -> Sequence[Any]:
    x, target = arguments
    if not isinstance(target, np.ndarray):
        raise InvalidValue("expected a shape that is constant (got a computed one)")
    keeps_zeros = bool(node.get("allowzero"))
    if not isinstance(x, Computed):
        raise NotKnown("a constant as large as the minibatch")
    shape = reshaped(_shape_of(x), target, keeps_zeros, resolver.n_items)
    return _to_shape(resolver, node, x, shape)


def _flatten(resolver: Resolver, node: Node, arguments) -> Sequence[Any]:
    (x,) = arguments
    shape = flattened(_shape_of(x), node.get("axis", 1))
    return _to_shape(resolver, replace(node, operator="Reshape"), x, shape)


def _to_shape(resolver: Resolver, node: Node, x: Computed, shape: Shape):
    target = tuple(_length(n) for n in shape)
    out = Computed(node.outputs[0], shape, x.dtype)
    return resolver.add(replace(node, attributes={}), [x, target], [out])


def _squeeze(resolver: Resolver, node: Node, arguments) -> Sequence[Any]:
    x, *rest = arguments
    shape = _shape_of(x)
    if any(isinstance(each, Computed) for each in rest):
        raise InvalidValue("expected axes that are constant (got computed ones)")
    axes = axes_of(rest[0], len(shape)) if rest and rest[0] is not None else None
    if axes is None:
        axes = squeezed(shape, resolver.n_items)
    if any(isinstance(shape[axis], Length) or shape[axis] != 1 for axis in axes):
        raise InvalidValue(f"expected axes of length 1 (got {axes} of {shape})")
    kept = tuple(n for i, n in enumerate(shape) if i not in axes)
    out = Computed(node.outputs[0], kept, x.dtype)
    return resolver.add(node, [x, np.array(axes, np.int64)], [out])


def _branch(resolver: Resolver, node: Node, arguments) -> Sequence[Any]:
    (condition,) = arguments
    if not isinstance(condition, np.ndarray):
        raise InvalidValue("expected a condition that is constant (got a computed one)")
    graph = node.get("then_branch" if condition.item() else "else_branch")
    resolver.run(graph)
    return [resolver.known[name] for name in graph.outputs]


def _expand(resolver: Resolver, node: Node, arguments) -> Sequence[Any]:
    x, shape = arguments
    (out,) = infer(node, arguments)
    if isinstance(x, Computed) and out.shape is not None and out.shape == x.shape:
        return [x]
    return resolver.add(node, arguments, [out])


def _resize(resolver: Resolver, node: Node, arguments) -> Sequence[Any]:
    """Let new lengths that begin with the minibatch of the file have any minibatch."""
    x, *_, sizes = arguments
    is_sizes = len(arguments) == 4 and isinstance(sizes, np.ndarray)
    if is_sizes and node.get("axes") is None and is_items(_shape_of(x)[0]):
        if not isinstance(sizes[0], Length) and sizes[0] == resolver.n_items:
            sizes = lengths([Length(), *sizes[1:].tolist()])
    return resolver.add(node, [*arguments[:-1], sizes])


def _arithmetic(resolver: Resolver, node: Node, arguments) -> Sequence[Any]:
    """Give the second operand its axes, which files before version 7 name."""
    node, axis = broadcast_axis(node)
    a, b = arguments
    if axis is None:
        return resolver.add(node, arguments)
    rank, n_axes = len(_shape_of(a)), len(b.shape)
    start = axis + rank * (axis < 0) + n_axes
    axes = np.arange(n_axes, n_axes + rank - start)
    if isinstance(b, np.ndarray):
        b = b.reshape(b.shape + (1,) * len(axes))
    elif len(axes):
        added = Node("Unsqueeze", f"{node.name}_axes", (), (f"{b.name}, axes",), {}, 13)
        (b,) = resolver.add(added, [b, axes])
    return resolver.add(node, [a, b])


RULES = {
    "Expand": _expand,
    "Flatten": _flatten,
    "Identity": _identity,
    "If": _branch,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Size": _size,
    "Squeeze": _squeeze,
    **dict.fromkeys((*ARITHMETIC, "Pow", "And", "Or", "Xor"), _arithmetic),
    **dict.fromkeys(("Equal", "Greater", "Less"), _arithmetic),
}
