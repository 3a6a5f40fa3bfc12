"""Running a network and its source model on data, and comparing them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import nengo
import numpy as np
from nengo.builder import Model
from nengo.ensemble import Neurons

from nengo_dl.converter.conversion import Conversion, Made, SourceLayer, check_series
from nengo_dl.converter.populations import Obj
from nengo_dl.converter.presentation import (
    Arrays,
    checked_inputs,
    chunks,
    flat,
    minibatches,
    positive,
    probed,
    simulator,
    steps_of,
)
from nengo_dl.converter.report.advice import advice
from nengo_dl.converter.report.counters import (
    Activity,
    Counter,
    Course,
    Deviation,
    Firing,
)
from nengo_dl.converter.report.devices import DEVICES, Device, Energy, energies
from nengo_dl.converter.report.fan_out import is_wiring, source, synapses
from nengo_dl.converter.report.labels import classes
from nengo_dl.converter.report.on_hardware import Shown, on_hardware
from nengo_dl.converter.report.outputs import output_report, relative
from nengo_dl.converter.report.report import (
    Counts,
    LayerReport,
    Raster,
    Report,
    total,
)
from nengo_dl.converter.report.spikes import Spikes
from nengo_dl.hardware import Hardware, Weights
from nengo_dl.nodes.array_node import ArrayNode
from nengo_dl.simulator import Simulator

N_IN_RASTER = 20


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
    check_series(conversion.source, "Converter.report")
    inputs = checked_inputs("Converter.report", conversion.source.inputs, x)
    n_steps = steps_of("Converter.report", conversion.source, inputs, n_steps)
    labels = classes("Converter.report", conversion.source, y, len(inputs[0]))
    minibatch_size = positive("Converter.report", "minibatch_size", minibatch_size)
    run = Run(conversion, labels, len(inputs[0]), n_steps, dt)
    if hardware is None:
        return measured(run, inputs, minibatch_size, devices)
    _check_hardware(hardware)
    report = measured(run, inputs, minibatch_size, devices)
    shown = Shown(inputs, labels, n_steps, dt, minibatch_size)
    return replace(report, hardware=on_hardware(conversion, hardware, shown))


def _check_hardware(hardware: Any) -> None:
    if not isinstance(hardware, Hardware | Weights):
        raise ValueError(
            f"Converter.report: expected hardware to be Weights or Hardware (got "
            f"{hardware!r}). Pass e.g. nengo_dl.hardware.Weights(bits=8)."
        )


def measured(
    run: "Run", inputs: Arrays, minibatch_size: int, devices: Iterable[Device]
) -> Report:
    """Run a network on data, one array for each input of its conversion."""
    net = run.conversion.net
    with (
        probed(net, run.probed()) as probes,
        simulator(net, run.dt, min(minibatch_size, run.n_items)) as sim,
    ):
        run.show(sim, probes, inputs)
        built = sim.model
    return _Summary(run, built).report(devices)


def _is_spiking(obj: Obj) -> bool:
    return isinstance(obj, Neurons) and obj.ensemble.neuron_type.spiking


@dataclass(frozen=True, eq=False)
class _Row:
    """A layer of the model, and all that its calls have become."""

    layer: SourceLayer
    made: tuple[Made, ...]

    @property
    def neurons(self) -> list[Neurons]:
        return [neurons for made in self.made for neurons in made.neurons]

    @property
    def connections(self) -> list[nengo.Connection]:
        return [conn for made in self.made for conn in made.connections]

    @property
    def reason(self) -> str:
        return next((made.reason for made in self.made if made.reason), "")


class Run:
    """The counters of a run, and what it is a run of."""

    def __init__(
        self,
        conversion: Conversion,
        labels: Sequence[np.ndarray | None],
        n_items: int,
        n_steps: int,
        dt: float,
    ):
        self.conversion = conversion
        self.n_items, self.n_steps, self.dt = n_items, n_steps, dt
        self.rows = [
            _Row(layer, tuple(conversion.made[call] for call in layer.calls))
            for layer in conversion.source.layers
        ]
        conns = [conn for row in self.rows for conn in row.connections]
        weighted = [source(conn.pre_obj) for conn in conns if not is_wiring(conn)]
        neurons = [obj for row in self.rows for obj in row.neurons]
        rng = np.random.RandomState(0)
        self.activity = {
            obj: Activity(obj, dt) for obj in dict.fromkeys([*weighted, *neurons])
        }
        # what comes from no model is compared with none
        compared = conversion.source.outputs
        self.deviations = {
            row: [
                Deviation(obj, (call, i))
                for call, made in zip(row.layer.calls, row.made, strict=True)
                for i, obj in enumerate(made.outputs if compared else ())
            ]
            for row in self.rows
        }
        specs = conversion.source.outputs
        self.courses = {
            p: Course(p, spec.signal_shape, wanted, n_steps, p in conversion.averages)
            for p, spec, wanted in zip(conversion.outputs, specs, labels, strict=True)
        }
        self.firing = {
            obj: Firing(obj, _some(obj.size_out, rng), dt)
            for obj in filter(_is_spiking, neurons)
        }

    def probed(self) -> dict:
        """Return what is probed, without any order."""
        outputs = [d.obj for found in self.deviations.values() for d in found]
        return dict.fromkeys([*self.activity, *outputs, *self.conversion.outputs])

    def show(
        self, sim: Simulator, probes: Mapping[Any, nengo.Probe], inputs: Arrays
    ) -> None:
        """Show all minibatches to all counters."""
        counters: list[Counter] = [d for row in self.deviations.values() for d in row]
        for group in (self.activity, self.courses, self.firing):
            counters += group.values()
        model = self.conversion.source
        for items in minibatches(self.n_items, sim.minibatch_size):
            chosen = [x[items] for x in inputs]
            found, outputs = model.compute_all(chosen)
            expected = dict(zip(self.conversion.outputs, outputs, strict=True))
            expected |= {
                (call, i): values
                for call, arrays in found.items()
                for i, values in enumerate(arrays)
            }
            data = dict(zip(self.conversion.inputs, flat(model, chosen), strict=True))
            for counter in counters:
                counter.begin(expected)
            for chunk in chunks(sim, probes, data, self.n_steps):
                for counter in counters:
                    counter.add(chunk)
            for counter in counters:
                counter.end()


def _some(n: int, rng: np.random.RandomState) -> np.ndarray:
    return np.sort(rng.permutation(n)[:N_IN_RASTER])


class _Summary:
    """Turns the counters of a run into a `Report`, with the weights that were built."""

    def __init__(self, run: Run, built: Model):
        self._run, self._built = run, built
        conns = [conn for row in run.rows for conn in row.connections]
        counted = {obj: run.activity[obj].n_spikes for obj in run.firing}
        self._spikes = Spikes(counted, conns, built)

    def report(self, devices: Iterable[Device]) -> Report:
        """Return the report."""
        run, model = self._run, self._run.conversion.source
        for row in run.rows:
            self._check_finite(row)
        counts = [self._counts(row) for row in run.rows]
        whole = total(counts)
        outputs = [
            output_report(spec.name, course, run.dt)
            for spec, course in zip(model.outputs, run.courses.values(), strict=True)
        ]
        devices = tuple(devices)
        found = Report(
            model=model.name,
            n_items=run.n_items,
            n_steps=run.n_steps,
            dt=run.dt,
            layers=tuple(map(self._layer, run.rows, counts)),
            total=whole,
            outputs=tuple(outputs),
            energy=energies(whole, run.n_steps, devices),
            rasters=tuple(
                _raster(row.layer.name, run.firing[obj])
                for row in run.rows
                for obj in row.neurons
                if obj in run.firing
            ),
        )
        return replace(
            found,
            energy_at_latency=_energy_of_steps(found, devices),
            advice=tuple(advice(found, _decided_by_steps(run.conversion))),
        )

    def _check_finite(self, row: _Row) -> None:
        found = self._run.deviations[row]
        sums = [value for d in found for value in (d.squares, d.squares_of_keras)]
        if not np.all(np.isfinite(sums)):
            raise ValueError(
                f"Converter.report: expected finite outputs of layer '{row.layer.name}'"
                " (got some that are NaN or infinite, or too large for float32). Check "
                "the weights of the model, and the data."
            )

    def _layer(self, row: _Row, counts: Counts) -> LayerReport:
        deviations = self._run.deviations[row]
        return LayerReport(
            name=row.layer.name,
            type=row.layer.type,
            kind="fallback" if row.reason else "native",
            reason=row.reason,
            error=relative(
                sum(deviation.squares for deviation in deviations),
                sum(deviation.squares_of_keras for deviation in deviations),
            )
            if deviations
            else None,
            **asdict(counts),
        )

    def _counts(self, row: _Row) -> Counts:
        """Return what a layer computes."""
        operations = asdict(total(map(self._operations, row.connections)))
        operations |= {"parameters": row.layer.n_parameters, **self._activity(row)}
        if any(made.is_opaque for made in row.made):
            operations |= dict.fromkeys(("effective_macs", "effective_acs", "dense"))
        return Counts(**operations)

    def _operations(self, conn: nengo.Connection) -> Counts:
        """Return what a connection computes."""
        if is_wiring(conn):
            return Counts()
        obj, weights = source(conn.pre_obj), self._built.params[conn].weights
        spikes = self._spikes.of(obj)
        if spikes is not None and isinstance(weights, np.ndarray) and weights.ndim < 2:
            return Counts()  # other heights for the same spikes
        made = synapses(conn, weights)
        events = self._run.activity[obj].n_nonzero if spikes is None else spikes
        if obj is conn.pre_obj:
            events = events[conn.pre_slice]
        n = float(events @ made.fan_out) / self._run.n_items
        return Counts(
            weights=made.n_weights,
            zero_weights=made.n_zeros,
            effective_macs=n if spikes is None else 0.0,
            effective_acs=0.0 if spikes is None else n,
            dense=float(made.dense.sum() * self._run.n_steps),
        )

    def _activity(self, row: _Row) -> dict[str, Any]:
        """Return what the neurons of a layer do."""
        n_items, n_steps = self._run.n_items, self._run.n_steps
        activity = [self._run.activity[obj] for obj in row.neurons]
        n_neurons = sum(obj.size_out for obj in row.neurons)
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


def _energy_of_steps(report: Report, devices: tuple[Device, ...]) -> tuple[Energy, ...]:
    """Return the energies of the first steps, as many as are enough."""
    if report.latency is None:
        return ()
    whole, part = report.total, report.latency / report.n_steps
    counts = Counts(
        effective_macs=part * (whole.effective_macs or 0.0),
        effective_acs=part * (whole.effective_acs or 0.0),
        dense=part * (whole.dense or 0.0),
        neuron_updates=round(part * whole.neuron_updates),
    )
    return energies(counts, report.latency, devices)


def _decided_by_steps(conversion: Conversion) -> Iterator[str]:
    """Yield names of outputs that are functions of the spikes of single steps."""
    if any(map(_is_spiking, (p.neurons for p in conversion.populations))):
        for spec, probe in zip(
            conversion.source.outputs, conversion.outputs, strict=True
        ):
            is_function = isinstance(probe.target, Neurons | ArrayNode)
            is_function = is_function and not _is_spiking(probe.target)
            if spec.decide and is_function and probe not in conversion.averages:
                yield spec.name
