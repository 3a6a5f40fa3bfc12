"""Every kernel equals the NumPy step of the Nengo operators that it computes."""

import itertools
from functools import partial
from typing import NamedTuple

import nengo
import numpy as np
import pytest
import scipy.sparse
from nengo.builder.learning_rules import SimBCM, SimOja, SimPES, SimRLS, SimVoja
from nengo.builder.neurons import SimNeurons
from nengo.builder.node import SimPyFunc
from nengo.builder.operator import (
    BsrDotInc,
    Copy,
    DotInc,
    ElementwiseInc,
    Reset,
    SparseDotInc,
)
from nengo.builder.processes import SimProcess
from nengo.builder.transforms import ConvInc, ConvTransposeInc
from nengo.synapses import LinearFilter, Triangle
from nengo.transforms import SparseMatrix

from nengo_dl.chips.tiles import Tile
from nengo_dl.chips.weights import Weights
from nengo_dl.graph.on_chip import OnChip, Placement
from nengo_dl.graph.outer_products import ChangeFactors, FactoredInc
from nengo_dl.graph.tiles import Adc, Dac, InputRange, ManagedRange
from nengo_dl.loihi import LoihiLIF
from nengo_dl.neurons import (
    IntegrateAndFire,
    LeakyReLU,
    Pointwise,
    SoftLIFRate,
    SpikingLeakyReLU,
)
from nengo_dl.nodes.array_node import (
    Constant,
    Function,
    MaxPool,
    Reduce,
    Scale,
    SimArrayFunction,
    Softmax,
)
from nengo_dl.nodes.running_mean import RunningMean
from nengo_dl.nodes.stencil import Stencil, StencilInc
from nengo_dl.nodes.tensor_function import SimTensorNode
from nengo_dl.ops import Builder, neurons, processes
from nengo_dl.stepped import SteppedLI, SteppedLIF
from tests.checks import (
    DT,
    SETTINGS,
    check_gradient,
    check_kernel,
    check_merging,
    check_sharing,
)
from tests.network_specs import Differences, SlowSoftplus


class Case(NamedTuple):
    """An operator to test.

    Parameters
    ----------
    name : str
        What is special about it.
    make_op : callable
        From a `Bench` and a size to an operator.
    covers : type
        The type of operator, neurons or process that it is a case of.
    merges : bool
        Whether two of equal sizes must share a kernel.
    """

    name: str
    make_op: callable
    covers: type
    merges: bool = True


# --- nengo.builder.operator -------------------------------------------------------


def copy_case(name, src, dst, **kwargs):
    """Copy between signals of shapes that depend on the size."""

    def make_op(bench, n):
        arguments = {k: v(n) if callable(v) else v for k, v in kwargs.items()}
        return Copy(bench.signal(*src(n)), bench.signal(*dst(n)), **arguments)

    return Case(f"copy {name}", make_op, Copy)


def vector(n):
    """Give the shape of a vector."""
    return (n,)


def product_case(op_type, name, a, x, y, merges=True, **kwargs):
    """Multiply signals of shapes that depend on the size."""

    def make_op(bench, n):
        return op_type(
            bench.signal(*a(n), **kwargs), bench.signal(*x(n)), bench.signal(*y(n))
        )

    return Case(f"{op_type.__name__} {name}", make_op, op_type, merges)


def view_product(bench, n):
    """Multiply views with gaps and reversed axes."""
    a = bench.signal(n + 2, 5, name="weights")
    x, y = bench.signal(7), bench.signal(n + 3)
    return DotInc(a[n::-1, 1:4], x[1:7:2], y[2:])


def sparse_case(name, make_matrix):
    """Multiply with a sparse matrix, given as triplets that may come twice."""

    def make_op(bench, n):
        rows, columns = bench.rng.randint(n, size=8), bench.rng.randint(5, size=8)
        data = bench.rng.uniform(-1, 1, size=8).astype(np.float32)
        matrix = make_matrix(data.astype(np.float64), rows, columns, (n, 5))
        a = nengo.builder.Signal(matrix, name="sparse", readonly=True)
        return SparseDotInc(a, bench.signal(5), bench.signal(n))

    return Case(f"SparseDotInc {name}", make_op, SparseDotInc)


def bsr_product(bench, n):
    """Multiply with a matrix of n blocks of shape (2, 3)."""
    a = bench.signal(n, 2, 3, readonly=True)
    indptr = np.array([0, 2, 2, n])
    indices = np.append(bench.rng.randint(4, size=n - 1), 3)
    x, y = bench.signal(12), bench.signal(6)
    return BsrDotInc(a, x, y, indices=indices, indptr=indptr, reshape=False)


OPERATORS = [
    Case("reset", lambda bench, n: Reset(bench.signal(n)), Reset),
    Case("reset to a value", lambda bench, n: Reset(bench.signal(n), 2.5), Reset),
    Case("reset a part", lambda bench, n: Reset(bench.signal(n + 3)[1:-1]), Reset),
    Case("reset a matrix", lambda bench, n: Reset(bench.signal(n, 2)[:, 1]), Reset),
    copy_case("all", vector, vector),
    copy_case("inc", vector, vector, inc=True),
    copy_case("a matrix", lambda n: (n, 3), lambda n: (n, 3), inc=True),
    copy_case("one to all", lambda n: (1,), vector),
    copy_case("a row to all", lambda n: (3,), lambda n: (n, 3), inc=True),
    copy_case("from a list", vector, lambda n: (3,), src_slice=[2, 0, -1]),
    copy_case("from repeats", vector, lambda n: (3,), src_slice=[1, 1, -3]),
    copy_case("to a list", lambda n: (3,), vector, dst_slice=[2, 0, -1]),
    copy_case("to repeats", lambda n: (3,), vector, dst_slice=[1, 1, -3], inc=True),
    copy_case("one to a list", lambda n: (1,), vector, dst_slice=[3, 0], inc=True),
    copy_case("lists", vector, vector, src_slice=[0, 1], dst_slice=[-1, 1], inc=True),
    copy_case("backwards", vector, vector, src_slice=slice(None, None, -1)),
    copy_case("a step", lambda n: (2 * n,), vector, src_slice=slice(1, None, 2)),
    copy_case("to a step", vector, lambda n: (2 * n,), dst_slice=slice(-1, None, -2)),
    copy_case(
        "a mask",
        vector,
        lambda n: (2,),
        src_slice=lambda n: [i in (0, 3) for i in range(n)],
    ),
    product_case(ElementwiseInc, "vectors", vector, vector, vector),
    product_case(ElementwiseInc, "parameter", vector, vector, vector, readonly=True),
    product_case(ElementwiseInc, "scalar", lambda n: (), vector, vector),
    product_case(ElementwiseInc, "one", lambda n: (1,), vector, vector),
    product_case(ElementwiseInc, "all ones", *[lambda n: (1,)] * 3),
    product_case(
        ElementwiseInc, "outer", lambda n: (n, 1), lambda n: (1, 3), lambda n: (n, 3)
    ),
    product_case(
        ElementwiseInc, "matrix", lambda n: (n, 3), lambda n: (3,), lambda n: (n, 3)
    ),
    product_case(DotInc, "matrix", lambda n: (n, 3), lambda n: (3,), vector),
    product_case(
        DotInc, "parameter", lambda n: (n, 3), lambda n: (3,), vector, readonly=True
    ),
    product_case(DotInc, "wide", lambda n: (n, 40), lambda n: (40,), vector),
    product_case(
        DotInc,
        "wide parameter",
        lambda n: (n, 40),
        lambda n: (40,),
        vector,
        readonly=True,
    ),
    product_case(
        DotInc, "row", lambda n: (1, 5 * n), lambda n: (5 * n,), lambda n: (1,)
    ),
    product_case(DotInc, "column", lambda n: (n, 1), lambda n: (1,), vector),
    product_case(DotInc, "inner", vector, vector, lambda n: ()),
    product_case(DotInc, "scalar", lambda n: (), vector, vector),
    product_case(
        DotInc, "columns", lambda n: (n, 3), lambda n: (3, 1), lambda n: (n, 1)
    ),
    Case("DotInc views", view_product, DotInc),
    sparse_case("csr", lambda d, r, c, s: scipy.sparse.csr_matrix((d, (r, c)), s)),
    sparse_case("coo", lambda d, r, c, s: scipy.sparse.coo_matrix((d, (r, c)), s)),
    sparse_case("csc", lambda d, r, c, s: scipy.sparse.csc_matrix((d, (r, c)), s)),
    sparse_case("pattern", lambda d, r, c, s: SparseMatrix(np.stack([r, c], 1), d, s)),
    Case("BsrDotInc", bsr_product, BsrDotInc, merges=False),
]


# --- functions --------------------------------------------------------------------


def no_output(t, x):
    """Edit the input, which is a copy."""
    x[...] = 0


def function_case(name, function, time=True, output=True):
    """Call a function of an input."""

    def make_op(bench, n):
        x = bench.signal(n)
        y = (
            bench.signal(*np.shape(function(*[0.1][:time], np.zeros(n))))
            if output
            else None
        )
        return SimPyFunc(y, function, bench.time if time else None, x)

    return Case(f"function {name}", make_op, SimPyFunc)


FUNCTIONS = [
    function_case("of time and input", lambda t, x: np.sin(x) + 100 * t),
    function_case("of input", lambda x: x[:2] ** 2, time=False),
    function_case("without output", no_output, output=False),
]


# --- neurons ----------------------------------------------------------------------

STATES = {
    "voltage": (0, 1),
    "refractory_time": (0, 0.003),
    "adaptation": (0, 0.3),
    "recovery": (-10, 5),
    "trace": (0, 1),
    "current": (-300, 900),
}


def neurons_case(name, make_neurons, current=(-2, 40), whole=False, **ranges):
    """Step neurons, whose parameters differ between merged populations."""
    covers = type(make_neurons(np.random.RandomState(0)))

    def signal(bench, n, low, high, key):
        def integers(rng):
            return rng.randint(low, high + 1, size=n)

        draw = integers if whole else None
        return bench.signal(n, low=low, high=high, draw=draw, name=key)

    def make_op(bench, n):
        neuron_type = make_neurons(bench.rng)
        limits = STATES | ranges
        state = {key: signal(bench, n, *limits[key], key) for key in neuron_type.state}
        J = signal(bench, n, *current, "J")
        return SimNeurons(neuron_type, J, bench.signal(n, name="output"), state=state)

    return Case(f"neurons {name}", make_op, covers)


def lif(rng):
    """Draw the parameters that all LIF types share."""
    return {
        "tau_rc": rng.choice([0.02, 0.05]),
        "tau_ref": rng.choice([0.002, 0.001]),
        "amplitude": rng.choice([1, 0.3]),
    }


def stepped(rng, **arguments):
    """Draw the parameters of neurons that are defined step by step."""
    return {
        "tau_rc": rng.choice([0.002, 0.05, np.inf]),
        "v_leak": rng.choice([0, 0.25]),
        "amplitude": rng.choice([1, 0.5]),
    } | arguments


def adaptation(rng):
    """Draw the parameters of adaptive types."""
    return {"tau_n": rng.choice([1, 0.05]), "inc_n": rng.choice([0.01, 0.5])}


# Numbers with few digits: two ways to round never decide about a spike differently.
STEPPED = {"voltage": (-1, 2)}
STEPPED_NEURONS = [
    neurons_case("stepped LI", lambda r: SteppedLI(**stepped(r)), **STEPPED),
    neurons_case(
        "stepped LI, synapse",
        lambda r: SteppedLI(**stepped(r, tau_syn=r.choice([0, 0.01]))),
        **STEPPED,
    ),
    neurons_case(
        "stepped LI, exact",
        lambda r: SteppedLI(0.01, 0.002, discretization="exact"),
        **STEPPED,
    ),
    *(
        neurons_case(
            f"stepped LIF, {reset}, {most} spikes{', strict' * strict}",
            lambda r, reset=reset, most=most, strict=strict: SteppedLIF(
                reset=reset,
                max_spikes=most,
                strict=strict,
                threshold=r.choice([1, 0.75]),
                **stepped(r, tau_syn=r.choice([0, 0.01])),
            ),
            current=(-900, 3000),
            **STEPPED,
        )
        for reset, most, strict in [
            ("zero", 1, True),
            ("subtract", 1, False),
            ("snntorch", 1, True),
            ("zero", 2, False),
            ("subtract", np.inf, True),
            ("subtract", np.inf, False),
        ]
    ),
    neurons_case(
        "stepped LIF, floor and reset",
        lambda r: SteppedLIF(
            v_reset=r.choice([-0.5, 0.25]), min_voltage=r.choice([-1, -np.inf])
        ),
        current=(-3000, 3000),
        **STEPPED,
    ),
    neurons_case(
        "stepped LIF, per step",
        lambda r: SteppedLIF(r.choice([4, np.inf]), 2, unit="step"),
        current=(-1, 2),
        voltage=(-1, 2),
    ),
]


def loihi(rng, **arguments):
    """Draw the parameters of Loihi's neurons."""
    return {
        "decay_u": rng.choice([0, 800, 4096]),
        "decay_v": rng.choice([0, 300]),
        "threshold": rng.choice([100, 200]),
        "refractory": rng.choice([1, 3]),
        "amplitude": rng.choice([1, 0.5]),
    } | arguments


LOIHI_RANGES = {
    "current": (-9000, 12000),
    "whole": True,
    "voltage": (-9000, 12000),
    "refractory_time": (0, 2),
}
LOIHI_NEURONS = [
    neurons_case("Loihi", lambda r: LoihiLIF(**loihi(r)), **LOIHI_RANGES),
    neurons_case("Loihi, equal", lambda r: LoihiLIF(743, 211, 90), **LOIHI_RANGES),
    neurons_case("Loihi, no memory", lambda r: LoihiLIF(4096, 4096), **LOIHI_RANGES),
    neurons_case(
        "Loihi, bias and floor",
        lambda r: LoihiLIF(
            **loihi(r, bias=r.choice([-500, 1000]), min_voltage=r.choice([-100, 0]))
        ),
        **LOIHI_RANGES,
    ),
]
NEURONS = [
    *STEPPED_NEURONS,
    *LOIHI_NEURONS,
    neurons_case("rectified", lambda r: nengo.RectifiedLinear(r.uniform(0.1, 2))),
    neurons_case(
        "spiking rectified",
        lambda r: nengo.SpikingRectifiedLinear(r.choice([1, 0.2])),
        current=(-500, 3000),
    ),
    neurons_case(
        "leaky", lambda r: LeakyReLU(r.uniform(0, 0.5), r.uniform(0.1, 2)), (-9, 9)
    ),
    neurons_case(
        "integrate and fire",
        lambda r: IntegrateAndFire(r.choice([1, 0.2]), r.choice([-np.inf, -1, 0])),
        current=(-3000, 3000),
    ),
    neurons_case(
        "spiking leaky",
        lambda r: SpikingLeakyReLU(r.choice([0.3, 0.9]), r.choice([1, 0.2])),
        current=(-3000, 2000),
        voltage=(-1, 1),
    ),
    neurons_case("sigmoid", lambda r: nengo.Sigmoid(r.uniform(0.001, 0.01)), (-4, 4)),
    neurons_case("tanh", lambda r: nengo.Tanh(r.uniform(0.001, 0.01)), (-4, 4)),
    neurons_case("pointwise", lambda r: Pointwise("mish"), (-4, 4)),
    neurons_case(
        "pointwise with arguments", lambda r: Pointwise("elu", {"alpha": 0.3}), (-4, 4)
    ),
    neurons_case("LIF rate", lambda r: nengo.LIFRate(**lif(r))),
    neurons_case("LIF rate at threshold", lambda r: nengo.LIFRate(), (1, 1)),
    neurons_case("LIF rate, no refractory time", lambda r: nengo.LIFRate(tau_ref=0)),
    neurons_case(
        "soft LIF rate", lambda r: SoftLIFRate(r.choice([0.05, 2]), **lif(r)), (-9, 9)
    ),
    neurons_case("soft LIF rate, equal", lambda r: SoftLIFRate(0.01), (0.5, 1.5)),
    neurons_case("LIF", lambda r: nengo.LIF(**lif(r))),
    neurons_case("LIF, equal", lambda r: nengo.LIF()),
    neurons_case("LIF, large currents", lambda r: nengo.LIF(), current=(-9, 500)),
    neurons_case("LIF, slow membrane", lambda r: nengo.LIF(tau_rc=1.0), (0, 1000)),
    neurons_case("LIF, fast membrane", lambda r: nengo.LIF(tau_rc=0.001)),
    neurons_case("LIF, no refractory time", lambda r: nengo.LIF(tau_ref=0)),
    neurons_case("LIF above threshold", lambda r: nengo.LIF(), voltage=(0, 3)),
    neurons_case(
        "LIF, minimal voltage",
        lambda r: nengo.LIF(min_voltage=r.choice([-1, -np.inf])),
        current=(-30, 10),
        voltage=(-2, 1),
    ),
    neurons_case("AdaptiveLIF rate", lambda r: nengo.AdaptiveLIFRate(**adaptation(r))),
    neurons_case("AdaptiveLIF", lambda r: nengo.AdaptiveLIF(**lif(r), **adaptation(r))),
    neurons_case(
        "Izhikevich",
        lambda r: nengo.Izhikevich(
            tau_recovery=r.choice([0.02, 0.1]),
            coupling=r.choice([0.2, 0.25]),
            reset_voltage=r.choice([-65, -50]),
            reset_recovery=r.choice([8, 2]),
        ),
        current=(-50, 100),
        voltage=(-70, 25),
    ),
    neurons_case(
        "regular spiking",
        lambda r: nengo.RegularSpiking(nengo.Tanh(), amplitude=r.choice([1, 0.5])),
        current=(-2000, 2500),
    ),
    neurons_case("without TensorFlow step", lambda r: SlowSoftplus()),
]


# --- processes --------------------------------------------------------------------


def ring_position(n_taps):
    """Draw the position in the ring of a Triangle."""
    return lambda rng: rng.randint(n_taps, size=1)


def counts(rng, size):
    """Draw how many steps there have been."""
    return rng.randint(50, size=size)


def process_case(name, make_process, shape=vector, mode="update", merges=True):
    """Step a process with input."""
    covers = type(make_process(np.random.RandomState(0)))

    def make_op(bench, n):
        process = make_process(bench.rng)
        initial = process.make_state(shape(n), shape(n), DT, dtype=np.float64)
        state = {}
        for key, value in initial.items():
            draw = ring_position(len(initial["X"])) if key == "Xi" else None
            if key == "n_steps":
                draw = partial(counts, size=value.shape)
            state[key] = bench.signal(*value.shape, draw=draw, name=key)
        x, y = bench.signal(*shape(n)), bench.signal(*shape(n), name="y")
        return SimProcess(process, x, y, bench.time, mode=mode, state=state)

    return Case(f"process {name}", make_op, covers, merges)


def matrix(n):
    """Give the shape of a matrix."""
    return (n, 3)


ORDER_3 = ([1e-4, 0.01, 1], [1e-6, 3e-4, 0.03, 1])
PROCESSES = [
    process_case("lowpass", lambda r: nengo.Lowpass(r.uniform(0.001, 0.1))),
    process_case("lowpass, equal", lambda r: nengo.Lowpass(0.01)),
    process_case("lowpass of a matrix", lambda r: nengo.Lowpass(0.01), matrix),
    process_case("lowpass without delay", lambda r: nengo.Lowpass(0)),
    process_case("lowpass, very fast", lambda r: nengo.Lowpass(1e-5)),
    process_case("lowpass that sets", lambda r: nengo.Lowpass(0.01), mode="set"),
    process_case("lowpass that adds", lambda r: nengo.Lowpass(0.01), mode="inc"),
    process_case("alpha", lambda r: nengo.Alpha(0.01)),
    process_case("alpha of a matrix", lambda r: nengo.Alpha(0.01), matrix),
    process_case("alpha without delay", lambda r: nengo.Alpha(0)),
    process_case("filter without state", lambda r: LinearFilter([2], [1])),
    process_case("filter of order 1", lambda r: LinearFilter([2], [0.03, 1])),
    process_case(
        "filter with passthrough", lambda r: LinearFilter([0.1, 1], [0.03, 1])
    ),
    process_case("filter of order 2", lambda r: LinearFilter([1], [2e-4, 0.02, 1])),
    process_case("filter of order 3", lambda r: LinearFilter(*ORDER_3)),
    process_case("filter of a matrix", lambda r: LinearFilter(*ORDER_3), matrix),
    process_case(
        "filter of order 8",
        lambda r: LinearFilter([1], np.poly([-200.0] * 8) / 200.0**8),
    ),
    process_case(
        "digital filter",
        lambda r: LinearFilter([0.2, 0.3, 0.1], [1, -0.5, 0.1], analog=False),
    ),
    process_case(
        "bilinear filter", lambda r: LinearFilter([1], [0.02, 1], method="bilinear")
    ),
    process_case("triangle", lambda r: Triangle(0.004)),
    process_case("triangle of a matrix", lambda r: Triangle(0.004), matrix),
    process_case("triangle of one tap", lambda r: Triangle(0)),
    process_case("running mean", lambda r: RunningMean(), mode="set"),
    process_case("running mean of a matrix", lambda r: RunningMean(), matrix),
    process_case("without TensorFlow step", lambda r: Differences()),
    process_case(
        "without TensorFlow step that adds", lambda r: Differences(), mode="inc"
    ),
]


# --- learning rules ---------------------------------------------------------------


def pes(bench, n):
    """Learn weights of shape (3, n)."""
    rate = bench.rng.choice([1e-4, 1e-2])
    return SimPES(
        bench.signal(n, high=400),
        bench.signal(3),
        bench.signal(3, n, name="delta"),
        rate,
    )


def bcm(bench, n):
    """Learn weights of shape (3, n)."""
    pre, post = bench.signal(n, high=400), bench.signal(3, high=400)
    theta = bench.signal(3, high=400)
    rate = bench.rng.choice([1e-9, 1e-6])
    return SimBCM(pre, post, theta, bench.signal(3, n, name="delta"), rate)


def oja(bench, n):
    """Learn weights of shape (3, n)."""
    pre, post = bench.signal(n, high=400), bench.signal(3, high=400)
    weights, delta = bench.signal(3, n), bench.signal(3, n, name="delta")
    rate, beta = bench.rng.choice([1e-6, 1e-4]), bench.rng.choice([1, 0.2])
    return SimOja(pre, post, weights, delta, rate, beta)


def voja(bench, n):
    """Learn encoders of shape (n, 2)."""
    return SimVoja(
        pre_decoded=bench.signal(2),
        post_filtered=bench.signal(n, high=400),
        scaled_encoders=bench.signal(n, 2),
        delta=bench.signal(n, 2, name="delta"),
        scale=np.float32(bench.rng.uniform(1, 3, size=n)).astype(float),
        learning_signal=bench.signal(1),
        learning_rate=bench.rng.choice([1e-2, 1e-1]),
    )


def rls(bench, n):
    """Learn weights of shape (3, n), from a symmetric matrix."""

    def symmetric(rng):
        root = rng.uniform(-1, 1, size=(n, n))
        return 1e-3 * np.float32(root @ root.T + np.eye(n))

    pre, error = bench.signal(n, high=10), bench.signal(3)
    inv_gamma = bench.signal(n, n, draw=symmetric, name="inv_gamma")
    return SimRLS(pre, error, bench.signal(3, n, name="delta"), inv_gamma)


def factors_of(make_rule):
    """Compute the factors of a learning rule's change."""
    return lambda bench, n: ChangeFactors(make_rule(bench, n))


def factored(make_rule):
    """Add a change that is given by its factors."""

    def make_op(bench, n):
        op = ChangeFactors(make_rule(bench, n))
        factors = tuple(bench.signal(*signal.shape) for signal in op.factors)
        return FactoredInc(factors, bench.signal(*op.rule.delta.shape))

    return make_op


RULES = [
    Case("PES", pes, SimPES),
    Case("BCM", bcm, SimBCM),
    Case("Oja", oja, SimOja),
    Case("Voja", voja, SimVoja),
    Case("RLS", rls, SimRLS),
    *(
        Case(f"factors of {rule.__name__}", factors_of(rule), ChangeFactors)
        for rule in (pes, bcm, oja, voja)
    ),
    Case("factored", factored(bcm), FactoredInc),
    Case("factored with decay", factored(oja), FactoredInc),
]


# --- convolutions -----------------------------------------------------------------


def conv_case(name, conv_type, space, channels=2, **kwargs):
    """Convolve an image whose first axis has the given size and 3 more."""
    op_type = ConvInc if conv_type is nengo.Convolution else ConvTransposeInc

    def make_op(bench, n):
        shape = (n + 3, *space)
        last = kwargs.get("channels_last", True)
        conv = conv_type(
            input_shape=(*shape, channels) if last else (channels, *shape), **kwargs
        )
        W = bench.shared(
            (name, n), lambda: bench.signal(*conv.kernel_shape, readonly=True)
        )
        X, Y = bench.signal(conv.size_in), bench.signal(conv.size_out)
        return op_type(W, X, Y, conv)

    return Case(f"{conv_type.__name__} {name}", make_op, op_type)


CONV, CONVT = nengo.Convolution, nengo.ConvolutionTranspose
ONE = {"kernel_size": (3,), "strides": (2,)}
TWO = {"kernel_size": (3, 2), "strides": (1, 2)}
CONVOLUTIONS = [
    conv_case("1D", CONV, (), n_filters=3, **ONE),
    conv_case("1D same", CONV, (), n_filters=3, padding="same", **ONE),
    conv_case("1D first", CONV, (), n_filters=3, channels_last=False, **ONE),
    conv_case("1D groups", CONV, (), n_filters=4, groups=2, **ONE),
    conv_case("2D", CONV, (5,), n_filters=3, **TWO),
    conv_case("2D same", CONV, (5,), n_filters=3, padding="same", **TWO),
    conv_case("2D first", CONV, (5,), n_filters=3, channels_last=False, **TWO),
    conv_case("2D groups", CONV, (5,), 4, n_filters=6, groups=2, **TWO),
    conv_case(
        "2D groups first",
        CONV,
        (5,),
        4,
        n_filters=4,
        groups=4,
        channels_last=False,
        **TWO,
    ),
    conv_case("2D depthwise", CONV, (5,), 2, n_filters=4, groups=2, **TWO),
    conv_case(
        "2D depthwise same", CONV, (5,), 3, n_filters=3, groups=3, padding="same", **TWO
    ),
    conv_case("1D", CONVT, (), n_filters=3, **ONE),
    conv_case("1D same", CONVT, (), n_filters=3, padding="same", **ONE),
    conv_case("1D first", CONVT, (), n_filters=3, channels_last=False, **ONE),
    conv_case("2D", CONVT, (5,), n_filters=3, **TWO),
    conv_case("2D same", CONVT, (5,), n_filters=3, padding="same", **TWO),
    conv_case("2D first", CONVT, (5,), n_filters=3, channels_last=False, **TWO),
]

# --- stencils and functions of arrays ---------------------------------------------


def stencil_case(name, channels=2, **kwargs):
    """Read three of n positions, or none, at each of four positions."""

    def make_op(bench, n):
        index = bench.rng.randint(-1, n, size=(4, 3))
        stencil = Stencil(index, n, np.zeros((3, channels, 4)), **kwargs)
        W = bench.signal(3, channels, 4, readonly=True)
        X, Y = bench.signal(stencil.size_in), bench.signal(stencil.size_out)
        return StencilInc(W, X, Y, stencil)

    return Case(f"stencil {name}", make_op, StencilInc, merges=False)


def array_case(name, make_function, n_states=0):
    """Compute a function of arrays."""

    def make_op(bench, n):
        function = make_function(n)
        size_in, size_out = (
            int(np.prod(shape)) for shape in (function.shape_in, function.shape_out)
        )
        state = [bench.signal(size) for size in (size_in, size_out)[:n_states]]
        x = bench.signal(size_in) if function.shape_in else None
        return SimArrayFunction(function, x, bench.signal(size_out), tuple(state))

    return Case(name, make_op, SimArrayFunction, merges=False)


def max_pool(last=True, tau=None):
    """Make a function from a size to maxima over pairs of positions."""

    def make(n):
        positions = n // 2
        index = np.arange(2 * positions).reshape(-1, 2)
        shapes = (n, 3), (positions, 3)
        shapes = [shape if last else shape[::-1] for shape in shapes]
        return MaxPool(*shapes, index, (2,), (2,), "valid", last, tau)

    return make


ARRAYS = [
    stencil_case("plain"),
    stencil_case("groups", groups=2),
    stencil_case("first", channels_last=False),
    stencil_case("groups first", 1, groups=2, channels_last=False),
    array_case("constant", lambda n: Constant((), (n,))),
    *(
        array_case(how, lambda n, how=how: Reduce((3, n), (n,), how))
        for how in ("maximum", "minimum", "multiply")
    ),
    array_case(
        "scale", lambda n: Scale((n, 2), (n, 2), np.arange(2.0 * n).reshape(n, 2))
    ),
    *(
        array_case(how, lambda n, how=how, m=m: Reduce((m, n), (n,), how))
        for how, m in (("greater", 2), ("divide", 2), ("logical_and", 2), ("where", 3))
    ),
    *(
        array_case(name, lambda n, name=name: Function((n, 3), (n, 3), name))
        for name in ("erf", "isfinite", "logical_not", "sin", "square", "trunc")
    ),
    *(
        array_case(name, lambda n, name=name: Function((3, n), (n,), name))
        for name in ("logsumexp", "std", "var")
    ),
    *(
        array_case(
            name,
            lambda n, name=name, arguments=arguments: Function(
                (n, 3), (n, 3), name, arguments
            ),
        )
        for name, arguments in (
            ("clip", (("low", -0.2), ("high", 0.3))),
            ("log_softmax", (("axis", (1,)),)),
            ("normalize", (("axes", (1,)), ("epsilon", 0.1))),
            ("power", (("exponent", 2.0),)),
        )
    ),
    array_case("softmax", lambda n: Softmax((n, 3), (n, 3), (0,))),
    array_case("softmax of all", lambda n: Softmax((n, 3), (n, 3), (0, 1))),
    array_case("max pool", max_pool()),
    array_case("max pool first", max_pool(last=False)),
    array_case("max pool of spikes", max_pool(tau=0.01), n_states=2),
]


def on_chip_case(name, model, axis=None, shape=lambda n: (n, 3)):
    """Quantise weights."""

    def make_op(bench, n):
        weights = bench.signal(*shape(n), readonly=True, name="weights")
        on_chip = nengo.builder.Signal(shape=shape(n), name="on_chip")
        return OnChip(weights, on_chip, Placement(model, axis))

    return Case(f"on chip, {name}", make_op, OnChip)


ON_CHIP = [
    on_chip_case("per channel", Weights(bits=3), 0),
    on_chip_case("per tensor", Weights(bits=8)),
    on_chip_case("last axis", Weights(bits=3), -1, lambda n: (2, 3, n)),
    on_chip_case("vector", Weights(bits=2, scale="mse"), shape=vector),
    on_chip_case("powers of two", Weights(bits=5, exponent="power_of_two"), 0),
]

EXACT = Tile(None, None, None, None, output_noise=0.0)
COARSE = Tile(4, 0.7, 5, 0.6, output_noise=0.0)


def tile_case(name, op_type, make_op, merges=True):
    """Convert what goes into a tile or comes out of it."""
    return Case(f"{op_type.__name__} {name}", make_op, op_type, merges)


def input_range(bench, n):
    """Find the range of a vector."""
    return InputRange(Tile(), bench.signal(n), nengo.builder.Signal(shape=(1,)))


def dac(tile):
    """Convert a vector."""

    def make_op(bench, n):
        s = bench.signal(1, low=0.5, high=1.5)
        return Dac(tile, bench.signal(n), s, nengo.builder.Signal(shape=(n,)))

    return make_op


def adc(tile, scale_axes):
    """Convert products of three channels."""

    def make_op(bench, n):
        layout = (n, 3, 2)
        T, Y = bench.signal(n * 6), bench.signal(n * 6)
        s = bench.signal(1, low=0.5, high=1.5)
        weights = bench.signal(3, 2, readonly=True)
        return Adc(tile, T, s, weights, Y, layout=layout, scale_axes=scale_axes)

    return make_op


def managed_range(input_bound, scale_axes):
    """Find a range for a product, of which the first one is far too small."""

    def make_op(bench, n):
        weights = bench.signal(n, 5, low=0.5, readonly=True)
        T = nengo.builder.Signal(shape=(n,))
        product = DotInc(weights, bench.signal(5, low=0.2), T)
        tile = Tile(5, input_bound, output_bound=0.25, bound_management=True)
        s = nengo.builder.Signal(shape=(1,))
        return ManagedRange(tile, product, (1, n, 1), weights, scale_axes, s)

    return make_op


TILES = [
    tile_case("of a vector", InputRange, input_range),
    tile_case("rounds", Dac, dac(Tile())),
    tile_case("clips", Dac, dac(COARSE)),
    tile_case("only clips", Dac, dac(Tile(None, 0.7))),
    tile_case("per channel", Adc, adc(COARSE, (1,))),
    tile_case("per tensor", Adc, adc(COARSE, (0, 1))),
    tile_case("exact", Adc, adc(EXACT, (1,))),
    tile_case("per channel", ManagedRange, managed_range(None, (1,)), merges=False),
    tile_case("of a bound", ManagedRange, managed_range(0.1, (0, 1)), merges=False),
]

# Large enough for one product of several matrices, of widths that differ
PADDED = product_case(
    DotInc,
    "padded",
    lambda n: (18 + n, 34 + n),
    lambda n: (34 + n,),
    lambda n: (18 + n,),
)

CASES = [
    *ARRAYS,
    *OPERATORS,
    *FUNCTIONS,
    *NEURONS,
    *PROCESSES,
    *RULES,
    *CONVOLUTIONS,
    *ON_CHIP,
    *TILES,
    PADDED,
]

# Types whose results are random, for which there are laws of their own below.
RANDOM = {nengo.StochasticSpiking, nengo.PoissonSpiking}
# Types that are computed by their own Python code.
ON_HOST = {SlowSoftplus, Differences}
# Operators that the neuron and process types above are cases of.
GENERIC = {SimNeurons, SimProcess}
# has no NumPy step to compare with: tests/nodes/test_tensor_node_kernel.py
TENSORFLOW = {SimTensorNode}
# Their gradients are straight-through: tests/hardware
STRAIGHT_THROUGH = {OnChip, InputRange, ManagedRange, Dac, Adc}
# Arguments in which a kernel is not differentiable, or is so by a surrogate alone.
NOT_DIFFERENTIABLE = {
    "neurons LIF rate at threshold": (0,),
    "neurons Izhikevich": (0, 1, 2),
    "process triangle of one tap": (3,),
}


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
@pytest.mark.parametrize(
    "case, setting",
    [
        pytest.param(case, setting, id=f"{case.name}-{setting.label}")
        for case, settings in zip(CASES, itertools.cycle(SETTINGS), strict=False)
        for setting in settings
    ],
)
def test_kernel_equals_make_step(case, setting):
    check_kernel(case.make_op, setting)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equal_operators_share_a_kernel(case):
    check_merging(case.make_op, case.merges)


@pytest.mark.filterwarnings("ignore:.*runs in Python each step")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_kernel_takes_what_all_items_share(case):
    # the CPU has grouped convolutions only with XLA
    if "groups" not in case.name:
        for sizes in ((4,), (4, 6)):
            check_sharing(case.make_op, sizes)


@pytest.mark.parametrize(
    "registry",
    [Builder.entries, neurons.steps, processes.steps],
    ids=["operators", "neurons", "processes"],
)
def test_every_registered_type_has_a_case(registry):
    covered = {case.covers for case in CASES} | RANDOM | GENERIC | TENSORFLOW
    ours = {t for t in registry if t.__module__.split(".")[0] in ("nengo", "nengo_dl")}
    assert ours <= covered


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in CASES
        if case.covers not in (Reset, SimPyFunc, *STRAIGHT_THROUGH, *ON_HOST)
        and case.name != "constant"
    ],
    ids=lambda case: case.name,
)
def test_gradient_equals_finite_difference(case):
    # the CPU has gradients of grouped convolutions only with XLA
    check_gradient(
        case.make_op,
        jit_compile="groups" in case.name,
        constant=NOT_DIFFERENTIABLE.get(case.name, ()),
    )
