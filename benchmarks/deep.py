"""What do merged large operators, and ranges cut one by one, cost deep networks?

The networks of ``benchmarks.conversion``, untrained, as leaky neurons, with minibatches
of 32 for 32 steps. Milliseconds of a minibatch in training and in prediction, and
ratios of wall and of processor time to the network as it is, in turns in one process.
"""

import argparse
import time
from contextlib import ExitStack
from statistics import median
from unittest.mock import patch

import keras
import nengo
import numpy as np

import nengo_dl
from benchmarks.conversion import MODELS
from benchmarks.report import save, show
from nengo_dl.engine.cuts import Cuts
from nengo_dl.ops import registry

SIZE = N_STEPS = 32
N_MINIBATCHES = 8  # in each call
N_ITEMS = N_MINIBATCHES * SIZE
# What is done otherwise: operators that are never large, tensors that are never cut
FORMS = {
    "as it is": (),
    "merged": (patch.object(registry, "LARGE", float("inf")),),
    "merged, cut one by one": (
        patch.object(registry, "LARGE", float("inf")),
        patch.object(Cuts, "of", lambda *args: None),
    ),
}


def simulator(name):
    """Return a compiled simulator of a converted network, and its data."""
    keras.utils.set_random_seed(0)
    converter = nengo_dl.Converter(
        MODELS[name](),
        swap_activations={nengo.RectifiedLinear(): nengo.LIF()},
        scale_firing_rates=100,
        synapse=0.002,
    )
    net = converter.net
    with net:
        nengo_dl.configure_settings(training_mode="spiking")
    sim = nengo_dl.Simulator(net, minibatch_size=SIZE, progress_bar=False)
    (node,), (probe,) = converter.inputs.values(), net.probes
    x = np.random.RandomState(0).uniform(size=(N_ITEMS, 1, node.size_out))
    y = np.zeros((N_ITEMS, N_STEPS, probe.size_in))
    sim.compile("adam", {probe: "mse"})
    return sim, {node: x}, {probe: y}


def timed(call):
    """Return wall and processor time of a call, in milliseconds."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - processor)


def measure(name, n_rounds):
    """Return one row for each use and form."""
    with ExitStack() as stack:
        calls = {}
        for form, patches in FORMS.items():
            with ExitStack() as patched:
                for each in patches:
                    patched.enter_context(each)
                sim, x, y = simulator(name)
                stack.callback(sim.close)
                calls["fit", form] = lambda sim=sim, x=x, y=y: sim.fit(
                    x, y, n_steps=N_STEPS, verbose=0
                )
                calls["predict", form] = lambda sim=sim, x=x: sim.predict(
                    x, n_steps=N_STEPS, verbose=0
                )
                for use in ("fit", "predict"):  # to compile
                    calls[use, form]()
        rounds = [
            {key: timed(call) for key, call in calls.items()} for _ in range(n_rounds)
        ]
    rows = []
    for use, form in calls:
        found = {"network": name, "use": use, "form": form}
        times = [each[use, form][0] for each in rounds]
        found["ms"] = median(times) / N_MINIBATCHES
        for i, kind in enumerate(("wall", "processor")):
            ratios = [each[use, form][i] / each[use, "as it is"][i] for each in rounds]
            found[f"{kind} ratio"] = median(ratios)
        rows.append(found)
    return rows


def main():
    """Parse the command line, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    rows = [
        row for name in arguments.networks for row in measure(name, arguments.rounds)
    ]
    show(__doc__.splitlines()[0], rows)
    save("deep", rows)


if __name__ == "__main__":
    main()
