"""Whether a converted network computes what its Keras model computes.

A conversion agrees if the network gives ``model.predict``'s outputs, or if it refuses
with an error that the documentation announces. A model cannot tell if its outputs are
not finite, or if rounding alone moves them by more than what counts as agreement; such
models are left out, and counted.
"""

import re
import warnings
from typing import NamedTuple

import keras
import nengo
import numpy as np

import nengo_dl
from tests.model_refusals import REFUSALS
from tests.model_specs import build, random_inputs

# Of the largest output. In half precision, Keras rounds the result of each layer, and
# the network only those of layers that stay Keras layers.
EPSILON = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
RELATIVE = 1e-5
HALF_ROUNDINGS = 16
ABSOLUTE = 1e-6
GOOD = {"equal", "refused", "left out"}


class Outcome(NamedTuple):
    """What came of comparing a model and its conversion.

    Parameters
    ----------
    kind : str
        "equal", "refused", "left out", "different" or "failed".
    reason : str
        Why.
    short : str
        The same, without what differs from model to model.
    """

    kind: str
    reason: str = ""
    short: str = ""


def compare(spec, backends=None):
    """Compare a model with its conversion.

    Parameters
    ----------
    spec : dict
        What to build, and how to convert and run it.
    backends : dict, optional
        What runs networks: functions of the description, the converter, the inputs and
        Keras' outputs, which return outputs of shape (minibatch_size, n_steps, size).
        By default what the description says, and ``nengo.Simulator`` where it can.

    Returns
    -------
    outcome : `Outcome`
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = build(spec)
            x = random_inputs(spec, model)
            expected = call_keras(model, x, spec["predict"])
        except Exception as error:
            what = f"Keras: {type(error).__name__}"
            return Outcome("left out", f"{what}: {error}", what)
        if any(np.shape(y)[:1] != (spec["minibatch_size"],) for y in expected):
            return Outcome("left out", "Keras mixes items", "Keras mixes items")
        if not has_shapes(model, expected):
            return Outcome("left out", "Keras' shapes differ", "Keras' shapes differ")
        if not all(np.isfinite(y).all() for y in expected):
            return Outcome("left out", "not finite", "not finite")
        outcome = converted(spec, model, x, expected, backends)
        if outcome.kind == "failed" and not predicts(model, x):
            return Outcome("left out", "Keras cannot predict", "Keras cannot predict")
    return outcome


def call_keras(model, x, predict=False):
    """Return the outputs of a model, in the order of ``model.outputs``.

    Calling it with ``training=False`` is what ``predict`` does, but takes less time.
    """
    single = isinstance(model, keras.Sequential)
    tensors = x[0] if single else keras.tree.pack_sequence_as(model.input, x)
    if predict:
        outputs = model.predict(tensors, verbose=0)
    else:
        outputs = model(tensors, training=False)
    return [
        np.asarray(keras.ops.convert_to_numpy(y), dtype=np.float64)
        for y in keras.tree.flatten(outputs)
    ]


def has_shapes(model, outputs):
    """Whether outputs have the shapes that Keras has announced."""
    return all(
        y.ndim == len(tensor.shape)
        and all(n in (None, m) for n, m in zip(tensor.shape, y.shape, strict=True))
        for tensor, y in zip(model.outputs, outputs, strict=True)
    )


def predicts(model, x):
    """Whether Keras runs a compiled model; it may run it without compiling alone."""
    try:
        call_keras(model, x, predict=True)
    except Exception:
        return False
    return True


def converted(spec, model, x, expected, backends):
    """Convert a model, run it, and compare."""
    try:
        converter = nengo_dl.Converter(model, **spec["options"])
    except Exception as error:
        return failure(spec, "Converter", error)
    with converter.net:
        nengo_dl.configure_settings(jit_compile=spec["jit_compile"])
    for name, run in (backends or default_backends(spec, converter)).items():
        try:
            found = run(spec, converter, x, expected)
        except Exception as error:
            return failure(spec, name, error)
        difference = distance(spec, model, expected, found)
        if difference:
            if is_chaotic(spec, model, x, expected):
                return Outcome("left out", "rounding decides", "rounding decides")
            return Outcome("different", f"{name}: {difference}", name)
    return Outcome("equal")


def default_backends(spec, converter):
    """List the ways to run a network."""
    backends = {spec["run"]: RUNS[spec["run"]]}
    nodes = converter.net.all_nodes
    if not any(isinstance(node, nengo_dl.TensorNode) for node in nodes):
        backends["nengo"] = run_nengo
    return backends


def flat_inputs(spec, converter, x):
    """Return inputs by node, of shape (minibatch_size, n_steps, size)."""
    n_steps = 1 if converter.temporal_model else spec["n_steps"]
    data = {}
    for tensor, values in zip(converter.model.inputs, x, strict=True):
        node = converter.inputs[tensor]
        steps = values.shape[1] if converter.temporal_model else 1
        flat = values.reshape(len(values), steps, node.size_out)
        data[node] = np.tile(flat, (1, n_steps, 1))
    return data


def probes(converter):
    """Return the probe of each output."""
    return [converter.outputs[tensor] for tensor in converter.model.outputs]


def simulator(spec, converter):
    """Open a simulator."""
    return nengo_dl.Simulator(
        converter.net,
        minibatch_size=spec["minibatch_size"],
        progress_bar=False,
        device="/cpu:0",
    )


def run_steps(spec, converter, x, expected):
    """Run a network step by step."""
    del expected
    data = flat_inputs(spec, converter, x)
    with simulator(spec, converter) as sim:
        sim.run_steps(next(iter(data.values())).shape[1], data=data)
        return [sim.data[probe] for probe in probes(converter)]


def predict(spec, converter, x, expected):
    """Predict with a network."""
    del expected
    data = flat_inputs(spec, converter, x)
    with simulator(spec, converter) as sim:
        found = sim.predict_on_batch(data)
    return [found[probe] for probe in probes(converter)]


def verify(spec, converter, x, expected):
    """Have the converter compare."""
    tolerance = max(allowed(spec, converter.model, y) for y in expected)
    assert converter.verify(inputs=x, atol=tolerance)
    return expected


def run_nengo(spec, converter, x, expected):
    """Run the first item of the minibatch with Nengo's simulator."""
    for node, values in flat_inputs(spec, converter, x).items():
        node.output = nengo.processes.PresentInput(values[0], 0.001)
    steps = x[0].shape[1] if converter.temporal_model else spec["n_steps"]
    with nengo.Simulator(converter.net, progress_bar=False) as sim:
        sim.run_steps(steps)
        return [sim.data[probe][None] for probe in probes(converter)]


RUNS = {"run_steps": run_steps, "predict": predict, "verify": verify}

# --- what counts as equal ---------------------------------------------------------


def precision(spec, model):
    """Return the coarsest precision in which a layer of a model computes, or None."""
    text = spec["policy"] + repr(spec["steps"])
    if "bfloat16" in text:
        return "bfloat16"
    return "float16" if "float16" in text else None


def allowed(spec, model, values):
    """Return by how much values may differ."""
    half = precision(spec, model)
    relative = RELATIVE if half is None else HALF_ROUNDINGS * EPSILON[half]
    absolute = ABSOLUTE if half is None else HALF_ROUNDINGS * EPSILON[half] / 4
    return relative * np.max(np.abs(values), initial=0.0) + absolute


def distance(spec, model, expected, found):
    """Describe where results differ; empty if they agree."""
    for i, (want, got) in enumerate(zip(expected, found, strict=True)):
        got = np.asarray(got, dtype=np.float64)
        n_items, limit = len(got), allowed(spec, model, want)
        if spec["options"].get("temporal_model"):
            want = want[:n_items]
            if want.size != got.size:  # what is returned of the last time step
                got = got[:, -1:]
            want = want.reshape(got.shape)
        elif got.shape != want.shape:
            want = want[:n_items].reshape(n_items, 1, -1)
        if np.prod(got.shape[2:]) != np.prod(want.shape[2:]):
            return f"output {i}: expected shape {want.shape}, got {got.shape}"
        error = np.abs(want - got)
        if not np.max(error, initial=0.0) <= limit:
            size = np.max(np.abs(want))
            place = np.unravel_index(np.argmax(error), error.shape)
            return (
                f"output {i}: off by {np.max(error):.3g} at {tuple(map(int, place))} "
                f"(largest value {size:.3g}, allowed {limit:.3g})"
            )
    return ""


def is_chaotic(spec, model, x, expected):
    """Whether changes of the size of rounding move outputs by a part of the limit."""
    half = precision(spec, model)
    epsilon = 2.0**-22 if half is None else EPSILON[half]
    rng = np.random.RandomState(0)
    before = [w.numpy() for w in model.weights]
    for _ in range(3):
        moved = [shaken(values, epsilon, rng) for values in x]
        for weight, value in zip(model.weights, before, strict=True):
            weight.assign(shaken(value, epsilon, rng))
        for want, got in zip(expected, call_keras(model, moved), strict=True):
            limit = allowed(spec, model, want) / 3
            if not np.max(np.abs(want - got), initial=0.0) <= limit:
                return True
    return False


def shaken(values, epsilon, rng):
    """Return floats that are changed a little."""
    values = np.asarray(values)
    if values.dtype.kind != "f":
        return values
    return (values * (1 + epsilon * rng.choice([-1, 1], values.shape))).astype(
        values.dtype
    )


# --- errors -----------------------------------------------------------------------


def failure(spec, where, error):
    """Return the outcome of an error: a refusal, or a failure."""
    text = " ".join(str(error).split())
    for refusal in REFUSALS:
        is_set = has_option(spec, refusal.option)
        if isinstance(error, refusal.error) and is_set:
            if re.search(refusal.words, text):
                return Outcome("refused", text, refusal.words)
    short = re.sub(r"'[^']*'|<[^>]*>|\d+", "_", text)[:80]
    kind = type(error).__name__
    return Outcome("failed", f"{where}: {kind}: {text}", f"{where}: {kind}: {short}")


def has_option(spec, option):
    """Whether a conversion has an option; with None, it always has."""
    if option is None:
        return True
    name, value = option
    return spec["options"].get(name, name == "allow_fallback") == value
