"""Learning rules: the change of weights in one step.

Each kernel computes the change ("delta"); Nengo adds it to the weights at the start of
the next step. Groups hold k rules of equal shapes; tensors are reshaped to
(k, n_post, n_pre, minibatch_size or 1).
"""

import numpy as np
import tensorflow as tf
from nengo.builder.learning_rules import SimBCM, SimOja, SimPES, SimRLS, SimVoja

from nengo_dl.graph.kernel import Kernel, Write, constant, slot
from nengo_dl.ops.registry import Builder


def _rates(values):
    """Collect one number per rule, or one for all rules if they are equal."""
    return values[:1] if all(value == values[0] for value in values) else values


def _kernel(name, ops, ctx, inputs, constants, fn):
    """Build a kernel that updates ``delta`` from the named signals of each operator.

    Constants, such as learning rates, follow as further arguments. There are as many
    as rules, or as rules and neurons that learn.
    """
    k = len(ops)
    n_post, n_pre = ops[0].delta.shape
    shapes = {
        "post": (k, n_post, 1, -1),
        "pre": (k, 1, n_pre, -1),
        "one": (k, 1, 1, -1),
        "both": (k, n_post, n_pre, -1),
    }
    kinds = list(inputs.values())
    n_rules = [1 if np.size(values) == 1 else k for values in constants.values()]

    def compute(*args):
        signals, numbers = args[: len(kinds)], args[len(kinds) :]
        shaped = [
            tf.reshape(arg, shapes[kind])
            for arg, kind in zip(signals, kinds, strict=True)
        ]
        shaped += [
            tf.reshape(arg, (n, -1, 1, 1))
            for arg, n in zip(numbers, n_rules, strict=True)
        ]
        return (tf.reshape(fn(*shaped), (k * n_post * n_pre, -1)),)

    signals = (slot(getattr(op, attr) for op in ops) for attr in inputs)
    numbers = (constant(x, ctx.dtype, f"{name}.{s}") for s, x in constants.items())
    return Kernel(
        name=name,
        reads=(*signals, *numbers),
        writes=(Write(slot(op.delta for op in ops), "set"),),
        fn=compute,
    )


def _shape(op):
    return op.delta.shape


@Builder.register(SimPES, merge_key=_shape)
def build_sim_pes(ops, ctx):
    r"""Build the prescribed error sensitivity rule.

    .. math:: \Delta\omega_{ij} = -\frac{\kappa\,dt}{n} e_i a_j

    Updates ``delta``, reads ``pre_filtered``, ``error``.
    """
    n_pre = ops[0].delta.shape[1]
    alpha = _rates([-op.learning_rate * ctx.dt / n_pre for op in ops])
    inputs = {"error": "post", "pre_filtered": "pre"}
    constants = {"alpha": alpha}

    def fn(error, pre, alpha):
        return (alpha * error) * pre

    return _kernel("PES", ops, ctx, inputs, constants, fn)


@Builder.register(SimBCM, merge_key=_shape)
def build_sim_bcm(ops, ctx):
    r"""Build the Bienenstock-Cooper-Munro rule.

    .. math:: \Delta\omega_{ij} = \kappa\,dt\,a_i (a_i - \theta_i) a_j

    Updates ``delta``, reads ``pre_filtered``, ``post_filtered``, ``theta``.
    """
    constants = {"alpha": _rates([op.learning_rate * ctx.dt for op in ops])}
    inputs = {"pre_filtered": "pre", "post_filtered": "post", "theta": "post"}

    def fn(pre, post, theta, alpha):
        return alpha * post * (post - theta) * pre

    return _kernel("BCM", ops, ctx, inputs, constants, fn)


@Builder.register(SimOja, merge_key=_shape)
def build_sim_oja(ops, ctx):
    r"""Build Oja's rule.

    .. math:: \Delta\omega_{ij} = \kappa\,dt (a_i a_j - \beta a_i^2 \omega_{ij})

    Updates ``delta``, reads ``pre_filtered``, ``post_filtered``, ``weights``.
    """
    constants = {
        "alpha": _rates([op.learning_rate * ctx.dt for op in ops]),
        "beta": _rates([op.beta for op in ops]),
    }

    def fn(pre, post, weights, alpha, beta):
        forget = -beta * weights * (alpha * post * post)
        return forget + alpha * post * pre

    inputs = {"pre_filtered": "pre", "post_filtered": "post", "weights": "both"}
    return _kernel("Oja", ops, ctx, inputs, constants, fn)


@Builder.register(SimVoja, merge_key=_shape)
def build_sim_voja(ops, ctx):
    r"""Build the vector Oja rule, which moves encoders toward active inputs.

    .. math:: \Delta e_{ij} = \kappa\,dt\,l\,a_i (s_i x_j - e_{ij})

    with a learning signal :math:`l` and encoder lengths :math:`s_i`. Updates ``delta``,
    reads ``pre_decoded``, ``post_filtered``, ``scaled_encoders``, ``learning_signal``.
    """
    constants = {
        "alpha": _rates([op.learning_rate * ctx.dt for op in ops]),
        "scale": np.stack([op.scale for op in ops]),
    }

    def fn(pre, post, encoders, learning, alpha, scale):
        return alpha * learning * (scale * (post * pre) - post * encoders)

    inputs = {
        "pre_decoded": "pre",
        "post_filtered": "post",
        "scaled_encoders": "both",
        "learning_signal": "one",
    }
    return _kernel("Voja", ops, ctx, inputs, constants, fn)


@Builder.register(SimRLS, merge_key=_shape)
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
            Write(inv_gamma, "set"),
        ),
        fn=fn,
    )
