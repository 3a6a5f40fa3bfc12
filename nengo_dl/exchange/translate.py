"""From a graph to a Keras model, or to the reasons why there is none."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.bindings import Binding
from nengo_dl.exchange.emitter import Emitter, layer_name
from nengo_dl.exchange.graph import OTHER, Graph, Node, Ref, Shape
from nengo_dl.exchange.model import TranslatedModel
from nengo_dl.exchange.registry import OPERATORS
from nengo_dl.exchange.values import Value, plain_value

MAX_SHOWN = 4  # places that an error names for each operator


@dataclass(frozen=True)
class OperatorUse:
    """A call of an operator, and whether it can be translated.

    Parameters
    ----------
    path : str
        The module or node that it is in.
    operator : str
        Its name.
    reason : str or None
        Why it cannot be translated; None if it can.
    """

    path: str
    operator: str
    reason: str | None = None

    @property
    def is_supported(self) -> bool:
        """Whether it can be translated."""
        return self.reason is None


@dataclass(frozen=True)
class Coverage:
    """Which operators of a model can be translated.

    Parameters
    ----------
    uses : tuple of `OperatorUse`
        One for each call, in their order. Calls that take what cannot be translated,
        and whose shapes are not known, are left out.
    """

    uses: tuple[OperatorUse, ...]

    @property
    def is_complete(self) -> bool:
        """Whether all can be translated."""
        return all(use.is_supported for use in self.uses)

    @property
    def missing(self) -> tuple[OperatorUse, ...]:
        """Those that cannot be translated."""
        return tuple(use for use in self.uses if not use.is_supported)

    def __iter__(self) -> Iterator[OperatorUse]:
        return iter(self.uses)

    def __len__(self) -> int:
        return len(self.uses)

    def __str__(self) -> str:
        rows = [("module", "operator", "supported"), *map(_row, self.uses)]
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        return "\n".join(
            f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows
        )


def _row(use: OperatorUse) -> tuple[str, str, str]:
    return (
        use.path,
        use.operator,
        "yes" if use.reason is None else f"no: {use.reason}",
    )


def coverage(graph: Graph) -> Coverage:
    """Return which operators of a graph can be translated."""
    return attempt(graph)[1]


def translate(graph: Graph, where: str) -> TranslatedModel:
    """Return a graph as a Keras model.

    Parameters
    ----------
    graph : `Graph`
        Of a reader.
    where : str
        The public function, for messages.

    Raises
    ------
    TypeError
        If some operators cannot be translated; names all of them.
    """
    model, covered = attempt(graph)
    if model is None:
        raise TypeError(refusal(where, covered))
    return model


def refusal(where: str, covered: Coverage) -> str:
    """Return the message that names all operators which cannot be translated."""
    return (
        f"{where}: expected operators that can be translated (got "
        f"{_missing(covered.missing)}). See the table of supported operators, or "
        "call the part that has them as it is."
    )


def _missing(uses: Iterable[OperatorUse]) -> str:
    """List operators that cannot be translated, with counts, places and reasons."""
    uses = tuple(uses)
    counts = Counter((use.operator, use.reason) for use in uses)
    told = []
    for (operator, reason), n in counts.items():
        key = (operator, reason)
        places = [u.path for u in uses if (u.operator, u.reason) == key and u.path]
        places = list(dict.fromkeys(places))
        more = ", ..." if len(places) > MAX_SHOWN else ""
        at = f" in {', '.join(places[:MAX_SHOWN])}{more}" if places else ""
        times = f"{n} times " if n > 1 else ""
        told.append(f"{operator} {times}{at.strip()}: {reason}".replace(" :", ":"))
    return "; ".join(told)


def attempt(graph: Graph) -> tuple[TranslatedModel | None, Coverage]:
    """Return a graph as a Keras model, if it can be one, and why not otherwise."""
    inputs = [
        keras.Input(
            batch_shape=given.shape, name=layer_name(given.name), dtype=given.dtype
        )
        for given in graph.inputs
    ]
    emit = Emitter(graph, inputs)
    uses = [use for node in graph.nodes for use in _emit(emit, node)]
    outputs = [_output(emit, name) for name in graph.outputs]
    uses += [out for out in outputs if isinstance(out, OperatorUse)]
    covered = Coverage(tuple(uses))
    if not covered.is_complete:
        return None, covered
    model = TranslatedModel(_alone(inputs), _alone(outputs), name=graph.name)
    bindings = [each for found in emit.bindings for each in _aliased(found, graph)]
    bound = {binding.weight for binding in bindings}
    model.bind(bindings, {n: a for n, a in _arrays(graph) if n not in bound})
    return model, covered


def _alone(tensors: list[Any]) -> Any:
    """Return the only tensor, or the list of several."""
    return tensors[0] if len(tensors) == 1 else tensors


def _aliased(binding: Binding, graph: Graph) -> Iterator[Binding]:
    """Yield a binding for each name of its weight."""
    names = (w.aliases for w in graph.weights.values() if w.name == binding.weight)
    for name in (binding.weight, *next(names, ())):
        yield replace(binding, weight=name)


def _arrays(graph: Graph) -> Iterator[tuple[str, np.ndarray]]:
    for weight in graph.weights.values():
        for name in (weight.name, *weight.aliases):
            yield name, weight.array


def _emit(emit: Emitter, node: Node) -> Iterator[OperatorUse]:
    """Make the layers of a node; yield whether that was possible."""
    known = (name in emit.values or name in emit.graph.weights for name in node.refs)
    if not all(known):
        return
    emit.node = node
    operator, reason = OPERATORS.get(node.operator), node.problem
    if reason is not None:
        pass
    elif operator is None:
        reason = "no function translates it"
    else:
        try:
            _call(emit, node, operator.convert)
        except InvalidValue as error:
            reason = str(error).rstrip(".")
        except (ValueError, TypeError, LookupError, NotImplementedError) as error:
            reason = f"expected what Keras supports (got {_first_line(error)})"
    if reason is not None:
        emit.values.update(_stand_ins(node))
    yield OperatorUse(node.path, node.operator, reason)


def _call(emit: Emitter, node: Node, convert: Callable[..., Any]) -> None:
    arguments = [emit.resolved(argument) for argument in node.arguments]
    keywords = {key: emit.resolved(value) for key, value in node.keywords.items()}
    try:
        inspect.signature(convert).bind(emit, *arguments, **keywords)
    except TypeError as error:
        raise InvalidValue(f"expected arguments that are known (got {error})") from None
    found = convert(emit, *arguments, **keywords)
    results = found if isinstance(found, tuple | list) else (found,)
    results = tuple(results)[: len(node.outputs)]
    known = (*node.shapes, *(None,) * len(node.outputs))
    for name, result, shape in zip(node.outputs, results, known, strict=False):
        if shape is not None and isinstance(result, Value) and result.shape != shape:
            raise InvalidValue(
                f"expected an output of shape {shape} (got {result.shape}). Report it, "
                "as this is a mistake of the translation"
            )
        emit.values[name] = result


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__


def _stand_ins(node: Node) -> Iterator[tuple[str, Value]]:
    """Yield inputs in place of what could not be computed, so that others can be."""
    dtypes = (*node.dtypes, *("float32",) * len(node.outputs))
    for name, shape, dtype in zip(node.outputs, node.shapes, dtypes, strict=False):
        if shape is not None and OTHER not in shape and None not in shape[1:]:
            yield name, _stand_in(shape, dtype or "float32")


def _stand_in(shape: Shape, dtype: str) -> Value:
    if shape[:1] == (None,):
        return plain_value(keras.Input(shape[1:], dtype=dtype))
    return plain_value(keras.Input(batch_shape=(1, *shape), dtype=dtype), None)


def _output(emit: Emitter, name: str) -> keras.KerasTensor | OperatorUse | None:
    """Return an output of the model, or why there is none."""
    emit.node = Node("output", name, name, ())
    try:
        value = emit.value(emit.resolved(Ref(name)))
        if value.batch is None and not any(x.has_items for x in emit.graph.inputs):
            return keras.ops.squeeze(emit.plain(value), 0)
        if value.batch != 0:
            raise InvalidValue(
                "expected the minibatch as the first axis of an output (got one "
                "elsewhere, or none). Return what depends on each item"
            )
    except InvalidValue as error:
        return OperatorUse(name, "output", str(error))
    except KeyError:
        return None  # it comes after what cannot be translated
    tensor = emit.plain(value)
    given = [emit.value(emit.values[x.name]) for x in emit.graph.inputs]
    if any(tensor is x.tensor for x in given):
        return emit.layer(keras.layers.Identity, tensor)
    return tensor
