"""A `Report` as tables in plain characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.box import Box
from rich.console import Console
from rich.table import Table

from nengo_dl.durations import duration

if TYPE_CHECKING:
    from nengo_dl.converter.report.operations import Counts
    from nengo_dl.converter.report.report import HardwareReport, Report

WIDTH = 100
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))
SMALL = (*PREFIXES, (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))
# a line of dashes below the header and above the last row, and no others
BOX = Box("    \n    \n -- \n    \n -- \n -- \n    \n    \n", ascii=True)

LAYER_COLUMNS = (
    *("layer", "\nneurons", "para-\nmeters", "\nMACs", "\nACs", "\ndense"),
    *("zero\nactiv.", "zero\nweights", "mean\nHz", "max.\nHz", "RMS\nerror"),
)


def render(report: Report) -> str:
    """Return the tables of a `Report`."""
    return rendered(_blocks(report))


def rendered(blocks: Iterable) -> str:
    """Return texts and tables as one text, at most 100 characters wide."""
    console = Console(
        width=WIDTH, color_system=None, force_terminal=False, highlight=False
    )
    with console.capture() as captured:
        for block in blocks:
            console.print(block, soft_wrap=False, markup=False)
    lines = captured.get().splitlines()
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _blocks(report: Report) -> Iterable:
    seconds = report.n_steps * report.dt
    yield (
        f"Model '{report.model}': {report.n_items} items, {report.n_steps} steps of "
        f"{report.dt:g} s each ({seconds:g} s)"
    )
    yield ""
    yield _layers(report)
    yield (
        f"Per item, in all its steps: {number(report.total.spikes)} spikes, "
        f"{number(report.total.neuron_updates)} neuron updates. MACs, ACs: effective "
        "operations for values, for spikes; dense: if nothing were zero."
        + " RMS error: in % of the root mean square of Keras."
        * bool(report.outputs)
    )
    yield from _fallbacks(report)
    yield ""
    if report.outputs:
        yield _outputs(report)
        yield ""
    if report.hardware:
        yield _on_hardware(report)
        yield ""
    yield _energies(report)
    yield from _costs(report)
    yield (
        "Energies are estimates of arithmetic alone, from published costs of single "
        "operations: no memory, communication or idle power."
    )
    for source in dict.fromkeys(energy.source for energy in report.energy):
        names = [e.device for e in report.energy if e.source == source]
        yield f"{', '.join(names)}: {source}"
    if report.advice:
        yield ""
        yield "Advice:"
        yield from (f"- {sentence}" for sentence in report.advice)


def _costs(report: Report) -> Iterable[str]:
    """Say why spikes cost as much as they do."""
    whole = report.total
    if not (whole.spikes and whole.effective_acs):
        return
    fan_out = whole.effective_acs / whole.spikes
    per_mac = whole.effective_acs / (whole.dense or 1.0) * report.n_steps
    yield (
        f"Each spike is added at {number(fan_out)} synapses"
        + f", which makes {number(per_mac)} additions for each multiplication of one "
        "pass through Keras"
        * bool(report.outputs)
        + ". Fewer steps and lower rates cost less."
    )
    most = (whole.max_rate or 0.0) * report.dt
    if most > 1:
        yield (
            f"Some neurons spike up to {number(most)} times a step. Spiking chips do "
            f"not: there, a step of {report.dt:g} s becomes several, or rates end at "
            f"{number(1 / report.dt)} Hz (target_rate)."
        )


def _layers(report: Report) -> Table:
    cells = [
        _cells(layer.name + " *" * (layer.kind != "native"), layer, layer.error)
        for layer in report.layers
    ]
    cells.append((*_cells("total", report.total, None)[:-1], ""))
    return table(LAYER_COLUMNS, cells, has_total=True)


def _cells(name: str, counts: Counts, error: float | None) -> tuple[str, ...]:
    return (
        name,
        number(counts.neurons or None),
        number(counts.parameters or None),
        number(counts.effective_macs),
        number(counts.effective_acs),
        number(counts.dense),
        _percent(counts.activation_sparsity),
        _percent(counts.connection_sparsity),
        number(counts.mean_rate),
        number(counts.max_rate),
        _percent(error),
    )


def _fallbacks(report: Report) -> Iterable[str]:
    for layer in report.layers:
        if layer.kind == "fallback":
            what = " is a TensorNode" * bool(report.outputs)
            yield f"* {layer.name} ({layer.type}){what}: {layer.reason}."
    if report.uncounted:
        yield f"Operations are not counted in {', '.join(report.uncounted)}."


def _outputs(report: Report) -> Table:
    steps = _shown(report.n_steps)
    header = ("output", "", "Keras", *(f"T={t}" for t in steps), "99 % of Keras")
    rows = []
    for output in report.outputs:
        if output.accuracy is not None:
            last = output.last_accuracy or ()
            curves = (("mean", output.accuracy), ("last", last))
            for name, curve in curves:
                rows.append(
                    (
                        output.name if name == "mean" else "",
                        f"accuracy ({name})",
                        _percent(output.keras_accuracy),
                        *(_percent(curve[t - 1]) for t in steps),
                        _from(output.latency) if name == "mean" else "",
                    )
                )
        rows.append(
            (
                output.name if output.accuracy is None else "",
                "RMS error",
                "",
                *(_percent(output.error[t - 1]) for t in steps),
                "",
            )
        )
    return table(header, rows, n_names=2)


def _on_hardware(report: Report) -> Table:
    header = ("output", "weights", "accuracy", "worst", "RMS error")
    rows = []
    for output in report.outputs:
        exact = output.accuracy[-1] if output.accuracy is not None else None
        error = _percent(output.error[-1])
        rows.append((output.name, "as converted", _percent(exact), "", error))
        for found in (each for each in report.hardware if each.name == output.name):
            worst = _percent(found.worst_accuracy) if len(found.errors) > 1 else ""
            error = _percent(found.error)
            rows.append(("", _held(found), _percent(found.accuracy), worst, error))
    return table(header, rows, n_names=2)


def _held(found: HardwareReport) -> str:
    if found.seconds is None:
        return "on hardware"
    return f"in devices, {duration(found.seconds)}, {len(found.errors)} times"


def _energies(report: Report) -> Table:
    is_enough = bool(report.energy_at_latency)
    at = (f"99 % (T={report.latency})",) * is_enough
    header = (
        *("device", "process", "synapses", "neurons", f"total, T={report.n_steps}"),
        *(*at, "Keras, dense", "MACs left out"),
    )
    enough: list[tuple[str, ...]] = [
        (_joules(energy.total),) for energy in report.energy_at_latency
    ]
    rows = [
        (
            energy.device,
            energy.technology,
            _joules(energy.synapses),
            _joules(energy.updates or None),
            _joules(energy.total),
            *at_latency,
            _joules(energy.keras),
            number(energy.macs_left_out or None),
        )
        for energy, at_latency in zip(
            report.energy, enough or [()] * len(report.energy), strict=True
        )
    ]
    return table(header, rows, n_names=2)


def _from(n_steps: int | None) -> str:
    return "never" if n_steps is None else f"T={n_steps}"


def table(header: Sequence[str], rows, has_total=False, n_names=1) -> Table:
    """Return a table, of which the first columns are names, and the rest numbers."""
    found = Table(box=BOX, pad_edge=False, padding=(0, 0, 0, 1), show_edge=False)
    for i, name in enumerate(header):
        is_name = i < n_names
        found.add_column(
            name,
            justify="left" if is_name else "right",
            overflow="fold" if is_name else "ellipsis",
            no_wrap=not is_name,
        )
    for i, row in enumerate(rows):
        found.add_row(*row, end_section=has_total and i == len(rows) - 2)
    return found


def _shown(n_steps: int) -> list[int]:
    """Choose a few numbers of steps, up to the last."""
    powers = [2**i for i in range(20) if 2**i < n_steps]
    return [*powers[-5:], n_steps]


def number(value: float | None, unit: str = "") -> str:
    """Write a number with three digits and a prefix; "-" for None."""
    if value is None:
        return "-"
    if value == 0:
        return f"0 {unit}" if unit else "0"
    prefixes = SMALL if unit else PREFIXES
    for factor, prefix in prefixes:
        # what would be rounded up to 1000 has the next prefix
        if abs(value) >= factor * 0.9995 or (factor, prefix) == prefixes[-1]:
            break
    scaled = value / factor
    digits = 0 if abs(scaled) >= 99.95 else 1 if abs(scaled) >= 9.995 else 2
    text = f"{scaled:.{digits}f}"
    if not unit and not prefix and float(value).is_integer():
        text = f"{value:.0f}"
    space = " " if unit else ""
    return f"{text}{space}{prefix}{unit}"


def _joules(value: float | None) -> str:
    return number(value, "J")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"
