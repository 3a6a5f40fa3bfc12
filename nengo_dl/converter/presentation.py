"""Data of the shapes of a source model: how it is checked, and shown to a network.

Networks are run on a few items at a time, and on a few steps where all would be too
much, so that memory does not grow with the data.
"""

import contextlib
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
import tensorflow as tf

from nengo_dl.config import get_setting
from nengo_dl.converter.conversion import Source, TensorSpec
from nengo_dl.converter.populations import Obj
from nengo_dl.silence import warnings_ignored
from nengo_dl.simulator import Simulator

MINIBATCH_SIZE = 32
MAX_VALUES = 2**25  # in one chunk, of all objects together
DEFAULT_STEPS = 32  # for which an item is presented

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Chunk:
    """Values that objects put out in some steps."""

    start: int  # the number of the first step, from 0
    values: Mapping[Any, np.ndarray]  # of shape (n_items, n_steps, size) each


@dataclass(frozen=True, eq=False)
class Shown:
    """Data, and how it is shown to a network."""

    inputs: Arrays  # one for each input of the model
    labels: Sequence[np.ndarray | None]  # one for each output
    n_steps: int
    dt: float
    minibatch_size: int

    @property
    def n_items(self) -> int:
        """How many items there are; one, if there are no inputs."""
        return len(self.inputs[0]) if self.inputs else 1


def checked_inputs(where: str, specs: Sequence[TensorSpec], given: Any) -> Arrays:
    """Return data for a model as arrays, one for each input, by order or by name.

    Raises ValueError, which begins with ``where``, if data does not fit the model, or
    has values that are no numbers.
    """
    names = ", ".join(spec.name for spec in specs)
    if isinstance(given, Mapping):
        if set(given) != {spec.name for spec in specs}:
            raise ValueError(
                f"{where}: expected a dict with the inputs of the model as keys, "
                f"{names} (got {', '.join(map(str, given)) or 'none'}). Correct the "
                "names, or pass a list."
            )
        given = [given[spec.name] for spec in specs]
    each = given if isinstance(given, list | tuple) else [given]
    if len(specs) == 1 and each and np.ndim(each[0]) < len(specs[0].shape):
        each = [given]  # an array in the form of lists
    if len(each) != len(specs):
        raise ValueError(
            f"{where}: expected an array for each of the {len(specs)} inputs of the "
            f"model (got {len(each)}). Pass a list, in the order {names}, or a dict by "
            "name."
        )
    arrays = tuple(_checked(where, *pair) for pair in zip(specs, each, strict=True))
    n = specs[0].n_outer_axes
    for spec, values in zip(specs, arrays, strict=True):
        if values.shape[:n] != arrays[0].shape[:n]:
            raise ValueError(
                f"{where}: expected as many items{' and time steps' * (n > 1)} for all "
                f"inputs (got {arrays[0].shape[:n]} and, for '{spec.name}', "
                f"{values.shape[:n]}). Cut them to the same number."
            )
    return arrays


def _checked(where: str, spec: TensorSpec, given: Any) -> np.ndarray:
    try:
        values = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError) as exc:
        raise ValueError(
            f"{where}: expected an array of numbers (got {type(given).__name__}: "
            f"{exc}). Pass data as for the Keras model."
        ) from exc
    shape = ("n_items", *("n_steps" if n is None else n for n in spec.shape[1:]))
    fits = values.ndim == len(shape) and all(
        isinstance(wanted, str) or wanted == n
        for wanted, n in zip(shape, values.shape, strict=True)
    )
    if not fits or values.size == 0:
        raise ValueError(
            f"{where}: expected shape ({', '.join(map(str, shape))}"
            f"{',' * (len(shape) == 1)}) for input '{spec.name}', with at least one "
            f"item (got {values.shape}). Pass data as for the Keras model; x[None] is "
            "a minibatch of one item."
        )
    n_wrong = values.size - np.count_nonzero(np.isfinite(values))
    if n_wrong:
        raise ValueError(
            f"{where}: expected finite values for input '{spec.name}' (got {n_wrong} "
            "that are NaN or infinite). Leave those items out."
        )
    return values


def classes(
    where: str, source: Source, given: Any, n_items: int
) -> tuple[np.ndarray | None, ...]:
    """Return labels as numbers of classes, of shape (n_items, ...), for each output.

    They are given as numbers or one-hot vectors, by order or by name; None for outputs
    without labels.
    Errors begin with ``where``.
    """
    specs = source.outputs
    if given is None:
        return (None,) * len(specs)
    names = [spec.name for spec in specs]
    if isinstance(given, Mapping):
        unknown = [str(name) for name in given if name not in names]
        if unknown:
            raise ValueError(
                f"{where}: expected y to have outputs of the model as keys, "
                f"{', '.join(names)} (got {', '.join(unknown)}). Correct the names, or "
                "pass a list."
            )
        given = [given.get(name) for name in names]
        given = given if len(specs) > 1 else given[0]
    each = given if isinstance(given, list | tuple) and len(specs) > 1 else [given]
    if len(each) != len(specs):
        raise ValueError(
            f"{where}: expected y to have labels for each of the "
            f"{len(specs)} outputs of the model (got {len(each)}). Pass a list, "
            "with None for outputs without labels, in the order "
            f"{', '.join(names)}, or a dict by name."
        )
    return tuple(
        None if labels is None else _classes(where, spec, np.asarray(labels), n_items)
        for spec, labels in zip(specs, each, strict=True)
    )


def _classes(
    where: str, spec: TensorSpec, labels: np.ndarray, n_items: int
) -> np.ndarray:
    shape = spec.signal_shape
    if labels.shape == (n_items, *shape) and shape[-1] > 1:
        return labels.argmax(axis=-1)
    if labels.shape == (n_items, *shape[:-1], 1):
        labels = labels[..., 0]
    if shape[-1] < 2 or labels.shape != (n_items, *shape[:-1]):
        raise ValueError(
            f"{where}: expected labels of output '{spec.name}', which has "
            f"shape {shape}, to be numbers of classes of shape "
            f"{(n_items, *shape[:-1])}, or one-hot vectors of shape "
            f"{(n_items, *shape)}, for two classes or more (got {labels.shape}). Leave "
            "y out to compare the output with that of Keras alone."
        )
    is_class = (labels >= 0) & (labels < shape[-1]) & (labels == np.floor(labels))
    if not np.all(is_class):
        raise ValueError(
            f"{where}: expected labels of output '{spec.name}' to be whole "
            f"numbers from 0 to {shape[-1] - 1} (got {labels[~is_class][0]})."
        )
    return labels.astype(np.int64)


def positive(where: str, name: str, value: Any) -> int:
    """Return a whole number that is at least 1; raise ValueError for all else."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(
            f"{where}: expected {name} to be a whole number of at least 1 (got "
            f"{value!r}). Leave it out for the default."
        )
    return number


def steps_of(
    where: str,
    source: Source,
    inputs: Arrays,
    n_steps: int | None,
    default: int = DEFAULT_STEPS,
) -> int:
    """Return how many steps each item takes; data of a model over time says it."""
    if source.n_outer_axes == 1:
        return positive(where, "n_steps", default if n_steps is None else n_steps)
    given = inputs[0].shape[1]
    if n_steps not in (None, given):
        raise ValueError(
            f"{where}: expected n_steps={given}, the length of x along its axis of "
            f"time, because temporal_model=True (got {n_steps}). Leave it out."
        )
    return given


def simulator(net: nengo.Network, dt: float, minibatch_size: int) -> Simulator:
    """Make a simulator, on a GPU if there is one."""
    return Simulator(
        net,
        dt=dt,
        minibatch_size=minibatch_size,
        progress_bar=False,
        device=None if tf.config.list_physical_devices("GPU") else "/cpu:0",
    )


@contextlib.contextmanager
def probed(net: nengo.Network, objs: Iterable[Obj]) -> Iterator[dict]:
    """Add probes of objects (or of what other probes record), and take them away."""
    n_before = len(net.probes)
    try:
        with net:
            probes = {obj: _probe(obj) for obj in objs}
        for probe in probes.values():
            if get_setting(net, "keep_history", obj=probe) is False:
                net.config[probe].keep_history = True
        yield probes
    finally:
        del net.probes[n_before:]


def _probe(obj: Obj | nengo.Probe) -> nengo.Probe:
    if isinstance(obj, nengo.Probe):
        return nengo.Probe(obj.target, synapse=obj.synapse)
    return nengo.Probe(obj, synapse=None)


def flat(source: Source, inputs: Sequence[np.ndarray]) -> Arrays:
    """Return data in the form of nodes, of shape (n_items, n_steps or 1, size) each."""
    is_series = source.n_outer_axes > 1
    return tuple(x.reshape(len(x), x.shape[1] if is_series else 1, -1) for x in inputs)


def minibatches(n_items: int, size: int) -> Iterator[slice]:
    """Yield slices of items; the last one may be shorter."""
    for start in range(0, n_items, size):
        yield slice(start, min(start + size, n_items))


def chunks(
    sim: Simulator,
    probes: Mapping[Any, nengo.Probe],
    data: Mapping[nengo.Node, np.ndarray],
    n_steps: int,
    is_whole: bool = False,
    keeps_weights: bool = False,
) -> Iterator[Chunk]:
    """Simulate one minibatch from its start, chunk by chunk.

    The data of nodes has shape (n_items, n_steps or 1, size): values for all steps, or
    one that stays. There may be less items than the minibatch has. All steps are one
    chunk if it is to be whole, however many values it has. The start has the weights
    that the network was built with, or keeps those that there are.
    """
    # without data, all items are the same
    n_items = len(next(iter(data.values()), range(sim.minibatch_size)))
    size = sum(obj.size_in for obj in probes.values())
    size += sum(node.size_out for node in data)
    length = max(1, MAX_VALUES // (size * sim.minibatch_size))
    length = n_steps if is_whole else length
    items = np.arange(sim.minibatch_size) % n_items
    sim.reset(include_trainable=not keeps_weights)
    for start in range(0, n_steps, length):
        stop = min(n_steps, start + length)
        shown = {
            node: x[items] if x.shape[1] == 1 else x[items, start:stop]
            for node, x in data.items()
        }
        sim.run_steps(stop - start, data=shown)
        values = {obj: sim.data[probe][:n_items] for obj, probe in probes.items()}
        yield Chunk(start, values)
        sim.clear_probes()


def presented(
    net: nengo.Network,
    probes: Mapping[Any, nengo.Probe],
    data: Mapping[nengo.Node, np.ndarray],
    n_steps: int,
) -> Iterator[Mapping[Any, np.ndarray]]:
    """Yield the values of probes in all steps, for one minibatch after the other.

    See `chunks` for the arguments.
    """
    n_items = len(next(iter(data.values())))
    size = min(n_items, MINIBATCH_SIZE)
    # what Nengo has to say of the network, it says when the user simulates it
    with warnings_ignored():
        sim = Simulator(net, minibatch_size=size, progress_bar=False, device="/cpu:0")
    with sim:
        for items in minibatches(n_items, size):
            shown = {node: x[items] for node, x in data.items()}
            (chunk,) = chunks(sim, probes, shown, n_steps, is_whole=True)
            yield chunk.values
