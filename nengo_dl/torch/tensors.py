"""Tensors from torch to TensorFlow and back, on the CPU.

TensorFlow sees the memory of torch where it can. What goes back is a copy: TensorFlow
takes for granted that nobody writes to its tensors, and users of torch do.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import torch
from nengo.exceptions import ValidationError

from nengo_dl.errors import InvalidValue

# An array that begins elsewhere makes TensorFlow abort the process
_ALIGNMENT = 64
PRECISIONS = {torch.float32: "float32", torch.float64: "float64"}


def check_tensor(x: torch.Tensor) -> torch.Tensor:
    """Return a tensor of real numbers on the CPU, or raise `InvalidValue`."""
    if not isinstance(x, torch.Tensor):
        raise InvalidValue(
            f"expected a torch.Tensor (got {type(x).__name__}). Convert it with "
            "torch.as_tensor."
        )
    if x.layout != torch.strided or x.is_quantized:
        raise InvalidValue(
            f"expected a dense tensor (got layout {x.layout}, {x.dtype}). Convert it "
            "with x.to_dense() or x.dequantize()."
        )
    if x.is_complex():
        raise InvalidValue(
            f"expected real numbers (got {x.dtype}). Pass x.real, or both parts as "
            "dimensions."
        )
    if x.device.type != "cpu":
        raise InvalidValue(
            f"expected a tensor on the CPU (got {x.device}), where TensorFlow shares "
            "memory with torch. Call .cpu()."
        )
    return x


def to_tensorflow(x: torch.Tensor) -> tf.Tensor:
    """Return a tensor of the same values, to be used before they change.

    Parameters
    ----------
    x : torch.Tensor
        On the CPU, of real numbers.
    """
    x = x.detach().resolve_neg().contiguous()
    if x.numel() == 0:
        return tf.zeros(tuple(x.shape), str(x.dtype).removeprefix("torch."))
    if x.data_ptr() % _ALIGNMENT:
        x = x.clone(memory_format=torch.contiguous_format)
    return tf.experimental.dlpack.from_dlpack(x.__dlpack__())


def to_torch(y: tf.Tensor) -> torch.Tensor:
    """Return a copy of a tensor."""
    return torch.from_numpy(np.asarray(y.numpy()))  # numbers are no arrays


def precision_of(tensors: list[torch.Tensor]) -> str | None:
    """Return the precision of parameters; None without any.

    Raises
    ------
    ValidationError
        If they are of several types, or of one that no network computes in.
    """
    found = {x.dtype for x in tensors if x.is_floating_point()}
    if not found:
        return None
    if len(found) > 1 or found - set(PRECISIONS):
        raise ValidationError(
            "expected all parameters in float32 or float64 (got "
            f"{', '.join(sorted(map(str, found)))}). Call .float() or .double().",
            attr="parameters",
            obj="torch.Network",
        )
    return PRECISIONS[found.pop()]
