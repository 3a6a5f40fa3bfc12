"""Running networks on data, and what comes of it as a report."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model

from nengo_dl.converter.conversion import Conversion, MadeLayer, check_series
from nengo_dl.converter.network_source import as_conversion
from nengo_dl.converter.presentation import (
    Shown,
    checked_inputs,
    classes,
    positive,
    probed,
    simulator,
    steps_of,
)
from nengo_dl.converter.report.advice import advice
from nengo_dl.converter.report.counters import Firing, Run, relative
from nengo_dl.converter.report.energy import (
    DEVICES,
    Device,
    energies,
    energies_at_latency,
)
from nengo_dl.converter.report.on_hardware import on_hardware
from nengo_dl.converter.report.operations import Counts, Operations, Spikes, total
from nengo_dl.converter.report.report import LayerReport, Raster, Report
from nengo_dl.errors import arguments_of
from nengo_dl.hardware import Hardware, Weights
from nengo_dl.names import unique_names
from nengo_dl.nodes.tensor_node import TensorNode
from nengo_dl.simulator import inputs as node_data


def measure(
    conversion: Conversion,
    x: Any,
    y: Any = None,
    n_steps: int | None = None,
    dt: float = 0.001,
    minibatch_size: int = 32,
    devices: Iterable[Device] = DEVICES,
    hardware: Hardware | Weights | None = None,
) -> Report:
    """Run a network and its model on data, see `Converter.report`."""
    where, source = "Converter.report", conversion.source
    check_series(source, where)
    inputs = checked_inputs(where, source.inputs, x)
    shown = Shown(
        inputs,
        n_steps=steps_of(where, source, inputs, n_steps),
        labels=classes(where, source, y, len(inputs[0])),
        dt=dt,
        minibatch_size=positive(where, "minibatch_size", minibatch_size),
    )
    if hardware is None:
        return _measured(conversion, shown, devices)
    _check_hardware(hardware)
    found = _measured(conversion, shown, devices)
    return replace(found, hardware=on_hardware(conversion, hardware, shown))


def _check_hardware(hardware: Any) -> None:
    if not isinstance(hardware, Hardware | Weights):
        raise ValueError(
            f"Converter.report: expected hardware to be Weights or Hardware (got "
            f"{hardware!r}). Pass e.g. nengo_dl.hardware.Weights(bits=8)."
        )


def report(
    network: nengo.Network,
    x: Any = None,
    n_steps: int | None = None,
    *,
    dt: float = 0.001,
    minibatch_size: int = 32,
    devices: Iterable[Device] = DEVICES,
) -> Report:
    """Run any network on data, and report what it does and costs.

    Parameters
    ----------
    network : nengo.Network
        With any objects, spiking or not.
    x : None or dict or list or ndarray, optional
        Data for the input nodes, as for `Simulator.predict`: by node or name, in order,
        or of the first one, of shape (n_items, n_steps, size_out). Others put out what
        they say.
    n_steps : int, optional
        Number of steps; needed if `x` does not tell.
    dt : float
        Length of a step, in seconds.
    minibatch_size : int
        How many items are run side by side.
    devices : iterable of `nengo_dl.converter.report.Device`
        What energies are estimated for.

    Returns
    -------
    report : `nengo_dl.converter.report.Report`
        Its layers are the ensembles, and the nodes with inputs, each with the
        connections that lead to it. There are no outputs to compare with.

    Raises
    ------
    ValidationError
        If the data does not fit the network, or nothing says how many steps to run.

    Notes
    -----
    Encoders are not counted. Operations of functions in Python, of a `TensorNode` and
    of ensembles in direct mode are not known; ``uncounted`` lists these objects.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           stimulus = nengo.Node([0.5])
           ensemble = nengo.Ensemble(50, 1, label="memory")
           nengo.Connection(stimulus, ensemble)
           nengo.Connection(ensemble, ensemble, synapse=0.1)

       report = nengo_dl.report(net, n_steps=100)
       (layer,) = report.layers
       print(layer.name, layer.neurons, layer.effective_acs == layer.spikes)

    .. testoutput::

       memory 50 True
    """
    where = "nengo_dl.report"
    nodes = [
        node
        for node in network.all_nodes
        if node.size_in == 0 and not isinstance(node, TensorNode)
    ]
    names = unique_names(nodes, network.all_probes)
    with arguments_of(where):
        given = {node: names[node] for node in nodes}
        arrays, n_steps, _ = node_data.read_inputs(x, given, n_steps)
    shown = Shown(
        tuple(node_data.steps_of(array, 0, n_steps) for array in arrays.values()),
        labels=(),
        n_steps=n_steps,
        dt=dt,
        minibatch_size=positive(where, "minibatch_size", minibatch_size),
    )
    return _measured(as_conversion(network, tuple(arrays)), shown, devices)


def _measured(
    conversion: Conversion, shown: Shown, devices: Iterable[Device]
) -> Report:
    run, size = Run(conversion, shown), min(shown.minibatch_size, shown.n_items)
    with (
        probed(conversion.net, run.probed()) as probes,
        simulator(conversion.net, shown.dt, size) as sim,
    ):
        run.show(sim, probes)
        built = sim.model
    return _Summary(run, built).report(tuple(devices))


class _Summary:
    """Turns the counters of a run into a `Report`, with the weights that were built."""

    def __init__(self, run: Run, built: Model):
        self._run = run
        counted = {obj: run.activity[obj].n_spikes for obj in run.firing}
        conns = [conn for layer in run.layers for conn in layer.connections]
        self._operations = Operations(
            Spikes(counted, conns, built),
            {obj: activity.n_nonzero for obj, activity in run.activity.items()},
            built,
            run.shown.n_items,
            run.shown.n_steps,
        )

    def report(self, devices: tuple[Device, ...]) -> Report:
        """Return the report."""
        run = self._run
        for layer in run.layers:
            self._check_finite(layer)
        counts = [self._counts(layer) for layer in run.layers]
        whole = total(counts)
        found = Report(
            model=run.conversion.source.name,
            n_items=run.shown.n_items,
            n_steps=run.shown.n_steps,
            dt=run.shown.dt,
            layers=tuple(map(self._layer, run.layers, counts)),
            total=whole,
            outputs=run.outputs(),
            energy=energies(whole, run.shown.n_steps, devices),
            rasters=tuple(
                _raster(made.layer.name, run.firing[obj])
                for made in run.layers
                for obj in made.neurons
                if obj in run.firing
            ),
        )
        return replace(
            found,
            energy_at_latency=energies_at_latency(found, devices),
            advice=tuple(advice(found, run.conversion)),
        )

    def _check_finite(self, made: MadeLayer) -> None:
        found = self._run.deviations[made]
        sums = [value for d in found for value in (d.squares, d.squares_of_keras)]
        if not np.all(np.isfinite(sums)):
            raise ValueError(
                "Converter.report: expected finite outputs of layer "
                f"'{made.layer.name}' (got some that are NaN or infinite, or too large "
                "for float32). Check the weights of the model, and the data."
            )

    def _layer(self, made: MadeLayer, counts: Counts) -> LayerReport:
        deviations = self._run.deviations[made]
        return LayerReport(
            name=made.layer.name,
            type=made.layer.type,
            kind="fallback" if made.reason else "native",
            reason=made.reason,
            error=relative(
                sum(deviation.squares for deviation in deviations),
                sum(deviation.squares_of_keras for deviation in deviations),
            )
            if deviations
            else None,
            **asdict(counts),
        )

    def _counts(self, made: MadeLayer) -> Counts:
        """Return what a layer computes."""
        operations = asdict(total(map(self._operations.of, made.connections)))
        operations |= {"parameters": made.layer.n_parameters, **self._activity(made)}
        if any(each.is_opaque for each in made.calls):
            operations |= dict.fromkeys(("effective_macs", "effective_acs", "dense"))
        return Counts(**operations)

    def _activity(self, made: MadeLayer) -> dict[str, Any]:
        """Return what the neurons of a layer do."""
        n_items, n_steps = self._run.shown.n_items, self._run.shown.n_steps
        activity = [self._run.activity[obj] for obj in made.neurons]
        n_neurons = sum(obj.size_out for obj in made.neurons)
        n_nonzero = sum(count.n_nonzero.sum() for count in activity)
        n_spikes = sum(count.n_spikes.sum() for count in activity)
        return {
            "neurons": n_neurons,
            "neuron_updates": n_neurons * n_steps,
            "spikes": float(n_spikes / n_items),
            "zero_activations": float(n_neurons * n_steps - n_nonzero / n_items),
            "max_rate": max((count.max_rate for count in activity), default=None),
            "rate_sum": float(sum(count.rate_sum for count in activity) / n_items),
        }


def _raster(name: str, firing: Firing) -> Raster:
    spikes = tuple(map(tuple, firing.spikes.tolist()))
    return Raster(name, tuple(firing.numbers.tolist()), spikes)
