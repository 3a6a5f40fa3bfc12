"""Random Keras models, and whether their conversion computes what Keras computes.

`draw_spec` writes descriptions of models (see `tests.model_specs`), the same for the
same seed and number. As a program, this module draws many, compares each with its
conversion (`tests.model_agreement`), and makes what differs smaller
(`tests.smaller_models`)::

    python -m tests.random_models --count 1000 --seed 0
    python -m tests.random_models --first 17 --count 1
"""

import argparse
import collections
import gc
import random
import time
import warnings

import keras
import tensorflow as tf

from tests import random_layers, random_operators
from tests.model_agreement import GOOD, compare
from tests.model_specs import Graph, policy
from tests.random_layers import (
    DTYPES,
    MERGES,
    OF_INTEGERS,
    RARE,
    by_rank,
)
from tests.smaller_models import smaller

MAX_SIZE = 400  # elements of any tensor
MAX_TRIES = 20
SHAPES = [
    *((1,), (4,), (7,), (3, 4), (6, 2), (5, 3), (4, 4, 2), (5, 4, 3), (2, 6, 4)),
    *((6, 5, 1), (3, 4, 3, 2), (2, 3, 3, 2)),
    (17, 18, 1),  # more elements than bfloat16 can count
]
TRAINED = ("Dropout", "BatchNormalization", "GaussianNoise", "AlphaDropout")
INTEGER_SHAPES = [(4,), (2, 3), (1,), ()]
STEP_SHAPES = [(4, 3), (4, 5), (None, 4), (None, 2, 3), (4, 4, 4, 2)]
POLICIES = ["float32"] * 6 + ["float64", "mixed_float16", "mixed_bfloat16"]


def chance(rng, out_of=3):
    """Return True once in ``out_of`` times."""
    return rng.randrange(out_of) == 0


# --- steps ------------------------------------------------------------------------


def draw_arguments(rng, required, optional):
    """Draw arguments: those that are required, and some of the others."""
    arguments = {name: rng.choice(choices) for name, choices in required.items()}
    for name, choices in optional.items():
        if chance(rng, 4):
            arguments[name] = rng.choice(choices)
    return arguments


def draw_from(rng, table):
    """Draw a layer of a table."""
    name = rng.choice(list(table))
    arguments = draw_arguments(rng, *table[name])
    if "name" not in arguments and chance(rng, 25):
        arguments["dtype"] = rng.choice(DTYPES)
    return {"layer": name, "arguments": arguments}


def draw_layer(rng, shape):
    """Draw a layer of one tensor."""
    by_shape = {
        "Reshape": (random_layers.reshaped, 1 <= len(shape)),
        "Permute": (random_layers.permuted, 2 <= len(shape)),
        "RepeatVector": (random_layers.repeated, len(shape) == 1),
        "EinsumDense": (random_layers.multiplied, len(shape) in random_layers.EINSUM),
    }
    if chance(rng, 5):
        name, (draw, fits) = rng.choice(list(by_shape.items()))
        if fits:
            return {"layer": name, "arguments": draw(rng, shape)}
    if chance(rng, 25):
        return draw_from(rng, rng.choice([RARE, random_layers.OVER_TIME]))
    step = draw_from(rng, rng.choice(by_rank(len(shape))))
    if step["layer"] in TRAINED and chance(rng, 10):
        step["call"] = {"training": rng.choice([True, False])}
    return step


def draw_next(rng, graph):
    """Draw a layer, or now and then a model, that follows what was last."""
    ref = (len(graph.nodes) - 1, 0)
    if chance(rng, 5):
        step = draw_model(rng, graph, ref, False, n_inputs=1)
        form = step["model"]["form"]
        step["model"]["form"] = "single" if form == "list" else form
        return step
    return draw_layer(rng, tuple(graph.tensor(ref).shape[1:])) | {"inputs": [ref]}


def draw_step(rng, graph, temporal):
    """Draw a step that might fit onto a graph."""
    recent = list(range(len(graph.nodes)))[-3:]
    node = rng.choice([*recent, len(graph.nodes) - 1, rng.randrange(len(graph.nodes))])
    ref = (node, rng.randrange(len(graph.nodes[node])))
    tensor = graph.tensor(ref)
    if "int" in tensor.dtype or tensor.dtype == "bool":
        rank = len(tensor.shape) - 1
        return draw_of_integers(rng, rank) | {"inputs": [ref]}
    draw = rng.choice([draw_one, draw_one, draw_one, draw_many, draw_again, draw_model])
    return draw(rng, graph, ref, temporal)


def draw_of_integers(rng, rank):
    """Draw a layer or operator of integers."""
    if chance(rng, 4):
        name, arguments = rng.choice(random_operators.OF_INTEGERS)
        return {"operator": name, "arguments": arguments}
    # of other ranks, Keras' layers put out something else than they say
    names = ["Embedding"] * 8 + list(OF_INTEGERS) * (rank == 1)
    name = rng.choice(names)
    return {"layer": name, "arguments": draw_arguments(rng, *OF_INTEGERS[name])}


def draw_one(rng, graph, ref, temporal):
    """Draw a layer or operator of one tensor."""
    shape = tuple(graph.tensor(ref).shape[1:])
    if temporal:
        return draw_of_steps(rng, shape) | {"inputs": [ref]}
    if shape and chance(rng):
        name, arguments = random_operators.draw_operator(rng, shape)
        return {"operator": name, "arguments": arguments, "inputs": [ref]}
    return draw_layer(rng, shape) | {"inputs": [ref]}


def draw_of_steps(rng, shape):
    """Draw a layer or operator of one tensor in a temporal model."""
    if chance(rng, 5):
        names = random_operators.OF_STEPS
        name, arguments = random_operators.draw_operator(rng, shape, names)
        return {"operator": name, "arguments": arguments}
    families = [random_layers.DENSE, random_layers.ELEMENTWISE, random_layers.OVER_TIME]
    if len(shape) == 2 and chance(rng):
        return draw_from(rng, random_layers.RECURRENT)
    if chance(rng, 5):
        return draw_from(rng, random_layers.NORMALIZATION)
    return draw_from(rng, rng.choice(families))


def draw_many(rng, graph, ref, temporal):
    """Draw a layer or operator of several tensors, which may be the same."""
    del temporal
    refs = [(i, k) for i, node in enumerate(graph.nodes) for k in range(len(node))]
    shape = graph.tensor(ref).shape
    alike = [other for other in refs if graph.tensor(other).shape == shape]
    ranked = [other for other in refs if len(graph.tensor(other).shape) == len(shape)]
    others = rng.choice([alike, alike, ranked, refs])
    number = rng.choice([1, 1, 2])
    inputs = [ref, *(rng.choice(others) for _ in range(number))]
    rng.shuffle(inputs)
    form = rng.randrange(6)
    if form == 0:
        names = [*random_operators.OF_TWO, "matmul"]
        return {"operator": rng.choice(names), "arguments": {}, "inputs": inputs[:2]}
    if form == 1:
        name = rng.choice(["concatenate", "concatenate", "stack"])
        arguments = {"axis": rng.choice([1, -1, 2])}
        return {"operator": name, "arguments": arguments, "inputs": inputs}
    if form == 2:
        return draw_from(rng, random_layers.ATTENTION) | {"inputs": inputs[:2]}
    if len(shape) == 3 and chance(rng, 4):
        return draw_with_state(rng, graph, ref, refs)
    step = draw_from(rng, MERGES)
    limit = 2 if step["layer"] == "Subtract" else 3
    return step | {"inputs": inputs[:limit]}


def draw_with_state(rng, graph, ref, refs):
    """Draw a recurrent layer that starts with other tensors as its state."""
    states = [other for other in refs if len(graph.tensor(other).shape) == 2]
    name = rng.choice(["LSTM", "GRU", "SimpleRNN"])
    if not states:
        return draw_from(rng, MERGES) | {"inputs": [ref, ref]}
    state = rng.choice(states)
    arguments = {"units": graph.tensor(state).shape[-1]}
    if chance(rng):
        arguments["return_sequences"] = True
    inputs = [ref, state, state] if name == "LSTM" else [ref, state]
    return {"layer": name, "arguments": arguments, "inputs": inputs}


def draw_again(rng, graph, ref, temporal):
    """Draw another call of an earlier layer."""
    callable_ = [
        i for i, f in enumerate(graph.functions) if isinstance(f, keras.layers.Layer)
    ]
    if not callable_:
        return draw_one(rng, graph, ref, temporal)
    node = rng.choice(callable_)

    def kind(other):
        return graph.tensor(other).shape, graph.tensor(other).dtype

    step = graph.steps[node - len(graph.inputs)]
    refs = [(i, k) for i, each in enumerate(graph.nodes) for k in range(len(each))]
    inputs = [
        rng.choice([other for other in refs if kind(other) == kind(taken)])
        for taken in step["inputs"]
    ]
    if len(inputs) == 1 and not graph.functions[node].weights:
        inputs = [ref]
    return {"again": node, "inputs": inputs}


def draw_model(rng, graph, ref, temporal, n_inputs=2):
    """Draw a model inside of the model, of one or two tensors."""
    refs = [(i, k) for i, each in enumerate(graph.nodes) for k in range(len(each))]
    inputs = [ref, rng.choice(refs)][: rng.choice([1, 1, n_inputs])]
    tensors = [graph.tensor(each) for each in inputs]
    described = [(tuple(x.shape[1:]), x.dtype) for x in tensors]
    inner = draw_graph(rng, described, rng.randint(1, 3), temporal)
    return {"model": inner, "inputs": inputs}


# --- models -----------------------------------------------------------------------


def draw_graph(rng, inputs, n_steps, temporal):
    """Draw inputs, steps and outputs."""
    graph = Graph(inputs)
    chain = not temporal and len(inputs) == 1 and chance(rng, 4)
    tries = 0
    while len(graph.steps) < n_steps and tries < MAX_TRIES:
        tries += 1
        try:
            step = draw_next(rng, graph) if chain else draw_step(rng, graph, temporal)
            graph.add(step, MAX_SIZE)
        except Exception:  # noqa: S112 - Keras refuses it, in whatever way
            continue
    used = {tuple(ref) for step in graph.steps for ref in step["inputs"]}
    refs = [(i, k) for i, node in enumerate(graph.nodes) for k in range(len(node))]
    n_inputs = len(inputs)
    outputs = [ref for ref in refs if ref not in used and ref[0] >= n_inputs]
    if not outputs or chance(rng, 6):
        outputs.append(rng.choice(refs))
    rng.shuffle(outputs)
    return {
        "inputs": inputs,
        "steps": graph.steps,
        "outputs": outputs[:3],
        "form": draw_form(rng, graph),
    }


def draw_form(rng, graph):
    """Draw how a model is made of its inputs, steps and outputs."""
    chain = len(graph.inputs) == 1 and all(
        step.keys() & {"layer", "model"} and step["inputs"] == [(i, 0)]
        for i, step in enumerate(graph.steps)
    )
    single = all(len(node) == 1 for node in graph.nodes)
    # models that return lists cannot be followed by layers in a sequential one
    lists = any(
        step.get("model", {}).get("form") in ("list", "dict") for step in graph.steps
    )
    if chain and single and graph.steps and not lists:
        return rng.choice(["sequential", "sequential", "list", "single"])
    return rng.choice(["list", "list", "dict", "single"])


def draw_inputs(rng, temporal):
    """Draw shapes and dtypes of inputs."""
    number = rng.choice([1, 1, 1, 2, 3])
    if temporal:
        time_axis = rng.choice(STEP_SHAPES)[0]
        shapes = [(time_axis, *rng.choice(STEP_SHAPES)[1:]) for _ in range(number)]
        return [(shape, "float32") for shape in shapes]
    first = rng.choice(SHAPES)
    inputs = []
    for _ in range(number):
        if chance(rng, 7):
            dtype = rng.choice(["int32", "int32", "int64"])
            inputs.append((rng.choice(INTEGER_SHAPES), dtype))
        else:
            inputs.append((rng.choice([first, first, rng.choice(SHAPES)]), "float32"))
    return inputs


def draw_options(rng, temporal):
    """Draw options of a conversion."""
    options = {"inference_only": rng.random() < 0.6}
    if temporal:
        options["temporal_model"] = True
    if rng.random() < 0.85:
        options["split_shared_weights"] = True
    if chance(rng, 12):
        options["allow_fallback"] = False
    return options


def draw_spec(seed, number):
    """Draw the description of a model, and of how to convert and run it."""
    rng = random.Random(f"{seed}, {number}")
    temporal = chance(rng, 10)
    spec = {"seed": rng.randrange(1000), "policy": rng.choice(POLICIES)}
    with policy(spec["policy"]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = draw_inputs(rng, temporal)
        spec |= draw_graph(rng, inputs, rng.randint(1, 6), temporal)
    return spec | {
        "options": draw_options(rng, temporal),
        "minibatch_size": rng.choice([1, 3]),
        "n_steps": rng.choice([1, 1, 3]),
        "jit_compile": chance(rng, 40),
        "run": rng.choice(["run_steps"] * 6 + ["predict", "verify"]),
        "predict": chance(rng, 20),
    }


# --- as a program -----------------------------------------------------------------


def features(spec):
    """List what a description contains, to see what random ones cover."""
    found = [f"policy {spec['policy']}"] if "policy" in spec else ["inside: models"]
    found += [
        f"option {name}={value}" for name, value in spec.get("options", {}).items()
    ]
    found += [f"form {spec['form']}", f"{len(spec['inputs'])} inputs"]
    for step in spec["steps"]:
        kind = next(iter(step))
        if kind == "model":
            found += [f"inside: {name}" for name in features(step["model"])]
        else:
            name = "" if kind == "again" else step[kind]
            found.append(f"{kind} {name}")
            found += [f"{name} {each}" for each in step.get("arguments", {})]
    return found


def report(arguments):
    """Draw and compare models; print what differs, and a summary."""
    counts = collections.Counter()
    reasons = collections.Counter()
    start = time.time()
    numbers = range(arguments.first, arguments.first + arguments.count)
    for i, number in enumerate(numbers):
        spec = draw_spec(arguments.seed, number)
        outcome = compare(spec)
        counts[outcome.kind] += 1
        reasons[f"{outcome.kind}: {outcome.short}"] += 1
        if outcome.kind not in GOOD:
            where = f"--seed {arguments.seed} --first {number} --count 1"
            print(f"model {number} {outcome.kind}: {outcome.reason[:500]}")
            print(f"  python -m tests.random_models {where}")
            if not arguments.as_drawn:
                spec, outcome = smaller(spec, outcome)
            print(f"  {outcome.reason[:500]}\n  {spec!r}\n", flush=True)
        if (i + 1) % 50 == 0:
            pace = (time.time() - start) / (i + 1)
            print(f"{i + 1} models: {dict(counts)}, {pace:.2f} s each", flush=True)
        if i % 20 == 0:
            keras.backend.clear_session()
            gc.collect()
    print("\n".join(f"{n:6d} {reason}" for reason, n in reasons.most_common()))
    print(f"{(time.time() - start) / max(arguments.count, 1):.2f} s each")
    return counts


def main():
    """Compare many random Keras models with their conversions."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="start at this model")
    parser.add_argument("--coverage", action="store_true", help="count features only")
    parser.add_argument(
        "--as-drawn", action="store_true", help="leave what differs at its size"
    )
    arguments = parser.parse_args()
    if arguments.coverage:
        numbers = range(arguments.first, arguments.first + arguments.count)
        specs = [draw_spec(arguments.seed, number) for number in numbers]
        counts = collections.Counter(name for spec in specs for name in features(spec))
        print("\n".join(f"{n:6d} {name}" for name, n in sorted(counts.items())))
        return 0
    tf.get_logger().setLevel("ERROR")
    # what runs once is not worth optimizing
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    return 0 if report(arguments).keys() <= GOOD else 1


if __name__ == "__main__":
    raise SystemExit(main())
