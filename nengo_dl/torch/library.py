"""PyTorch, which is imported when it is used."""

import importlib
from typing import Any


def import_torch(where: str) -> Any:
    """Return the package; raise ImportError that says how to install it."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ImportError(
            f"{where}: expected PyTorch (got an environment without it). Run `pip "
            "install nengo_dl[torch]`."
        ) from error
