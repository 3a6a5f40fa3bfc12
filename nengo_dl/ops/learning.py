"""Learning rules: the change of weights in one step.

Nengo adds the change ("delta") to the weights at the start of the next step. Groups
hold k rules of equal shapes; tensors are reshaped to (k, n_post, n_pre, minibatch_size
or 1). The equations are in `nengo_dl.graph.outer_products`, but for that of RLS.
"""

import numpy as np
import tensorflow as tf
from nengo.builder.learning_rules import SimRLS

from nengo_dl.graph.kernel import Kernel, Write, constant, slot
from nengo_dl.graph.outer_products import FORMS, ChangeFactors, FactoredInc
from nengo_dl.ops.registry import Builder


def _factors(rules, ctx):
    """Return slots, and the function from their values to the factors of changes.

    Learning rates and other numbers are slots, too, with as many elements as there are
    rules, or rules and neurons that learn.
    """
    form = FORMS[type(rules[0])]
    k, (n_post, n_pre) = len(rules), rules[0].delta.shape
    kinds = {"post": (n_post, 1), "pre": (1, n_pre), "one": (1, 1)}
    shapes = [(k, *kinds[kind], -1) for kind in form.inputs.values()]
    reads = [slot(getattr(op, attr) for op in rules) for attr in form.inputs]
    constants = [form.constants(op, ctx.dt) for op in rules]
    for name in constants[0]:
        values = _one_for_all([numbers[name] for numbers in constants])
        shapes.append((len(values), -1, 1, 1))
        reads.append(constant(values, ctx.dtype, f"{form.name}.{name}"))
    factors = form.factors

    def fn(*args):
        return factors(*map(tf.reshape, args, shapes))

    return reads, fn


def _one_for_all(values):
    """Return one number for all rules, if they are equal."""
    is_equal = np.ndim(values) == 1 and all(value == values[0] for value in values)
    return values[:1] if is_equal else values


def _change(weights, growth, columns, decay=None):
    """Return the change of weights from its factors."""
    change = growth * columns
    return change if decay is None else change - decay * weights


@Builder.register(*FORMS, merge_key=lambda op: op.delta.shape)
def build_change(rules, ctx):
    """Build the change that a learning rule makes. Updates ``delta``."""
    shape = (len(rules), *rules[0].delta.shape, -1)
    reads, factors = _factors(rules, ctx)
    form, n_factors = FORMS[type(rules[0])], len(reads)
    if form.weights:
        reads.append(slot(getattr(op, form.weights) for op in rules))

    def fn(*args):
        weights = [tf.reshape(x, shape) for x in args[n_factors:]] or [None]
        change = _change(*weights, *factors(*args[:n_factors]))
        return (tf.reshape(change, (np.prod(shape[:3]), -1)),)

    return Kernel(
        name=form.name,
        reads=tuple(reads),
        writes=(Write(slot(op.delta for op in rules), "set", shape[:3]),),
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
