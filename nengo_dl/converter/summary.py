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
    for layer in conversion.source.layers:
        steps = [step for step in conversion.step_outputs if step in layer.calls]
        made = [conversion.made[step] for step in steps]
        neurons = [obj for each in made for obj in each.neurons]
        types = (type(obj.ensemble.neuron_type).__name__ for obj in neurons)
        kinds = dict.fromkeys(types)
        size = sum(obj.size_out for obj in neurons)
        rule = steps[0].rule
        reason = next((each.reason for each in made if each.reason), "")
        yield (
            layer.name,
            layer.type,
            str(steps[0].call.output_shape),
            "TensorNode" if reason or rule is None else rule.native,
            f"{number(size)} {', '.join(kinds)}" if size else "-",
        )
