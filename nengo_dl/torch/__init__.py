"""PyTorch and Nengo: networks as modules of torch, and modules in networks."""

import nengo_dl.torch.installed as _installed  # noqa: F401
from nengo_dl.torch.network import Network

__all__ = ["Network"]
