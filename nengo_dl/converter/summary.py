"""The table that shows a converter: each layer of the model, and its form in Nengo."""

from collections.abc import Iterator

from nengo_dl.converter.keras_conversion import KerasConversion
from nengo_dl.converter.report.text import number, rendered, table

HEADER = ("layer", "type", "output shape", "in Nengo", "neurons")


def summary(conversion: KerasConversion) -> str:
    """Return the table of a conversion."""
    rows = list(_rows(conversion))
    n_neurons = sum(p.neurons.size_out for p in conversion.populations)
    title = f"Converter of model '{conversion.source.name}'"
    total = f"{number(n_neurons)} neurons, synapse {conversion.synapse}"
    return rendered([title, "", table(HEADER, rows, n_names=5), "", total])


def _rows(conversion: KerasConversion) -> Iterator[tuple[str, ...]]:
    for made in conversion.layers:
        layer = made.layer
        step = next(step for step in conversion.step_outputs if step in layer.calls)
        types = (type(obj.ensemble.neuron_type).__name__ for obj in made.neurons)
        kinds = dict.fromkeys(types)
        size = sum(obj.size_out for obj in made.neurons)
        rule = step.rule
        yield (
            layer.name,
            layer.type,
            str(step.call.output_shape),
            "TensorNode" if made.reason or rule is None else rule.native,
            f"{number(size)} {', '.join(kinds)}" if size else "-",
        )
