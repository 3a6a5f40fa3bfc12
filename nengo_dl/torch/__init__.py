"""PyTorch and Nengo: modules as Keras models and networks, networks as modules.

Needs PyTorch: ``pip install nengo_dl[torch]``; see :doc:`/torch` and
:doc:`/torch-networks`.
"""

from typing import Any

from nengo_dl.exchange import Coverage, OperatorUse
from nengo_dl.torch import library as _library
from nengo_dl.torch.translation import (
    coverage,
    load_state_dict,
    supported_operators,
    to_keras,
    to_state_dict,
)

__all__ = [
    "CalledModule",
    "Coverage",
    "Network",
    "OperatorUse",
    "Outputs",
    "WrappedModule",
    "coverage",
    "layer",
    "load_state_dict",
    "supported_operators",
    "to_keras",
    "to_state_dict",
    "wrap",
]


def __getattr__(name: str) -> Any:
    """Import what is made of PyTorch's classes when it is used."""
    return _library.made_of_torch(__name__, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
