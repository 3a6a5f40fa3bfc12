"""Operators of PyTorch: signatures of ATen, handed over to those of ``exchange``."""

from nengo_dl.torch.operators import arithmetic, conv, linear, shapes

__all__ = ["arithmetic", "conv", "linear", "shapes"]
