"""Compiled functions that engines of equal structure share.

Parameters and state are arguments of what is compiled, so a second network that differs
in their values alone needs no compilation of its own. Which networks these are is a
matter of fingerprints.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from nengo_dl.engine.fingerprint import Fingerprints, NoFingerprint

logger = logging.getLogger(__name__)

# The functions used last are kept, also without an engine that uses them, as long as
# they have no more constants than this.
MAX_FUNCTIONS = 32
MAX_BYTES = 64 * 2**20


class _SharedFunction(NamedTuple):
    """A function, and the size of its constants."""

    function: Any
    nbytes: int


class SharedFunctions:
    """Functions that were traced, by the fingerprint of what they compute."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple, _SharedFunction] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, content: Any, arguments: Any, trace: Callable[[], Any]) -> Any:
        """Return a function, one of before if there is an equal one.

        Parameters
        ----------
        content : object
            All that the function depends on, besides the values of its arguments.
        arguments : structure of tensor
            What the function is to be called with.
        trace : callable
            Makes the function.
        """
        fingerprints = Fingerprints()
        try:
            key = (fingerprints.of(content), *_surroundings(arguments))
        except NoFingerprint as exc:
            logger.info("A compiled function of its own: %s.", exc)
            return trace()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key].function
        function = trace()
        with self._lock:
            self._kept[key] = _SharedFunction(function, fingerprints.nbytes)
            while len(self._kept) > MAX_FUNCTIONS or self._nbytes() > MAX_BYTES:
                self._kept.popitem(last=False)
        return function

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        """Forget all functions; those who use one keep it."""
        with self._lock:
            self._kept.clear()

    def _nbytes(self) -> int:
        return sum(kept.nbytes for kept in self._kept.values())


def _surroundings(arguments: Any) -> tuple:
    """Describe shapes and types of arguments, and where operations are put."""
    if tf.distribute.has_strategy() or not tf.executing_eagerly():
        raise NoFingerprint("a strategy, or a graph that is being traced")
    found = [(x.shape, x.dtype, x.device) for x in tf.nest.flatten(arguments)]
    return tuple((tuple(s), d.name, where) for s, d, where in found), tf.zeros(
        ()
    ).device


SHARED = SharedFunctions()
