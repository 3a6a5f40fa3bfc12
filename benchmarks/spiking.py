"""What does Keras take to train spiking networks, compared with a function by hand?"""

import argparse
from statistics import median

import numpy as np

from benchmarks import report
from benchmarks.measure import in_new_process, in_turns, prepare, ratio
from benchmarks.spiking_cases import CASES, make_data, make_weights

# Numbers of different minibatches, and how often they are shown in a call
N_MINIBATCHES, N_REPEATS = 4, 4
TOLERANCE, MIN_AGREEMENT = 1e-3, 0.9


def measure(name, n_rounds):
    """Compare fit and predict of one network, with inputs that vary and are held.

    Returns
    -------
    rows : list of dict
        One for each method and each kind of inputs.
    """
    prepare(["nengo_dl"])
    import keras
    import tensorflow as tf

    import nengo_dl
    from benchmarks import spiking_by_hand as by_hand

    case = CASES[name]
    weights = make_weights(case)
    net, node, probe = by_hand.make_network(case, weights)
    images, labels = make_data(case, N_MINIBATCHES)
    train, infer = by_hand.make_functions(case, weights)
    rows = []
    with nengo_dl.Simulator(
        net, minibatch_size=case.n_items, progress_bar=False, device="/cpu:0"
    ) as sim:
        got = sim.predict({node: images}, n_steps=case.n_steps, verbose=0)[probe][:, -1]
        parts = np.split(images, N_MINIBATCHES)
        expected = np.concatenate([infer(tf.constant(x)).numpy() for x in parts])
        # whether a spike comes a step later is at times a matter of rounding
        is_near = np.abs(got - expected).max(axis=1) < TOLERANCE
        if is_near.mean() < MIN_AGREEMENT:
            raise AssertionError(f"{name}: {is_near.mean():.0%} of outputs agree")
        sim.compile(
            keras.optimizers.SGD(1e-3),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        for n_steps in (None, case.n_steps):
            x = np.repeat(images, 1 if n_steps else case.n_steps, axis=1)
            kind = "varying" if n_steps is None else "held"
            ours = _of_simulator(sim, node, probe, x, labels, n_steps)
            other = _of_functions(train, infer, x, labels)
            for use in ours:
                label = f"{name}, {use}, {kind}"
                rows.append(_row(label, ours[use], other[use], n_rounds))
    return rows


def _of_simulator(sim, node, probe, x, labels, n_steps):
    """Return functions that train and infer with a simulator, by name."""
    x, labels = (np.concatenate([array] * N_REPEATS) for array in (x, labels))
    return {
        "train": lambda: sim.fit(
            {node: x}, {probe: labels}, n_steps=n_steps, verbose=0
        ),
        "infer": lambda: sim.predict({node: x}, n_steps=n_steps, verbose=0),
    }


def _of_functions(train, infer, x, labels):
    """Return functions that train and infer by hand, from tensors, by name."""
    import tensorflow as tf

    minibatches = [
        (tf.constant(part), tf.constant(label[:, 0, 0]))
        for part, label in zip(
            np.split(x, N_MINIBATCHES), np.split(labels, N_MINIBATCHES), strict=True
        )
    ] * N_REPEATS
    return {
        "train": lambda: [train(*minibatch).numpy() for minibatch in minibatches],
        "infer": lambda: [infer(part).numpy() for part, _ in minibatches],
    }


def _row(name, ours, other, n_rounds):
    functions = {"nengo_dl": ours, "by hand": other}
    in_turns(functions, 1)
    wall, cpu = in_turns(functions, n_rounds)
    per_batch = 1e3 / (N_MINIBATCHES * N_REPEATS)
    return {
        "what": name,
        "ms/batch": median(wall["nengo_dl"]) * per_batch,
        "by hand": median(wall["by hand"]) * per_batch,
        "ratio": ratio(wall["nengo_dl"], wall["by hand"]),
        "CPU ms/batch": median(cpu["nengo_dl"]) * per_batch,
        "CPU by hand": median(cpu["by hand"]) * per_batch,
        "ratio of CPU times": ratio(cpu["nengo_dl"], cpu["by hand"]),
    }


def main():
    """Measure all networks, each in a process of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.spiking", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="a part of the network's name")
    options = parser.parse_args()
    rows = []
    for name in CASES:
        if options.only in name:
            rows += in_new_process(measure, name, options.rounds)
    report.show(__doc__, rows)
    report.save("spiking", {"times": rows}, rounds=options.rounds)


if __name__ == "__main__":
    main()
