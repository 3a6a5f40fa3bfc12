"""A lock for methods of a simulator, some of which may go on at the same time.

A run holds the state of the simulation, and puts it back at the end. Changes of the
state, the parameters or the recording meanwhile (from a callback, from a function of
the network, from another thread) would be undone without a word, so they are an error.
Predictions leave all of that as it was, and may go on side by side.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from nengo.exceptions import SimulationError

# Seconds after which a function of the user's is taken to wait for the very call that
# waits for it
PATIENCE = 30.0
_POLL = 0.1


class _Call:
    """A call that is going on, in one thread."""

    def __init__(self, method: str, shares: bool):
        self.method = method
        self.shares = shares
        self.thread = threading.get_ident()
        self.in_keras = False

    @property
    def is_prediction(self) -> bool:
        return self.method.startswith("predict")


class MethodLock:
    """Keeps calls of a simulator's methods from undoing each other.

    Parameters
    ----------
    functions : callable
        Returns since when (by `time.monotonic`) which threads, by their identifiers,
        are in a function of the user's.
    """

    def __init__(self, functions: Callable[[], Mapping[int, float]]):
        self._functions = functions
        self._changed = threading.Condition()
        self._calls: list[_Call] = []

    def alone(self, method: str) -> AbstractContextManager[None]:
        """Let nothing else go on meanwhile; SimulationError if something does."""
        return _GoingOn(self, _Call(method, False), lambda: not self._calls)

    def beside(
        self, method: str, shares: bool = False, keeps_state: bool = False
    ) -> AbstractContextManager[None]:
        """Go on in callbacks of other calls, or beside others that share.

        Predictions that do not share wait for each other. In callbacks, no call may
        keep the state that it comes to.
        """

        def can_begin() -> bool:
            if self.is_nested:
                return self._in_callback() and not keeps_state
            return not self._calls or (shares and all(c.shares for c in self._calls))

        return _GoingOn(self, _Call(method, shares), can_begin)

    @contextmanager
    def in_keras(self) -> Iterator[None]:
        """Mark the part of this thread's call in which Keras runs its callbacks."""
        call = self._mine()[-1]
        call.in_keras = True
        try:
            yield
        finally:
            call.in_keras = False

    def check(self, method: str, reads: bool = False) -> None:
        """Raise SimulationError outside of callbacks, if something is going on.

        A method that only reads is refused while Keras may be changing what it reads.
        """
        with self._changed:
            hinders = [c for c in self._calls if not (reads and _is_readable(c))]
            if hinders and not self._in_callback():
                raise self._refusal(method)

    @property
    def is_nested(self) -> bool:
        """Whether this thread is in a call."""
        return bool(self._mine())

    def _mine(self) -> list[_Call]:
        here = threading.get_ident()
        return [call for call in self._calls if call.thread == here]

    def _in_callback(self) -> bool:
        mine = self._mine()
        in_function = threading.get_ident() in self._functions()
        return bool(mine) and mine[-1].in_keras and not in_function

    def begin(self, call: _Call, can_begin: Callable[[], bool]) -> None:
        """Wait until a call can begin; SimulationError if it must not wait."""
        with self._changed:
            while not can_begin():
                if not self._may_wait(call):
                    raise self._refusal(call.method)
                self._changed.wait(_POLL)
            self._calls.append(call)

    def end(self, call: _Call) -> None:
        """Let others begin."""
        with self._changed:
            if call in self._calls:
                self._calls.remove(call)
            self._changed.notify_all()

    def _may_wait(self, call: _Call) -> bool:
        """Tell whether a prediction only has to wait for others, in other threads."""
        functions = dict(self._functions())
        called = min(functions.values(), default=time.monotonic())
        return (
            call.is_prediction
            and not self.is_nested
            and call.thread not in functions
            and all(other.is_prediction for other in self._calls)
            and time.monotonic() < called + PATIENCE
        )

    def _refusal(self, method: str) -> SimulationError:
        call = self._calls[-1]
        here = "this" if call.thread == threading.get_ident() else "another"
        return SimulationError(
            f"Simulator.{method}: expected a simulator at rest (got one whose "
            f"{call.method} is running, in {here} thread). Call it before or after; in "
            "callbacks, predict, evaluate and save_params are possible."
        )


class _GoingOn(AbstractContextManager[None]):
    """The time of a call; a class, because a generator takes longer."""

    def __init__(self, lock: MethodLock, call: _Call, can_begin: Callable[[], bool]):
        self._lock, self._call, self._can_begin = lock, call, can_begin

    def __enter__(self) -> None:
        try:
            self._lock.begin(self._call, self._can_begin)
        except BaseException:
            self._lock.end(self._call)
            raise

    def __exit__(self, *error: object) -> None:
        self._lock.end(self._call)


def _is_readable(call: _Call) -> bool:
    """Tell whether parameters and state are those of one moment during a call."""
    return call.shares or not call.in_keras
