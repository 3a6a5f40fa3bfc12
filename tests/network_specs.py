"""Turn a plain description of a Nengo network into that network.

A description (*spec*) holds nothing but dicts, tuples, lists, strings and numbers, so
that a failing one can be printed, pasted into a test and built again: equal specs give
equal networks, down to every random number. Arrays are described by the seed they are
drawn from. See `tests.random_networks` for what writes specs.
"""

import nengo
import numpy as np
import scipy.sparse
from nengo.networks import CircularConvolution, EnsembleArray, Product

import nengo_dl

# --- what users write in Python ---------------------------------------------------

# Smooth, so that rounding does not decide between two results.
FUNCTIONS = {
    "square": lambda x: x**2,
    "first": lambda x: float(x[0]),
    "sum": np.sum,
    "product": np.prod,
    "sines": lambda x: np.sin(3 * x),
    "pair": lambda x: [x[0], np.tanh(x[-1])],
    "wide": lambda x: np.concatenate([x, 0.5 * np.cos(x)]),
    "constant": lambda x: 0.5,
    "integers": lambda x: [2, True],
    "row": lambda x: np.array([[x[0], 1 - x[-1] ** 2]]),
}


def halve_in_place(t, x):
    """Edit the argument, which must not reach the simulation's memory."""
    x *= 0.5
    return x


def note_in_place(t, x):
    """Edit the argument and return nothing."""
    x[...] = -1


NODE_FUNCTIONS = {
    "add_time": lambda t, x: x + 10 * t,
    "sines": lambda t, x: np.sin(x) * np.cos(40 * t),
    "first": lambda t, x: x[0],
    "list": lambda t, x: [np.tanh(x[-1]), t],
    "halve_in_place": halve_in_place,
    "nothing": note_in_place,
}

TIME_FUNCTIONS = {
    "sine": lambda t: np.sin(60 * t),
    "ramp": lambda t: 20 * t,
    "vector": lambda t: [np.cos(50 * t), -0.5, 30 * t],
    "switch": lambda t: float(t > 0.0105),
    "array": lambda t: np.arange(6) * np.sin(100 * t) / 6,
    "nothing": lambda t: None,
}


class Differences(nengo.Process):
    """A process with input and state that no backend knows: x[t] - 0.5 y[t - 1]."""

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {"y": np.zeros(shape_out, dtype=dtype)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        y = state["y"]

        def step_differences(t, x):
            y[...] = x - 0.5 * y
            return y

        return step_differences


class Jitter(nengo.Process):
    """A random process with input: what comes in, and some noise."""

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        return lambda t, x: x + rng.uniform(-0.1, 0.1, shape_out)


OWN_PROCESSES = {
    "Differences": Differences,
    "Jitter": lambda seed: Jitter(seed=seed),
}


class SlowSoftplus(nengo.neurons.NeuronType):
    """A neuron type with state that no backend knows."""

    negative = False
    state = {"trace": nengo.dists.Uniform(0, 0.5)}

    def rates(self, x, gain, bias):
        return np.logaddexp(0, self.current(x, gain, bias))

    def gain_bias(self, max_rates, intercepts):
        gain = np.asarray(max_rates) / 100
        return gain, -gain * intercepts

    def max_rates_intercepts(self, gain, bias):
        return np.logaddexp(0, gain + bias), -bias / gain

    def step(self, dt, J, output, trace):
        trace += 0.1 * (J - trace)
        output[...] = np.logaddexp(0, trace)


OWN_NEURONS = {
    "SlowSoftplus": SlowSoftplus,
    "SteppedLI": nengo_dl.SteppedLI,
    "SteppedLIF": nengo_dl.SteppedLIF,
}


# --- parts ------------------------------------------------------------------------


def values(seed, shape, low=-1.0, high=1.0):
    """Draw an array; the seed stands for it in a spec."""
    return np.random.RandomState(seed).uniform(low, high, size=shape)


def build_key(key):
    """Return what to put between brackets."""
    if key is None:
        return slice(None)
    kind, *args = key
    return {"slice": lambda: slice(*args), "int": lambda: args[0]}.get(
        kind, lambda: list(args[0])
    )()


def key_size(size, key):
    """Return how many of ``size`` elements a key takes; an integer takes one."""
    return np.arange(size)[build_key(key)].size


def view(obj, key):
    """Index a Nengo object."""
    return obj if key is None else obj[build_key(key)]


def build_synapse(synapse):
    """Build ``(class, *arguments)``, the last of which may be a dict."""
    if synapse is None:
        return None
    kind, *args = synapse
    kwargs = args.pop() if isinstance(args[-1], dict) else {}
    return getattr(nengo.synapses, kind)(*args, **kwargs)


def build_dist(dist, size=None):
    """Build a distribution, or an array: ``("values", seed, low, high)``."""
    if dist is None:
        return nengo.params.Default
    kind, *args = dist
    if kind == "values":
        return values(args[0], size, *args[1:])
    return getattr(nengo.dists, kind)(*args)


def build_neurons(neurons, n_neurons):
    """Build ``(class, arguments)``."""
    kind, kwargs = neurons
    kwargs = dict(kwargs)
    if "base_type" in kwargs:
        kwargs["base_type"] = build_neurons(kwargs["base_type"], n_neurons)
    if isinstance(kwargs.get("min_voltage"), str):
        kwargs["min_voltage"] = float(kwargs["min_voltage"])
    if "initial_state" in kwargs:
        kwargs["initial_state"] = {
            name: build_dist(dist, n_neurons)
            for name, dist in kwargs["initial_state"].items()
        }
    for name, value in kwargs.items():
        if isinstance(value, tuple):
            kwargs[name] = build_dist(value, n_neurons)
    cls = OWN_NEURONS[kind] if kind in OWN_NEURONS else getattr(nengo, kind)
    return cls(**kwargs)


def build_process(process):
    """Build ``(class, arguments)``."""
    kind, kwargs = process
    kwargs = dict(kwargs)
    if kind == "PresentInput":
        kwargs["inputs"] = values(*kwargs["inputs"])
    elif kind == "Piecewise":
        kwargs["data"] = {t: values(*value) for t, value in kwargs["data"]}
    if "synapse" in kwargs:
        kwargs["synapse"] = build_synapse(kwargs["synapse"])
    if "dist" in kwargs:
        kwargs["dist"] = build_dist(kwargs["dist"])
    return getattr(nengo.processes, kind)(**kwargs)


def build_conv(conv):
    """Build ``(class, arguments)`` of a convolution; its kernel is given by a seed."""
    kind, kwargs = conv
    kwargs = dict(kwargs)
    channels = kwargs["input_shape"][-1 if kwargs["channels_last"] else 0]
    shape = (
        *kwargs["kernel_size"],
        channels // kwargs.get("groups", 1),
        kwargs["n_filters"],
    )
    kwargs["init"] = values(kwargs.pop("seed"), shape)
    return getattr(nengo, kind)(**kwargs)


def build_sparse(shape, seed, form):
    """Build a sparse transform; about every second row has an entry."""
    rng = np.random.RandomState(seed)
    entries = rng.permutation(shape[0] * shape[1])[: 1 + max(shape) // 2]
    rows, columns = np.unravel_index(entries, shape)
    data = rng.uniform(-1, 1, size=len(rows))
    if form == "twice":
        rows, columns = np.tile(rows, 2), np.tile(columns, 2)
        data = rng.uniform(-1, 1, size=len(rows))
    if form in ("csr", "coo", "csc"):
        matrix = scipy.sparse.coo_matrix((data, (rows, columns)), shape=shape)
        return nengo.Sparse(shape, init=matrix.asformat(form))
    init = nengo.dists.Uniform(-1, 1) if form == "distribution" else data
    return nengo.Sparse(shape, indices=np.stack([rows, columns], axis=1), init=init)


def build_transform(transform, size_in, size_out):
    """Build what `nengo.Connection` takes as its transform."""
    if transform is None:
        return None
    kind, *args = transform
    if kind == "scalar":
        return args[0]
    if kind == "vector":
        return values(args[0], size_out)
    if kind == "matrix":
        return values(args[0], (size_out, size_in)) * args[1]
    if kind == "random":
        return build_dist(args)
    if kind == "sparse":
        return build_sparse((size_out, size_in), *args)
    return build_conv(transform)


def build_solver(solver, n_neurons, size):
    """Build ``(class, arguments)``; decoders that are given are found by their seed."""
    kind, kwargs = solver
    kwargs = dict(kwargs)
    if kind == "NoSolver":
        kwargs["values"] = values(kwargs.pop("seed"), (n_neurons, size), -0.01, 0.01)
    return getattr(nengo.solvers, kind)(**kwargs)


def build_rule(rule):
    """Build ``(class, arguments)``."""
    kind, kwargs = rule
    kwargs = {
        name: build_synapse(value) if name.endswith("synapse") else value
        for name, value in kwargs.items()
    }
    return getattr(nengo, kind)(**kwargs)


def build_rules(rules):
    """Build one rule, a list or a dict of them."""
    form, *rules = rules
    rules = [build_rule(rule) for rule in rules]
    if form == "single":
        return rules[0]
    return rules if form == "list" else {str(i): r for i, r in enumerate(rules)}


# --- objects ----------------------------------------------------------------------


def build_node(spec):
    """Build a node without input."""
    kind, *args = spec["output"]
    if kind == "array":
        return nengo.Node(values(*args))
    if kind == "function":
        return nengo.Node(TIME_FUNCTIONS[args[0]])
    return nengo.Node(build_process(args), size_out=spec["size"])


def build_function_node(spec):
    """Build a node with a function of time and input."""
    return nengo.Node(NODE_FUNCTIONS[spec["function"]], size_in=spec["size"])


def build_passthrough(spec):
    """Build a node that hands its input on."""
    return nengo.Node(size_in=spec["size"])


def build_process_node(spec):
    """Build a node with a process that has an input."""
    size = spec["size"]
    kind, *args = spec["process"]
    own = OWN_PROCESSES.get(kind)
    process = build_synapse(spec["process"]) if own is None else own(*args)
    return nengo.Node(process, size_in=size, size_out=size)


def build_ensemble(spec):
    """Build an ensemble."""
    n_neurons, dimensions = spec["n_neurons"], spec["dimensions"]
    kwargs = {
        name: build_dist(spec[name], n_neurons)
        for name in ("max_rates", "intercepts", "gain", "bias")
        if name in spec
    }
    if "encoders" in spec:
        seed, normalize = spec["encoders"]
        kwargs["encoders"] = values(seed, (n_neurons, dimensions))
        kwargs["normalize_encoders"] = normalize
    if "noise" in spec:
        kwargs["noise"] = build_process(spec["noise"])
    return nengo.Ensemble(
        n_neurons,
        dimensions,
        radius=spec["radius"],
        neuron_type=build_neurons(spec["neurons"], n_neurons),
        **kwargs,
    )


def build_array(spec):
    """Build an ensemble array, with nodes for all its neurons if they are used."""
    array = EnsembleArray(
        spec["n_neurons"],
        spec["n_ensembles"],
        spec["dimensions"],
        neuron_type=build_neurons(spec["neurons"], spec["n_neurons"]),
        intercepts=nengo.dists.Uniform(-1, 0.5),
    )
    if spec["neuron_nodes"]:
        array.add_neuron_input()
        array.add_neuron_output()
    if spec["function"]:
        array.add_output("functions", FUNCTIONS[spec["function"]])
    return array


def build_product(spec):
    """Build a product network."""
    return Product(spec["n_neurons"], spec["size"])


def build_convolution(spec):
    """Build a circular convolution network."""
    return CircularConvolution(spec["n_neurons"], spec["size"])


OBJECTS = {
    "node": build_node,
    "function_node": build_function_node,
    "passthrough": build_passthrough,
    "process_node": build_process_node,
    "ensemble": build_ensemble,
    "array": build_array,
    "product": build_product,
    "convolution": build_convolution,
}


# --- networks ---------------------------------------------------------------------


def port(objects, ref):
    """Return an object, or the part of it that ``(index, attribute)`` names."""
    index, attribute = ref
    return getattr(objects[index], attribute) if attribute else objects[index]


def rule_of(connections, ref):
    """Return the learning rule that ``(connection, number)`` names."""
    index, number = ref
    rules = connections[index].learning_rule
    if isinstance(rules, dict):
        return rules[str(number)]
    return rules[number] if isinstance(rules, list) else rules


def build_connection(spec, objects, connections):
    """Build a connection between two objects, or to a learning rule."""
    kind, *ref = spec["post"]
    if kind == "rule":
        post = view(rule_of(connections, ref), spec["post_key"])
    else:
        post = view(port(objects, ref), spec["post_key"])
    pre_obj = port(objects, spec["pre"])
    pre = view(pre_obj, spec["pre_key"])
    kwargs = {"synapse": build_synapse(spec["synapse"])}
    size_mid = pre.size_out
    if "function" in spec:
        kwargs["function"] = FUNCTIONS[spec["function"]]
        size_mid = np.size(kwargs["function"](np.zeros(size_mid)))
    if "eval_points" in spec:
        shape = (80, pre_obj.size_out)
        kwargs["eval_points"] = values(spec["eval_points"], shape)
    if "points" in spec:
        size_mid = spec["points"][1]
        kwargs["function"] = values(spec["points"][0], (80, size_mid))
    if spec["transform"] is not None:
        kwargs["transform"] = build_transform(spec["transform"], size_mid, post.size_in)
    if "solver" in spec:
        kwargs["solver"] = build_solver(spec["solver"], pre_obj.n_neurons, size_mid)
    if "rules" in spec:
        kwargs["learning_rule_type"] = build_rules(spec["rules"])
    return nengo.Connection(pre, post, **kwargs)


def build_probe(spec, objects, connections):
    """Build a probe on an object, a connection or a learning rule."""
    kind, *ref = spec["target"]
    kwargs = {}
    if "solver" in spec:
        n_neurons, size = spec["solver"][2:]
        kwargs["solver"] = build_solver(spec["solver"][:2], n_neurons, size)
    if kind == "rule":
        target = rule_of(connections, ref)
    elif kind == "connection":
        target = connections[ref[0]]
    else:
        target = view(port(objects, ref), spec["key"])
    return nengo.Probe(
        target,
        spec["attr"],
        synapse=build_synapse(spec["synapse"]),
        sample_every=spec["sample_every"],
        **kwargs,
    )


def draws_freely(spec):
    """Whether a network has a random process without a seed of its own."""
    parts = [obj.get("output", obj.get("process")) or () for obj in spec["objects"]]
    noises = [obj["noise"] for obj in spec["objects"] if "noise" in obj]
    return ("Jitter", None) in parts or any(
        "seed" in part[-1] and part[-1]["seed"] is None
        for part in parts + noises
        if part and isinstance(part[-1], dict)
    )


def build(spec):
    """Build the network that a spec describes.

    Parameters
    ----------
    spec : dict
        With the keys ``seed``, ``objects``, ``connections`` and ``probes``.

    Returns
    -------
    network : `nengo.Network`
    """
    objects, connections = [], []
    with nengo.Network(seed=spec["seed"]) as network:
        network.config[nengo.Ensemble].n_eval_points = 80
        for obj in spec["objects"]:
            if obj.get("nested"):
                with nengo.Network():
                    objects.append(OBJECTS[obj["kind"]](obj))
            else:
                objects.append(OBJECTS[obj["kind"]](obj))
        for connection in spec["connections"]:
            connections.append(build_connection(connection, objects, connections))
        for probe in spec["probes"]:
            build_probe(probe, objects, connections)
    return network
