"""Signals of a network as nodes of a graph, which are made when they are needed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.nir.export.layouts import ArrayLayout, flat, of_channels
from nengo_dl.nir.export.links import Map, Matrix, Scaling, Windowed
from nengo_dl.nir.kinds import MAX_SIZE
from nengo_dl.nir.tree import nir_package

POOLINGS = ("average", "sum")


def affine(weight: np.ndarray) -> Any:
    """Return a node of weights, in the form that most frameworks read."""
    return nir_package().Affine(weight=weight, bias=np.zeros(len(weight)))


@dataclass(frozen=True, eq=False)
class Term:
    """The output of a node, times factors."""

    node: str
    layout: ArrayLayout
    factor: np.ndarray  # of shape () or (size,), in Nengo's order


@dataclass(frozen=True, eq=False)
class Sum:
    """A signal of a network: terms, and constants of shape (size,)."""

    terms: tuple[Term, ...]
    constant: np.ndarray

    def plus(self, other: "Sum") -> "Sum":
        """Add another signal."""
        return Sum(self.terms + other.terms, self.constant + other.constant)


@dataclass(frozen=True, eq=False)
class Draft:
    """A graph that is being written."""

    pooling: str
    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def name(self, wanted: str) -> str:
        """Return a name that no node has, as near to a wanted one as it can be."""
        wanted = "".join("_" if c in "/." else c for c in wanted)
        name, n = wanted, 0
        while name in self.nodes:
            n += 1
            name = f"{wanted}_{n}"
        self.nodes[name] = None  # until the node itself is known
        return name

    def add(self, wanted: str, node: Any, before: tuple[str, ...] = ()) -> str:
        """Add a node, with edges to it, and return its name."""
        name = self.name(wanted)
        self.nodes[name] = node
        self.edges.extend((start, name) for start in before)
        return name

    # --- maps ---------------------------------------------------------------------

    def through(self, signal: Sum, link: Map, size: int, label: str) -> Sum:
        """Return what a map makes of a signal; ``size`` is that of the result."""
        return WAYS[type(link)](self, signal, link, size, label)

    def _scaled(self, signal: Sum, link: Scaling, size: int, label: str) -> Sum:
        del label
        terms = [replace(t, factor=t.factor * link.factor) for t in signal.terms]
        constant = np.broadcast_to(signal.constant * link.factor, size)
        return Sum(tuple(terms), constant)

    def _weighted(self, signal: Sum, link: Matrix, size: int, label: str) -> Sum:
        terms = []
        for same in _alike(signal.terms):
            factor, order = same[0].factor, same[0].layout.order
            weight = (link.weights * factor)[:, order]
            before = tuple(self._flattened(term) for term in same)
            name = self.add(label, affine(weight), before)
            terms.append(Term(name, flat(size), np.ones(())))
        return Sum(tuple(terms), link.weights @ signal.constant)

    def _windowed(self, signal: Sum, link: Windowed, size: int, label: str) -> Sum:
        layout, result = of_channels(link.shape_in), of_channels(link.shape_out)
        if not all(term.layout.equals(layout) for term in signal.terms):
            return self._weighted(signal, _full(link), size, label)
        terms = []
        for same in _alike(signal.terms):
            # per channel, or not at all
            factor = np.broadcast_to(same[0].factor, len(layout.order))[layout.order]
            by_channel = factor.reshape(layout.shape[0], -1)
            if np.any(by_channel != by_channel[:, :1]):
                before, by_channel = (
                    [self.aligned(t, layout) for t in same],
                    np.ones((1, 1)),
                )
            else:
                plain = [replace(t, factor=np.ones(())) for t in same]
                before = [self.aligned(t, layout) for t in plain]
            made = self._window_node(link, layout, by_channel[:, 0])
            name = self.add(label, made[0], tuple(before))
            terms.append(Term(name, result, made[1][np.argsort(result.order)]))
        constant = np.zeros(size)
        if np.any(signal.constant):
            constant = _convolved(signal.constant, link)
        return Sum(tuple(terms), constant)

    def _window_node(self, link: Windowed, layout: ArrayLayout, factor: np.ndarray):
        """Return the node of a convolution or pooling, and factors on its output."""
        nir = nir_package()
        n_out, kernel = link.shape_out.size, link.kernel.shape[2:]
        if link.pooled is not None and len(kernel) == 2:
            n_taps = 1 if self.pooling == "sum" else int(np.prod(kernel))
            kind = nir.SumPool2d if self.pooling == "sum" else nir.AvgPool2d
            node = kind(*map(np.array, (kernel, link.stride, link.padding)))
            each = np.broadcast_to(factor * (link.pooled * n_taps), len(link.kernel))
            return node, np.repeat(each, n_out // len(link.kernel))
        n_in = link.kernel.shape[1]
        channels = np.broadcast_to(factor, n_in * link.groups).reshape(
            link.groups, n_in
        )
        of_filter = np.repeat(channels, len(link.kernel) // link.groups, axis=0)
        weight = link.kernel * of_filter.reshape(*of_filter.shape, *[1] * len(kernel))
        one = len(kernel) == 1
        arguments = {
            "weight": weight,
            "stride": link.stride[0] if one else link.stride,
            "padding": link.padding[0] if one else link.padding,
            "dilation": 1 if one else (1, 1),
            "groups": link.groups,
            "bias": np.zeros(len(weight)),
        }
        space: Any = layout.shape[1] if one else tuple(layout.shape[1:])
        # with groups, nir would count the channels of one for all
        kind = nir.Conv1d if one else nir.Conv2d
        node = kind(input_shape=None if link.groups > 1 else space, **arguments)
        return node, np.ones(n_out)

    # --- ends ---------------------------------------------------------------------

    def arrive(self, signal: Sum, name: str, layout: ArrayLayout) -> None:
        """Connect a signal to a node that has a layout, and keep its constants."""
        for term in signal.terms:
            self.edges.append((self.aligned(term, layout), name))
        if np.any(signal.constant):
            self.constants[name] = signal.constant[layout.order]

    def aligned(self, term: Term, layout: ArrayLayout) -> str:
        """Return the name of a node that puts out a term in a layout."""
        nir, factor = nir_package(), term.factor
        is_one = bool(np.all(factor == 1))
        if term.layout.equals(layout):
            if is_one:
                return term.node
            full = np.broadcast_to(factor, len(layout.order))[layout.order]
            node = nir.Scale(scale=full.reshape(layout.shape))
            return self.add(f"{term.node}_scale", node, (term.node,))
        if (
            is_one
            and np.array_equal(term.layout.order, layout.order)
            and len(layout.shape) == 1
        ):
            return self._flattened(term)
        size = len(layout.order)
        if len(layout.shape) > 1 or size * size > MAX_SIZE:
            raise InvalidValue(
                f"expected signals in the order of channels {layout.shape} (got "
                f"{term.layout.shape}, in another order)"
            )
        full = np.broadcast_to(factor, size)
        weight = (np.eye(size) * full)[np.ix_(layout.order, term.layout.order)]
        return self.add(f"{term.node}_order", affine(weight), (self._flattened(term),))

    def _flattened(self, term: Term) -> str:
        """Return the name of a node with a term as a vector, without factors."""
        shape = term.layout.shape
        if len(shape) == 1:
            return term.node
        name = f"{term.node}_flatten"
        if name in self.nodes:
            return name
        # counted from the end, all readers mean the same axes
        node = nir_package().Flatten(np.array(shape), -len(shape), -1)
        return self.add(name, node, (term.node,))


WAYS: dict[type, Callable[..., Sum]] = {
    Scaling: Draft._scaled,
    Matrix: Draft._weighted,
    Windowed: Draft._windowed,
}


def _alike(terms: tuple[Term, ...]) -> list[list[Term]]:
    """Return terms that one node can take in, together."""
    groups: list[list[Term]] = []
    for term in terms:
        for group in groups:
            if group[0].layout.equals(term.layout) and np.array_equal(
                group[0].factor, term.factor
            ):
                group.append(term)
                break
        else:
            groups.append([term])
    return groups


def _full(link: Windowed) -> Matrix:
    """Return the weights of a convolution from all elements to all."""
    n_in, n_out = link.shape_in.size, link.shape_out.size
    if n_in * n_out > MAX_SIZE // 8:
        raise InvalidValue(
            f"expected signals with channels {link.shape_in.shape} (got a vector, "
            "behind weights that are no convolution)"
        )
    return Matrix(np.stack([_convolved(unit, link) for unit in np.eye(n_in)], axis=1))


def _convolved(constant: np.ndarray, link: Windowed) -> np.ndarray:
    """Return what a convolution makes of constants, in Nengo's order."""
    layout, result = of_channels(link.shape_in), of_channels(link.shape_out)
    x = constant[layout.order].reshape(layout.shape)
    pads = [(0, 0), *((p, p) for p in link.padding)]
    x = np.pad(x, pads).reshape(link.groups, -1, *np.pad(x, pads).shape[1:])
    w = link.kernel.reshape(link.groups, -1, *link.kernel.shape[1:])
    y = np.zeros(result.shape)
    for tap in np.ndindex(*link.kernel.shape[2:]):
        steps = zip(tap, link.stride, result.shape[1:], strict=True)
        at = tuple(slice(t, t + s * (n - 1) + 1, s) for t, s, n in steps)
        here, weights = x[(slice(None),) * 2 + at], w[(Ellipsis,) + tap]
        y += np.einsum("gi...,goi->go...", here, weights).reshape(y.shape)
    found = np.empty(y.size)
    found[result.order] = y.ravel()
    return found
