"""Files that are written whole or not at all, and leave nothing behind.

The data goes to a temporary file beside the target, which then takes the target's
place. A temporary file is locked for as long as someone writes it; one without a lock
was left by a process that has been killed.
"""

import contextlib
import errno
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from typing import IO
from uuid import uuid4

# On Windows, there is no need: nobody can remove a file that is open
HAS_LOCKS = sys.platform != "win32"
ATTEMPTS = 10


@contextlib.contextmanager
def atomic_write(target: str) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of another one at the end of the block.

    A link stays one. After an OSError, also for a file that is read-only, the old file
    is still there.
    """
    folder, name = os.path.split(os.path.realpath(target))
    place = os.path.join(folder, name)
    _check_writable(place)
    _remove_stale(folder, name)
    temporary, file = _open_temporary(folder, name)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if HAS_LOCKS:
                os.replace(temporary, place)  # while it is locked
        if not HAS_LOCKS:
            os.replace(temporary, place)
    finally:
        with contextlib.suppress(OSError):
            os.remove(temporary)


def _check_writable(place: str) -> None:
    """Refuse files that are protected; a folder's permissions alone would not."""
    try:
        mode = os.stat(place).st_mode
    except FileNotFoundError:
        return
    # to root, everything is writable
    if not mode & 0o222 or not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only")


def _stem(name: str) -> str:
    """Return how the temporary files for a file begin, whatever its length."""
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}."


def _remove_stale(folder: str, name: str) -> None:
    pattern = re.compile(re.escape(_stem(name)) + r"[0-9a-f]{32}\.tmp")
    for entry in os.listdir(folder):
        if pattern.fullmatch(entry):
            # somebody else may be faster, or may not let us
            with contextlib.suppress(OSError):
                _remove_if_stale(os.path.join(folder, entry))


def _remove_if_stale(path: str) -> None:
    with open(path, "rb") if HAS_LOCKS else contextlib.nullcontext() as file:
        if file is not None:
            _lock_now(file)
        os.remove(path)


def _open_temporary(folder: str, name: str) -> tuple[str, IO[bytes]]:
    for _ in range(ATTEMPTS):
        path = os.path.join(folder, f"{_stem(name)}{uuid4().hex}.tmp")
        file = open(path, "xb")  # noqa: SIM115
        if _lock(file) and os.path.exists(path):
            return path, file
        # another process took it for a stale one, before it was locked
        file.close()
    raise OSError(errno.EBUSY, "other processes remove what is written")


def _lock(file: IO[bytes]) -> bool:
    if not HAS_LOCKS:
        return True
    try:
        _lock_now(file)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, where nothing counts as stale
    return True


def _lock_now(file: IO[bytes]) -> None:
    import fcntl  # Unix has it, and nothing else

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
