"""PyTorch modules as Keras models and Nengo networks, and the way back.

Needs PyTorch: ``pip install nengo_dl[torch]``; see :doc:`/torch`.
"""

from nengo_dl.exchange import Coverage, OperatorUse
from nengo_dl.torch.translation import (
    coverage,
    load_state_dict,
    supported_operators,
    to_keras,
    to_state_dict,
)

__all__ = [
    "Coverage",
    "OperatorUse",
    "coverage",
    "load_state_dict",
    "supported_operators",
    "to_keras",
    "to_state_dict",
]
