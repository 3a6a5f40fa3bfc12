"""The kernel of a `nengo_dl.nodes.stencil.Stencil`."""

import tensorflow as tf

from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.nodes.stencil import StencilInc
from nengo_dl.ops.registry import Builder


@Builder.register(StencilInc)
def build_stencil_inc(ops, ctx):
    """Build ``Y += stencil(W, X)``. Increments ``Y``, reads ``W``, ``X``.

    Inputs are gathered tap by tap, in a form that XLA compiles for any geometry.
    """
    del ctx
    (op,) = ops
    stencil = op.stencil
    taps, channels, filters = op.W.shape
    groups = stencil.groups
    n_in, n_out = stencil.n_positions_in, stencil.index.shape[0]
    index = stencil.index % (n_in + 1)  # -1 reads the row of zeros at the end

    def fn(W, X):
        if stencil.channels_last:
            X = tf.reshape(X, (n_in, groups * channels, -1))
        else:
            X = tf.transpose(tf.reshape(X, (groups * channels, n_in, -1)), (1, 0, 2))
        X = tf.gather(tf.pad(X, ((0, 1), (0, 0), (0, 0))), index.ravel())
        X = tf.reshape(X, (n_out, taps, groups, channels, -1))
        W = tf.reshape(W, (taps, channels, groups, filters // groups))
        Y = tf.reshape(tf.einsum("pkgcb,kcgo->pgob", X, W), (n_out, filters, -1))
        if not stencil.channels_last:
            Y = tf.transpose(Y, (1, 0, 2))
        return (tf.reshape(Y, (n_out * filters, -1)),)

    return Kernel(
        name="Stencil",
        reads=(slot([op.W]), slot([op.X])),
        writes=(Write(slot([op.Y]), "inc"),),
        fn=fn,
    )
