"""The summary of a wrapped model: a row for each layer of the model it comes from."""

import math

from rich import box
from rich.console import Console
from rich.table import Table

from nengo_dl.converter import Converter
from nengo_dl.converter.conversion import MadeLayer

DEFAULT_WIDTH = 100


def summary(converter: Converter, title: str, line_length: int | None) -> str:
    """Return the table of layers, with the sums of all parameters and neurons.

    Parameters
    ----------
    converter : `Converter`
        Has made the network.
    title : str
        The line above the table.
    line_length : int or None
        Width of the table.
    """
    table = Table(box=box.SQUARE)
    for column in ("Layer (type)", "Output Shape", "Param #", "Neurons"):
        table.add_column(column, justify="right" if "#" in column else "left")
    for made in converter.conversion.layers:
        name = f"{made.layer.name} ({made.layer.type})"
        table.add_row(name, *_cells(converter, made))
    console = Console(width=line_length or DEFAULT_WIDTH, color_system=None)
    with console.capture() as captured:
        console.print(title, markup=False, highlight=False)
        console.print(table)
        for line in _sums(converter):
            console.print(f" {line}", markup=False, highlight=False)
    return captured.get().rstrip("\n")


def _cells(converter: Converter, made: MadeLayer) -> tuple[str, str, str]:
    layer, outputs = made.layer, converter.conversion.step_outputs
    steps = [step for step in outputs if step in layer.calls]
    shapes = dict.fromkeys(str(x.shape) for step in steps for x in step.call.outputs)
    ensembles = [neurons.ensemble for neurons in made.neurons]
    types = dict.fromkeys(type(ens.neuron_type).__name__ for ens in ensembles)
    n_neurons = sum(ens.n_neurons for ens in ensembles)
    return (
        ", ".join(shapes),
        f"{layer.n_parameters:,}",
        f"{n_neurons:,} {', '.join(types)}" if ensembles else "",
    )


def _sums(converter: Converter) -> tuple[str, ...]:
    options = converter.conversion.plan.options
    model = options.model
    trainable = [] if options.inference_only else model.trainable_weights
    trained = sum(math.prod(weight.shape) for weight in trainable)
    every = sum(math.prod(weight.shape) for weight in model.weights)
    neurons = {
        neurons.ensemble: neurons.ensemble.neuron_type.spiking
        for each in converter.conversion.made.values()
        for neurons in each.neurons
    }
    n_spiking = sum(ens.n_neurons for ens, spikes in neurons.items() if spikes)
    return (
        f"Total params: {every:,}",
        f"Trainable params: {trained:,}",
        f"Non-trainable params: {every - trained:,}",
        f"Neurons: {sum(ens.n_neurons for ens in neurons):,} ({n_spiking:,} spiking)",
    )
