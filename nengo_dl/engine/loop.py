"""The loop over time."""

from typing import NamedTuple, TypeAlias

import tensorflow as tf

from nengo_dl.engine.execution import Clock, Tensors
from nengo_dl.engine.memory import spread
from nengo_dl.engine.shapes import LoopShapes
from nengo_dl.engine.step import Step
from nengo_dl.graph.kept import ALL_STEPS, Kept

# The outputs of all steps so far, for gradients; or the newest one, where no other is
# kept
Carried: TypeAlias = tf.TensorArray | tf.Tensor


class History(NamedTuple):
    """The steps that are kept of an output.

    Parameters
    ----------
    size : int
        Number of elements.
    shared : bool
        Whether all minibatch items have the same value.
    dtype : dtype
        Type of the elements.
    kept : `Kept`
        The steps.
    """

    size: int
    shared: bool
    dtype: tf.DType
    kept: Kept = ALL_STEPS

    def start(self, n_steps: int | tf.Tensor, row: tf.Tensor) -> Carried:
        """Return what a loop carries ahead of the first step.

        The row is that of a `Clock`, by which it knows the number of items.
        """
        if self.kept.keeps_time:
            return tf.TensorArray(self.dtype, self.kept.n_rows(n_steps))
        return tf.zeros((self.size, 1), self.dtype) + (0 if self.shared else row)

    def after(self, carried: Carried, i: tf.Tensor, output: tf.Tensor) -> Carried:
        """Return what a loop carries after a step."""
        if self.kept.keeps_time:
            return carried.write(self.kept.row(i), output)
        return output

    def stacked(self, carried: Carried) -> tf.Tensor:
        """Return all rows, after the last step."""
        return carried.stack() if self.kept.keeps_time else carried[None]


def simulate(
    step: Step,
    params: Tensors,
    state: Tensors,
    feeds: Tensors,
    clock: Clock,
    n_steps: tf.Tensor,
    *,
    shapes: LoopShapes,
    length: int,
    unroll: int = 1,
    use_loop: bool = True,
) -> tuple[Tensors, Tensors]:
    """Run steps one after the other, with a number of steps that may be a tensor.

    Outputs go to buffers of a fixed length, so that one compiled function serves all
    numbers of steps up to that length.

    Parameters
    ----------
    step : `~.step.Step`
        The step.
    params, state : tuple of tensor
        One of shape (size, minibatch_size or 1) per block of the kind.
    feeds : tuple of tensor
        One of shape (length, size, minibatch_size or 1) per block fed from outside.
    clock : `Clock`
        The seed, and the number of steps that were run before.
    n_steps : int32 scalar tensor
        Number of steps to run.
    shapes : `LoopShapes`
        Those of feeds and outputs.
    length : int
        The largest number of steps, which buffers have rows for.
    unroll : int
        Number of steps in one iteration of the loop.
    use_loop : bool
        False runs exactly ``unroll`` steps without a loop.

    Returns
    -------
    state : tuple of tensor
        The state after the last step.
    outputs : tuple of tensor
        The buffers, of which the rows of ``n_steps`` steps are valid.
    """
    prepared = step.prepare(params)
    buffers = tuple(tf.zeros(x, shapes.dtype) for x in shapes.buffers(length))

    def advance(i, state, buffers):
        now = Clock(clock.seed, clock.step + i + 1, clock.row)
        fed = tuple(feed[i] for feed in feeds)
        after, outputs = step.advance(prepared, _flat(step, state), fed, now)
        # what parameters alone decide has one value for all items
        state = _carried(step, tuple(spread(block, clock.row) for block in after))
        buffers = tuple(
            _record(buffer, kept.row(i), tf.broadcast_to(output, buffer.shape[1:]))
            for buffer, kept, output in zip(buffers, shapes.kept, outputs, strict=True)
        )
        return i + 1, state, buffers

    def advance_many(*carried):
        for _ in range(unroll):
            carried = advance(*carried)
        return carried

    carried = (tf.constant(0), _carried(step, state), buffers)
    if not use_loop:
        _, state, buffers = advance_many(*carried)
        return _flat(step, state), buffers
    if unroll > 1:
        carried = _loop(lambda i, *_: i + unroll <= n_steps, advance_many, carried)
    _, state, buffers = _loop(lambda i, *_: i < n_steps, advance, carried)
    return _flat(step, state), buffers


def unfold(
    step: Step,
    params: Tensors,
    state: Tensors,
    feeds: Tensors,
    clock: Clock,
    n_steps: int | tf.Tensor,
    *,
    histories: tuple[History, ...],
    held: Tensors = (),
    unroll: int = 1,
    use_loop: bool = True,
    length: int | None = None,
) -> tuple[Tensors, Tensors]:
    """Run steps one after the other, in a form through which gradients flow.

    Parameters
    ----------
    step, params, state, clock
        As for `simulate`.
    feeds : tuple of tensor
        One of shape (n_steps, size, minibatch_size or 1) per range of varying feeds.
    n_steps : int or int32 scalar tensor
        Number of steps to run. A tensor must follow from shapes: XLA has to know the
        length of a loop to compile its gradient.
    histories : tuple of `History`
        The steps to keep of each output.
    held : tuple of tensor
        One of shape (size, minibatch_size or 1) per range of held feeds.
    unroll : int
        Number of steps in one iteration of the loop.
    use_loop : bool
        False runs all steps without a loop; their number must be an int then.
    length : int, optional
        How many steps feeds and outputs have, where `n_steps` is a tensor that may be
        smaller. XLA cannot compile the gradient then.

    Returns
    -------
    state : tuple of tensor
        The state after the last step.
    outputs : tuple of tensor
        Shape (n_rows, size, minibatch_size or 1) each.
    """
    prepared = step.prepare(params, held, clock.key)
    if feeds and not (isinstance(n_steps, int) and n_steps == 1):
        feeds = step.join(prepared, feeds, clock)

    def advance(i, state, feeds):
        now = Clock(clock.seed, clock.step + i + 1, clock.row)
        after, outputs = step.advance(prepared, _flat(step, state), feeds, now)
        return (
            _carried(step, tuple(spread(block, clock.row) for block in after)),
            tuple(
                output if history.shared else spread(output, clock.row)
                for output, history in zip(outputs, histories, strict=True)
            ),
        )

    state = _carried(step, state)
    if not use_loop or (isinstance(n_steps, int) and n_steps <= unroll):
        state, outputs = _spell_out(advance, state, feeds, n_steps, histories)
    else:
        state, outputs = _run_loop(
            advance, state, feeds, n_steps, histories, clock.row, unroll, length
        )
    return _flat(step, state), outputs


def _carried(step: Step, state: Tensors) -> Tensors:
    """Return the state in the shapes in which loops carry it."""
    return tuple(
        tf.reshape(tensor, (*block.shape, -1)) if block.shape else tensor
        for tensor, block in zip(state, step.state, strict=True)
    )


def _flat(step: Step, state: Tensors) -> Tensors:
    """Return the state that `_carried` was given: one column for each item."""
    return tuple(
        tf.reshape(tensor, (block.size, -1)) if block.shape else tensor
        for tensor, block in zip(state, step.state, strict=True)
    )


def _spell_out(advance, state, feeds, n_steps, histories):
    """Run `advance` again and again, without a loop."""
    rows = []
    for i in range(n_steps):
        state, outputs = advance(i, state, tuple(feed[i] for feed in feeds))
        rows.append(outputs)
    columns = zip(*rows, strict=True)
    return state, tuple(
        tf.stack(history.kept.rows(column))
        for column, history in zip(columns, histories, strict=True)
    )


def _run_loop(advance, state, feeds, n_steps, histories, row, unroll, length):
    """Run `advance` in a loop over arrays of tensors, whose gradients are cheap."""
    length = n_steps if length is None else length
    fed = tuple(
        tf.TensorArray(feed.dtype, length, element_shape=feed.shape[1:]).unstack(feed)
        for feed in feeds
    )
    kept = tuple(history.start(length, row) for history in histories)

    def body(i, state, kept):
        state, outputs = advance(i, state, tuple(array.read(i) for array in fed))
        kept = tuple(
            history.after(carried, i, output)
            for history, carried, output in zip(histories, kept, outputs, strict=True)
        )
        return i + 1, state, kept

    def bodies(*carried):
        for _ in range(unroll):
            carried = body(*carried)
        return carried

    carried = (tf.constant(0), state, kept)
    if unroll > 1:
        carried = _loop(
            lambda i, *_: i + unroll <= n_steps, bodies, carried, n_steps // unroll
        )
    limit = n_steps if unroll == 1 else unroll
    _, state, kept = _loop(lambda i, *_: i < n_steps, body, carried, limit)
    return state, tuple(
        history.stacked(rows) for history, rows in zip(histories, kept, strict=True)
    )


def _loop(condition, body, carried, limit=None):
    # host kernels call Python in order only if iterations do not overlap
    return tf.while_loop(
        condition, body, carried, parallel_iterations=1, maximum_iterations=limit
    )


def _record(buffer, row, output):
    """Write one row of a buffer, which may have no other."""
    if buffer.shape[0] == 1:
        return output[None]
    return tf.tensor_scatter_nd_update(buffer, [[row]], output[None])
