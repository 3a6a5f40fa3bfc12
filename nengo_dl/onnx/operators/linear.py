"""Products with matrices."""

import keras

from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.operators.linear import linear
from nengo_dl.exchange.operators.product import as_value, matmul, swapped
from nengo_dl.exchange.registry import register

ops = keras.ops


@register("onnx.Gemm", keras="Dense, keras.ops.matmul")
def convert_gemm(emit: Emitter, a, b, c=None, alpha=1.0, beta=1.0, transA=0, transB=0):
    """Convert a product of matrices, plus a third one."""
    value = emit.value(a)
    value = swapped(value) if transA else value
    if alpha == beta == 1 and value.batch == 0 and _is_dense(b, c, transB):
        return linear(emit, value, b, c, bool(transB))
    if transB and isinstance(b, Weight) and value.batch == 0:
        made = linear(emit, value, b, None, True)
    else:
        made = matmul(emit, value, swapped(as_value(emit, b)) if transB else b)
    made = _scaled(emit, made, alpha)
    if c is None or beta == 0:
        return made
    return elementwise(emit, ops.add, made, _scaled(emit, c, beta))


def _scaled(emit: Emitter, x, factor: float):
    return x if factor == 1 else elementwise(emit, ops.multiply, x, factor)


def _is_dense(b, c, is_transposed: int) -> bool:
    """Whether a matrix and a bias are those of a dense layer."""
    if not isinstance(b, Weight):
        return False
    size_out = b.array.shape[0 if is_transposed else 1]
    return c is None or isinstance(c, Weight) and c.array.shape == (size_out,)


@register("onnx.MatMul", keras="Dense, keras.ops.matmul")
def convert_matmul(emit: Emitter, a, b, bias=None):
    """Convert a product of matrices, to which a bias may have been added."""
    if bias is None:
        return matmul(emit, a, b)
    value = emit.value(a)
    if _is_dense(b, bias, 0) and value.batch not in (None, value.rank - 1):
        return linear(emit, value, b, bias, False)
    return elementwise(emit, ops.add, matmul(emit, value, b), bias)
