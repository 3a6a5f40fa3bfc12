"""The plan of a conversion: how each call in a model is converted.

It is made before anything is converted. All that is wrong is collected: one error lists
every layer at fault.
"""

import inspect
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import keras
from nengo.neurons import NeuronType

from nengo_dl.converter import activations, keras_graph, stepwise
from nengo_dl.converter.activations import shown
from nengo_dl.converter.forms import Composite
from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.operators import kind_of, title
from nengo_dl.converter.options import Options
from nengo_dl.converter.registry import ANY_LAYER, keys_of
from nengo_dl.converter.rules import Registry, Rule, find_rule
from nengo_dl.simulator.stacklevel import user_level


@dataclass(frozen=True, eq=False)
class ConversionStep:
    """How one call is converted."""

    call: LayerCall
    rule: Rule | None  # None for a nested model
    inner: tuple["ConversionStep", ...] = ()  # the calls in a nested model
    # the layer that the call is inside of, with the same output
    wrapper: keras.Layer | None = None
    reason: str = ""  # why it falls back to a TensorNode, if it does

    @property
    def layer(self) -> keras.Layer:
        """The layer of the model: that of the call, or the one that it is inside of."""
        return self.wrapper or self.call.layer


@dataclass(frozen=True, eq=False)
class Plan:
    """How a model is converted: steps in the order in which they can be taken."""

    options: Options
    steps: tuple[ConversionStep, ...]


@dataclass
class Findings:
    """Errors and fallbacks of a model."""

    # what makes the conversion impossible
    errors: list[tuple[type, str]] = field(default_factory=list)
    # what is computed by TensorNodes
    fallbacks: list[str] = field(default_factory=list)

    def report(self) -> None:
        """Raise the errors as one, or warn of the fallbacks."""
        if self.errors:
            lines = list(dict.fromkeys(message for _, message in self.errors))
            raise self.errors[0][0]("\n".join(lines))
        for message in dict.fromkeys(self.fallbacks):
            warnings.warn(message, stacklevel=user_level())


def plan(options: Options, registry: Registry) -> Plan:
    """Decide how each call in a model is converted, by the rules of a registry.

    Raises TypeError if layers or activations have no native form and there is no
    fallback, ValueError if shapes are unknown, or weights are shared that have to be
    split. Warns of each layer that becomes a TensorNode.
    """
    planner, model = Planner(options, registry), options.model
    outer = (options.n_outer_axes,) * len(model.inputs)
    planner.check_tensors(model.inputs, outer, "Input")
    steps = planner.steps(model, outer)
    if not options.split_shared_weights:
        planner.check_shared(steps)
    planner.findings.report()
    return Plan(options, steps)


def flattened(steps: tuple[ConversionStep, ...]) -> Iterator[ConversionStep]:
    """Yield steps and those inside of them."""
    for step in steps:
        yield step
        yield from flattened(step.inner)


def outer_axes(steps: tuple[ConversionStep, ...]) -> dict[int, int]:
    """Return the number of outer axes of what calls put out, by the tensors' ids."""
    return {
        id(tensor): n
        for step in steps
        for tensor, n in zip(step.call.outputs, step.call.outer_axes, strict=True)
    }


class Planner:
    """Decides on one call after the other, and collects what is wrong."""

    def __init__(self, options: Options, registry: Registry):
        self._options, self._registry = options, registry
        self._fallback = registry.get(ANY_LAYER)
        self.findings = Findings()

    def steps(
        self, model: keras.Model, outer: Sequence[int]
    ) -> tuple[ConversionStep, ...]:
        """Plan the calls in a model; ``outer`` has the outer axes of its inputs."""
        known = dict(zip(map(id, model.inputs), outer, strict=True))
        steps = []
        for call in keras_graph.calls(model):
            axes = {known[id(tensor)] for tensor in call.inputs}
            if len(axes) > 1:
                self._refuse_mixture(call)
            call = replace(call, n_outer_axes=max(axes))
            call = replace(call, outer_axes=stepwise.outer_axes(call))
            step = self._step(call)
            known.update(zip(map(id, call.outputs), step.call.outer_axes, strict=True))
            steps.append(step)
        return tuple(steps)

    def _step(
        self, call: LayerCall, wrapper: keras.Layer | None = None
    ) -> ConversionStep:
        layer, rule = call.layer, find_rule(self._registry, keys_of(call.layer))
        is_distributed = type(layer) is keras.layers.TimeDistributed
        if is_distributed and wrapper is None and rule is not None:
            if self._problem(rule, call) is None:
                return self._step(_within(call), layer)
        if keras_graph.is_graph(layer) and not call.has_mask:
            return self._nested(call, wrapper)
        self.check_tensors(call.outputs, call.outer_axes, title(layer))
        if wrapper is not None and rule is not None:
            # the axis of one inside of another is part of a signal
            rule = None if is_distributed else replace(rule, temporal=True)
        reason = self._reason(rule, call)
        if reason and rule is not None and not rule.allow_fallback:
            self._refuse(TypeError, f"{title(layer)}: {reason}.")
            return ConversionStep(call, rule, wrapper=wrapper, reason=reason)
        if reason and call.n_outer_axes > 1 and wrapper is None:
            call, reason = self._by_step(call, rule, reason)
        if reason:
            self._check_fallback(call)
            self._fall_back(f"{title(layer)}: {reason}")
            rule = self._fallback
        else:
            self._check_activation(call)
        return ConversionStep(call, rule, wrapper=wrapper, reason=reason)

    def _nested(self, call: LayerCall, wrapper: keras.Layer | None) -> ConversionStep:
        n_outer_axes = 1 if wrapper is not None else call.n_outer_axes
        inner = self.steps(call.layer, (n_outer_axes,) * len(call.inputs))
        if wrapper is None:
            known = dict.fromkeys(map(id, call.layer.inputs), n_outer_axes)
            known.update(outer_axes(inner))
            outer = tuple(known[id(tensor)] for tensor in call.layer.outputs)
            call = replace(call, outer_axes=outer)
        return ConversionStep(call, None, inner, wrapper)

    def _by_step(
        self, call: LayerCall, rule: Rule | None, reason: str
    ) -> tuple[LayerCall, str]:
        """Return a call that does a step at a time, and why it has no native form."""
        problem = stepwise.problem(call, rule, reason, self._options)
        if problem is not None:
            self._refuse(TypeError, f"{title(call.layer)}: {problem}.")
        elif rule is not None and not rule.temporal:
            reason = f"{kind_of(call.layer)} has no native Nengo form over time"
        return replace(call, by_step=True), reason

    def _refuse_mixture(self, call: LayerCall) -> None:
        self._refuse(
            TypeError,
            f"{title(call.layer)}: expected inputs that all have the axis of "
            "time, or none that has it, because temporal_model=True (got some of "
            "both). What a recurrent layer returns of its last step is not known "
            "before.",
        )

    def _reason(self, rule: Rule | None, call: LayerCall) -> str:
        """Say why a call has no native form; "" if it has one."""
        if rule is None:
            return f"{kind_of(call.layer)} has no native Nengo form"
        problem = self._problem(rule, call)
        if problem is None and call.has_mask:
            return f"{kind_of(call.layer)} with a mask has no native Nengo form"
        is_series = call.n_outer_axes > 1 and not call.is_wrapped
        if problem is None and is_series and () in call.input_shapes:
            # the last axis is the time, along which a layer may work without knowing
            if not stepwise.treats_steps_alone(call):
                shapes = ", ".join(str(tuple(x.shape)) for x in call.inputs)
                return (
                    "expected inputs with more axes than those of the minibatch and "
                    f"the time, because temporal_model=True (got {shapes})"
                )
        return problem or ""

    def _problem(self, rule: Rule, call: LayerCall) -> str | None:
        """Say what a rule cannot do of a call; None if it can do it."""
        for name, accepted in rule.requires.items():
            value = getattr(call.layer, name)
            choices = accepted if isinstance(accepted, tuple) else (accepted,)
            if value not in choices:
                listed = " or ".join(f"{name}={choice!r}" for choice in choices)
                return f"expected {listed} (got {value!r})"
        if call.n_outer_axes > 1 and not rule.temporal:
            return stepwise.mixing(kind_of(call.layer))
        if not self._options.inference_only:
            if rule.trains:
                return (
                    "expected inference_only=True (got False), because training would "
                    "differ"
                )
            penalties = _penalties(call.layer)
            if penalties:
                return (
                    "expected no regularizers and no constraints unless inference_only "
                    f"is True (got {', '.join(penalties)})"
                )
        return None if rule.check is None else rule.check(call, self._options)

    def _check_activation(self, call: LayerCall) -> None:
        found = self._options.swaps(activations.of_layer(call.layer))
        if found is None or isinstance(found, NeuronType | Composite):
            return
        is_series = call.n_outer_axes > 1 and not call.is_wrapped
        where = f"Layer '{call.layer.name}'"
        if is_series and stepwise.mixes_steps(found, call.output_shape):
            self._refuse(
                TypeError,
                f"{where}: expected an activation that treats each time step for "
                f"itself, because temporal_model=True (got {shown(found)}, which "
                "mixes them, or does so as far as is known).",
            )
        self._fall_back(f"{where}: activation {shown(found)} has no native Nengo form")

    def _check_fallback(self, call: LayerCall) -> None:
        """Note if a TensorNode cannot do it, either."""
        if self._fallback is not None and self._fallback.check is not None:
            problem = self._fallback.check(call, self._options)
            if problem is not None:
                self._refuse(ValueError, f"{title(call.layer)}: {problem}.")

    def _fall_back(self, message: str) -> None:
        """Note a fallback, which is an error if it is not allowed."""
        if self._options.allow_fallback and self._fallback is not None:
            self.findings.fallbacks.append(f"{message}. A TensorNode computes it.")
        else:
            hint = "Pass allow_fallback=True to keep it as a TensorNode"
            self._refuse(TypeError, f"{message}. {hint}.")

    def _refuse(self, error: type, message: str) -> None:
        self.findings.errors.append((error, message))

    def check_tensors(
        self, tensors: Sequence[keras.KerasTensor], outer_axes: Sequence[int], what: str
    ) -> None:
        """Check that tensors can be signals: of known shape, and made of numbers."""
        for tensor, n_outer_axes in zip(tensors, outer_axes, strict=True):
            if tensor.dtype == "string" or _makes_strings(tensor):
                self._refuse(
                    TypeError,
                    f"{what} '{tensor.name}': expected numbers, as signals hold "
                    "nothing else (got strings). Leave layers with strings out of the "
                    "model, and apply them to the data.",
                )
            shape = tuple(tensor.shape)
            if None in shape[n_outer_axes:] or len(shape) < n_outer_axes:
                hint = "Give the model inputs of fixed shape"
                if n_outer_axes == 1 and len(shape) > 1 and None not in shape[2:]:
                    hint += ", or pass temporal_model=True if the axis is time"
                self._refuse(
                    ValueError,
                    f"{what} '{tensor.name}': expected a shape that is known beyond "
                    f"the minibatch (got {shape}). {hint}.",
                )

    def check_shared(self, steps: tuple[ConversionStep, ...]) -> None:
        """Check that layers with weights are called once."""
        counts: dict[int, int] = {}
        for step in flattened(steps):
            layer = step.call.layer
            counts[id(layer)] = counts.get(id(layer), 0) + 1
            is_native = step.rule is not None and step.rule is not self._fallback
            if is_native and counts[id(layer)] == 2 and getattr(layer, "weights", None):
                self._refuse(
                    ValueError,
                    f"Layer '{layer.name}': expected one call of a layer with weights "
                    "(got several). Pass split_shared_weights=True to give each call "
                    "weights of its own.",
                )


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


def _penalties(layer: keras.Operation) -> list[str]:
    """List the regularizers and constraints of a layer."""
    # not from its config, which layers that cannot be saved do not have
    return [
        name
        for name in dir(layer)
        if name.endswith(("_regularizer", "_constraint"))
        and not name.startswith("_")
        and getattr(layer, name) is not None
    ]


def _makes_strings(tensor: keras.KerasTensor) -> bool:
    """Whether a tensor comes from a look-up of words, which Keras takes for numbers."""
    layer = keras_graph.source(tensor)
    return isinstance(layer, keras.layers.StringLookup) and layer.invert
