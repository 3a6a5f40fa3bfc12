"""How far is the engine from the same arithmetic, written by hand as one function?"""

import argparse
from functools import partial
from statistics import median

import nengo
import numpy as np

from benchmarks import networks, report
from benchmarks.measure import BACKENDS, in_new_process, interleaved, prepare, ratio

# name: (network, names in `by_hand` with options)
CASES = {
    "integrator": (networks.integrator, "integrator", ({},)),
    "ensembles500": (
        partial(networks.ensembles, 500, 1000),
        "ensembles",
        ({"decode_by": "connection"}, {"decode_by": "ensemble"}),
    ),
    # convolutions are sometimes faster with TensorFlow's own kernels than with XLA's
    "conv": (networks.conv, "conv", ({"jit_compile": True}, {"jit_compile": False})),
}
# a spike that rounding moves by one step changes what is decoded from it
COMPARED_STEPS = 100
TOLERANCE = 1e-3


def measure(name, steps, n_rounds):
    """Compare the engine with the fastest of the functions written by hand.

    Returns
    -------
    row : dict
        Times per step, their ratio, and how far the results are from Nengo's.
    """
    prepare(BACKENDS)
    from benchmarks import by_hand

    make, function, variants = CASES[name]
    net = make()
    with nengo.Simulator(net, progress_bar=False) as reference:
        sims = {
            f"by hand{_written(options)}": getattr(by_hand, function)(
                net, reference, steps, **options
            )
            for options in variants
        }
        reference.run_steps(COMPARED_STEPS)
        expected = _probed(net, reference)
    outputs = {key: sim.run_steps(COMPARED_STEPS) for key, sim in sims.items()}
    # in float32, a single spike that falls into the next step would be a difference
    _set_dtype(net, "float64")
    with BACKENDS["nengo_dl"](net, None) as engine:
        engine.run_steps(COMPARED_STEPS)
        outputs["nengo_dl"] = _probed(net, engine)
    _set_dtype(net, "float32")
    with BACKENDS["nengo_dl"](net, None) as engine:
        sims["nengo_dl"] = engine
        # what is compiled at the first long run is no part of the question
        interleaved(sims, steps, 1)
        times = interleaved(sims, steps, n_rounds)
    errors = {key: _error(output, expected) for key, output in outputs.items()}
    if max(errors.values()) > TOLERANCE:
        raise ArithmeticError(f"{name}: results differ from Nengo's by {errors}")
    best = min((key for key in sims if key != "nengo_dl"), key=lambda k: sum(times[k]))
    return {
        "network": name,
        "nengo_dl us/step": median(times["nengo_dl"]) / steps * 1e6,
        "by hand us/step": median(times[best]) / steps * 1e6,
        "ratio": ratio(times["nengo_dl"], times[best]),
        "nengo_dl error": errors["nengo_dl"],
        "by hand error": errors[best],
        "best by hand": best,
    }


def _written(options):
    return "".join(f", {name}={value}" for name, value in options.items())


def _probed(net, sim):
    """Return the data of all probes side by side, shape (steps, size)."""
    return np.concatenate([sim.data[p] for p in net.all_probes], axis=1)


def _set_dtype(net, dtype):
    import nengo_dl

    with net:
        nengo_dl.configure_settings(dtype=dtype)


def _error(output, expected):
    """Return the largest difference, relative to the largest value."""
    return float(np.max(np.abs(output - expected)) / np.max(np.abs(expected)))


def main():
    """Measure the chosen networks, each in a process of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.limit", description=__doc__
    )
    parser.add_argument("networks", nargs="*", metavar="network", help=str(list(CASES)))
    parser.add_argument("--steps", type=int, default=1000, help="of one run")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    rows = [
        in_new_process(measure, name, options.steps, options.rounds)
        for name in options.networks or CASES
    ]
    report.show(__doc__, rows)
    report.save("limit", rows, steps=options.steps, rounds=options.rounds)


if __name__ == "__main__":
    main()
