"""What becomes of each layer call of a model, decided before anything is made.

All that is wrong is collected: one error lists every layer at fault.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import keras
from nengo.neurons import NeuronType

from nengo_dl.converter import activations, keras_graph
from nengo_dl.converter.activations import Composite
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.operators import kind_of, title
from nengo_dl.converter.registry import ANY_LAYER, REGISTRY, Entry


@dataclass(frozen=True, eq=False)
class Step:
    """How one call is converted.

    Parameters
    ----------
    call : `LayerCall`
        What is converted.
    entry : `Entry` or None
        How; None for a nested model.
    inner : tuple of `Step`
        The calls in a nested model.
    wrapper : keras.Layer or None
        The layer that the call is inside of, and that has the same output.
    reason : str
        Why it falls back to a TensorNode; empty if it does not.
    """

    call: LayerCall
    entry: Entry | None
    inner: tuple["Step", ...] = ()
    wrapper: keras.Layer | None = None
    reason: str = ""


@dataclass
class Findings:
    """What is wrong with a model.

    Attributes
    ----------
    errors : list of (type, str)
        What makes the conversion impossible.
    fallbacks : list of str
        What is computed by TensorNodes.
    """

    errors: list[tuple[type, str]] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)

    def report(self) -> None:
        """Raise the errors as one, or warn of the fallbacks."""
        if self.errors:
            lines = list(dict.fromkeys(message for _, message in self.errors))
            raise self.errors[0][0]("\n".join(lines))
        for message in dict.fromkeys(self.fallbacks):
            warnings.warn(message, stacklevel=4)


def plan(model: keras.Model, converter: Any) -> tuple[Step, ...]:
    """Decide how each call in a model is converted.

    Parameters
    ----------
    model : keras.Model
        A functional model.
    converter : `Converter`
        Whose options count.

    Returns
    -------
    steps : tuple of `Step`
        In the order in which they can be converted.

    Raises
    ------
    TypeError
        If layers or activations have no native form and there is no fallback.
    ValueError
        If shapes are unknown, or weights are shared that have to be split.

    Warns
    -----
    UserWarning
        For each layer that becomes a TensorNode.
    """
    findings = Findings()
    n_outer_axes = 2 if converter.temporal_model else 1
    _check_shapes(model.inputs, "Input", n_outer_axes, findings)
    steps = _steps(model, n_outer_axes, converter, findings)
    if not converter.split_shared_weights:
        _check_shared(steps, findings)
    findings.report()
    return steps


def flattened(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield steps and those inside of them."""
    for step in steps:
        yield step
        yield from flattened(step.inner)


def _steps(model, n_outer_axes, converter, findings) -> tuple[Step, ...]:
    calls = keras_graph.calls(model, n_outer_axes)
    return tuple(_step(call, converter, findings) for call in calls)


def _step(call: LayerCall, converter, findings: Findings, wrapper=None) -> Step:
    layer = call.layer
    if type(layer) is keras.layers.TimeDistributed:
        problem = REGISTRY[type(layer)].problem(call, converter)
        if problem is None:
            inner = replace(call, layer=layer.layer, replay=_on_first, is_wrapped=True)
            return _step(inner, converter, findings, wrapper=layer)
    if keras_graph.is_graph(layer):
        n_outer_axes = 1 if wrapper is not None else call.n_outer_axes
        return Step(
            call, None, _steps(layer, n_outer_axes, converter, findings), wrapper
        )
    _check_shapes(call.outputs, title(layer), call.n_outer_axes, findings)
    entry = REGISTRY.find(layer)
    if wrapper is not None and entry is not None:
        entry = replace(entry, temporal=True)
    reason = _reason(entry, call, converter)
    if reason and entry is not None and not entry.allow_fallback:
        findings.errors.append((TypeError, f"{title(layer)}: {reason}."))
    elif reason and call.n_outer_axes > 1 and wrapper is None:
        findings.errors.append((TypeError, f"{title(layer)}: {reason}."))
    elif reason:
        _check_fallback(call, converter, findings)
        _note(f"{title(layer)}: {reason}", converter, findings)
        entry = REGISTRY[ANY_LAYER]
    else:
        _check_activation(call, converter, findings)
    return Step(call, entry, wrapper=wrapper, reason=reason)


def _on_first(layer, values):
    """Call a layer inside of another, whose other arguments it does not take."""
    return layer(values[0])


def _reason(entry, call, converter) -> str:
    """Say why a call has no native form; "" if it has one."""
    if entry is None:
        return f"{kind_of(call.layer)} has no native Nengo form"
    return entry.problem(call, converter) or ""


def _check_activation(call, converter, findings) -> None:
    found = converter.swaps(activations.of_layer(call.layer))
    if found is None or isinstance(found, NeuronType | Composite):
        return
    name = getattr(found, "__name__", str(found))
    _note(
        f"Layer '{call.layer.name}': activation {name} has no native Nengo form",
        converter,
        findings,
    )


def _check_fallback(call, converter, findings) -> None:
    """Note if a `TensorNode` cannot do it, either."""
    problem = REGISTRY[ANY_LAYER].problem(call, converter)
    if problem is not None:
        findings.errors.append((ValueError, f"{title(call.layer)}: {problem}."))


def _note(what: str, converter, findings: Findings) -> None:
    """Note a fallback, which is an error if it is not allowed."""
    if converter.allow_fallback:
        findings.fallbacks.append(f"{what}. A TensorNode computes it.")
    else:
        findings.errors.append(
            (TypeError, f"{what}. Pass allow_fallback=True to keep it as a TensorNode.")
        )


def _check_shapes(tensors, what, n_outer_axes, findings: Findings) -> None:
    for tensor in tensors:
        shape = tuple(tensor.shape)
        if None in shape[n_outer_axes:] or len(shape) < n_outer_axes:
            hint = "Give the model inputs of fixed shape"
            if n_outer_axes == 1 and len(shape) > 1 and None not in shape[2:]:
                hint += ", or pass temporal_model=True if the axis is time"
            findings.errors.append(
                (
                    ValueError,
                    f"{what} '{tensor.name}': expected a shape that is known beyond "
                    f"the minibatch (got {shape}). {hint}.",
                )
            )


def _check_shared(steps: tuple[Step, ...], findings: Findings) -> None:
    counts: dict[int, int] = {}
    for step in flattened(steps):
        key = id(step.call.layer)
        counts[key] = counts.get(key, 0) + 1
        native = step.entry is not None and step.entry is not REGISTRY[ANY_LAYER]
        weights = getattr(step.call.layer, "weights", ())
        if native and weights and counts[key] == 2:
            findings.errors.append(
                (
                    ValueError,
                    f"Layer '{step.call.layer.name}': expected one call of a layer "
                    "with weights (got several). Pass split_shared_weights=True to "
                    "give each call weights of its own.",
                )
            )
