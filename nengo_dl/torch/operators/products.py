"""Products with matrices, embeddings, attention."""

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import product
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.operators.indexing import look_up
from nengo_dl.exchange.operators.linear import linear
from nengo_dl.exchange.registry import register


@register("aten.linear.default", keras="Dense")
def convert_linear(emit: Emitter, x, weight, bias=None):
    """Convert a product with a matrix, and a bias."""
    return linear(emit, emit.value(x), weight, bias)


@register(
    "aten.matmul.default",
    "aten.mm.default",
    "aten.bmm.default",
    keras="Dense, keras.ops.matmul",
    restrictions="the minibatch is none of the axes that are multiplied",
)
def convert_matmul(emit: Emitter, x, other):
    """Convert a product of matrices."""
    return product.matmul(emit, x, other)


@register("aten.addmm.default", "aten.baddbmm.default", keras="keras.ops.matmul")
def convert_addmm(emit: Emitter, x, mat1, mat2, beta=1, alpha=1):
    """Convert a product of matrices to which something is added."""
    if (beta, alpha) != (1, 1):
        raise InvalidValue(f"expected factors of 1 (got {beta} and {alpha})")
    found = product.matmul(emit, mat1, mat2)
    return elementwise(emit, keras.ops.add, found, x)


@register(
    "aten.einsum.default",
    keras="keras.ops.einsum",
    restrictions="letters for all axes; not a sum over the minibatch",
)
def convert_einsum(emit: Emitter, equation, tensors, path=None):
    """Convert sums of product."""
    del path
    return product.einsum(emit, equation, tensors)


@register("aten.bilinear.default", keras="keras.ops.einsum")
def convert_bilinear(emit: Emitter, x, other, weight, bias=None):
    """Convert a product of two tensors with a weight for each pair of elements."""
    made = product.einsum(emit, "ni,oij,nj->no", (x, weight, other))
    return made if bias is None else elementwise(emit, keras.ops.add, made, bias)


@register(
    "aten.scaled_dot_product_attention.default",
    keras="keras.ops.matmul, Softmax",
    restrictions="without dropout",
)
def convert_attention(
    emit: Emitter,
    query,
    key,
    value,
    attn_mask=None,
    dropout_p=0.0,
    is_causal=False,
    scale=None,
    enable_gqa=False,
):
    """Convert attention."""
    if dropout_p or enable_gqa:
        raise InvalidValue("expected attention without dropout and without groups")
    query, key = emit.value(query), emit.value(key)
    if is_causal:
        n_queries, n_keys = query.shape[-2], key.shape[-2]
        attn_mask = np.tril(np.ones((n_queries, n_keys), bool))
    return product.attention(emit, query, key, emit.value(value), attn_mask, scale)


@register("aten.embedding.default", keras="Embedding")
def convert_embedding(
    emit: Emitter,
    weight,
    indices,
    padding_idx=-1,
    scale_grad_by_freq=False,
    sparse=False,
):
    """Convert rows of a matrix, by their numbers; the row of padding is not trained."""
    del sparse
    if scale_grad_by_freq:
        raise InvalidValue("expected gradients that no frequencies scale")
    found = look_up(emit, weight, indices)
    if padding_idx < 0:
        return found
    indices = emit.plain(emit.value(indices))
    is_padding = keras.ops.expand_dims(keras.ops.equal(indices, padding_idx), -1)
    fixed = keras.ops.stop_gradient(found.tensor)
    return found.with_tensor(keras.ops.where(is_padding, fixed, found.tensor))
