"""Kernels, and the elements that they read and write, as plain data.

A kernel computes one group of equal operators with one function. It never looks a
signal up: it declares, per argument of its function, which elements of which signals it
reads (a *slot*), and per result which elements it writes and how.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from nengo.builder import Signal
from nengo.transforms import SparseMatrix


@dataclass(frozen=True, eq=False)
class View:
    """Elements of a base signal, counted in row-major order.

    Parameters
    ----------
    base : Signal
        The signal that owns the memory.
    start, stop : int
        The elements, where they are a range.
    index : ndarray of int, of shape (size,), or None
        The elements in the order of use, where they are not.
    """

    base: Signal
    start: int
    stop: int
    index: np.ndarray | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.stop - self.start if self.index is None else self.index.size

    @property
    def elements(self) -> np.ndarray | slice:
        """The index of the elements in the flattened base signal."""
        return slice(self.start, self.stop) if self.index is None else self.index


Slot = tuple[View, ...]


@dataclass(frozen=True, eq=False)
class Write:
    """The place of one result of a kernel.

    Parameters
    ----------
    views : tuple of `View`
        The elements, concatenated in the order of the result.
    mode : "set" or "inc"
        Whether the result replaces the elements or is added to them.
    shape : tuple of int
        The shape in which a loop should carry the elements, if they are state: XLA
        vectorises what is done to rows and columns, but not to flat memory. () if that
        makes no difference.
    """

    views: Slot
    mode: str
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Kernel:
    """A function over slots, which computes a group of operators.

    Parameters
    ----------
    name : str
        What it computes, for messages.
    reads : tuple of tuple of `View`
        One slot for each argument of ``fn``.
    writes : tuple of `Write`
        One for each result of ``fn``.
    fn : callable
        Takes and returns tensors of shape (size of the slot, minibatch_size or 1). A
        trailing 1 means that all items of the minibatch share the values. Pure, unless
        ``host`` is given.
    host : str or None
        Why Python has to run in every step, or XLA cannot compile ``fn``, if so.
    python : callable or None
        The function that ``fn`` calls, where that is all that ``fn`` does. Takes the
        time in seconds (exact, also where signals are float32), a list of arrays of
        shape (minibatch_size, size of the slot), one for each argument, and such a
        list for results, which it fills. With ``joins_steps``, rows may be those of
        many steps, at any time.
    has_effects : bool
        Whether ``fn`` may do more than return results, so that a call too many is one.
    prepare : mapping of int to callable
        By position in ``reads``: what is done to a slot before it goes to ``fn``. Where
        the slot holds parameters alone, it is done once, ahead of the time loop. May
        return any structure of tensors.
    keyed : bool
        Whether ``fn`` takes a key as its first argument, an int32 tensor of shape (3,)
        that holds the seed, the number of the step, and the number of items. None of
        its other arguments has a trailing 1, unless there is one item, ``prepare``
        returned it, or it ``repeats``.
    training_fn : callable or None
        What stands in for ``fn`` in training; None if that is differentiable as it is.
    draws_once : bool
        Whether ``training_fn`` takes a key as its first argument, as if it were
        ``keyed``, but draws the same numbers for all steps of a call. It reads
        parameters alone.
    joins_steps : bool
        Whether many minibatches at once, side by side, cost less than one after the
        other. What reads inputs of the network alone is then computed ahead of the time
        loop, for all steps together.
    repeats : bool
        Whether ``fn`` has the same results whenever it has the same arguments, although
        it calls Python or is ``keyed``. One call ahead of the time loop then stands for
        all steps, if all that it reads is held.
    training_joins_steps, training_repeats : bool
        The same of ``training_fn``.
    """

    name: str
    reads: tuple[Slot, ...]
    writes: tuple[Write, ...]
    fn: Callable[..., Any]
    host: str | None = None
    python: Callable[..., Any] | None = None
    has_effects: bool = False
    prepare: Mapping[int, Callable[[Any], Any]] = field(default_factory=dict)
    keyed: bool = False
    training_fn: Callable[..., Any] | None = None
    draws_once: bool = False
    joins_steps: bool = False
    repeats: bool = False
    training_joins_steps: bool = False
    training_repeats: bool = False


def size_of(signal: Signal) -> int:
    """Number of stored values: all elements, or those of a sparse signal's pattern."""
    if not signal.sparse:
        return signal.size
    value = signal.initial_value
    return value.size if isinstance(value, SparseMatrix) else value.nnz


def view(signal: Signal, index: Any = None) -> View:
    """Describe a signal, or part of its first axis, as elements of its base.

    Parameters
    ----------
    signal : Signal
        May itself be a view, with any strides.
    index : index expression, optional
        What to take along the first axis, e.g. a list of integers.

    Returns
    -------
    view : `View`
    """
    base = signal.base
    if signal.sparse:
        return View(base, 0, size_of(signal))
    start = signal.elemoffset if signal.is_view else 0
    if index is None and signal.initial_value.flags.c_contiguous:
        return View(base, start, start + signal.size)
    elements = np.full(signal.shape, start, dtype=np.int64)
    for axis, (length, stride) in enumerate(
        zip(signal.shape, signal.elemstrides, strict=True)
    ):
        along = [1] * signal.ndim
        along[axis] = length
        elements += (stride * np.arange(length)).reshape(along)
    return from_elements(base, elements if index is None else elements[index])


def from_elements(base: Signal, elements: np.ndarray) -> View:
    """Describe given elements, as a range where they are one."""
    elements = np.ravel(elements)
    if elements.size == 0:
        return View(base, 0, 0)
    first = int(elements[0])
    if np.array_equal(elements, np.arange(first, first + elements.size)):
        return View(base, first, first + elements.size)
    return View(base, 0, 0, index=elements)


def slot(signals: Iterable[Signal]) -> Slot:
    """Describe whole signals, one after the other.

    Parameters
    ----------
    signals : iterable of Signal
        One for each operator of a group.

    Returns
    -------
    slot : tuple of `View`
        What a kernel reads or writes as one tensor, of shape (sum of the sizes,
        minibatch_size or 1).
    """
    return tuple(view(signal) for signal in signals)


def constant(values: Any, dtype: np.dtype, name: str) -> Slot:
    """Describe numbers that are no signal of an operator, such as time constants.

    What a kernel reads can be changed without compiling anew, unlike what its function
    has captured: networks that differ in such numbers alone share what was compiled.

    Parameters
    ----------
    values : float or ndarray
        The numbers, of any shape.
    dtype : dtype
        Type of all signals.
    name : str
        Name for messages.

    Returns
    -------
    slot : tuple of `View`
        To be read as a tensor of shape (number of values, 1).
    """
    return (view(Signal(np.ravel(values).astype(dtype), name=name, readonly=True)),)
