"""The registry of operators: from a group of Nengo operators to a kernel.

Look-up is by exact type, because a subclass may compute something else.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import keras
import numpy as np
from nengo.builder import Signal
from nengo.builder.operator import Operator
from nengo.exceptions import BuildError

from nengo_dl.graph.kernel import Kernel
from nengo_dl.graph.plan import Group, Traits
from nengo_dl.graph.streams import Streams, packed, unpack
from nengo_dl.settings import Settings

# Results of so many elements are too large to bring them together for one kernel: in
# deep networks, this takes longer than the calls that it saves.
LARGE = 8192
USUAL_ITEMS = 16  # in a minibatch, where the number is not known

# Streams of neighbouring seeds must not meet: operators are this far apart.
_STREAM_STRIDE = 1_000_003


class HostError(Exception):
    """An exception in a user's function, on its way out of TensorFlow."""


@dataclass
class Host:
    """Python state that lives outside the graph: step functions with hidden state.

    Kernels add what they need with `add` and look it up when they run. `reset`
    makes all of it anew, so that nothing of an earlier run is left.

    Parameters
    ----------
    makers : list of callable
        From random streams to an object each.
    made : list of object
        What they made at the last reset.
    streams : dict of (Operator, str, int) to RandomState
        All random streams, which are put back when a run fails, by operator, name and
        minibatch item.
    where : str
        The object whose function is running.
    error : BaseException or None
        What that function raised.
    functions : dict of int to float
        The threads in which functions are running, and when they were called.
    beginnings : list of callable
        Called before steps are run, for what may have changed since the last ones.
    """

    makers: list[Callable[[Streams], Any]] = field(default_factory=list)
    made: list[Any] = field(default_factory=list)
    streams: dict[tuple[Operator, str, int], np.random.RandomState] = field(
        default_factory=dict
    )
    where: str = ""
    error: BaseException | None = None
    functions: dict[int, float] = field(default_factory=dict)
    beginnings: list[Callable[[], None]] = field(default_factory=list)

    def begin(self) -> None:
        """Get ready to run steps."""
        for beginning in self.beginnings:
            beginning()

    def add(self, make: Callable[[Streams], Any]) -> Callable[[], Any]:
        """Keep a function from random streams to an object.

        Parameters
        ----------
        make : callable
            Takes ``Streams``, and returns what the kernel needs.

        Returns
        -------
        get : callable
            Returns the object that was made at the last reset.
        """
        index = len(self.makers)
        self.makers.append(make)
        return lambda: self.made[index]

    def reset(self, streams: Streams) -> None:
        """Make all objects again, with random streams that are at their start."""
        self.error = None
        self.streams.clear()
        self.made[:] = [make(streams) for make in self.makers]

    def calling(self) -> AbstractContextManager[None]:
        """Mark that this thread runs functions of the user's."""
        return _Calling(self.functions)

    def get(self) -> dict[tuple[Operator, str], np.ndarray]:
        """Return where all random streams are, in arrays of shape (n_items, 627)."""
        rows: dict = {}
        for (op, name, _), stream in self.streams.items():  # in the order of the items
            rows.setdefault((op, name), []).append(packed(stream))
        return {key: np.stack(items) for key, items in rows.items()}

    def put(self, arrays: Mapping[tuple[Operator, str], np.ndarray]) -> None:
        """Put all random streams to where they were when `get` was called."""
        for (op, name, item), stream in self.streams.items():
            if item < len(arrays.get((op, name), ())):
                unpack(stream, arrays[op, name][item])


class _Calling(AbstractContextManager[None]):
    """Marks a thread that is in functions; a class, because a generator takes longer.

    Parameters
    ----------
    functions : dict of int to float
        The threads, and when the functions were called.
    """

    def __init__(self, functions: dict[int, float]):
        self._functions, self._thread = functions, threading.get_ident()

    def __enter__(self) -> None:
        self._functions[self._thread] = time.monotonic()

    def __exit__(self, *error: object) -> None:
        self._functions.pop(self._thread, None)


@dataclass(frozen=True)
class BuildContext:
    """The surroundings of a kernel: all that it depends on beside its operators.

    Parameters
    ----------
    dt : float
        Length of a step, in seconds.
    dtype : dtype
        Of all signals, float32 or float64.
    minibatch_size : int or None
        Number of items that are simulated side by side; None if that varies.
    host : `Host`
        Where kernels that run Python keep their objects.
    streams : iterator of int
        What random operators add to the simulator's seed.
    settings : `Settings`
        Those of the network, e.g. how spiking neurons are trained.
    layers : list of keras.Layer
        The Keras layers that kernels call; their weights belong to the simulation.
    losses : list of Signal
        One for each kernel whose layer adds losses: a kernel adds to it, in each step,
        the losses of that step.
    """

    dt: float
    dtype: np.dtype
    minibatch_size: int | None = 1
    host: Host = field(default_factory=Host)
    streams: Iterator[int] = field(default_factory=lambda: count(step=_STREAM_STRIDE))
    settings: Settings = field(default_factory=Settings)
    layers: list[keras.Layer] = field(default_factory=list)
    losses: list[Signal] = field(default_factory=list)

    def add_loss(self, name: str) -> Signal:
        """Return a new signal of one element, for a kernel to sum losses in."""
        total = Signal(shape=(1,), name=name)
        self.losses.append(total)
        return total

    def next_stream(self) -> int:
        """Return a number for an operator's random stream, different for each.

        Returns
        -------
        stream : int
            To be added to the seed.
        """
        return next(self.streams)


class Entry(NamedTuple):
    """A registered operator type."""

    build: Callable[[Group, BuildContext], Kernel]
    merge_key: Callable[[Any], Hashable] | None
    is_host: Callable[[Any], bool]
    is_elementwise: Callable[[Any], bool]


class Builder:
    """Registry of the functions that build kernels.

    Examples
    --------
    An operator that squares a signal::

        @nengo_dl.ops.Builder.register(Square, merge_key=lambda op: ())
        def build_square(ops, ctx):
            return Kernel(
                name="Square",
                reads=(slot(op.x for op in ops),),
                writes=(Write(slot(op.y for op in ops), "set"),),
                fn=lambda x: (x * x,),
            )
    """

    entries: dict[type, Entry] = {}

    @classmethod
    def register(
        cls,
        *op_types: type[Operator],
        merge_key: Callable[[Any], Hashable] | None = None,
        is_host: Callable[[Any], bool] = lambda op: False,
        is_elementwise: Callable[[Any], bool] = lambda op: False,
    ) -> Callable:
        """Register the decorated function for operator types.

        Parameters
        ----------
        *op_types : type
            Matched exactly.
        merge_key : callable, optional
            Operators for which it returns equal keys are built into one kernel. By
            default, each operator gets a kernel of its own.
        is_host : callable, optional
            Whether an operator will run Python in every step.
        is_elementwise : callable, optional
            Whether an operator computes each element of its results from one of each of
            its inputs. Large ones are merged only where it is for free.

        Returns
        -------
        decorate : callable
            Takes ``build(ops, ctx)``, a function of the merged operators and a
            `BuildContext` that returns a `Kernel`, and returns it.
        """

        def decorate(build):
            entry = Entry(build, merge_key, is_host, is_elementwise)
            cls.entries.update(dict.fromkeys(op_types, entry))
            return build

        return decorate

    @classmethod
    def traits(cls, op: Operator, n_items: int = 1) -> Traits:
        """Tell the planner which operators may share a kernel, for many items."""
        entry = cls._entry(op)
        key = id(op) if entry.merge_key is None else entry.merge_key(op)
        size = max((x.size for x in (*op.sets, *op.incs, *op.updates)), default=0)
        is_large = size * n_items >= LARGE and entry.is_elementwise(op)
        return Traits((type(op), key), entry.is_host(op), is_large)

    @classmethod
    def build(cls, group: Group, ctx: BuildContext) -> Kernel:
        """Build the kernel of a group of operators."""
        return cls._entry(group[0]).build(group, ctx)

    @classmethod
    def check(cls, operators: tuple[Operator, ...]) -> None:
        """Raise a `BuildError` that lists all operators that have no kernel."""
        missing = {type(op) for op in operators} - set(cls.entries)
        names = sorted(op_type.__name__ for op_type in missing)
        if names:
            raise BuildError(
                f"No kernel for operator {', '.join(names)}. Register one with "
                f"@nengo_dl.ops.Builder.register({names[0]})."
            )

    @classmethod
    def _entry(cls, op: Operator) -> Entry:
        if type(op) not in cls.entries:
            cls.check((op,))
        return cls.entries[type(op)]
