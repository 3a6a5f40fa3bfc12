"""The loop over time."""

import tensorflow as tf

from nengo_dl.engine.step import Clock, Step, Tensors


def simulate(
    step: Step,
    params: Tensors,
    state: Tensors,
    feeds: Tensors,
    clock: Clock,
    n_steps: tf.Tensor,
    *,
    histories: tuple[tf.TensorSpec, ...],
    unroll: int = 1,
    use_loop: bool = True,
) -> tuple[Tensors, Tensors]:
    """Run steps one after the other, with a number of steps known at run time only.

    Outputs go to buffers of a fixed length, so that one compiled function serves all
    numbers of steps up to that length.

    Parameters
    ----------
    step : `~.step.Step`
        What to repeat.
    params, state : tuple of tensor
        One of shape (size, minibatch_size or 1) per block of the kind.
    feeds : tuple of tensor
        One of shape (length, size, minibatch_size or 1) per block fed from outside.
    clock : `Clock`
        Seed, and the number of steps that were run before.
    n_steps : int32 scalar tensor
        How many steps to run.
    histories : tuple of TensorSpec
        Shape (length, size, minibatch_size or 1) of each output's buffer; a length of 1
        keeps the last step alone.
    unroll : int
        Number of steps that one iteration of the loop spells out.
    use_loop : bool
        False runs exactly ``unroll`` steps without a loop.

    Returns
    -------
    state : tuple of tensor
        After the last step.
    outputs : tuple of tensor
        The buffers, of which the first ``n_steps`` rows (or the only one) are valid.
    """
    prepared = step.prepare(params)
    buffers = tuple(tf.zeros(spec.shape, spec.dtype) for spec in histories)

    def advance(i, state, buffers):
        now = Clock(clock.seed, clock.step + i + 1)
        fed = tuple(feed[i] for feed in feeds)
        after, outputs = step.advance(prepared, state, fed, now)
        # what parameters alone decide has one value for all items
        state = tuple(
            tf.broadcast_to(new, old.shape)
            for new, old in zip(after, state, strict=True)
        )
        buffers = tuple(
            _record(buffer, i, tf.broadcast_to(output, buffer.shape[1:]))
            for buffer, output in zip(buffers, outputs, strict=True)
        )
        return i + 1, state, buffers

    def advance_many(*carried):
        for _ in range(unroll):
            carried = advance(*carried)
        return carried

    carried = (tf.constant(0), state, buffers)
    if not use_loop:
        _, state, buffers = advance_many(*carried)
        return state, buffers
    if unroll > 1:
        carried = _loop(lambda i, *_: i + unroll <= n_steps, advance_many, carried)
    _, state, buffers = _loop(lambda i, *_: i < n_steps, advance, carried)
    return state, buffers


def _loop(condition, body, carried):
    # host kernels call Python in order only if iterations do not overlap
    return tf.while_loop(condition, body, carried, parallel_iterations=1)


def _record(buffer, i, output):
    """Write one row; a buffer of a single row holds the newest."""
    if buffer.shape[0] == 1:
        return output[None]
    return tf.tensor_scatter_nd_update(buffer, [[i]], output[None])
