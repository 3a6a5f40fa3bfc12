"""From the plan of a Keras model to its network."""

import warnings
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

import nengo
import numpy as np
from nengo.neurons import NeuronType

from nengo_dl.config import configure_settings
from nengo_dl.converter.activations import shown
from nengo_dl.converter.build import Build, Shared
from nengo_dl.converter.conversion import Conversion
from nengo_dl.converter.keras_source import KerasSource
from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.objects import AnySynapse, Objects
from nengo_dl.converter.options import Options
from nengo_dl.converter.plan import ConversionStep, Plan, flattened
from nengo_dl.converter.populations import Obj, Population
from nengo_dl.converter.rules import Rule
from nengo_dl.converter.swaps import Swap
from nengo_dl.converter.tuning import Tuning
from nengo_dl.simulator.stacklevel import user_level


@dataclass(frozen=True, eq=False, kw_only=True)
class KerasConversion(Conversion):
    """The conversion of a Keras model."""

    plan: Plan
    step_outputs: Mapping[
        ConversionStep, tuple[Obj, ...]
    ]  # those of nested models included
    converters: Mapping[int, LayerConverter]  # by the ids of layers that have one
    used_swaps: set[Swap]  # replacements that were needed


def convert(
    plan: Plan, tunings: tuple[Tuning, ...] | None = None, synapse: AnySynapse = None
) -> KerasConversion:
    """Make the network of a plan.

    Without tunings of all populations, firing rates are those of the options.
    """
    model, options = plan.options.model, plan.options
    net = nengo.Network(label=model.name)
    objects = Objects(net, options.swaps, synapse, tunings)
    run = _Run(objects, replace(options, synapse=synapse))
    with net:
        if options.inference_only:
            configure_settings(inference_only=True)
        sizes = (np.prod(x.shape[options.n_outer_axes :]) for x in model.inputs)
        inputs = [nengo.Node(np.zeros(int(size))) for size in sizes]
        objs: dict[int, Obj] = dict(zip(map(id, model.inputs), inputs, strict=True))
        run.convert(plan.steps, objs, set(map(id, model.outputs)))
        probes = [objects.probe(objs[id(tensor)]) for tensor in model.outputs]
    result = objects.conversion(KerasSource(plan), inputs, probes)
    return KerasConversion(
        **vars(result),
        plan=plan,
        step_outputs=run.outputs,
        converters=run.shared.converters,
        used_swaps=objects.used_swaps,
    )


class _Run:
    """Converts one step after the other."""

    def __init__(self, objects: Objects, options: Options):
        self._objects, self._options = objects, options
        self.shared = Shared()
        self.outputs: dict[ConversionStep, tuple[Obj, ...]] = {}

    def convert(
        self,
        steps: tuple[ConversionStep, ...],
        objs: dict[int, Obj],
        wanted: Container[int],
    ) -> None:
        """Convert steps, with objects by the ids of tensors, and ids of outputs."""
        for step in steps:
            inputs = [objs[id(tensor)] for tensor in step.call.inputs]
            if step.rule is None:
                outputs = self._nested(step, inputs, wanted)
            else:
                outputs = self._called(step, step.rule, inputs, wanted)
            self.outputs[step] = outputs
            objs.update(zip(map(id, step.call.outputs), outputs, strict=True))

    def _called(
        self,
        step: ConversionStep,
        rule: Rule,
        inputs: list[Obj],
        wanted: Container[int],
    ) -> tuple[Obj, ...]:
        build = Build(self._objects, step.call, self._options, inputs, self.shared)
        return self._objects.make(
            step,
            lambda: rule.convert(step.call, build),
            self._options.scale_of(step.call.layer),
            step.reason,
            self._options.averages_output
            and any(id(tensor) in wanted for tensor in step.call.outputs),
        )

    def _nested(
        self, step: ConversionStep, inputs: list[Obj], wanted: Container[int]
    ) -> tuple[Obj, ...]:
        model = step.call.layer
        inner = dict(zip(map(id, model.inputs), inputs, strict=True))
        pairs = zip(step.call.outputs, model.outputs, strict=True)
        with nengo.Network(label=model.name):
            self.convert(
                step.inner, inner, {id(b) for a, b in pairs if id(a) in wanted}
            )
        return tuple(inner[id(tensor)] for tensor in model.outputs)


def warn_of_options(conversion: KerasConversion) -> None:
    """Warn of options that have no effect, or not all that they should have."""
    options = conversion.plan.options
    unused = [swap for swap in options.swaps if swap not in conversion.used_swaps]
    if unused:
        names = ", ".join(shown(swap.key) for swap in unused)
        warnings.warn(
            "Converter.swap_activations: expected activations of the model (got "
            f"{names}, which it does not have). The others are swapped.",
            stacklevel=user_level(),
        )
    _warn_of_rates(conversion.populations)
    if options.scale_firing_rates is None and conversion.tunings is None:
        _warn_of_guess(conversion.populations)
    if isinstance(options.scale_firing_rates, Mapping):
        known = {id(step.call.layer) for step in flattened(conversion.plan.steps)}
        for layer in options.scale_firing_rates:
            if id(layer) not in known:
                warnings.warn(
                    "Converter.scale_firing_rates: expected layers of the model "
                    f"(got {layer!r}, which it does not have).",
                    stacklevel=user_level(),
                )


def _warn_of_rates(populations: Sequence[Population]) -> None:
    """Warn of populations that are still rate neurons, although others were swapped."""
    still: dict[str, list[str]] = {}
    for population in populations:
        ensemble = population.neurons.ensemble
        if not population.is_swapped and not ensemble.neuron_type.spiking:
            kind = ensemble.neuron_type
            name = getattr(kind, "function", type(kind).__name__)
            still.setdefault(name, []).append(repr(ensemble.label))
    if still and any(population.is_swapped for population in populations):
        listed = "; ".join(f"{name}: {', '.join(of)}" for name, of in still.items())
        warnings.warn(
            "Converter.swap_activations: expected to swap the activations of all "
            f"neurons (got populations that are still rate neurons, {listed}). Add "
            "their activations, if they should spike.",
            stacklevel=user_level(),
        )


def _warn_of_guess(populations: Sequence[Population]) -> None:
    """Warn that nothing is known of the firing rates of neurons that were swapped."""
    kinds = {
        type(p.neurons.ensemble.neuron_type).__name__: p.neurons.ensemble.neuron_type
        for p in populations
        if p.is_swapped and p.neurons.ensemble.neuron_type.spiking
    }
    if kinds:
        rates = "; ".join(f"{name}: {_rate(kind)}" for name, kind in kinds.items())
        warnings.warn(
            "Converter.scale_firing_rates: expected firing rates for spiking neurons "
            "(got neither scale_firing_rates nor calibration_data, so that for an "
            f"activation of 1 they fire at these rates: {rates}). Pass typical inputs "
            "of the model as calibration_data, and good rates are found; or say "
            "how many times as fast as this they should fire.",
            stacklevel=user_level(),
        )


def _rate(kind: NeuronType) -> str:
    """Return the firing rate for a current of 1, in words."""
    if type(kind).rates is NeuronType.rates:  # which simulates a type without spikes
        return "unknown"
    rate = kind.rates(1.0, np.ones(1), np.zeros(1)).item()
    return f"{rate / getattr(kind, 'amplitude', 1.0):g} Hz"
