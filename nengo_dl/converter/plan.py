"""What becomes of each layer call of a model, decided before anything is made.

All that is wrong is collected: one error lists every layer at fault.
"""

import inspect
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import keras
from nengo.neurons import NeuronType

from nengo_dl.converter import activations, keras_graph, stepwise
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
    outer = (2 if converter.temporal_model else 1,) * len(model.inputs)
    _check_tensors(model.inputs, outer, "Input", findings)
    steps = _steps(model, outer, converter, findings)
    if not converter.split_shared_weights:
        _check_shared(steps, findings)
    findings.report()
    return steps


def flattened(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield steps and those inside of them."""
    for step in steps:
        yield step
        yield from flattened(step.inner)


def _steps(model, outer, converter, findings) -> tuple[Step, ...]:
    """Plan the calls in a model; ``outer`` has the outer axes of its inputs."""
    known = dict(zip(map(id, model.inputs), outer, strict=True))
    steps = []
    for call in keras_graph.calls(model):
        axes = {known[id(tensor)] for tensor in call.inputs}
        if len(axes) > 1:
            _refuse_mixture(call, findings)
        call = replace(call, n_outer_axes=max(axes))
        call = replace(call, outer_axes=stepwise.outer_axes(call))
        step = _step(call, converter, findings)
        known.update(zip(map(id, call.outputs), step.call.outer_axes, strict=True))
        steps.append(step)
    return tuple(steps)


def outer_axes(steps: tuple[Step, ...]) -> dict[int, int]:
    """Return the number of outer axes of what calls put out, by the tensors' ids."""
    return {
        id(tensor): n
        for step in steps
        for tensor, n in zip(step.call.outputs, step.call.outer_axes, strict=True)
    }


def check_series(converter: Any, where: str) -> None:
    """Raise ValueError if something in a temporal model has no axis of time.

    Parameters
    ----------
    converter : `Converter`
        The converted model.
    where : str
        What compares all time steps with those of Keras, for the message.
    """
    for step in flattened(converter.steps):
        call = step.call
        if call.n_outer_axes > 1 and step.wrapper is None and 1 in call.outer_axes:
            raise ValueError(
                f"{where}: expected layers that return all time steps (got "
                f"'{call.layer.name}', which returns the last one alone). Make it with "
                "return_sequences=True and return_state=False."
            )


def _step(call: LayerCall, converter, findings: Findings, wrapper=None) -> Step:
    layer = call.layer
    is_distributed = type(layer) is keras.layers.TimeDistributed
    if is_distributed and wrapper is None:
        problem = REGISTRY[type(layer)].problem(call, converter)
        if problem is None:
            inner = _within(call)
            return _step(inner, converter, findings, wrapper=layer)
    if keras_graph.is_graph(layer) and not call.has_mask:
        return _nested(call, converter, findings, wrapper)
    _check_tensors(call.outputs, call.outer_axes, title(layer), findings)
    entry = REGISTRY.find(layer)
    if wrapper is not None and entry is not None:
        # the axis of one inside of another is part of a signal
        entry = None if is_distributed else replace(entry, temporal=True)
    reason = _reason(entry, call, converter)
    if reason and entry is not None and not entry.allow_fallback:
        findings.errors.append((TypeError, f"{title(layer)}: {reason}."))
        return Step(call, entry, wrapper=wrapper, reason=reason)
    if reason and call.n_outer_axes > 1 and wrapper is None:
        call, reason = _by_step(call, entry, reason, converter, findings)
    if reason:
        _check_fallback(call, converter, findings)
        _note(f"{title(layer)}: {reason}", converter, findings)
        entry = REGISTRY[ANY_LAYER]
    else:
        _check_activation(call, converter, findings)
    return Step(call, entry, wrapper=wrapper, reason=reason)


def _nested(call, converter, findings, wrapper) -> Step:
    n_outer_axes = 1 if wrapper is not None else call.n_outer_axes
    inner = _steps(call.layer, (n_outer_axes,) * len(call.inputs), converter, findings)
    if wrapper is None:
        known = dict.fromkeys(map(id, call.layer.inputs), n_outer_axes)
        known.update(outer_axes(inner))
        outer = tuple(known[id(tensor)] for tensor in call.layer.outputs)
        call = replace(call, outer_axes=outer)
    return Step(call, None, inner, wrapper)


def _by_step(call, entry, reason, converter, findings):
    """Return a call that does a step at a time, and why it has no native form."""
    problem = stepwise.problem(call, entry, reason, converter)
    layer = call.layer
    if problem is not None:
        findings.errors.append((TypeError, f"{title(layer)}: {problem}."))
    elif entry is not None and not entry.temporal:
        reason = f"{kind_of(layer)} has no native Nengo form over time"
    return replace(call, by_step=True), reason


def _within(call: LayerCall) -> LayerCall:
    """Return the call of the layer in a ``TimeDistributed``, for one time step."""
    layer = call.layer.layer
    if "mask" in inspect.signature(layer.call).parameters:
        return replace(call, layer=layer, is_wrapped=True)

    def replay(layer, values, training=None):
        def unmasked(*args, mask=None, **kwargs):
            del mask  # which is for layers that take one
            if training is not None:
                kwargs["training"] = training
            return layer(*args, **kwargs)

        return call.replay(unmasked, values)

    return replace(call, layer=layer, has_mask=False, replay=replay, is_wrapped=True)


def _refuse_mixture(call, findings) -> None:
    findings.errors.append(
        (
            TypeError,
            f"{title(call.layer)}: expected inputs that all have the axis of "
            "time, or none that has it, because temporal_model=True (got some of "
            "both). What a recurrent layer returns of its last step is not known "
            "before.",
        )
    )


def _reason(entry, call, converter) -> str:
    """Say why a call has no native form; "" if it has one."""
    if entry is None:
        return f"{kind_of(call.layer)} has no native Nengo form"
    problem = entry.problem(call, converter)
    if problem is None and call.has_mask:
        return f"{kind_of(call.layer)} with a mask has no native Nengo form"
    is_series = call.n_outer_axes > 1 and not call.is_wrapped
    if problem is None and is_series and () in call.input_shapes:
        # the last axis is the time, along which a layer may work without knowing
        if not stepwise.treats_steps_alone(call):
            shapes = ", ".join(str(tuple(x.shape)) for x in call.inputs)
            return (
                "expected inputs with more axes than those of the minibatch and the "
                f"time, because temporal_model=True (got {shapes})"
            )
    return problem or ""


def _check_activation(call, converter, findings) -> None:
    found = converter.swaps(activations.of_layer(call.layer))
    if found is None or isinstance(found, NeuronType | Composite):
        return
    name = getattr(found, "__name__", str(found))
    is_series = call.n_outer_axes > 1 and not call.is_wrapped
    if is_series and stepwise.mixes_steps(found, call.output_shape):
        findings.errors.append(
            (
                TypeError,
                f"Layer '{call.layer.name}': expected an activation that treats each "
                f"time step for itself, because temporal_model=True (got {name}, which "
                "mixes them, or does so as far as is known).",
            )
        )
    _note(
        f"Layer '{call.layer.name}': activation {name} has no native Nengo form",
        converter,
        findings,
    )


def _check_fallback(call, converter, findings) -> None:
    """Note if a `TensorNode` cannot do it, either."""
    check = REGISTRY[ANY_LAYER].check
    problem = None if check is None else check(call, converter)
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


def _check_tensors(tensors, outer_axes, what, findings: Findings) -> None:
    """Check that tensors can be signals: of known shape, and made of numbers."""
    for tensor, n_outer_axes in zip(tensors, outer_axes, strict=True):
        if tensor.dtype == "string" or _makes_strings(tensor):
            findings.errors.append(
                (
                    TypeError,
                    f"{what} '{tensor.name}': expected numbers, as signals hold "
                    "nothing else (got strings). Leave layers with strings out of the "
                    "model, and apply them to the data.",
                )
            )
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


def _makes_strings(tensor) -> bool:
    """Whether a tensor comes from a look-up of words, which Keras takes for numbers."""
    layer = keras_graph.source(tensor)
    return isinstance(layer, keras.layers.StringLookup) and layer.invert


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
