"""Kernels of TensorNodes, which call users' functions and Keras layers.

Kernels have the minibatch axis last, and users' functions have it first. A kernel
therefore transposes, calls the function, checks the result, and transposes it back.
"""

import contextlib
from functools import partial

import keras
import tensorflow as tf

from nengo_dl.graph.kernel import Kernel, Write, slot
from nengo_dl.nodes.modules import ModuleLayer
from nengo_dl.nodes.tensor_function import SimTensorNode, TensorFunction, describe
from nengo_dl.ops.registry import BuildContext, Builder

# Types of operations that XLA cannot compile, of those that users are likely to use.
_CALLS_OF_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
_REFUSED_BY_XLA = frozenset(
    {
        "CudnnRNNV3",
        "DenseBincount",  # unless it is told the number of bins in a way XLA sees
        "RandomPoissonV2",
        "SparseTensorDenseMatMul",
        "StatelessRandomPoisson",
    }
)


def _supports_xla(layer: keras.Layer) -> bool:
    layers = layer.layers if isinstance(layer, keras.Model) else ()
    return layer.supports_jit and all(map(_supports_xla, layers))


def _is_host(op: SimTensorNode) -> bool:
    layer = op.function.layer
    return layer is not None and not _supports_xla(layer)


@Builder.register(SimTensorNode, is_host=_is_host)
def build_sim_tensor_node(ops, ctx):
    """Build a call of a function or a Keras layer. Sets ``sets``, reads ``reads``
    and ``state``.

    If calls add losses, their sum over all steps is one more signal. It is state, so
    that it leaves the loop over time.

    A layer without weights gets them here. The function is traced once, so that errors
    in it are found before anything runs.

    Raises
    ------
    ValidationError
        If the function cannot be called, or does not return a tensor of the right
        dtype, minibatch size and size.
    """
    (op,) = ops
    function = op.function
    if function.layer is not None:
        _add_layer(function.layer, function, ctx)
    reads = [slot([signal]) for signal in (*op.reads, *op.state)]
    writes = [Write(slot([signal]), "set") for signal in (op.output, *op.state)]
    call = _Call(op, ctx)
    graph, adds_losses = _trace(call, op, ctx)
    if adds_losses:
        total = slot([ctx.add_loss(f"{function.name}.losses")])
        reads.append(total)
        writes.append(Write(total, "set"))
    python = None if adds_losses else _python_step(op, ctx)
    has_effects = python is None and _has_effects(graph)
    fn = partial(_with_total if adds_losses else _alone, call)
    always_trains = bool(ctx.settings.learning_phase)
    return Kernel(
        name="TensorNode",
        reads=tuple(reads),
        writes=tuple(writes),
        fn=fn,
        host=_why_not_xla(function, graph),
        python=python,
        has_effects=has_effects or (function.layer is not None and always_trains),
        keyed=True,
        training_fn=None if function.layer is None else partial(fn, training=True),
        joins_steps=_joins_steps(function, always_trains),
        repeats=_repeats(function, always_trains),
        training_joins_steps=_joins_steps(function, True),
        training_repeats=_repeats(function, True),
    )


def _joins_steps(function: TensorFunction, training: bool) -> bool:
    """Tell whether steps may be items of one call, which is cheaper for a module."""
    layer = function.layer
    return (
        isinstance(layer, ModuleLayer)
        and not function.pass_time
        and layer.keeps_items_apart(training)
    )


def _repeats(function: TensorFunction, training: bool) -> bool:
    """Tell whether a module need not be called again for the same input."""
    layer = function.layer
    return isinstance(layer, ModuleLayer) and layer.repeats(training)


def _python_step(op: SimTensorNode, ctx: BuildContext):
    """Return a step that calls a module itself; None where TensorFlow has to."""
    layer, shape = op.function.layer, op.function.shape_in
    if not isinstance(layer, ModuleLayer) or op.function.pass_time or shape is None:
        return None
    if ctx.settings.learning_phase:
        return None
    ctx.host.beginnings.append(layer.begin)

    def run(t, arrays, results):
        del t
        ctx.host.where = op.function.name
        y = layer.infer(arrays[0].reshape((-1, *shape)))
        results[0][...] = y.reshape(len(y), -1)

    return run


class _Call:
    """Calls a function on slots; returns its results as slots, and the added losses."""

    def __init__(self, op: SimTensorNode, ctx: BuildContext):
        self._function, self._ctx = op.function, ctx
        self._sizes = [signal.size for signal in (op.output, *op.state)]
        self._initial = op.function.initial_states()

    def __call__(self, key, *slots, training=False):
        function, ctx = self._function, self._ctx
        n_args = len(slots) - len(self._initial)
        args = _arguments(function, slots[:n_args])
        states = [
            tf.cast(_items_first(x, tuple(initial.shape[1:])), initial.dtype)
            for x, initial in zip(slots[n_args:], self._initial, strict=True)
        ]
        try:
            outcome = function.run(*args, states=states, training=training, seed=key[0])
        except Exception as exc:
            raise function.call_error(exc) from exc
        self._check_states(outcome.states)
        results = [
            _check(function, outcome.result, self._sizes[0], self._rows(args), ctx),
            *(tf.cast(state, ctx.dtype) for state in outcome.states),
        ]
        sets = [
            tf.transpose(tf.reshape(result, (-1, size)))
            for result, size in zip(results, self._sizes, strict=True)
        ]
        return sets, [tf.cast(loss, ctx.dtype) for loss in outcome.losses]

    def _rows(self, args):
        """Return how many items a call has: those of all steps that are joined."""
        has_input = self._function.shape_in is not None
        return args[-1].shape[0] if has_input else self._ctx.minibatch_size

    def _check_states(self, states):
        wanted = [tuple(initial.shape[1:]) for initial in self._initial]
        got = [tuple(state.shape[1:]) for state in states]
        if got != wanted:
            raise self._function.error(
                f"states of the shapes that it gets, {wanted} per item",
                f"{got}",
                "Correct state_size and get_initial_state.",
            )


def _alone(call: _Call, key, *slots, training=False):
    sets, _ = call(key, *slots, training=training)
    return tuple(sets)


def _with_total(call: _Call, key, *slots, training=False):
    """Add losses to those of earlier steps, whose sum is the last slot."""
    *others, total = slots
    sets, losses = call(key, *others, training=training)
    return (*sets, total + sum(map(tf.reduce_sum, losses)))


def _add_layer(layer: keras.Layer, function: TensorFunction, ctx: BuildContext) -> None:
    """Add a layer to the simulation, and give it its weights, outside of any loop.

    The layer is called once, so that it makes its weights itself.
    """
    if not layer.built:
        try:
            with tf.init_scope():
                n = ctx.minibatch_size or 1
                states = function.initial_states(n)
                function(*function.zeros(ctx.dtype, n), states=states)
        except Exception as exc:
            raise function.call_error(exc) from exc
    if not any(known is layer for known in ctx.layers):
        ctx.layers.append(layer)


def _arguments(function: TensorFunction, slots) -> list[tf.Tensor]:
    """Turn slots into the time and the input, with the minibatch axis first."""
    args = list(slots)
    if function.pass_time:
        args[0] = args[0][0, 0]
    if function.shape_in is not None:
        args[-1] = _items_first(args[-1], function.shape_in)
    return args


def _items_first(x: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Turn a slot into a tensor of shape (minibatch_size, *shape)."""
    x = tf.transpose(x)
    batch = -1 if x.shape[0] is None else x.shape[0]
    return tf.reshape(x, (batch, *shape))


def _check(function: TensorFunction, result, size: int, rows, ctx: BuildContext):
    """Return the result, converted if a layer computes in another precision."""
    got = describe(result)
    if not isinstance(result, tf.Tensor):
        raise function.error("one tensor", got, "Return a tensor.")
    if function.layer is not None and result.dtype.is_floating:
        result = tf.cast(result, ctx.dtype)
    if result.dtype != ctx.dtype:
        raise function.error(
            f"a {ctx.dtype.name} tensor",
            got,
            f'Convert it: tf.cast(y, "{ctx.dtype.name}").',
        )
    shape = tuple(result.shape)
    if not shape or (None not in (rows, shape[0]) and shape[0] != rows):
        raise function.error(
            _rows(rows),
            got,
            "Keep the first axis of the input, and do not mix items.",
        )
    rest = tf.TensorShape(shape[1:]).num_elements()
    if rest not in (None, size):
        raise function.error(
            f"{size} elements per item, as shape_out says",
            got,
            "Correct shape_out, or leave it out to have it found.",
        )
    return result


def _rows(minibatch_size: int | None) -> str:
    """Describe the expected first axis, for a message."""
    if minibatch_size is None:
        return "one row for each item of the minibatch"
    return f"a tensor whose first axis has the minibatch size {minibatch_size}"


def _trace(call: _Call, op: SimTensorNode, ctx: BuildContext) -> tuple[tf.Graph, bool]:
    """Trace a call on slots, and find out whether it adds losses."""
    specs = [
        tf.TensorSpec((signal.size, ctx.minibatch_size), ctx.dtype)
        for signal in (*op.reads, *op.state)
    ]
    key = tf.TensorSpec((3,), tf.int32)
    found = []

    def graph(training):
        def fn(key, *slots):
            sets, losses = call(key, *slots, training=training)
            found.extend(losses)
            return sets

        return tf.function(fn, autograph=False).get_concrete_function(key, *specs).graph

    first = graph(False)
    if not found and op.function.layer is not None:
        with contextlib.suppress(
            Exception
        ):  # what fails in training alone says so then
            graph(True)
    return first, bool(found)


def _has_effects(graph: tf.Graph) -> bool:
    """Tell whether a function draws random numbers, prints, or changes variables."""
    return any(
        op.op_def.is_stateful and op.type != "ReadVariableOp"
        for op in graph.get_operations()
    )


def _why_not_xla(function: TensorFunction, graph: tf.Graph) -> str | None:
    """Return why XLA cannot compile the function, if that is known."""
    library = graph.as_graph_def().library
    nodes = [op.type for op in graph.get_operations()]
    nodes += [node.op for inner in library.function for node in inner.node_def]
    types = set(nodes)
    if types & _CALLS_OF_PYTHON:
        return f"{function.name} calls Python in every step"
    refused = sorted(types & _REFUSED_BY_XLA)
    if refused:
        return f"{function.name} uses {refused[0]}, which XLA cannot compile"
    if function.layer is not None and not _supports_xla(function.layer):
        return f"{function.name} calls a layer that does not support XLA"
    return None
