"""Advice on a network, as far as a report on it tells."""

from collections.abc import Iterator

from nengo.ensemble import Neurons

from nengo_dl.converter.conversion import Conversion
from nengo_dl.converter.populations import is_spiking_population
from nengo_dl.converter.report.report import OutputReport, Report
from nengo_dl.nodes.array_node import ArrayNode


def advice(report: Report, conversion: Conversion) -> Iterator[str]:
    """Yield sentences on what to change."""
    for name in _decided_by_steps(conversion):
        yield (
            f"Output '{name}' is computed from the spikes of single steps. Pass "
            'output="average" to compute it from their mean.'
        )
    spiking = [layer for layer in report.layers if layer.neurons]
    silent = [layer.name for layer in spiking if layer.max_rate == 0]
    rates = [layer.name for layer in spiking if layer.max_rate and not layer.spikes]
    if silent:
        yield (
            f"No neuron of {', '.join(silent)} fires. Let firing rates follow "
            "calibration_data, raise scale_firing_rates, or run more steps."
        )
    if rates and report.total.spikes:
        yield (
            f"Neurons of {', '.join(rates)} put out rates. Add their activations to "
            "swap_activations, if they should spike."
        )
    for output in report.outputs:
        if output.accuracy is not None and report.total.spikes:
            yield from _on_steps(report, output)


def _on_steps(report: Report, output: OutputReport) -> Iterator[str]:
    n_steps, enough = report.n_steps, output.latency
    if enough is None:
        yield (
            f"Output '{output.name}' does not come within 1 % of Keras' accuracy in "
            f"{n_steps} steps. Run more steps, or train it with Converter.tune."
        )
    elif 2 * enough <= n_steps:
        yield (
            f"{enough} steps are enough for 99 % of Keras' accuracy of output "
            f"'{output.name}', at {enough / n_steps:.0%} of the cost of {n_steps}."
        )


def _decided_by_steps(conversion: Conversion) -> Iterator[str]:
    """Yield names of outputs that are functions of the spikes of single steps."""
    if not any(is_spiking_population(p.neurons) for p in conversion.populations):
        return
    specs = conversion.source.outputs
    for spec, probe in zip(specs, conversion.outputs, strict=True):
        is_function = isinstance(probe.target, Neurons | ArrayNode)
        is_function = is_function and not is_spiking_population(probe.target)
        if spec.decide and is_function and probe not in conversion.averages:
            yield spec.name
