"""Transforms with weights that are shared between positions, for any geometry.

A convolution is a list of taps. At each output position, each tap reads one input
position, and all output positions share the weights of a tap. A `Stencil` has such a
list, so that dilated, causal, transposed and three-dimensional convolutions are the
same transform with different lists.
"""

import numpy as np
from nengo.builder import Builder, Signal
from nengo.builder.operator import Operator, Reset
from nengo.exceptions import ValidationError
from nengo.params import BoolParam, IntParam, NdarrayParam
from nengo.rc import rc
from nengo.transforms import Transform
from numpy.typing import ArrayLike

from nengo_dl.graph.on_chip import channel_axis
from nengo_dl.graph.tiling import ProductLayout, product_layout


class Stencil(Transform):
    r"""Sum weighted inputs around each output position.

    .. math:: y_{po} = \sum_k \sum_c w_{kco} \, x_{i(p, k) c}

    for output position :math:`p`, tap :math:`k`, input channel :math:`c` and output
    channel :math:`o`; :math:`i(p, k)` is the input position that the tap reads.

    Parameters
    ----------
    index : array_like of int, shape (n_positions_out, n_taps)
        The input position that each tap reads for each output position; -1 for a tap
        that reads zero.
    n_positions_in : int
        Number of input positions.
    init : array_like, shape (n_taps, n_channels_in // groups, n_channels_out)
        The weights.
    groups : int
        Number of groups of channels. Each group of output channels depends on one group
        of input channels.
    channels_last : bool
        Whether signals are flattened from (positions, channels), or else from
        (channels, positions).

    Raises
    ------
    ValidationError
        If the shapes do not fit each other.

    Examples
    --------
    Differences between neighbours, with a step of two (a dilated convolution):

    .. testcode::

       from nengo_dl.nodes.stencil import Stencil

       with nengo.Network() as net:
           stimulus = nengo.Node([1.0, 2.0, 4.0, 8.0])
           difference = nengo.Node(size_in=2)
           taps = [[0, 2], [1, 3]]
           transform = Stencil(taps, 4, init=[[[-1.0]], [[1.0]]])
           nengo.Connection(stimulus, difference, transform=transform, synapse=None)
           probe = nengo.Probe(difference)

       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run_steps(1)
       print(sim.data[probe])

    .. testoutput::

       [[3. 6.]]
    """

    index = NdarrayParam("index", shape=("*", "*"), dtype=np.int64)
    n_positions_in = IntParam("n_positions_in", low=1)
    init = NdarrayParam("init", shape=("*", "*", "*"))
    groups = IntParam("groups", low=1)
    channels_last = BoolParam("channels_last")

    def __init__(
        self,
        index: ArrayLike,
        n_positions_in: int,
        init: ArrayLike,
        groups: int = 1,
        channels_last: bool = True,
    ):
        super().__init__()
        self.index = index
        self.n_positions_in = n_positions_in
        self.init = np.asarray(init, dtype=rc.float_dtype)
        self.groups = groups
        self.channels_last = channels_last
        if self.index.shape[1] != self.init.shape[0]:
            raise ValidationError(
                f"expected one weight matrix for each of the {self.index.shape[1]} "
                f"taps (got {self.init.shape[0]}). Make the first axis of init as long "
                "as the second of index.",
                attr="init",
                obj=self,
            )
        if self.init.shape[2] % groups:
            raise ValidationError(
                f"must divide the number of output channels, {self.init.shape[2]} "
                f"(got {groups}).",
                attr="groups",
                obj=self,
            )
        if self.index.min() < -1 or self.index.max() >= n_positions_in:
            raise ValidationError(
                f"expected positions from -1 (none) to {n_positions_in - 1} (got "
                f"{self.index.min()} to {self.index.max()}).",
                attr="index",
                obj=self,
            )

    @property
    def n_channels_in(self):
        """(int) Number of input channels."""
        return self.init.shape[1] * self.groups

    @property
    def size_in(self):
        """(int) Number of inputs."""
        return self.n_positions_in * self.n_channels_in

    @property
    def size_out(self):
        """(int) Number of outputs."""
        return self.index.shape[0] * self.init.shape[2]

    def sample(self, rng=np.random):
        """Return the weights."""
        del rng
        return np.array(self.init, dtype=rc.float_dtype)


class StencilInc(Operator):
    """Increment a signal by a `Stencil` of another.

    Parameters
    ----------
    W, X, Y : Signal
        The weights, the input, and the signal that is incremented.
    stencil : `Stencil`
        The transform.
    tag : str, optional
        A label for messages.

    Notes
    -----
    1. sets ``[]``
    2. incs ``[Y]``
    3. reads ``[W, X]``
    4. updates ``[]``
    """

    def __init__(self, W, X, Y, stencil, tag=None):
        super().__init__(tag=tag)
        self.stencil = stencil
        self.sets = []
        self.incs = [Y]
        self.reads = [W, X]
        self.updates = []

    @property
    def W(self):
        """(Signal) The weights."""
        return self.reads[0]

    @property
    def X(self):
        """(Signal) The input."""
        return self.reads[1]

    @property
    def Y(self):
        """(Signal) The signal that is incremented."""
        return self.incs[0]

    def make_step(self, signals, dt, rng):
        """Return a function that does one step in NumPy."""
        del dt, rng
        W, X, Y = signals[self.W], signals[self.X], signals[self.Y]
        stencil = self.stencil
        taps, channels, filters = W.shape
        shape_in = (stencil.n_positions_in, stencil.n_channels_in)

        def step_stencil():
            last = stencil.channels_last
            x = X.reshape(shape_in) if last else X.reshape(shape_in[::-1]).T
            x = np.concatenate([x, np.zeros_like(x[:1])])
            x = x[stencil.index].reshape(-1, taps, stencil.groups, channels)
            w = W.reshape(taps, channels, stencil.groups, filters // stencil.groups)
            y = np.einsum("pkgc,kcgo->pgo", x, w, optimize=True).reshape(-1, filters)
            Y[...] += (y if last else y.T).ravel()

        return step_stencil


@channel_axis.register(Stencil)
def _last_axis(transform: Stencil) -> int:
    return -1


@product_layout.register(StencilInc)
def _filters(op: StencilInc) -> ProductLayout:
    n_positions, n_filters = op.stencil.index.shape[0], op.W.shape[-1]
    is_last = op.stencil.channels_last
    return (n_positions, n_filters, 1) if is_last else (1, n_filters, n_positions)


@Builder.register(Stencil)
def build_stencil(
    model, transform, sig_in, decoders=None, encoders=None, rng=np.random
):
    """Build a `Stencil` into a model, for connections between nodes and neurons."""
    if decoders is not None or encoders is not None:
        raise ValidationError(
            "a Stencil goes between nodes and neurons (got a decoded connection). "
            "Connect from ens.neurons.",
            attr="transform",
        )
    weights = Signal(
        transform.sample(rng=rng), name=f"{transform}.weights", readonly=True
    )
    weighted = Signal(shape=transform.size_out, name=f"{transform}.weighted")
    model.add_op(Reset(weighted))
    model.add_op(
        StencilInc(weights, sig_in, weighted, transform, tag=f"{transform}.apply")
    )
    return weighted, weights
