"""Reports on how much of a chip a network needs, and on what does not fit."""

from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import BuildError

from nengo_dl.chips.limits import LOIHI, ChipLimits
from nengo_dl.errors import InvalidValue, argument
from nengo_dl.graph.nengo_model import build_model
from nengo_dl.hardware.paths import Path, Paths
from nengo_dl.loihi import LoihiLIF

# Weights and connections depend on it in no network of LoihiLIF neurons.
DT = 0.001


@dataclass(frozen=True)
class CoreUse:
    """Use of a core by a population.

    Parameters
    ----------
    name : str
        Label of the ensemble, or its type and number.
    neurons : int
        Number of neurons.
    axons_in : int
        Number of neurons, and of values of nodes, that it hears of.
    axons_out : int
        Number of pairs of one of its neurons and another core, or its own, that hears
        of it.
    synapses : int
        Number of weights that are not 0.
    memory : int
        Bytes that the bits of these weights fill.
    """

    name: str
    neurons: int
    axons_in: int
    axons_out: int
    synapses: int
    memory: int


@dataclass(frozen=True)
class ChipReport:
    """Use of a chip by a network, from `check`.

    Parameters
    ----------
    chip : `ChipLimits`
        What there is.
    cores : tuple of `CoreUse`
        What is needed, for each core.
    violations : tuple of str
        All that does not fit.
    """

    chip: ChipLimits
    cores: tuple[CoreUse, ...]
    violations: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """(bool) Whether there are no violations."""
        return not self.violations

    def total(self, name: str) -> int:
        """Return what all cores need.

        Parameters
        ----------
        name : str
            "neurons" or another number of a `CoreUse`.

        Returns
        -------
        total : int
            The sum.
        """
        return sum(getattr(core, name) for core in self.cores)

    def __str__(self):
        numbers = ("neurons", "axons_in", "axons_out", "synapses", "memory")
        rows = [("core", *(n.replace("_", " ") for n in numbers))]
        rows += [(c.name, *(f"{getattr(c, n):,}" for n in numbers)) for c in self.cores]
        rows.append(("total", *(f"{self.total(n):,}" for n in numbers)))
        limits = (getattr(self.chip, n, "") for n in numbers)
        rows.append(("limit", *(f"{n:,}" if n else "" for n in limits)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{self.chip.name}: {len(self.cores)} of {self.chip.cores} cores"]
        for first, *rest in rows:
            cells = (x.rjust(n) for x, n in zip(rest, widths[1:], strict=True))
            lines.append("  ".join((first.ljust(widths[0]), *cells)).rstrip())
        lines += [f"violation: {text}" for text in self.violations]
        return "\n".join(lines if self.violations else [*lines, "no violations"])


def check(
    net: nengo.Network, chip: ChipLimits = LOIHI, strict: bool = False
) -> ChipReport:
    """Tell what of a chip a network needs, and whether that is there.

    Each ensemble is on a core of its own. Nodes that only pass values on are part of
    the weights between ensembles. All other nodes are computed by a host: each of their
    values that an ensemble hears of is one axon.

    Memory is that for the bits of weights alone, so what a chip needs for their targets
    comes on top of it; weights that convolutions share are counted as often as they are
    used.

    Parameters
    ----------
    net : Network
        Of `.LoihiLIF` neurons, such as `loihi` makes. Others are violations.
    chip : `ChipLimits`
        What there is room for.
    strict : bool
        Whether violations are an error.

    Returns
    -------
    report : `ChipReport`
        What each core needs, and all violations.

    Raises
    ------
    ValidationError
        If an argument is wrong.
    BuildError
        With ``strict``, if there are violations; the message lists all of them.

    Examples
    --------
    .. testcode::

       with nengo.Network(seed=0) as net:
           net.config[nengo.Ensemble].neuron_type = nengo_dl.LoihiLIF(threshold=100)
           net.config[nengo.Ensemble].gain = nengo.dists.Choice([1])
           net.config[nengo.Ensemble].bias = nengo.dists.Choice([0])
           pre = nengo.Ensemble(1025, 1, label="pre")
           post = nengo.Ensemble(10, 1, label="post")
           weights = 64 * np.ones((10, 1025))
           nengo.Connection(pre.neurons, post.neurons, transform=weights, synapse=0)
       print(nengo_dl.hardware.check(net))

    .. testoutput::

       Loihi: 2 of 128 cores
       core   neurons  axons in  axons out  synapses   memory
       pre      1,025         0      1,025         0        0
       post        10     1,025          0    10,250   10,250
       total    1,035     1,025      1,025    10,250   10,250
       limit    1,024     4,096      4,096            131,072
       violation: pre: expected at most 1,024 neurons on a core (got 1,025). Split it.
    """
    with argument("check"):
        if not isinstance(net, nengo.Network):
            raise InvalidValue(
                f"expected a Network (got {net!r}). Pass converter.net for what a "
                "Converter has made."
            )
        if not isinstance(chip, ChipLimits):
            raise InvalidValue(
                f"expected chip to be ChipLimits (got {chip!r}). Leave it out for "
                "Loihi."
            )
    paths = Paths(net, build_model(net, DT, "float64"))
    names = _names(net)
    cores = tuple(_use(ens, names[ens], paths, chip) for ens in names)
    violations = [*paths.problems]
    if len(cores) > chip.cores:
        violations.append(
            f"expected at most {chip.cores:,} cores, one for each ensemble (got "
            f"{len(cores):,}). Join ensembles."
        )
    for ens, core in zip(names, cores, strict=True):
        found = [*_too_much(core, chip), *_unlike(ens, paths.by_target[ens], chip)]
        violations += [f"{core.name}: {text}" for text in found]
    report = ChipReport(chip, cores, tuple(violations))
    if strict and violations:
        listed = "".join(f"\n- {text}" for text in violations)
        raise BuildError(f"check: {net} does not fit on {chip.name}:{listed}")
    return report


def _names(net: nengo.Network) -> dict[nengo.Ensemble, str]:
    return {
        ens: ens.label or f"ensemble {number}"
        for number, ens in enumerate(net.all_ensembles)
    }


def _heard(paths: list[Path], source: Any = None) -> int:
    """Return the number of values that paths lead from, each of them once."""
    columns: dict[Any, set[int]] = {}
    for path in paths:
        if path.constant is None and source in (None, path.source):
            found = np.unique(path.matrix.indices).tolist()
            columns.setdefault(path.source, set()).update(found)
    return sum(map(len, columns.values()))


def _use(ens: nengo.Ensemble, name: str, paths: Paths, chip: ChipLimits) -> CoreUse:
    arriving = [p for p in paths.by_target[ens] if p.constant is None]
    synapses = sum(path.matrix.nnz for path in arriving)
    axons_out = sum(_heard(found, ens.neurons) for found in paths.by_target.values())
    memory = -(-synapses * chip.weight_bits // 8)
    return CoreUse(name, ens.n_neurons, _heard(arriving), axons_out, synapses, memory)


def _too_much(core: CoreUse, chip: ChipLimits) -> list[str]:
    """Return which limits a core exceeds."""
    units = {
        "neurons": ("neurons on a core", "Split it."),
        "axons_in": ("axons into a core", "Connect fewer neurons to it."),
        "axons_out": ("axons out of a core", "Split it, or connect it to less."),
        "memory": ("bytes of weights on a core", "Split it, or connect less to it."),
    }
    return [
        f"expected at most {getattr(chip, name):,} {unit} (got "
        f"{getattr(core, name):,}). {advice}"
        for name, (unit, advice) in units.items()
        if getattr(core, name) > getattr(chip, name)
    ]


def _unlike(ens: nengo.Ensemble, paths: list[Path], chip: ChipLimits) -> list[str]:
    """Return what of neurons and weights is not as it is on the chip."""
    kind = ens.neuron_type
    if not isinstance(kind, LoihiLIF):
        return [
            f"expected LoihiLIF neurons (got {type(kind).__name__}). Call "
            "nengo_dl.hardware.loihi(net)."
        ]
    found = []
    for path in paths:
        if path.is_spiking and isinstance(path.source.ensemble.neuron_type, LoihiLIF):
            weights = path.matrix.data * path.height
            if not chip.has(weights):
                found.append(_out_of_range(path, weights, chip))
    return found


def _out_of_range(path: Path, weights: np.ndarray, chip: ChipLimits) -> str:
    label = path.source.ensemble.label or "another ensemble"
    half = 2 ** (chip.weight_bits - 1)
    expected = (
        f"expected weights from {label} to be whole numbers from {-half} to "
        f"{half - 1}, times {chip.weight_unit} and a power of 2 of at most "
        f"{2**chip.max_shift}"
    )
    return (
        f"{expected} (got {weights.min():g} to {weights.max():g}). Call "
        "nengo_dl.hardware.loihi(net), or round them."
    )
