"""Random Nengo networks, and whether the simulator agrees with Nengo's on them.

`networks` is a hypothesis strategy for descriptions of networks (see
`tests.network_specs`), in which every combination is valid by construction. As a
program, this module draws many and compares both simulators on each
(`tests.agreement`)::

    python -m tests.random_networks --count 1000 --seed 0 --jobs 2 --xla both

Parts of it can run on other machines: ``--first 500 --count 250``.
"""

import argparse
import collections
import functools
import gc
import multiprocessing
import os
import time
from typing import NamedTuple

import hypothesis
import hypothesis.strategies as st
import nengo
import numpy as np

from tests.agreement import Result, compare, run_nengo, run_nengo_dl
from tests.network_specs import (
    FUNCTIONS,
    NODE_FUNCTIONS,
    build_neurons,
    draws_freely,
    key_size,
)
from tests.random_parts import (
    COMPOSITIONAL,
    RULES,
    SAMPLE_EVERY,
    SEEDS,
    SOLVERS,
    SYNAPSES,
    WEIGHT_SOLVERS,
    any_keys,
    ensembles,
    has_repeats,
    is_slice,
    keys,
    nodes,
    other_nodes,
    sometimes,
    subnetworks,
    transforms,
)

# --- ports ------------------------------------------------------------------------


class Port(NamedTuple):
    """Somewhere a connection can start or end."""

    ref: tuple
    kind: str
    size: int
    obj: dict


def ports(index, obj):
    """List what a connection can start from, and where it can end."""

    def port(kind, size, attribute=""):
        return Port((index, attribute), kind, size, obj)

    kind = obj["kind"]
    if kind == "ensemble":
        size = obj["dimensions"]
        if obj["neurons"][0] == "Direct":
            return [port("direct", size)], [port("direct", size)]
        both = [
            port("ensemble", size),
            port("neurons", obj["n_neurons"], "neurons"),
        ]
        return both, both
    if kind == "array":
        return array_ports(port, obj)
    size = obj["size"]
    if kind in ("product", "convolution"):
        inputs = ("input_a", "input_b")
        return (
            [port("passthrough", size, "output")],
            [port("node", size, name) for name in inputs],
        )
    if kind == "node":
        return [port("node", size)] if size > 0 else [], []
    if kind == "function_node":
        out = NODE_FUNCTIONS[obj["function"]](0, np.zeros(size))
        size_out = 0 if out is None else np.size(out)
        return [port("node", size_out)] if size_out else [], [port("node", size)]
    kind = "passthrough" if kind == "passthrough" else "node"
    return [port(kind, size)], [port("node", size)]


def array_ports(port, obj):
    """List the ports of an ensemble array."""
    n, dimensions = obj["n_ensembles"], obj["dimensions"]
    pre = [port("passthrough", n * dimensions, "output")]
    post = [port("node", n * dimensions, "input")]
    if obj["neuron_nodes"]:
        pre.append(port("passthrough", n * obj["n_neurons"], "neuron_output"))
        post.append(port("node", n * obj["n_neurons"], "neuron_input"))
    if obj["function"]:
        size = np.size(FUNCTIONS[obj["function"]](np.zeros(dimensions)))
        pre.append(port("passthrough", n * size, "functions"))
    return pre, post


# --- connections ------------------------------------------------------------------


class Learned(NamedTuple):
    """Where learning rules can be used.

    Parameters
    ----------
    rules : tuple of str
        The rules.
    pre, post : tuple of str
        The kinds of port that the connection can have.
    weights : bool
        Whether the connection has a solver for full weights.
    pre_keys, post_keys : str
        Which keys are possible: "any", "slice" or "none".
    """

    rules: tuple
    pre: tuple
    post: tuple
    weights: bool = False
    pre_keys: str = "any"
    post_keys: str = "any"


ANY_PRE = ("node", "passthrough", "direct", "ensemble", "neurons")
DECODED_POST = ("node", "direct", "ensemble")
LEARNED = [
    Learned(("PES",), ("ensemble", "neurons"), DECODED_POST),
    Learned(("PES",), ("ensemble", "neurons"), ("neurons",), post_keys="slice"),
    Learned(("PES",), ("ensemble",), ("ensemble",), True, post_keys="slice"),
    Learned(("RLS",), ("ensemble",), DECODED_POST),
    Learned(("RLS",), ("neurons",), DECODED_POST, pre_keys="none"),
    Learned(("Voja",), ANY_PRE, ("ensemble",)),
    Learned(("PES", "Voja"), ("ensemble", "neurons"), ("ensemble",)),
    Learned(("PES", "PES"), ("ensemble",), DECODED_POST),
    *(
        form
        for rules in (("BCM",), ("Oja",), ("Oja", "BCM"))
        for form in (
            Learned(rules, ("neurons",), ("neurons",), False, "none", "none"),
            Learned(rules, ("ensemble",), ("ensemble",), True),
        )
    ),
]
PLAIN = Learned((), ANY_PRE, (*DECODED_POST, "neurons"))


def transform_forms(form, pre, solver, matrix):
    """List the forms of transform that a connection can have."""
    forms = ["none", "scalar", "vector"]
    if matrix:
        forms += ["matrix", "matrix", "random"]
    if form.rules and pre.kind == "neurons" and form.rules != ("Voja",):
        forms = ["matrix", "random"]  # for learning, it has to have two axes
    elif solver in WEIGHT_SOLVERS and solver[0] not in COMPOSITIONAL:
        forms = ["scalar", *forms[3:]]  # Nengo multiplies these, taken for matrices
    elif not form.rules and pre.kind != "ensemble":
        forms += ["sparse", "convolution", "convolution"]
    return forms


@st.composite
def rules(draw, names):
    """Draw the arguments of learning rules."""
    drawn = []
    for name in names:
        arguments = {
            key: draw(values) for key, values in RULES[name].items() if sometimes(draw)
        }
        drawn.append((name, arguments))
    form = draw(st.sampled_from(["single", "list", "dict"]))
    return (form if len(names) == 1 else {"single": "list"}.get(form, form), *drawn)


@st.composite
def key_of(draw, kind, size, n, repeats):
    """Draw a key of ``n`` elements as far as its kind allows."""
    if kind == "none":
        return None
    key = draw(keys(size, n, repeats and kind == "any"))
    if kind == "slice" and not is_slice(key):
        return None if n == size else ("slice", 0, n)
    return key


@st.composite
def connections(draw, pre, post, form):
    """Draw a connection of a form between two ports."""
    spec = {"pre": pre.ref, "post": ("object", *post.ref)}
    no_key = form.pre_keys == "none"
    # what learning rules change has two axes, which Nengo does not combine with repeats
    dense = bool(form.rules) and pre.kind == "neurons"
    spec["pre_key"] = None if no_key else draw(any_keys(pre.size, repeats=not dense))
    size_mid = key_size(pre.size, spec["pre_key"])
    if pre.kind in ("node", "direct", "ensemble") and sometimes(draw):
        spec["function"] = draw(st.sampled_from(list(FUNCTIONS)))
        size_mid = np.size(FUNCTIONS[spec["function"]](np.zeros(size_mid)))
    if pre.kind == "ensemble":
        draw_decoding(draw, spec, form, post.kind == "ensemble")
        size_mid = spec["points"][1] if "points" in spec else size_mid
    solver = spec.get("solver")

    matrix = not has_repeats(spec["pre_key"])
    forms = transform_forms(form, pre, solver, matrix)
    fixed = form.post_keys == "none"
    if (fixed and size_mid != post.size) or (
        form.post_keys == "slice" and size_mid > post.size
    ):
        # only a matrix fits; without one (repeats), give the key up
        forms = [name for name in forms if name in ("matrix", "random")]
        if not forms:
            forms, spec["pre_key"] = ["matrix"], None
            size_mid = pre.size if "function" not in spec else size_mid
    limit = post.size if not fixed else 1
    spec["transform"], size_out = draw(transforms(forms, size_mid, limit))
    two_axes = spec["transform"] is not None and (
        spec["transform"][0] in ("matrix", "random")
    )
    if fixed and two_axes:
        size_out = post.size
    spec["post_key"] = draw(
        key_of(form.post_keys, post.size, size_out, repeats=not two_axes)
    )
    recurrent = pre.ref[0] >= post.ref[0]
    synapses = SYNAPSES if recurrent else [None, None, *SYNAPSES]
    spec["synapse"] = draw(st.sampled_from([("Lowpass", 0.005), *synapses]))
    if form.rules:
        spec["rules"] = draw(rules(form.rules))
    return spec


def draw_decoding(draw, spec, form, to_ensemble):
    """Add how to find decoders to a connection from an ensemble."""
    weights = form.weights or (not form.rules and to_ensemble and sometimes(draw, 6))
    if weights:
        spec["solver"] = draw(st.sampled_from(WEIGHT_SOLVERS))
    elif sometimes(draw):
        spec["solver"] = draw(st.sampled_from(SOLVERS))
    if spec["pre_key"] is None and sometimes(draw, out_of=6):
        spec["eval_points"] = draw(SEEDS)
        if draw(st.booleans()):
            spec.pop("function", None)
            spec["points"] = (draw(SEEDS), draw(st.integers(1, 3)))


def error_size(connection, name, post):
    """Return the size of the signal that a learning rule takes; 0 for none."""
    if name == "Voja":
        return 1
    if name not in ("PES", "RLS"):
        return 0
    if post.kind == "neurons":
        return post.obj["dimensions"]
    return key_size(post.size, connection["post_key"])


@st.composite
def error_connections(draw, pre, ref, size):
    """Draw a connection to a learning rule."""
    key = draw(any_keys(pre.size, repeats=False))
    post_key = draw(any_keys(size, repeats=False))
    return {
        "pre": pre.ref,
        "pre_key": key,
        "post": ("rule", *ref),
        "post_key": post_key,
        "synapse": draw(st.sampled_from([None, *SYNAPSES])),
        "transform": ("matrix", draw(SEEDS), draw(st.sampled_from([1.0, 0.01]))),
    }


# --- probes -----------------------------------------------------------------------


def probe_targets(spec, pre_ports):
    """List what can be probed: groups of (target, attribute, size or None)."""
    groups = collections.defaultdict(list)
    kinds = {port.ref: port.kind for port in pre_ports}
    for port in pre_ports:
        target = ("object", *port.ref)
        if port.kind in ("ensemble", "direct"):
            groups["ensembles"].append((target, "decoded_output", port.size))
            groups["ensembles"].append((target, "input", port.size))
            groups["encoders"].append((target, "scaled_encoders", None))
        elif port.kind == "neurons":
            neurons = build_neurons(port.obj["neurons"], port.obj["n_neurons"])
            for attr in (*neurons.probeable, "input"):
                group = "neurons" if attr in ("output", "input") else "neuron states"
                groups[group].append((target, attr, port.size))
        else:
            groups["nodes"].append((target, "output", port.size))
    for i, connection in enumerate(spec["connections"]):
        target, transform = ("connection", i), connection["transform"]
        groups["connections"].append((target, "output", None))
        groups["connections"].append((target, "input", None))
        decoded = kinds[connection["pre"]] == "ensemble"
        if decoded or (transform is not None and transform[0] != "sparse"):
            groups["weights"].append((target, "weights", None))
        for j, (name, _) in enumerate(connection.get("rules", ())[1:]):
            for attr in getattr(nengo, name).probeable:
                groups["rules"].append((("rule", i, j), attr, None))
    return list(groups.values())


@st.composite
def probes(draw, groups, spec):
    """Draw a probe on one of some groups of targets."""
    target, attr, size = draw(st.sampled_from(draw(st.sampled_from(groups))))
    probe = {
        "target": target,
        "attr": attr,
        "key": None if size is None else draw(any_keys(size)),
        "synapse": draw(st.sampled_from([None, None, None, *SYNAPSES])),
        "sample_every": draw(st.sampled_from(SAMPLE_EVERY)),
    }
    obj = spec["objects"][target[1]] if target[0] == "object" else {}
    if attr == "decoded_output" and obj["neurons"][0] != "Direct" and sometimes(draw):
        solver = draw(st.sampled_from(SOLVERS))
        probe["solver"] = (*solver, obj["n_neurons"], key_size(size, probe["key"]))
    return probe


# --- networks ---------------------------------------------------------------------


@st.composite
def objects(draw):
    """Draw an object, an ensemble most often."""
    kinds = [ensembles, ensembles, ensembles, other_nodes, other_nodes, nodes]
    obj = draw(draw(st.sampled_from([*kinds, subnetworks]))())
    if sometimes(draw, out_of=5):
        obj["nested"] = True
    return obj


@st.composite
def networks(draw):
    """Draw the description of a network and of how to run it."""
    spec = {
        "seed": draw(SEEDS),
        "dt": draw(st.sampled_from([0.001, 0.001, 0.0005, 0.002, 0.005, 0.01])),
        "n_steps": draw(st.sampled_from([(17, 25), (1, 39), (30, 1, 9), (8, 32)])),
        "minibatch_sizes": draw(st.sampled_from([(None, 3), (1, 3)])),
        "unroll_simulation": draw(st.sampled_from([1] * 9 + [2])),
        "objects": [draw(nodes())],
        "connections": [],
        "probes": [],
    }
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 2, 3, 4]))):
        spec["objects"].append(draw(objects()))
    listed = [ports(i, obj) for i, obj in enumerate(spec["objects"])]
    pre_ports = [port for pre, _ in listed for port in pre]
    post_ports = [port for _, post in listed for port in post]

    for _, post in listed:
        earlier = [p for p in pre_ports if post and p.ref[0] < post[0].ref[0]]
        if earlier and not sometimes(draw, out_of=4):
            pre, post = draw(st.sampled_from(earlier)), draw(st.sampled_from(post))
            spec["connections"].append(draw(connections(pre, post, PLAIN)))
    if pre_ports and post_ports:
        for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
            add_connection(draw, spec, pre_ports, post_ports)

    groups = probe_targets(spec, pre_ports)
    for _ in range(draw(st.integers(1, 4)) if groups else 0):
        spec["probes"].append(draw(probes(groups, spec)))
    return spec


def add_connection(draw, spec, pre_ports, post_ports):
    """Add any connection, with its learning rules' errors, to a description."""
    form = draw(st.sampled_from(LEARNED)) if draw(st.booleans()) else PLAIN
    pres = [port for port in pre_ports if port.kind in form.pre]
    posts = [port for port in post_ports if port.kind in form.post]
    if not pres or not posts:
        form, pres, posts = PLAIN, pre_ports, post_ports
    pre, post = draw(st.sampled_from(pres)), draw(st.sampled_from(posts))
    connection = draw(connections(pre, post, form))
    index = len(spec["connections"])
    spec["connections"].append(connection)
    for number, name in enumerate(form.rules):
        size = error_size(connection, name, post)
        if size and not sometimes(draw, out_of=4):
            source = draw(st.sampled_from(pre_ports))
            error = draw(error_connections(source, (index, number), size))
            spec["connections"].append(error)


def features(spec):
    """List what a description contains, to see what random ones cover."""
    found = [f"dt {spec['dt']}", f"minibatches {spec['minibatch_sizes']}"]
    found += ["process without seed"] * draws_freely(spec)
    for obj in spec["objects"]:
        found.append(f"object {obj['kind']}")
        found += [f"nested {obj['kind']}"] * ("nested" in obj)
        if obj["kind"] == "node":
            found.append(f"input {obj['output'][0:2][obj['output'][0] != 'array']}")
        for part in ("noise", "gain", "encoders"):
            found += [f"ensemble with {part}"] * (part in obj)
        if obj["kind"] == "function_node":
            found.append(f"node function {obj['function']}")
        if obj["kind"] == "process_node":
            found.append(f"node process {obj['process'][0]}")
        if "neurons" in obj:
            found.append(f"neurons {obj['neurons'][0]}")
            found += [f"{obj['neurons'][0]} {name}" for name in obj["neurons"][1]]
    for connection in spec["connections"]:
        found += connection_features(spec, connection)
    for probe in spec["probes"]:
        found.append(f"probe {probe['target'][0]} {probe['attr']}")
        found += [f"probe with {name}" for name in ("key", "synapse") if probe[name]]
        found += ["probe with sample_every"] * (probe["sample_every"] is not None)
        found += ["probe with solver"] * ("solver" in probe)
    return found


def connection_features(spec, connection):
    """List what a connection contains."""
    post = connection["post"]
    kind = spec["objects"][post[1]]["kind"] if post[0] == "object" else "rule"
    pre = spec["objects"][connection["pre"][0]]["kind"]
    found = [
        f"from {pre}{connection['pre'][1] and '.' + connection['pre'][1]}",
        f"to {kind}{'.' + post[2] if kind != 'rule' and post[2] else ''}",
        f"pre key {(connection['pre_key'] or ['none'])[0]}",
        f"post key {(connection['post_key'] or ['none'])[0]}",
        f"transform {(connection['transform'] or ['none'])[0]}",
        f"synapse {(connection['synapse'] or ['none'])[0]}",
    ]
    if post[0] == "object":
        order = (connection["pre"][0] > post[1]) - (connection["pre"][0] < post[1])
        found.append(["recurrent on itself", "recurrent", "forward"][order])
    found += [f"rule {name}" for name, _ in connection.get("rules", ())[1:]]
    for name in ("solver", "function", "eval_points", "points"):
        found += [f"connection with {name}"] * (name in connection)
    if "solver" in connection and connection["solver"][1].get("weights"):
        found.append("connection with weight solver")
    return found


# --- as a program -----------------------------------------------------------------

# Networks that are drawn together; all others do not depend on them.
BLOCK = 20


def draw_specs(count, seed, first=0):
    """Draw descriptions of networks, the same for the same seed and number."""
    blocks = range(first // BLOCK, (first + count - 1) // BLOCK + 1)
    specs = [spec for block in blocks for spec in draw_block(seed, block)]
    start = first % BLOCK
    return specs[start : start + count]


def draw_block(seed, block):
    """Draw some descriptions.

    Hypothesis likes to vary what it has drawn a little; what is known by half is
    skipped here.
    """
    specs, seen = [], set()

    @hypothesis.settings(
        max_examples=4 * BLOCK,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(networks())
    def collect(spec):
        parts = {repr(part) for part in spec["objects"] + spec["connections"]}
        if 2 * len(parts & seen) < len(parts):
            specs.append(spec)
        seen.update(parts)

    while len(specs) < BLOCK:
        hypothesis.seed(f"{seed}, {block}, {len(specs)}")(collect)()
    return specs[:BLOCK]


def run_optimized(spec):
    """Stand in for this package to try the strategy out."""
    return [Result("optimized", 0, run_nengo(spec, optimize=True))]


def report(specs, outcomes, first=0):
    """Print outcomes as they come, in full where simulators disagree."""
    counts, reasons = collections.Counter(), collections.Counter()
    start = time.monotonic()
    for i, (spec, outcome) in enumerate(zip(specs, outcomes, strict=True), first):
        counts[outcome.kind] += 1
        if outcome.kind == "left out":
            reasons[":".join(outcome.reason.split(":")[:2])[:60]] += 1
        if outcome.kind in ("disagreed", "failed"):
            print(f"network {i} {outcome.kind}: {outcome.reason}\n  {spec!r}\n")
        if (i + 1) % 50 == 0:
            print(f"{i + 1 - first} networks: {dict(counts)}", flush=True)
        gc.collect()
    print("\n".join(f"{n:6d} left out: {why}" for why, n in reasons.most_common()))
    kinds = ("agreed", "left out", "disagreed", "failed")
    listed = ", ".join(f"{counts[kind]} {kind}" for kind in kinds)
    seconds = (time.monotonic() - start) / max(1, counts.total())
    print(f"{counts.total()} networks: {listed}; {seconds:.2f} s each")
    return counts


XLA = {"on": (True,), "off": (False,), "both": (True, False)}


def read_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="start at this network")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--xla", choices=XLA, default="both")
    parser.add_argument("--coverage", action="store_true", help="count features only")
    parser.add_argument(
        "--nengo", action="store_true", help="compare Nengo with itself, optimized"
    )
    return parser.parse_args()


def main():
    """Compare many random networks."""
    arguments = read_arguments()
    first = arguments.first
    specs = draw_specs(arguments.count, arguments.seed, first)
    if arguments.coverage:
        counts = collections.Counter(name for spec in specs for name in features(spec))
        print("\n".join(f"{n:6d} {name}" for name, n in sorted(counts.items())))
        return 0
    if arguments.nengo:
        outcomes = (compare(spec, run_optimized) for spec in specs)
        counts = report(specs, outcomes, first)
        return 0 if counts.keys() <= {"agreed", "left out"} else 1
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    context = multiprocessing.get_context("spawn")
    run = functools.partial(run_nengo_dl, xla=XLA[arguments.xla])
    # processes are replaced now and then, because compiled functions stay in memory
    with context.Pool(arguments.jobs, maxtasksperchild=150) as pool:
        outcomes = pool.imap(functools.partial(compare, run=run), specs)
        counts = report(specs, outcomes, first)
    return 0 if counts.keys() <= {"agreed", "left out"} else 1


if __name__ == "__main__":
    raise SystemExit(main())
