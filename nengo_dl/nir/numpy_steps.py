"""Graphs step by step in NumPy, for comparison: as plain as they can be written."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue, argument
from nengo_dl.nir.kinds import windows
from nengo_dl.nir.normal import Graph, Part, normalize
from nengo_dl.nir.numerics import Numerics, Recursion, chosen, noted, recursion_of
from nengo_dl.nir.reading import check_dt, tree_from


def reference(
    graph: Any,
    x: Any,
    dt: float,
    numerics: str | Numerics | None = None,
    reset: str | None = None,
    *,
    all_nodes: bool = False,
) -> Any:
    """Step a graph in NumPy, without Nengo and TensorFlow.

    It is written for comparison: slow, and shares no code with the networks that
    `from_nir` makes but for the reading of graphs and the table of dialects.

    Parameters
    ----------
    graph : nir.NIRGraph or str or Path
        The graph, or a file of it.
    x : array_like of shape (n_items, n_steps, ...) or dict of str to array_like
        What arrives at the inputs; a dict from their names if there are several. Its
        type, float32 or float64, is that of all arithmetic; other types are float64.
    dt : float
        Length of a step, in the unit of time of the graph (seconds).
    numerics : str or `Numerics`, optional
        As for `from_nir`.
    reset : str, optional
        As for `from_nir`.
    all_nodes : bool
        Whether to return what leaves every node, by name, instead of the outputs.

    Returns
    -------
    y : ndarray of shape (n_items, n_steps, size), or dict of them
        What arrives at the outputs; a dict by their names if there are several.

    Raises
    ------
    ValidationError
        If the graph, or its input, cannot be used; the message lists all reasons.

    Examples
    --------
    .. testcode::

       import nir

       graph = nir.NIRGraph.from_list(
           nir.IF(r=np.ones(2), v_threshold=np.array([1.0, 2.0]))
       )
       x = np.ones((1, 4, 2))
       print(nengo_dl.nir.reference(graph, x, dt=0.001)[0].T)

    .. testoutput::

       [[0. 1. 0. 1.]
        [0. 0. 1. 0.]]
    """
    with argument("reference"):
        how = chosen(numerics, reset)
        check_dt(dt)
        found = normalize(tree_from(graph), dt, how, with_notes=numerics is None)
        feeds = _feeds(found, x)
    outputs = _run(found, feeds, dt, how)
    if all_nodes:
        return outputs
    chosen_outputs = {name: outputs[name] for name in found.outputs}
    return chosen_outputs if len(chosen_outputs) > 1 else outputs[found.outputs[0]]


def _feeds(graph: Graph, x: Any) -> dict[str, np.ndarray]:
    """Return what arrives at each input, of shape (n_items, n_steps, size)."""
    given = dict(x) if isinstance(x, Mapping) else dict.fromkeys(graph.inputs[:1], x)
    if set(given) != set(graph.inputs):
        raise InvalidValue(
            f"expected x for inputs {', '.join(graph.inputs)} (got "
            f"{', '.join(map(str, given))}). Pass a dict from their names."
        )
    feeds = {}
    for name, value in given.items():
        value = np.asarray(value)
        value = value if value.dtype == np.float32 else value.astype(float)
        size = graph.parts[name].size_out
        if value.ndim < 3 or np.prod(value.shape[2:]) != size:
            raise InvalidValue(
                f"expected x of shape (n_items, n_steps, {size}) for {name} (got "
                f"{value.shape}). Flatten what is behind the first two axes."
            )
        feeds[name] = value.reshape(*value.shape[:2], size)
    return feeds


def _run(graph: Graph, feeds: dict[str, np.ndarray], dt: float, how: Numerics):
    first = feeds[graph.inputs[0]]
    n_items, n_steps, dtype = *first.shape[:2], first.dtype
    order = _order(graph)
    steps = {name: _stepper(graph.parts[name], dt, how, dtype) for name in order}
    # what left each part in each step; nothing did before the first one
    found = {
        name: np.zeros((n_items, n_steps + 1, part.size_out), dtype)
        for name, part in graph.parts.items()
    }
    for i in range(1, n_steps + 1):
        for name in graph.delaying:
            found[name][:, i] = steps[name].leaving(i - 1, found[name][:, 0])
        for name in order:
            total = np.zeros((n_items, graph.parts[name].size_in), dtype)
            for start in graph.before(name):
                total = total + found[start][:, i - ((start, name) in graph.late)]
            if name in feeds:
                total = feeds[name][:, i - 1]
            if name in graph.delaying:
                steps[name].arrived.append(total)
            else:
                found[name][:, i] = steps[name](total)
    return {name: x[:, 1:] for name, x in found.items()}


def _order(graph: Graph) -> list[str]:
    """Return the names of all parts, each behind what it needs in the same step."""
    waiting = {
        name: {
            a
            for a in graph.before(name)
            if (a, name) not in graph.late and a not in graph.delaying
        }
        for name in graph.parts
    }
    order: list[str] = []
    while waiting:
        ready = [name for name, needs in waiting.items() if needs <= set(order)]
        order += ready
        for name in ready:
            del waiting[name]
    return order


def _stepper(part: Part, dt: float, how: Numerics, dtype) -> Any:
    """Return a function from what arrives in a step to what leaves."""
    v = part.values

    def cast(x):
        return None if x is None else np.asarray(x, dtype=dtype)

    if part.kind in ("Affine", "Linear"):
        weight, bias = cast(v["weight"]), cast(v.get("bias", 0.0))
        return lambda x: x @ weight.T + bias
    if part.kind == "Scale":
        return lambda x: x * cast(part.full(v["scale"]))
    if part.kind in ("Conv1d", "Conv2d", "AvgPool2d", "SumPool2d"):
        return _windowed(part, cast)
    if part.kind == "Delay":
        return _Delay(part, dt)
    if part.kind == "Threshold":
        return lambda x: cast(x > cast(part.full(v["threshold"])))
    if part.kind in ("Input", "Output", "Flatten"):
        return lambda x: x
    how = noted(how, part.notes)
    recursion = recursion_of(part.kind, v, dt, how, part.notes)
    return _neurons(part, recursion, how, cast)


def _windowed(part: Part, cast: Callable) -> Callable:
    chosen, (channels, *space) = windows(dict(part.values)), part.shape_in
    weight = cast(part.values.get("weight"))
    if weight is None:
        weight = np.ones((channels, 1, *chosen.kernel), dtype=cast(0).dtype)
    groups = part.values.get("groups", channels)
    bias = part.values.get("bias")
    pads = [(0, 0), (0, 0), *zip(chosen.before, chosen.after, strict=True)]
    factor = cast(1.0)
    if part.kind == "AvgPool2d":
        factor = cast(1 / np.prod(chosen.kernel))

    def step(x):
        x = np.pad(x.reshape(-1, channels, *space), pads)
        x = x.reshape(len(x), groups, -1, *x.shape[2:])
        w = weight.reshape(groups, -1, *weight.shape[1:])
        y = cast(0.0)
        for tap in np.ndindex(*chosen.kernel):
            at = zip(
                tap, chosen.dilation, chosen.stride, part.shape_out[1:], strict=True
            )
            part_of = [slice(t * d, t * d + s * (n - 1) + 1, s) for t, d, s, n in at]
            here = x[(slice(None),) * 3 + tuple(part_of)]
            weights = w[(Ellipsis,) + tap]
            y = y + np.einsum("bgi...,goi->bgo...", here, weights)
        y = y.reshape(len(x), *part.shape_out) * factor
        if bias is not None:
            y = y + cast(bias).reshape(-1, *[1] * len(space))
        return y.reshape(len(x), -1)

    return step


class _Delay:
    """A Delay, with all that has arrived at it."""

    def __init__(self, part: Part, dt: float):
        self.arrived: list[np.ndarray] = []
        self._lengths = np.round(part.full(part.values["delay"]) / dt).astype(int)

    def leaving(self, i: int, zero: np.ndarray) -> np.ndarray:
        """Return what leaves in step i, for zeros of the shape of that."""
        y = np.array(zero)
        for column, length in enumerate(self._lengths):
            if length <= i:
                y[:, column] = self.arrived[i - length][:, column]
        return y

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Take what arrives, and return what leaves."""
        self.arrived.append(x)
        return self.leaving(len(self.arrived) - 1, np.zeros_like(x))


def _neurons(part: Part, s: Recursion, how: Numerics, cast: Callable) -> Callable:
    def of(x):
        return cast(part.full(x))

    b, gain, leak, threshold = map(of, (s.b, s.gain, s.leak, s.threshold))
    reset, floor, into = map(of, (s.v_reset, s.min_voltage, s.current_leak))
    state = {"v": of(s.voltage), "i": of(s.current)}

    def step(x):
        if s.a is not None:
            x = state["i"] = of(s.a) * state["i"] + x * gain + into
        else:
            x = x * gain
        late = cast(state["v"] > threshold) if how.late_subtraction else cast(0)
        late = late if s.spikes and how.reset == "subtract" else cast(0)
        v = b * state["v"] + x + leak - late * threshold
        if not s.spikes:
            state["v"] = v
            return v
        n = _count(v, threshold, how.strict, how.max_spikes)
        n = cast(n)
        v = (
            np.where(n > 0, reset, v)
            if how.reset == "zero"
            else v - (n - late) * threshold
        )
        state["v"] = v if np.any(np.isinf(floor)) else np.maximum(v - floor, 0) + floor
        return n

    return step


def _count(v, threshold, strict: bool, most: float):
    if most == 1:
        return v > threshold if strict else v >= threshold
    n = np.ceil(v / threshold) - 1 if strict else np.floor(v / threshold)
    return np.clip(n, 0, most)
