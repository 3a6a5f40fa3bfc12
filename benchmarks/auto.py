"""Is "auto" the fastest choice of jit_compile, for each network and use?

Each network is run, predicted and trained with "auto", with XLA and without, in turns.
A steady call is one after others like it; the first one includes what is compiled.
"""

import argparse
import sys
import time
from statistics import median

import numpy as np

from benchmarks import report
from benchmarks.measure import in_new_process, in_turns, prepare, ratio

QUESTION = __doc__.splitlines()[0]
USES = ("run", "predict", "fit")
SETTINGS = {"auto": "auto", "XLA": True, "without": False}


def _neurons(n):
    import nengo

    # the bias makes all of them fire
    return nengo.Ensemble(
        n, 1, gain=np.full(n, 1.0), bias=np.full(n, 1.5), neuron_type=nengo.LIF()
    ).neurons


def dense(size_in=784, size=256, recurrent=False, n_steps=25, n_items=128):
    """A layer of LIF neurons, and a linear one."""
    import nengo

    from nengo_dl.dists import Glorot

    with nengo.Network(seed=0) as net:
        node, neurons = nengo.Node(np.zeros(size_in)), _neurons(size)
        output = nengo.Node(size_in=10)
        nengo.Connection(node, neurons, transform=Glorot(), synapse=None)
        if recurrent:
            nengo.Connection(neurons, neurons, transform=Glorot(), synapse=0.01)
        nengo.Connection(neurons, output, transform=Glorot(), synapse=None)
        nengo.Probe(output, synapse=0.01)
    return net, node, n_steps, n_items


def convolutions(layers, n_steps, n_items):
    """A converted model: convolutions as pairs of filters and strides, then LIF."""
    import keras
    import nengo

    import nengo_dl

    keras.utils.set_random_seed(0)
    x = image = keras.Input((28, 28, 1))
    for filters, strides in layers:
        x = keras.layers.Conv2D(filters, 3, strides, "same", activation="relu")(x)
    x = keras.layers.Dense(10)(keras.layers.Flatten()(x))
    converter = nengo_dl.Converter(
        keras.Model(image, x),
        swap_activations={nengo.RectifiedLinear(): nengo.LIF()},
        scale_firing_rates=100,
    )
    converter.net.seed = 0
    return converter.net, converter.inputs[image], n_steps, n_items


def by_name(name, n_steps=50):
    """One of the networks of ``networks.py``."""
    from benchmarks import networks

    return networks.NETWORKS[name](), None, n_steps, 1


CASES = {
    "integrator": lambda: by_name("integrator"),
    "cconv": lambda: by_name("cconv"),
    "dense": dense,
    "recurrent": lambda: dense(64, 128, True, 100, 64),
    "small": lambda: dense(10, 20, False, 10, 4),
    "conv": lambda: convolutions([(12, 1), (64, 2)], 10, 32),
    "conv, rates": lambda: convolutions([(12, 1), (64, 2)], 1, 32),
    "6 conv": lambda: convolutions([(8, 1), (16, 2), *[(16, 1)] * 4], 10, 8),
}


def make_calls(name, use):
    """Return a function without arguments for each setting, and the simulators."""
    import nengo_dl

    net, node, n_steps, n_items = CASES[name]()
    rng = np.random.default_rng(0)
    calls, sims = {}, []
    for label, setting in SETTINGS.items():
        with net:
            nengo_dl.configure_settings(jit_compile=setting)
        sim = nengo_dl.Simulator(net, minibatch_size=n_items, progress_bar=False)
        sims.append(sim)
        x = None
        if node is not None:
            x = {node: rng.random((n_items, n_steps, node.size_out), np.float32)}
        y = {p: np.zeros((n_items, n_steps, p.size_in)) for p in net.all_probes}
        if use == "run":

            def call(sim=sim, x=x):
                sim.clear_probes()
                sim.run_steps(n_steps, data=x, progress_bar=False)

        elif use == "predict":

            def call(sim=sim, x=x):
                sim.predict(x, n_steps=n_steps, verbose=0)

        else:
            sim.compile("sgd", loss="mse")

            def call(sim=sim, x=x, y=y):
                sim.fit(x, y, n_steps=n_steps, verbose=0)

        calls[label] = call
    return calls, sims


def measure_case(name, use, n_rounds):
    """Return the row of a network and a use."""
    prepare(["nengo_dl"])
    calls, sims = make_calls(name, use)
    first = {}
    for label, call in calls.items():
        start = time.perf_counter()
        call()
        first[label] = time.perf_counter() - start
        call()
    n_calls = max(1, int(0.2 / min(in_turns(calls, 1)[0]["auto"])))

    def repeated(call):
        return lambda: [call() for _ in range(n_calls)]

    wall, cpu = in_turns({k: repeated(call) for k, call in calls.items()}, n_rounds)
    for sim in sims:
        sim.close()
    best = min(wall, key=lambda label: median(wall[label]))
    return {
        "network": name,
        "use": use,
        **{f"{k} ms": median(v) / n_calls * 1e3 for k, v in wall.items()},
        "auto / best": ratio(wall["auto"], wall[best]),
        "CPU times": ratio(cpu["auto"], cpu[best]),
        **{f"first {k} s": v for k, v in first.items()},
        "first auto / best": first["auto"] / min(first.values()),
    }


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.auto", description=QUESTION
    )
    parser.add_argument("networks", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--uses", nargs="*", default=USES, choices=USES)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rows = []
    for name in arguments.networks:
        for use in arguments.uses:
            rows.append(in_new_process(measure_case, name, use, arguments.rounds))
            found = f"{name}, {use}: {rows[-1]['auto / best']:.2f} of the best"
            print(found, file=sys.stderr, flush=True)
    report.show(QUESTION, rows)
    report.save("auto", rows)


if __name__ == "__main__":
    main()
