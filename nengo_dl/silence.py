"""No warnings for a while, also where threads ask for it at the same time."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.RLock()


@contextmanager
def warnings_ignored(
    category: type[Warning] = Warning, module: str = ""
) -> Iterator[None]:
    """Ignore warnings of a class within a block, and restore the filters afterwards.

    A module is a regular expression for the name of the one that warns.

    Python's filters are one list for all threads: blocks that overlapped would restore
    them in the wrong order. So threads wait for each other.
    """
    with _lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=category, module=module)
        yield
