"""From PyTorch's graph to that of ``exchange``.

What follows from constants is computed here, by PyTorch. Operators that change a tensor
in place become those that do not.
"""

import operator
from typing import Any

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.graph import (
    OTHER,
    Graph,
    Input,
    Node,
    NumberOfItems,
    Ref,
    Shape,
    needed,
)
from nengo_dl.torch.library import import_torch
from nengo_dl.torch.places import place_of
from nengo_dl.torch.weights import array_of, weights_of

# Tensors of a single number, whatever their size
FILLED = ("full", "new_full", "new_ones", "new_zeros", "ones", "zeros")
# Those that take no more than the shape from their argument
LIKE = {"full_like": None, "ones_like": 1, "zeros_like": 0}


def read(module: Any, program: Any, name: str) -> Graph:
    """Return the graph of an exported program, with the weights of its module."""
    return _Reader(module, program, name).graph()


class _Reader:
    """Reads one node after the other.

    It knows which values are constants, and which have been changed in place.
    """

    def __init__(self, module: Any, program: Any, name: str):
        self._torch = import_torch("nengo_dl.torch")
        self._program, self._name = program, name
        self._nodes = list(program.graph.nodes)
        self._weights, self._constants = weights_of(module, program)
        self._buffers = {
            ref: self._torch.from_numpy(weight.array.copy())
            for ref, weight in self._weights.items()
            if ref in program.graph_signature.inputs_to_buffers
        }
        self._changed: dict[str, str] = {}  # from names of values to present ones
        self._batch = self._symbol()

    def graph(self) -> Graph:
        """Read the whole program."""
        tensors = {node.name: node for node in self._nodes if node.op == "placeholder"}
        inputs = tuple(
            Input(name, *self._described(tensors[name].meta["val"]))
            for name in self._program.graph_signature.user_inputs
        )
        read = [self._read(n) for n in self._nodes if n.op == "call_function"]
        (output,) = (node for node in self._nodes if node.op == "output")
        names = tuple(map(self._output, output.args[0]))
        nodes = needed([node for node in read if node is not None], names)
        dtypes = {w.array.dtype.name for w in self._weights.values()}
        dtypes |= {given.dtype for given in inputs}
        dtype = "float64" if "float64" in dtypes else "float32"
        return Graph(self._name, inputs, nodes, names, self._weights, dtype)

    # --- shapes -------------------------------------------------------------------

    def _symbol(self) -> Any:
        """Return PyTorch's symbol for the number of items."""
        for node in self._nodes:
            if node.name in self._program.graph_signature.user_inputs:
                return node.meta["val"].shape[0].node.expr
        return None

    def _described(self, tensor: Any) -> tuple[Shape, str]:
        """Return the shape and the type of a tensor of PyTorch's."""
        shape = tuple(map(self._length, tensor.shape))
        return shape, str(tensor.dtype).removeprefix("torch.")

    def _length(self, n: Any) -> int | None:
        if isinstance(n, int):
            return n
        return None if n.node.expr == self._batch else OTHER

    # --- nodes --------------------------------------------------------------------

    def _read(self, node: Any) -> Node | None:
        """Return a node; None if its value is known, or is a number."""
        values = node.meta.get("val")
        numbers = (self._torch.SymInt, self._torch.SymFloat, self._torch.SymBool)
        if node.target is operator.getitem or isinstance(values, numbers):
            return None
        if self._folded(node):
            return None
        several = isinstance(values, tuple | list)
        parts = values if several else (values,)
        described = [(None, None) if x is None else self._described(x) for x in parts]
        name = str(node.target)
        arguments = tuple(map(self._argument, node.args))
        keywords = {key: self._argument(value) for key, value in node.kwargs.items()}
        if changes_in_place(node):
            name = name.replace("_.", ".")
            self._changed[self._current(node.args[0])] = node.name
        path, layer_name = place_of(node)
        return Node(
            name,
            layer_name,
            path,
            arguments,
            keywords,
            tuple(f"{node.name}:{i}" for i in range(len(parts)))
            if several
            else (node.name,),
            tuple(shape for shape, _ in described),
            tuple(dtype for _, dtype in described),
        )

    def _output(self, node: Any) -> str:
        """Return the name of an output."""
        if not isinstance(node, self._torch.fx.Node) or self._is_number(node):
            raise InvalidValue(
                f"expected outputs that are tensors (got {node}). Return tensors alone"
            )
        return self._current(node)

    def _current(self, node: Any) -> str:
        """Return the name of a node's value, as it is now."""
        if node.target is operator.getitem:
            source, i = node.args
            name = f"{source.name}:{i}"
        else:
            name = node.name
        while name in self._changed:
            name = self._changed[name]
        return name

    def _argument(self, argument: Any) -> Any:
        torch = self._torch
        if isinstance(argument, torch.fx.Node):
            if self._is_number(argument):
                return NumberOfItems()
            name = self._current(argument)
            constant = self._constants.get(name)
            return Ref(name) if constant is None else array_of(constant)
        if isinstance(argument, tuple | list):
            return tuple(map(self._argument, argument))
        if isinstance(argument, torch.dtype):
            return str(argument).removeprefix("torch.")
        return argument

    def _is_number(self, node: Any) -> bool:
        value = node.meta.get("val")
        torch = self._torch
        return isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool)

    # --- constants ----------------------------------------------------------------

    def _folded(self, node: Any) -> bool:
        """Compute a node that depends on constants alone; return whether it does."""
        base = base_name(node)
        if base in LIKE or base in FILLED:
            return self._filled(node, base)
        torch = self._torch
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            return False
        tensors = [n for n in node.all_input_nodes if n.op != "get_attr"]
        known = {**self._buffers, **self._constants}
        names = [self._current(n) for n in tensors]
        if not all(name in known for name in names) or changes_in_place(node):
            return False
        by_node = dict(zip(tensors, (known[name] for name in names), strict=True))
        args, kwargs = torch.fx.map_arg((node.args, node.kwargs), by_node.__getitem__)
        self._keep(node, node.target(*args, **kwargs))
        return True

    def _filled(self, node: Any, base: str) -> bool:
        """Return whether a tensor has the same number everywhere, and keep it."""
        number = LIKE.get(base, 0 if "zeros" in base else 1)
        if "full" in base:
            number = node.args[2 if base == "new_full" else 1]
        value = node.meta["val"]
        shape = [1 if n is None else n for n in map(self._length, value.shape)]
        if not isinstance(number, int | float | bool) or OTHER in shape:
            return False
        self._keep(node, self._torch.full(shape, number, dtype=value.dtype))
        return True

    def _keep(self, node: Any, value: Any) -> None:
        if isinstance(value, tuple | list):
            parts = {f"{node.name}:{i}": part for i, part in enumerate(value)}
            self._constants.update(parts)
        else:
            self._constants[node.name] = value


def base_name(node: Any) -> str:
    """Return the name of an operator without its library and overload."""
    return str(node.target).removeprefix("aten.").split(".")[0]


def changes_in_place(node: Any) -> bool:
    """Whether an operator changes one of its arguments."""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and any(
        argument.alias_info is not None and argument.alias_info.is_write
        for argument in schema.arguments
    )
