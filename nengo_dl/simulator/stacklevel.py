"""Where a warning comes from, for its reader: the line that called the package."""

import inspect
import traceback
from collections.abc import Mapping
from typing import Any


def user_level() -> int:
    """Return the ``stacklevel`` of the code that called this package.

    For the function that calls this one, and warns.
    """
    frames = [frame for frame, _ in traceback.walk_stack(inspect.currentframe())]
    outer = (i for i, frame in enumerate(frames) if not _is_ours(frame.f_globals))
    return next(outer, len(frames) - 1)


def _is_ours(namespace: Mapping[str, Any]) -> bool:
    package = namespace.get("__name__", "").split(".")[0]
    return package in ("nengo_dl", "contextlib")
