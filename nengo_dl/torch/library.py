"""PyTorch, which is imported when it is used."""

import importlib
from typing import Any

# Names of the public module, and where they are: classes that derive from PyTorch's
CLASSES = {
    "CalledModule": "nengo_dl.torch.calling",
    "Network": "nengo_dl.torch.network",
    "Outputs": "nengo_dl.torch.outputs",
    "WrappedModule": "nengo_dl.torch.wrapping",
    "layer": "nengo_dl.torch.calling",
    "wrap": "nengo_dl.torch.wrapping",
}


def import_torch(where: str) -> Any:
    """Return the package; raise ImportError that says how to install it."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ImportError(
            f"{where}: expected PyTorch (got an environment without it). Run `pip "
            "install nengo_dl[torch]`."
        ) from error


def made_of_torch(module: str, name: str) -> Any:
    """Return a public name of a module that cannot be imported without PyTorch."""
    if name not in CLASSES:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    import_torch(f"{module}.{name}")
    return getattr(importlib.import_module(CLASSES[name]), name)
