"""Hypothesis strategies for the parts of random networks: what there is to choose from.

Each draws plain data that `tests.network_specs` can build, and only what Nengo accepts.
"""

import hypothesis.strategies as st
import nengo
import numpy as np

from tests.network_specs import NODE_FUNCTIONS, TIME_FUNCTIONS, build_conv

# --- what to choose from ----------------------------------------------------------

SEEDS = st.integers(0, 999)
PROCESS_SEEDS = st.none() | SEEDS
SIZES = st.sampled_from([1, 2, 3, 4, 5, 6, 8, 12, 16])

SYNAPSES = [
    ("Lowpass", 0.005),
    ("Lowpass", 0.1),
    ("Lowpass", 0.0),
    ("Lowpass", 0.00001),
    ("Alpha", 0.01),
    ("Alpha", 0.003),
    ("Triangle", 0.004),
    ("Triangle", 0.0),
    ("LinearFilter", [2.0], [1.0]),
    ("LinearFilter", [1.0], [0.03, 1.0]),
    ("LinearFilter", [0.2, 1.0], [0.03, 1.0]),
    ("LinearFilter", [1.0], [0.0002, 0.02, 1.0]),
    ("LinearFilter", [0.01, 1.0], [0.0002, 0.02, 1.0]),
    ("LinearFilter", [0.5, 0.01, 0.0], [0.0002, 0.02, 1.0]),
    ("LinearFilter", [1.0], [0.000001, 0.0003, 0.03, 1.0]),
    ("LinearFilter", [1.0], [0.02, 1.0], {"method": "bilinear"}),
    ("LinearFilter", [1.0], [0.02, 1.0], {"method": "euler"}),
    ("LinearFilter", [1.0], [1.0, 0.0], {"method": "euler"}),
    ("LinearFilter", [0.4], [1.0, -0.6], {"analog": False}),
    ("LinearFilter", [0.3, 0.1], [1.0, -0.5, 0.1], {"analog": False}),
    ("LinearFilter", [0.2, 0.3, 0.1], [1.0, -0.5, 0.1], {"analog": False}),
]

AMPLITUDES = st.sampled_from([1, 0.1, 2.5])
TAU_RC = st.sampled_from([0.02, 0.005, 0.1])
TAU_REF = st.sampled_from([0.002, 0.0005, 0, 0.0051])
VOLTAGES = [("Uniform", -0.5, 0.9), ("Choice", [0.3]), ("values", 3, 0, 0.9)]
RATE_LIF = {"tau_rc": TAU_RC, "tau_ref": TAU_REF, "amplitude": AMPLITUDES}
LIF = RATE_LIF | {"min_voltage": st.sampled_from(["0", "-1", "-0.2", "-inf"])}
ADAPTATION = {
    "tau_n": st.sampled_from([1, 0.05, 0.01]),
    "inc_n": st.sampled_from([0.01, 0.1]),
}
LIF_STATES = {
    "voltage": VOLTAGES,
    "refractory_time": [("Uniform", 0, 0.003), ("values", 4, 0, 0.002)],
}
ADAPTATION_STATES = {"adaptation": [("Uniform", 0, 0.2), ("values", 5, 0, 0.1)]}
STEPPED = {
    "tau_rc": st.sampled_from([0.02, ("values", 9, 0.02, 0.1)]),
    "tau_syn": st.sampled_from([0.01, ("values", 10, 0.01, 0.05)]),
    "v_leak": st.sampled_from([0.2, ("values", 11, -0.1, 0.3)]),
    "discretization": st.sampled_from(["exact", "euler"]),
    "amplitude": AMPLITUDES,
}
STEPPED_STATES = {"voltage": VOLTAGES, "current": [("Uniform", -1, 1)]}

# Per neuron type: arguments, states that can be given, states that can be probed.
RATE_NEURONS = {
    "RectifiedLinear": ({"amplitude": AMPLITUDES}, {}),
    "Sigmoid": ({"tau_ref": st.sampled_from([0.0025, 0.0049])}, {}),
    "Tanh": ({"tau_ref": st.sampled_from([0.0025, 0.001])}, {}),
    "LIFRate": (RATE_LIF, {}),
    "AdaptiveLIFRate": (RATE_LIF | ADAPTATION, ADAPTATION_STATES),
}
NEURONS = RATE_NEURONS | {
    "SpikingRectifiedLinear": ({"amplitude": AMPLITUDES}, {"voltage": VOLTAGES}),
    "LIF": (LIF, LIF_STATES),
    "AdaptiveLIF": (LIF | ADAPTATION, LIF_STATES | ADAPTATION_STATES),
    "Izhikevich": (
        {
            "tau_recovery": st.sampled_from([0.02, 0.1]),
            "coupling": st.sampled_from([0.2, 0.25]),
            "reset_voltage": st.sampled_from([-65, -50.5]),
            "reset_recovery": st.sampled_from([8, 2]),
        },
        {
            "voltage": [("Uniform", -70, -50), ("values", 6, -65, -40)],
            "recovery": [("Uniform", -10, 2)],
        },
    ),
    "RegularSpiking": ({"amplitude": AMPLITUDES}, {"voltage": VOLTAGES}),
    "SteppedLIF": (
        STEPPED
        | {
            "threshold": st.sampled_from([0.7, ("values", 12, 0.5, 1.5)]),
            "v_reset": st.sampled_from([0.3, ("values", 13, -0.2, 0.4)]),
            "reset": st.sampled_from(["subtract", "snntorch"]),
            "max_spikes": st.sampled_from([2, np.inf]),
            "min_voltage": st.sampled_from([0, ("values", 14, -1, 0)]),
            "strict": st.just(False),
        },
        STEPPED_STATES,
    ),
    "SteppedLI": (STEPPED, STEPPED_STATES),
    "SlowSoftplus": ({}, {"trace": [("Uniform", 0.2, 0.4)]}),
    "Direct": ({}, {}),
}
# "LIF" comes first and often: shrinking and most users prefer it.
NEURON_NAMES = ["LIF", *NEURONS]

NOISES = [
    lambda seed: ("WhiteNoise", {"dist": ("Gaussian", 0, 0.02), "seed": seed}),
    lambda seed: (
        "WhiteNoise",
        {"dist": ("Uniform", -0.5, 0.5), "scale": False, "seed": seed},
    ),
    lambda seed: ("WhiteSignal", {"period": 0.05, "high": 200, "seed": seed}),
    lambda seed: (
        "WhiteSignal",
        {"period": 0.1, "high": 100, "y0": 0, "rms": 1.0, "seed": seed},
    ),
    lambda seed: ("FilteredNoise", {"synapse": ("Lowpass", 0.005), "seed": seed}),
    lambda seed: (
        "FilteredNoise",
        {"synapse": ("Alpha", 0.01), "dist": ("Uniform", -1, 1), "seed": seed},
    ),
    lambda seed: (
        "FilteredNoise",
        {"synapse": ("Triangle", 0.004), "scale": False, "seed": seed},
    ),
    lambda seed: ("BrownNoise", {"seed": seed}),
]
INTERPOLATIONS = ["zero", "linear", "nearest", "slinear", "quadratic", "cubic"]

SOLVERS = [
    ("LstsqL2", {"reg": 0.02}),
    ("Lstsq", {}),
    ("LstsqL2nz", {}),
    ("LstsqDrop", {}),
    ("NoSolver", {"seed": 7}),
]
WEIGHT_SOLVERS = [
    ("LstsqL2", {"weights": True}),
    ("Nnls", {"weights": True}),
    ("LstsqDrop", {"weights": True}),
]
COMPOSITIONAL = {"LstsqL2", "Lstsq", "LstsqL2nz", "NoSolver"}

RULES = {
    "PES": {
        "learning_rate": st.sampled_from([1e-4, 1e-3, 1e-5]),
        "pre_synapse": st.sampled_from([("Lowpass", 0.005), None, *SYNAPSES]),
    },
    "RLS": {
        "learning_rate": st.sampled_from([1e-3, 1e-1]),
        "pre_synapse": st.sampled_from([("Lowpass", 0.005), None, ("Alpha", 0.01)]),
    },
    "BCM": {
        "learning_rate": st.sampled_from([1e-9, 1e-8]),
        "pre_synapse": st.sampled_from([("Lowpass", 0.005), None, ("Alpha", 0.01)]),
        "theta_synapse": st.sampled_from([("Lowpass", 1.0), ("Triangle", 0.004)]),
    },
    "Oja": {
        "learning_rate": st.sampled_from([1e-6, 1e-7]),
        "post_synapse": st.sampled_from([("Lowpass", 0.01), None, ("Alpha", 0.01)]),
        "beta": st.sampled_from([1.0, 0.0, 0.3]),
    },
    "Voja": {
        "learning_rate": st.sampled_from([1e-2, 1e-1]),
        "post_synapse": st.sampled_from([("Lowpass", 0.005), None, ("Alpha", 0.01)]),
    },
}
SAMPLE_EVERY = [None, None, None, 0.002, 0.003, 0.0025, 0.0004]


def sometimes(draw, out_of=3):
    """Return True once in ``out_of`` times; shrinks to False."""
    return draw(st.integers(0, out_of - 1)) == out_of - 1


# --- slices -----------------------------------------------------------------------


@st.composite
def keys(draw, size, n, repeats=True):
    """Draw a key that takes ``n`` of ``size`` elements, each once unless ``repeats``.

    Masks count as repeats, because Nengo takes them for such with a dense matrix.
    """
    forms = ["all"] * 3 if n == size else []
    forms += ["contiguous", "list", "list", "backwards"] if n <= size else []
    forms += ["int"] if n == 1 else []
    forms += ["step"] if 2 * n - 1 <= size else []
    forms += ["repeats"] if n > size or repeats else []
    forms += ["mask"] if n <= size and repeats else []
    form = draw(st.sampled_from(forms))
    if form == "all":
        return None
    if form == "repeats":
        elements = st.integers(-size, size - 1)
        return ("list", draw(st.lists(elements, min_size=n, max_size=n)))
    if form in ("list", "mask"):
        chosen = draw(st.permutations(range(size)))[:n]
        if form == "mask":
            return ("mask", [i in chosen for i in range(size)])
        return ("list", [i - size if draw(st.booleans()) else i for i in chosen])
    stride = {"step": 2, "backwards": -1}.get(form, 1)
    return draw(strided_keys(size, n, stride, form == "int"))


@st.composite
def strided_keys(draw, size, n, stride, integer):
    """Draw a slice of ``n`` elements, or an integer."""
    start = draw(st.integers(0, size - 1 - abs(stride) * (n - 1)))
    if integer:
        return ("int", start - size if draw(st.booleans()) else start)
    stop = start + abs(stride) * (n - 1) + 1
    if stride < 0:
        return ("slice", stop - 1, start - 1 if start > 0 else None, stride)
    if stop == size and draw(st.booleans()):
        return ("slice", start - size, None, stride)
    return ("slice", start, stop, None if stride == 1 else stride)


@st.composite
def any_keys(draw, size, repeats=True):
    """Draw a key of any size, often none."""
    if draw(st.booleans()):
        return None
    top = size + 1 if repeats else size
    return draw(keys(size, draw(st.integers(1, top)), repeats))


def is_slice(key):
    """Whether a key is a slice for Nengo, not a list."""
    return key is None or key[0] in ("slice", "int")


def has_repeats(key):
    """Whether Nengo would refuse a key next to a dense matrix."""
    return key is not None and (
        key[0] == "mask" or (key[0] == "list" and len(set(key[1])) < len(key[1]))
    )


# --- objects ----------------------------------------------------------------------


@st.composite
def nodes(draw):
    """Draw a node without input."""
    form = draw(st.sampled_from(["function", "array", "noise", "Piecewise", "Present"]))
    seed = draw(SEEDS)
    if form == "function":
        name = draw(st.sampled_from(list(TIME_FUNCTIONS)))
        size = nengo.Node(TIME_FUNCTIONS[name], add_to_container=False).size_out
        return {"kind": "node", "size": size, "output": ("function", name)}
    size = draw(SIZES)
    if form == "array":
        output = ("array", seed, size)
    elif form == "noise":
        noise = draw(st.sampled_from(NOISES))
        output = ("process", *noise(draw(PROCESS_SEEDS)))
    elif form == "Present":
        arguments = {
            "inputs": (seed, (3, size)),
            "presentation_time": draw(st.sampled_from([0.005, 0.0023, 0.012])),
        }
        output = ("process", "PresentInput", arguments)
    else:
        times = [0, *draw(st.permutations([0.003, 0.0105, 0.02, 0.0312])), 0.1]
        arguments = {
            "data": [(t, (seed + i, size)) for i, t in enumerate(times)],
            "interpolation": draw(st.sampled_from(INTERPOLATIONS)),
        }
        output = ("process", "Piecewise", arguments)
    return {"kind": "node", "size": size, "output": output}


@st.composite
def other_nodes(draw):
    """Draw a node with input."""
    kind = draw(st.sampled_from(["passthrough", "function_node", "process_node"]))
    node = {"kind": kind, "size": draw(SIZES)}
    if kind == "function_node":
        node["function"] = draw(st.sampled_from(list(NODE_FUNCTIONS)))
    if kind == "process_node":
        form = draw(st.sampled_from(["Differences", "Jitter", "synapse", "synapse"]))
        node["process"] = (form,)
        if form == "Jitter":
            node["process"] = (form, draw(PROCESS_SEEDS))
        elif form == "synapse":
            node["process"] = draw(st.sampled_from(SYNAPSES))
    return node


@st.composite
def neuron_types(draw, names=NEURON_NAMES):
    """Draw a neuron type with some of its arguments."""
    name = draw(st.sampled_from(names))
    arguments, states = NEURONS[name]
    drawn = {key: draw(values) for key, values in arguments.items() if sometimes(draw)}
    if states and sometimes(draw):
        drawn["initial_state"] = {
            state: draw(st.sampled_from(choices))
            for state, choices in states.items()
            if draw(st.booleans())
        }
    if name == "SteppedLI":
        # without a leak, there are no rates to solve for
        drawn.setdefault("tau_rc", 0.02)
    if name == "RegularSpiking":
        drawn["base_type"] = draw(neuron_types(names=list(RATE_NEURONS)))
    return (name, drawn)


def max_rates(neurons):
    """Return maximum rates that a neuron type can have."""
    name, arguments = neurons
    if name == "RegularSpiking":
        return max_rates(arguments["base_type"])
    if name == "Izhikevich":
        return ("Uniform", 20, 60)
    if arguments.get("tau_ref", 0) > 0.0045:
        return ("Uniform", 110, 190)
    return ("Uniform", 200, 400)


@st.composite
def ensembles(draw):
    """Draw an ensemble."""
    neurons = draw(neuron_types())
    ensemble = {
        "kind": "ensemble",
        "n_neurons": draw(st.sampled_from([5, 1, 2, 3, 4, 8, 10, 16])),
        "dimensions": draw(st.integers(1, 4)),
        "radius": draw(st.sampled_from([1, 0.5, 2.3])),
        "neurons": neurons,
    }
    if neurons[0] != "Direct":
        if sometimes(draw):
            ensemble["gain"] = ("values", draw(SEEDS), 0.5, 4)
            ensemble["bias"] = ("values", draw(SEEDS), 0.5, 8)
        else:
            ensemble["max_rates"] = max_rates(neurons)
            ensemble["intercepts"] = draw(
                st.sampled_from([("Uniform", -1, 0.5), ("values", 8, -0.9, 0.2)])
            )
        if sometimes(draw):
            ensemble["encoders"] = (draw(SEEDS), draw(st.booleans()))
    if sometimes(draw, out_of=6):
        ensemble["noise"] = draw(st.sampled_from(NOISES))(draw(PROCESS_SEEDS))
    return ensemble


@st.composite
def subnetworks(draw):
    """Draw one of Nengo's networks."""
    kind = draw(st.sampled_from(["array", "array", "product", "convolution"]))
    n_neurons = draw(st.sampled_from([4, 1, 3, 10]))
    if kind != "array":
        return {"kind": kind, "n_neurons": n_neurons, "size": draw(st.integers(1, 3))}
    names = [name for name in NEURONS if name not in ("Izhikevich", "Direct")]
    neurons = draw(neuron_types(names=names))
    if "tau_ref" in neurons[1] and max_rates(neurons) != ("Uniform", 200, 400):
        neurons[1].pop("tau_ref")
    if neurons[0] == "RegularSpiking":
        neurons[1]["base_type"] = ("LIFRate", {})
    return {
        "kind": kind,
        "n_neurons": n_neurons,
        "n_ensembles": draw(st.integers(1, 4)),
        "dimensions": draw(st.integers(1, 2)),
        "neurons": neurons,
        "neuron_nodes": draw(st.booleans()),
        "function": draw(st.sampled_from([None, "square", "product", "wide"])),
    }


# --- transforms -------------------------------------------------------------------


def factors(size, n):
    """List all ways to write a size as a product of ``n`` factors, in order."""
    if n == 1:
        return [(size,)]
    return [
        (first, *rest)
        for first in range(1, size + 1)
        if size % first == 0
        for rest in factors(size // first, n - 1)
    ]


@st.composite
def convolutions(draw, size_in):
    """Draw a convolution, transposed or not, that takes ``size_in`` values."""
    kind = draw(st.sampled_from(["Convolution", "ConvolutionTranspose"]))
    n = draw(st.integers(1, 2))
    *space, channels = draw(st.sampled_from(factors(size_in, n + 1)))
    groups = [g for g in (1, 2, 3) if channels % g == 0]
    groups = draw(st.sampled_from(groups)) if kind == "Convolution" else 1
    last = draw(st.booleans())
    padding = draw(st.sampled_from(["valid", "same"]))
    # a kernel wider than its input leaves nothing of a valid convolution
    free = padding == "same" or kind == "ConvolutionTranspose"
    limit = [3 if free else min(3, s) for s in space]
    arguments = {
        "n_filters": groups * draw(st.integers(1, 2)),
        "input_shape": (*space, channels) if last else (channels, *space),
        "kernel_size": tuple(draw(st.integers(1, k)) for k in limit),
        "strides": tuple(draw(st.integers(1, 2)) for _ in space),
        "padding": padding,
        "channels_last": last,
        "seed": draw(SEEDS),
    }
    if kind == "Convolution":
        arguments["groups"] = groups
    return (kind, arguments)


@st.composite
def transforms(draw, forms, size_mid, limit):
    """Draw a transform of one of some forms.

    Parameters
    ----------
    forms : list of str
        What is possible: "none", "scalar", "vector", "matrix", "random", "sparse" and
        "convolution".
    size_mid : int
        The size of its input.
    limit : int
        The largest size of its output, where that can be chosen.

    Returns
    -------
    transform : tuple or None
    size_out : int
    """
    form = draw(st.sampled_from(forms))
    if form == "none":
        return None, size_mid
    if form == "scalar":
        return ("scalar", draw(st.sampled_from([0.5, -1.0, 2.0]))), size_mid
    if form == "vector":
        return ("vector", draw(SEEDS)), size_mid
    if form == "convolution":
        transform = draw(convolutions(size_mid))
        return transform, int(build_conv(transform).size_out)
    size_out = draw(st.integers(1, limit))
    if form == "matrix":
        return (
            "matrix",
            draw(SEEDS),
            draw(st.sampled_from([1.0, 0.01, 0.001])),
        ), size_out
    if form == "random":
        dist = draw(st.sampled_from([("Uniform", -1, 1), ("Gaussian", 0, 0.5)]))
        return ("random", *dist), size_out
    storage = draw(
        st.sampled_from(["indices", "distribution", "twice", "csr", "coo", "csc"])
    )
    return ("sparse", draw(SEEDS), storage), size_out
