"""Learning rules: the change of weights in one step.

Nengo adds the change ("delta") to the weights at the start of the next step. In groups
of k rules of equal shapes, tensors are reshaped to (k, n_post, n_pre, minibatch_size or
1). The equations are in `nengo_dl.graph.outer_products`, but for that of RLS.
"""

from functools import partial

import numpy as np
import tensorflow as tf
from nengo.builder.learning_rules import SimRLS

from nengo_dl.graph.kernel import Kernel, Write, constant, slot
from nengo_dl.graph.outer_products import FORMS, ChangeFactors, FactoredInc
from nengo_dl.ops.registry import Builder

# Changes with more elements than this share a kernel only if their shapes are equal.
MAX_RAGGED = 1024


def _factors(rules, ctx):
    """Return slots, and the function from their values to the factors of changes.

    Learning rates and other numbers are slots, too, with as many elements as there are
    rules, or rules and neurons that learn.
    """
    form = FORMS[type(rules[0])]
    arrange = _arrangements([op.delta.shape for op in rules])
    reads = [slot(getattr(op, attr) for op in rules) for attr in form.inputs]
    arranged = [arrange[kind] for kind in form.inputs.values()]
    constants = [form.constants(op, ctx.dt) for op in rules]
    for name, first in constants[0].items():
        values = np.concatenate([np.ravel(numbers[name]) for numbers in constants])
        if np.ndim(first) == 0 and np.all(values == values[0]):
            values, kind = values[:1], "all"
        else:
            kind = "post" if np.ndim(first) else "one"
        reads.append(constant(values, ctx.dtype, f"{form.name}.{name}"))
        arranged.append(arrange[kind])
    factors = form.factors

    def fn(*args):
        return factors(*(f(x) for f, x in zip(arranged, args, strict=True)))

    return reads, fn


def _arrangements(shapes):
    """Return what is done to values along "post", "pre", "one" and "all" of the rules.

    They are then multiplied and added element by element: by broadcasting, where all
    weights have the same shape, and else with one value for each weight.
    """
    k = len(shapes)
    if len(set(shapes)) == 1:
        n_post, n_pre = shapes[0]
        kinds = {"post": (k, n_post, 1), "pre": (k, 1, n_pre), "one": (k, 1, 1)}
        kinds["all"] = (1, 1, 1)
        return {kind: partial(_reshape, shape) for kind, shape in kinds.items()}
    sizes = [n_post * n_pre for n_post, n_pre in shapes]
    offsets = np.cumsum([(0, 0), *shapes[:-1]], axis=0)
    grids = [np.indices(shape).reshape(2, -1) for shape in shapes]
    rows, columns = np.concatenate(
        [grid + start[:, None] for grid, start in zip(grids, offsets, strict=True)],
        axis=1,
    )
    index = {"post": rows, "pre": columns, "one": np.repeat(np.arange(k), sizes)}
    gathers = {kind: partial(_gather, i.astype(np.int32)) for kind, i in index.items()}
    return {**gathers, "all": partial(_reshape, (1,))}


def _reshape(shape, values):
    return tf.reshape(values, (*shape, -1))


def _gather(index, values):
    is_all = np.array_equal(index, np.arange(values.shape[0]))
    return values if is_all else tf.gather(values, index)


def _change(weights, growth, columns, decay=None):
    """Return the change of weights from its factors."""
    change = growth * columns
    return change if decay is None else change - decay * weights


def _merge_key(op):
    """Merge equal shapes, and all that are small: many sizes are no more kernels."""
    return None if op.delta.size <= MAX_RAGGED else op.delta.shape


@Builder.register(*FORMS, merge_key=_merge_key)
def build_change(rules, ctx):
    """Build the change that a learning rule makes. Updates ``delta``."""
    shapes = [op.delta.shape for op in rules]
    shape = (len(rules), *shapes[0]) if len(set(shapes)) == 1 else ()
    size = sum(op.delta.size for op in rules)
    reads, factors = _factors(rules, ctx)
    form, n_factors = FORMS[type(rules[0])], len(reads)
    if form.weights:
        reads.append(slot(getattr(op, form.weights) for op in rules))

    def fn(*args):
        weights = [tf.reshape(x, (*(shape or (size,)), -1)) for x in args[n_factors:]]
        change = _change(*(weights or [None]), *factors(*args[:n_factors]))
        return (tf.reshape(change, (size, -1)),)

    return Kernel(
        name=form.name,
        reads=tuple(reads),
        writes=(Write(slot(op.delta for op in rules), "set", shape),),
        fn=fn,
    )


@Builder.register(
    ChangeFactors, merge_key=lambda op: (type(op.rule), op.rule.delta.shape)
)
def build_change_factors(ops, ctx):
    """Build the factors of the change that a learning rule makes. Updates them."""
    reads, factors = _factors([op.rule for op in ops], ctx)
    slots = [slot(signals) for signals in zip(*(op.factors for op in ops), strict=True)]
    sizes = [sum(view.size for view in views) for views in slots]

    def fn(*args):
        values = zip(factors(*args), sizes, strict=True)
        return tuple(tf.reshape(value, (size, -1)) for value, size in values)

    return Kernel(
        name=ops[0].form.name,
        reads=tuple(reads),
        writes=tuple(Write(views, "set") for views in slots),
        fn=fn,
    )


@Builder.register(FactoredInc, merge_key=lambda op: (op.weights.shape, len(op.factors)))
def build_factored_inc(ops, ctx):
    """Build ``weights += change``. Increments ``weights``, reads the factors."""
    del ctx
    k, (n_post, n_pre) = len(ops), ops[0].weights.shape
    size = k * n_post * n_pre
    weights = slot(op.weights for op in ops)
    reads = [slot(signals) for signals in zip(*(op.factors for op in ops), strict=True)]
    shapes = [(k, n_post, n_pre, -1), (k, n_post, 1, -1), (k, 1, n_pre, -1)]
    shapes += [(k, n_post, 1, -1)] * (len(reads) - 2)

    def fn(*args):
        before, growth, columns, *decays = map(tf.reshape, args, shapes)
        after = before + _change(before, growth, columns, *decays)
        return (tf.reshape(after, (size, -1)),)

    return Kernel(
        name="FactoredInc",
        # an increment would be added to flat memory, which XLA does not vectorise
        reads=(weights, *reads),
        writes=(Write(weights, "set", (k, n_post, n_pre)),),
        fn=fn,
    )


@Builder.register(SimRLS, merge_key=lambda op: op.delta.shape)
def build_sim_rls(ops, ctx):
    r"""Build the recursive least-squares rule.

    .. math::
       P &\leftarrow P - \frac{P r (P r)^T}{1 + r^T P r} \\
       \Delta\omega &= -e \frac{(P r)^T}{1 + r^T P r}

    with the symmetric inverse activity matrix :math:`P`, before the update on the right
    of both. Updates ``delta``, ``inv_gamma``, reads ``pre_filtered``, ``error``.
    """
    del ctx
    k = len(ops)
    n_post, n_pre = ops[0].delta.shape

    def fn(r, error, P):
        r = tf.reshape(r, (k, n_pre, 1, -1))
        error = tf.reshape(error, (k, n_post, 1, -1))
        P = tf.reshape(P, (k, n_pre, n_pre, -1))
        Pr = tf.reduce_sum(P * tf.reshape(r, (k, 1, n_pre, -1)), axis=2, keepdims=True)
        scale = 1 / (1 + tf.reduce_sum(r * Pr, axis=1, keepdims=True))
        row = tf.reshape(Pr, (k, 1, n_pre, -1)) * scale
        return (
            tf.reshape(-error * row, (k * n_post * n_pre, -1)),
            tf.reshape(P - Pr * row, (k * n_pre * n_pre, -1)),
        )

    inv_gamma = slot(op.inv_gamma for op in ops)
    return Kernel(
        name="RLS",
        reads=(
            slot(op.pre_filtered for op in ops),
            slot(op.error for op in ops),
            inv_gamma,
        ),
        writes=(
            Write(slot(op.delta for op in ops), "set"),
            Write(inv_gamma, "set", (k, n_pre, n_pre)),
        ),
        fn=fn,
    )
