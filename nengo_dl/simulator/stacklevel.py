"""Where a warning comes from, for its reader: the line that called the package."""

import inspect


def user_level() -> int:
    """Return the ``stacklevel`` of the code that called this package.

    For the function that calls this one, and warns.
    """
    frame, level = inspect.currentframe().f_back, 1
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    return level


def _is_ours(module: str) -> bool:
    return module.split(".")[0] in ("nengo_dl", "contextlib")
