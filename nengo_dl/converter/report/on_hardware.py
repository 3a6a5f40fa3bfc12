"""Outputs of a converted network on a model of hardware."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import nengo
import numpy as np

from nengo_dl.converter.conversion import Conversion
from nengo_dl.converter.presentation import (
    Arrays,
    chunks,
    flat,
    minibatches,
    probed,
    simulator,
)
from nengo_dl.converter.report.counters import Course
from nengo_dl.converter.report.hardware_report import HardwareReport
from nengo_dl.converter.report.outputs import output_report
from nengo_dl.converter.report.report import OutputReport
from nengo_dl.hardware import Hardware, Weights, convert
from nengo_dl.simulator import Simulator

# A second, a day and a year
TIMES = (1.0, 86400.0, 31536000.0)
PROGRAMMINGS = 5


@dataclass(frozen=True, eq=False)
class Shown:
    """Data, and how it is shown to a network."""

    inputs: Arrays  # one for each input of the model
    labels: Sequence[np.ndarray | None]  # one for each output
    n_steps: int
    dt: float
    minibatch_size: int


def on_hardware(
    conversion: Conversion, model: Hardware | Weights, shown: Shown
) -> tuple[HardwareReport, ...]:
    """Run a copy of a converted network, on hardware.

    Devices are programmed several times, and each time read after several times, with
    compensated drift. All of it is computed by one simulator.
    """
    copied = _of_copy(conversion, convert(conversion.net, model))
    weights = model.weights if isinstance(model, Hardware) else model
    has_devices = weights.device is not None
    times = TIMES if has_devices else (0.0,)
    found: dict[float, list[tuple[OutputReport, ...]]] = {t: [] for t in times}
    size = min(shown.minibatch_size, len(shown.inputs[0]))
    with (
        probed(copied.net, copied.outputs) as probes,
        simulator(copied.net, shown.dt, size) as sim,
    ):
        for seed in range(PROGRAMMINGS if has_devices else 1):
            chip = sim.program(seed) if has_devices else None
            for t in times:
                lent = contextlib.nullcontext() if chip is None else chip.at(t)
                with lent:
                    found[t].append(_outputs(copied, sim, probes, shown))
    return tuple(
        _summary(t if has_devices else None, [reports[i] for reports in found[t]])
        for i in range(len(copied.outputs))
        for t in times
    )


def _of_copy(conversion: Conversion, net: nengo.Network) -> Conversion:
    """Return a conversion that has a copy of the network."""
    nodes = dict(zip(conversion.net.all_nodes, net.all_nodes, strict=True))
    probes = dict(zip(conversion.net.all_probes, net.all_probes, strict=True))
    return replace(
        conversion,
        net=net,
        inputs=tuple(nodes[node] for node in conversion.inputs),
        outputs=tuple(probes[probe] for probe in conversion.outputs),
        averages=frozenset(probes[probe] for probe in conversion.averages),
    )


def _outputs(
    conversion: Conversion,
    sim: Simulator,
    probes: Mapping[nengo.Probe, nengo.Probe],
    shown: Shown,
) -> tuple[OutputReport, ...]:
    """Show all items, and follow all outputs."""
    model, n_steps = conversion.source, shown.n_steps
    courses = [
        Course(p, spec.signal_shape, wanted, n_steps, p in conversion.averages)
        for p, spec, wanted in zip(
            conversion.outputs, model.outputs, shown.labels, strict=True
        )
    ]
    for items in minibatches(len(shown.inputs[0]), sim.minibatch_size):
        chosen = [x[items] for x in shown.inputs]
        expected = dict(zip(conversion.outputs, model.compute(chosen), strict=True))
        data = dict(zip(conversion.inputs, flat(model, chosen), strict=True))
        for course in courses:
            course.begin(expected)
        for chunk in chunks(sim, probes, data, n_steps, keeps_weights=True):
            for course in courses:
                course.add(chunk)
    return tuple(
        output_report(spec.name, course, shown.dt)
        for spec, course in zip(model.outputs, courses, strict=True)
    )


def _summary(t: float | None, found: Sequence[OutputReport]) -> HardwareReport:
    """Put together what several programmings have made of an output."""
    accuracies = tuple(o.accuracy[-1] for o in found if o.accuracy is not None)
    errors = tuple(output.error[-1] for output in found)
    return HardwareReport(found[0].name, t, accuracies or None, errors)
