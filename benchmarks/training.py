"""What do fit, evaluate and predict cost, compared with Keras and a loop by hand?"""

import argparse
from statistics import median

import numpy as np

from benchmarks import report
from benchmarks.measure import in_new_process, in_turns, peak_memory, prepare, ratio

MINIBATCH_SIZE = 64
TOLERANCE = 1e-3


def measure_dense(n_rounds, n_items=6400):
    """Compare a 784-128-10 network of rectified linear units with Keras' own.

    Returns
    -------
    rows : list of dict
        One for `fit` and one for `evaluate`, both of all items.
    """
    prepare(["nengo_dl"])
    import nengo

    from benchmarks import training_models as models

    weights = models.make_weights()
    images, labels = models.make_data(n_items)
    network = models.make_network(weights, nengo.RectifiedLinear())
    keras_model = models.make_dense(weights)
    keras_model.compile(**_objective(accuracy=True))
    with _compiled(network, accuracy=True) as sim:
        return [
            _compare(
                f"784-128-10, {method}",
                {
                    "nengo_dl": _call(method, sim, (images[:, None], labels[:, None])),
                    "Keras": _call(
                        method, keras_model, (images, labels), batch_size=MINIBATCH_SIZE
                    ),
                },
                n_items // MINIBATCH_SIZE,
                n_rounds,
            )
            for method in ("fit", "evaluate")
        ]


def measure_loop(n_rounds, n_steps=20, n_batches=20, n_repeats=4):
    """Compare training of a 784-128 LIF-10 network with a loop written by hand.

    Both get the same batches from a dataset, ready in memory.

    Returns
    -------
    rows : list of dict
        One.
    """
    prepare(["nengo_dl"])
    import tensorflow as tf

    from benchmarks import training_models as models

    # hardly a neuron is at its threshold, where rounding decides how it learns
    weights = models.make_weights(bias=2.0)
    network = models.make_network(weights, models.LIF, models.TAU_SYNAPSE)
    by_hand = models.make_loop(weights)
    by_hand.compile(**_objective(), jit_compile=False)
    images, labels = (
        np.repeat(array[:, None], n_steps, axis=1)
        for array in models.make_data(n_batches * MINIBATCH_SIZE)
    )
    batches = tf.data.Dataset.from_tensor_slices((images, labels))
    batches = batches.batch(MINIBATCH_SIZE).cache().repeat(n_repeats)
    name = f"784-128 LIF-10, {n_steps} steps, fit"
    with _compiled(network) as sim:
        functions = {
            "nengo_dl": _call("fit", sim, (batches,)),
            "by hand": _call("fit", by_hand, (batches,)),
        }
        return [_compare(name, functions, n_batches * n_repeats, n_rounds)]


def measure_memory(n_steps=1000):
    """Measure what `predict` of one minibatch takes, beside its outputs.

    Returns
    -------
    rows : list of dict
        One. What tracing and compilation take is counted, too.
    """
    prepare(["nengo_dl"])
    import nengo

    import nengo_dl

    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.zeros(10))
        neurons = nengo.Ensemble(100, 10)
        nengo.Connection(node, neurons)
        probe = nengo.Probe(neurons)
    x = np.random.default_rng(0).random((MINIBATCH_SIZE, n_steps, 10), np.float32)
    with nengo_dl.Simulator(
        net, minibatch_size=MINIBATCH_SIZE, progress_bar=False
    ) as sim:
        before = peak_memory()
        outputs = sim.predict({node: x}, verbose=0)[probe]
        taken = peak_memory() - before
    return [
        {
            "predict": f"{n_steps} steps x {MINIBATCH_SIZE} items",
            "MiB of inputs": x.nbytes / 2**20,
            "MiB of outputs": outputs.nbytes / 2**20,
            "MiB taken": taken,
            "beside outputs": taken - outputs.nbytes / 2**20,
        }
    ]


def measure_traces(n_calls=3):
    """Count how often TensorFlow traces the network, call by call.

    Returns
    -------
    rows : list of dict
        One for each method.
    """
    prepare(["nengo_dl"])
    import nengo
    import tensorflow as tf

    import nengo_dl

    count = 0

    def counted(x):
        nonlocal count
        count += 1
        return tf.identity(x)

    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.zeros(2))
        between = nengo_dl.TensorNode(counted, (2,), (2,), pass_time=False)
        neurons = nengo.Ensemble(20, 2)
        nengo.Connection(node, between, synapse=None)
        nengo.Connection(between, neurons)
        nengo.Probe(neurons)
    x = np.zeros((2 * MINIBATCH_SIZE, 5, 2), np.float32)
    rows = []
    with nengo_dl.Simulator(
        net, minibatch_size=MINIBATCH_SIZE, progress_bar=False
    ) as sim:
        sim.compile("sgd", loss="mse")
        for method, data in (("fit", (x, x)), ("evaluate", (x, x)), ("predict", (x,))):
            row = {"traces of the network": method}
            for i in range(1, n_calls + 1):
                before = count
                getattr(sim, method)(*data, verbose=0)
                row[f"call {i}"] = count - before
            rows.append(row)
    return rows


PARTS = {
    "dense": measure_dense,
    "loop": measure_loop,
    "memory": measure_memory,
    "traces": measure_traces,
}
TIMED = ("dense", "loop")


def _objective(accuracy=False):
    import keras

    return {
        "optimizer": keras.optimizers.Adam(1e-3),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"] if accuracy else None,
    }


def _compiled(network, accuracy=False):
    import nengo_dl

    sim = nengo_dl.Simulator(network, minibatch_size=MINIBATCH_SIZE, progress_bar=False)
    objective = _objective(accuracy)
    sim.compile(objective.pop("optimizer"), **objective)
    return sim


def _call(method, model, data, **options):
    """Return a function that calls `fit` or `evaluate` and returns the loss."""
    if method == "fit":
        options["shuffle"] = False
        return lambda: model.fit(*data, verbose=0, **options).history["loss"][-1]

    def evaluate():
        values = model.evaluate(*data, verbose=0, **options)
        return values["loss"] if isinstance(values, dict) else values[0]

    return evaluate


def _compare(name, functions, n_batches, n_rounds):
    """Call two functions in turns, after a check that they compute the same loss."""
    losses = {key: function() for key, function in functions.items()}
    (ours, other), (a, b) = functions, losses.values()
    if abs(a - b) > TOLERANCE * abs(b):
        raise ArithmeticError(f"{name}: the losses differ: {losses}")
    wall, cpu = in_turns(functions, n_rounds)
    return {
        "what": name,
        "compared with": other,
        "loss": losses[ours],
        "ms/batch": median(wall[ours]) / n_batches * 1e3,
        "other ms/batch": median(wall[other]) / n_batches * 1e3,
        "CPU ms/batch": median(cpu[ours]) / n_batches * 1e3,
        "other CPU": median(cpu[other]) / n_batches * 1e3,
        "ratio": ratio(wall[ours], wall[other]),
        "ratio of CPU times": ratio(cpu[ours], cpu[other]),
        "faster": ratio(wall[other], wall[ours]),
    }


def main():
    """Measure the chosen parts, each in a process of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__
    )
    parser.add_argument("parts", nargs="*", metavar="part", help=str(list(PARTS)))
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"no part {part!r}; there are {', '.join(PARTS)}")
    parts = options.parts or list(PARTS)
    tables = {}
    for part in parts:
        arguments = (options.rounds,) if part in TIMED else ()
        rows = in_new_process(PARTS[part], *arguments)
        tables.setdefault("times" if part in TIMED else part, []).extend(rows)
    for i, rows in enumerate(tables.values()):
        if i < len(tables) - 1:
            print(f"\n{report.table(rows)}")
        else:
            report.show(__doc__, rows)
    report.save("training", tables, rounds=options.rounds)


if __name__ == "__main__":
    main()
