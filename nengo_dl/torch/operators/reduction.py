"""Functions along axes."""

import keras

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import reduction
from nengo_dl.exchange.registry import register

ops = keras.ops
WITHIN = "not along the minibatch"

REDUCTIONS = {
    "all": ops.all,
    "amax": ops.max,
    "amin": ops.min,
    "any": ops.any,
    "logsumexp": ops.logsumexp,
    "mean": ops.mean,
    "prod": ops.prod,
    "sum": ops.sum,
}


@register(
    "aten.all.dim",
    "aten.all.dims",
    "aten.amax.default",
    "aten.amin.default",
    "aten.any.dim",
    "aten.any.dims",
    "aten.logsumexp.default",
    "aten.mean.dim",
    "aten.prod.dim_int",
    "aten.sum.dim_IntList",
    keras="keras.ops",
    restrictions=WITHIN,
)
def convert_reduction(emit: Emitter, x, dim=None, keepdim=False, dtype=None):
    """Convert a sum, a mean, a maximum and the like."""
    if dtype is not None:
        raise InvalidValue(f"expected the type of the argument (got {dtype})")
    function = REDUCTIONS[emit.node.operator.split(".")[1]]
    value = emit.value(x)
    found = reduction.reduce(emit, value, function, dim, keepdim)
    keeps_sign = value.is_nonnegative and function in (ops.mean, ops.sum, ops.max)
    return found.with_tensor(found.tensor, keeps_sign)


@register(
    *(f"aten.{name}.default" for name in ("all", "any", "mean", "prod", "sum")),
    keras="keras.ops",
    restrictions="of what all items share",
)
def convert_whole_reduction(emit: Emitter, x, dtype=None):
    """Convert a sum and the like over all axes, which must not be the minibatch."""
    return convert_reduction(emit, x, None, False, dtype)


@register(
    "aten.max.dim",
    "aten.min.dim",
    keras="keras.ops.max, keras.ops.min, keras.ops.argmax, keras.ops.argmin",
    restrictions=WITHIN,
)
def convert_extremum(emit: Emitter, x, dim, keepdim=False):
    """Convert extrema, and where they are."""
    is_max = emit.node.operator == "aten.max.dim"
    value = emit.value(x)
    functions = (ops.max, ops.argmax) if is_max else (ops.min, ops.argmin)
    return tuple(
        reduction.reduce(emit, value, function, dim, keepdim) for function in functions
    )


@register(
    "aten.argmax.default",
    "aten.argmin.default",
    keras="keras.ops.argmax, keras.ops.argmin",
    restrictions=WITHIN,
)
def convert_argument(emit: Emitter, x, dim=None, keepdim=False):
    """Convert where extrema are."""
    is_max = emit.node.operator == "aten.argmax.default"
    function = ops.argmax if is_max else ops.argmin
    return reduction.reduce(emit, emit.value(x), function, dim, keepdim)


@register(
    "aten.var.correction",
    "aten.std.correction",
    keras="keras.ops.var",
    restrictions=WITHIN,
)
def convert_variance(emit: Emitter, x, dim=None, correction=1, keepdim=False):
    """Convert a variance or a standard deviation."""
    correction = 1 if correction is None else correction
    found = reduction.variance(emit, emit.value(x), dim, keepdim, correction)
    if emit.node.operator.startswith("aten.var"):
        return found
    return found.with_tensor(ops.sqrt(found.tensor), True)


@register("aten.var.dim", "aten.std.dim", keras="keras.ops.var", restrictions=WITHIN)
def convert_variance_along(emit: Emitter, x, dim, unbiased=True, keepdim=False):
    """Convert a variance or a standard deviation, with or without a correction."""
    return convert_variance(emit, x, dim, int(unbiased), keepdim)


@register(
    "aten.linalg_vector_norm.default",
    keras="keras.ops",
    restrictions=f"{WITHIN}; of a positive order",
)
def convert_vector_norm(emit: Emitter, x, ord=2, dim=None, keepdim=False, dtype=None):  # noqa: A002
    """Convert a norm."""
    del dtype
    return reduction.norm(emit, emit.value(x), float(ord), dim, keepdim)


@register("aten.norm.ScalarOpt_dim", keras="keras.ops", restrictions=WITHIN)
def convert_norm(emit: Emitter, x, p, dim, keepdim=False):
    """Convert a norm, in its older form."""
    p = 2.0 if p is None else float(p)
    return reduction.norm(emit, emit.value(x), p, dim, keepdim)


@register(
    "aten.cumsum.default",
    "aten.cumprod.default",
    keras="keras.ops.cumsum, keras.ops.cumprod",
    restrictions=WITHIN,
)
def convert_cumulative(emit: Emitter, x, dim):
    """Convert sums or products of all elements so far."""
    is_sum = emit.node.operator == "aten.cumsum.default"
    value = emit.value(x)
    function = ops.cumsum if is_sum else ops.cumprod
    return value.with_tensor(function(value.tensor, axis=value.axis(dim)))
