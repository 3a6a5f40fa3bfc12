"""Which linear map each connection of a network is."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import nengo
import numpy as np
from nengo.builder import Model, Signal
from nengo.ensemble import Neurons
from nengo.synapses import LinearFilter, Lowpass
from nengo.transforms import ChannelShape, Convolution, Dense, NoTransform

from nengo_dl.errors import InvalidValue
from nengo_dl.nir.kinds import MAX_SIZE

Obj: TypeAlias = nengo.Node | nengo.Ensemble | Neurons | nengo.Probe


@dataclass(frozen=True, eq=False)
class Scaling:
    """A factor for each element, of shape (size,) or ()."""

    factor: np.ndarray


@dataclass(frozen=True, eq=False)
class Matrix:
    """Weights from all elements to all."""

    weights: np.ndarray  # of shape (size of the end, size of the start)


@dataclass(frozen=True, eq=False)
class Windowed:
    """A convolution, or averages or sums over windows."""

    kernel: np.ndarray  # of shape (filters, channels // groups, *kernel_size)
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    groups: int
    shape_in: ChannelShape
    shape_out: ChannelShape

    @property
    def pooled(self) -> float | None:
        """(float or None) The weight in all windows, if it pools channel by channel."""
        value = float(self.kernel.flat[0])
        is_pool = self.groups == len(self.kernel) and self.kernel.shape[1] == 1
        if is_pool and value > 0 and np.all(self.kernel == value):
            return value
        return None


Map: TypeAlias = Scaling | Matrix | Windowed


def identity() -> Map:
    """Return the map that changes nothing."""
    return Scaling(np.ones(()))


@dataclass(frozen=True)
class Filter:
    """A synapse: an integrator that leaks, or none, and a delay."""

    tau: float  # time constant in seconds; 0 for none
    steps: int  # of delay


@dataclass(frozen=True, eq=False)
class Link:
    """A connection: a map, and a synapse behind it, or none."""

    pre: Obj
    post: Obj
    map: Map
    synapse: Filter | None
    # behind the synapse: factors, and elements of the end if not all
    gain: np.ndarray
    into: np.ndarray | None
    conn: Any


def link_of(conn: nengo.Connection, model: Model) -> Link:
    """Return what a connection computes.

    Raises
    ------
    InvalidValue
        If NIR has nothing like it.
    """
    synapse = filter_of(conn.synapse)
    if conn.learning_rule_type is not None:
        raise InvalidValue("expected no learning rule (got one)")
    pre, post = conn.pre_obj, conn.post_obj
    gain = np.ones(())
    if isinstance(post, Neurons):
        gain = np.asarray(model.params[post.ensemble].gain)[conn.post_slice]
    into = chosen_elements(post.size_in, conn.post_slice)
    if isinstance(pre, nengo.Ensemble):
        return _decoded(conn, model, synapse, gain, into)
    if conn.function is not None:
        raise InvalidValue("expected no function on what a node puts out (got one)")
    found = _map(conn, model)
    return Link(pre, post, found, synapse, gain, into, conn)


def filter_of(synapse: Any) -> Filter | None:
    """Return what a synapse does.

    Raises
    ------
    InvalidValue
        If it is no Lowpass, and no delay.
    """
    if synapse is None:
        return None
    if type(synapse) is Lowpass:
        return Filter(synapse.tau, 1)
    is_discrete = type(synapse) is LinearFilter and not synapse.analog
    if is_discrete and np.array_equal(synapse.num, [1]):
        if synapse.den[0] == 1 and not np.any(synapse.den[1:]):
            return Filter(0.0, len(synapse.den) - 1)
    raise InvalidValue(f"expected no synapse, a Lowpass or a delay (got {synapse})")


def _decoded(conn, model, synapse, gain, into) -> Link:
    weights = np.asarray(model.params[conn].weights)
    post = conn.post_obj
    if conn.solver.weights and isinstance(post, nengo.Ensemble):
        post, into = post.neurons, None
    return Link(conn.pre_obj.neurons, post, Matrix(weights), synapse, gain, into, conn)


def chosen_elements(size: int, key: Any) -> np.ndarray | None:
    """Return the elements that a key takes; None for all, in their order."""
    index = np.arange(size)[slice(None) if key is None else key]
    return None if np.array_equal(index, np.arange(size)) else np.atleast_1d(index)


def _map(conn: nengo.Connection, model: Model) -> Map:
    transform, weights = conn.transform, model.params[conn].weights
    chosen = chosen_elements(conn.pre_obj.size_out, conn.pre_slice)
    if chosen is None and isinstance(transform, NoTransform):
        return Scaling(np.ones(()))
    if chosen is None and isinstance(transform, Dense) and np.ndim(weights) < 2:
        return Scaling(np.asarray(weights))
    if chosen is None and isinstance(transform, Convolution):
        if transform.dimensions <= 2:
            return _windowed(transform, np.asarray(weights))
    n_in = conn.pre_obj.size_out
    if conn.size_out * n_in > MAX_SIZE:
        raise InvalidValue(
            f"expected at most {MAX_SIZE:,} weights (got {conn.size_out} times {n_in})"
        )
    if isinstance(transform, Dense):
        full = np.asarray(weights)
        full = full * np.eye(conn.size_mid) if full.ndim < 2 else full
    else:
        full = _columns(transform, conn.size_mid)
    if chosen is None:
        return Matrix(full)
    wide = np.zeros((len(full), n_in))
    np.add.at(wide.T, chosen, full.T)
    return Matrix(wide)


def _columns(transform: Any, size: int) -> np.ndarray:
    """Return the matrix of a transform, by what it does to unit vectors."""
    if isinstance(transform, NoTransform):
        return np.eye(size)
    model = Model(dt=0.001)
    sig_in = Signal(np.zeros(size), name="unit")
    sig_out, _ = model.build(transform, sig_in, rng=np.random)
    signals = nengo.builder.signal.SignalDict()
    for op in model.operators:
        op.init_signals(signals)
    steps = [op.make_step(signals, 0.001, np.random) for op in model.operators]
    columns = []
    for unit in np.eye(size):
        signals[sig_in][...] = unit
        for step in steps:
            step()
        columns.append(np.array(signals[sig_out]).ravel())
    return np.stack(columns, axis=1)


def _windowed(transform: Convolution, weights: np.ndarray) -> Windowed:
    """Return a convolution with the same padding on both sides of an axis."""
    kernel = np.moveaxis(weights, (-1, -2), (0, 1))
    n = transform.dimensions
    padding = [0] * n
    if transform.padding == "same":
        space = zip(
            transform.input_shape.spatial_shape,
            transform.output_shape.spatial_shape,
            transform.kernel_size,
            transform.strides,
            strict=True,
        )
        for axis, (size, out, taps, stride) in enumerate(space):
            total = max((out - 1) * stride + taps - size, 0)
            padding[axis] = total - total // 2
            # with one zero less before an axis than behind, a tap of zeros is added
            zeros = [(0, 0)] * kernel.ndim
            zeros[axis + 2] = (total % 2, 0)
            kernel = np.pad(kernel, zeros)
    return Windowed(
        kernel,
        tuple(transform.strides),
        tuple(padding),
        transform.groups,
        transform.input_shape,
        transform.output_shape,
    )
