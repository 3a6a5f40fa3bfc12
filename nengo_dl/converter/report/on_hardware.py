"""Outputs of a converted network on a model of hardware."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import nengo

from nengo_dl.converter.conversion import Conversion
from nengo_dl.converter.presentation import Shown, probed, simulator
from nengo_dl.converter.report.counters import Run
from nengo_dl.converter.report.report import HardwareReport, OutputReport
from nengo_dl.hardware import Hardware, Weights, convert

# A second, a day and a year
TIMES = (1.0, 86400.0, 31536000.0)
PROGRAMMINGS = 5


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
    size = min(shown.minibatch_size, shown.n_items)
    with (
        probed(copied.net, copied.outputs) as probes,
        simulator(copied.net, shown.dt, size) as sim,
    ):
        for seed in range(PROGRAMMINGS if has_devices else 1):
            chip = sim.program(seed) if has_devices else None
            for t in times:
                lent = contextlib.nullcontext() if chip is None else chip.at(t)
                run = Run(copied, shown, outputs_only=True)
                with lent:
                    run.show(sim, probes, keeps_weights=True)
                found[t].append(run.outputs())
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


def _summary(t: float | None, found: Sequence[OutputReport]) -> HardwareReport:
    """Put together what several programmings have made of an output."""
    accuracies = tuple(o.accuracy[-1] for o in found if o.accuracy is not None)
    errors = tuple(output.error[-1] for output in found)
    return HardwareReport(found[0].name, t, accuracies or None, errors)
