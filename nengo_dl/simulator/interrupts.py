"""Ctrl-C at moments when nothing is half done."""

import inspect
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C take effect when the block ends; a second one does so at once.

    A random stream cannot be put back if it is interrupted between drawing a number and
    keeping it, so a chunk of steps is either run as a whole or not at all. Only the
    main thread receives signals, and only those with a handler of Python's can be held.
    """
    # without the search for an enum's member, which takes longer than a step
    get_handler = inspect.unwrap(signal.getsignal)
    set_handler = inspect.unwrap(signal.signal)
    before = get_handler(signal.SIGINT)
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

    set_handler(signal.SIGINT, hold)
    try:
        yield
    finally:
        set_handler(signal.SIGINT, before)
        if held:
            before(*held[0])
