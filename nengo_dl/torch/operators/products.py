"""Products with matrices, embeddings, attention."""

import keras
import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.bindings import AS_IT_IS
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.graph import Weight
from nengo_dl.exchange.operators import products
from nengo_dl.exchange.operators.arithmetic import elementwise
from nengo_dl.exchange.operators.linear import linear
from nengo_dl.exchange.registry import register
from nengo_dl.exchange.values import plain_value


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
    return products.matmul(emit, x, other)


@register("aten.addmm.default", "aten.baddbmm.default", keras="keras.ops.matmul")
def convert_addmm(emit: Emitter, x, mat1, mat2, beta=1, alpha=1):
    """Convert a product of matrices to which something is added."""
    if (beta, alpha) != (1, 1):
        raise InvalidValue(f"expected factors of 1 (got {beta} and {alpha})")
    product = products.matmul(emit, mat1, mat2)
    return elementwise(emit, keras.ops.add, product, x)


@register(
    "aten.einsum.default",
    keras="keras.ops.einsum",
    restrictions="letters for all axes; not a sum over the minibatch",
)
def convert_einsum(emit: Emitter, equation, tensors, path=None):
    """Convert sums of products."""
    del path
    return products.einsum(emit, equation, tensors)


@register("aten.bilinear.default", keras="keras.ops.einsum")
def convert_bilinear(emit: Emitter, x, other, weight, bias=None):
    """Convert a product of two tensors with a weight for each pair of elements."""
    made = products.einsum(emit, "ni,oij,nj->no", (x, weight, other))
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
    return products.attention(emit, query, key, emit.value(value), attn_mask, scale)


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
    if scale_grad_by_freq or not isinstance(weight, Weight):
        raise InvalidValue(
            "expected gradients that no frequencies scale, and a matrix that no other "
            "operator has"
        )
    value = emit.value(indices)
    n, size = weight.array.shape
    made = emit.weighted(
        keras.layers.Embedding,
        emit.plain(value),
        {"embeddings": (weight, AS_IT_IS)},
        input_dim=n,
        output_dim=size,
    )
    if padding_idx >= 0:
        is_padding = keras.ops.expand_dims(
            keras.ops.equal(emit.plain(value), padding_idx), -1
        )
        made = keras.ops.where(is_padding, keras.ops.stop_gradient(made), made)
    return plain_value(made, value.batch)
