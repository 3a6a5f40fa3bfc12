"""Ctrl-C at moments when nothing is half done."""

import importlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C take effect when the block ends; a second one does so at once.

    A random stream cannot be put back if it is interrupted between drawing a number and
    keeping it, so a chunk of steps is either run as a whole or not at all. Only the
    main thread receives signals, and only those with a handler of Python's can be held.
    """
    handlers = _handlers()
    before = handlers.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not callable(before):
        yield
        return
    held: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if held:
            held.clear()
            before(number, frame)
        held.append((number, frame))

    handlers.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        handlers.signal(signal.SIGINT, before)
        if held:
            before(*held[0])


def _handlers() -> Any:
    """Return the module of `signal` that does not look for members of enums.

    The search takes as long as a step of a small network.
    """
    try:
        return importlib.import_module("_signal")
    except ImportError:
        return signal
