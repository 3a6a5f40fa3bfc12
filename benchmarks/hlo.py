"""Write the compiled loops of networks as files, for machines without TensorFlow.

`benchmarks.hlo_runner`, which needs NumPy and JAX alone, compiles and times them there.
"""

import argparse
import json
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks import report
from benchmarks.networks import NETWORKS
from nengo_dl.engine.built_network import build_network
from nengo_dl.engine.execution import Clock
from nengo_dl.engine.feeds import FeedRunner
from nengo_dl.engine.loop import History, unfold
from nengo_dl.settings import Settings

DT = 0.001
SEED = 1
# Spikes of two compilers part after some time, because they round differently; outputs
# are compared after so few steps.
CHECKED_STEPS = 20
TRAINED = ("conv", "dense", "lmu")
TRAINED_STEPS = 10


class Program(NamedTuple):
    """A compiled function, and what it is called with.

    Parameters
    ----------
    function : tf.function
        Compiled with XLA.
    arguments : tuple
        Of tensors, nested.
    n_steps : int
        The number of steps that these arguments ask for.
    length : int
        The number of steps that the last argument, an integer, may ask for; 0 if it
        asks for none.
    """

    function: Callable[..., Any]
    arguments: tuple
    n_steps: int
    length: int


def simulation(network, minibatch):
    """Return a network's loop over time, as the simulator runs it."""
    engine, values, feeds = _engine(network, minibatch)
    length = engine.loop.length
    n_steps = min(CHECKED_STEPS, length)
    arguments = (values.params, values.state, feeds(length), _clock(engine))
    return Program(
        engine.loop.function, (*arguments, tf.constant(n_steps)), n_steps, length
    )


def training(network, minibatch):
    """Return a network's loss and gradients, through time.

    The loss is the mean square of all outputs.
    """
    engine, values, feeds = _engine(network, minibatch)
    histories = tuple(
        History(signal.size, engine.values.is_shared(signal), engine.dtype)
        for signal in engine.program.probes.values()
    )
    step = engine.step(training=True)

    def function(params, state, feeds, clock):
        with tf.GradientTape() as tape:
            tape.watch(params)
            _, outputs = unfold(
                step, params, state, feeds, clock, TRAINED_STEPS, histories=histories
            )
            loss = tf.add_n([tf.reduce_mean(tf.square(output)) for output in outputs])
        return loss, tape.gradient(loss, params, unconnected_gradients="zero")

    fed = feeds(TRAINED_STEPS)
    return Program(
        tf.function(function, jit_compile=True, autograph=False),
        (values.params, values.state, fed, _clock(engine)),
        TRAINED_STEPS,
        0,
    )


def _engine(network, minibatch):
    """Return an engine, its initial values, and a function that packs feeds."""
    built = build_network(network, Settings.read(network), DT)
    engine = built.engine(minibatch, unroll=1)
    runner = FeedRunner(
        built.program.feeds, DT, minibatch, built.program.streams, engine.dtype.name
    )

    def feeds(n_steps):
        layout = engine.layout
        blocks = {
            number: np.zeros((n_steps, layout.blocks[number].size, minibatch))
            for number in layout.of_kind("feed")
        }
        for feed, rows in runner.run(0, n_steps).items():
            if feed.signal is not None:
                number, start = layout.places[feed.signal.base]
                columns = slice(start, start + feed.size)
                blocks[number][:, columns] = np.moveaxis(rows, 1, 2)
        return tuple(tf.constant(x, engine.dtype) for x in blocks.values())

    return engine, engine.values.initial(), feeds


def _clock(engine):
    row = tf.zeros((1, engine.minibatch_size), engine.dtype)
    return Clock(tf.constant(SEED), tf.constant(0), row)


def write(folder, name, program):
    """Write a program, its arguments and its results, and how to call it.

    Parameters
    ----------
    folder : Path
        Where ``<name>.mlir.z``, ``<name>.npz`` and ``<name>.json`` go.
    name : str
        Name of the files.
    program : `Program`
        What to write.
    """
    function, arguments, n_steps, length = program
    results = tf.nest.flatten(function(*arguments))
    text = function.experimental_get_compiler_ir(*arguments)(stage="stablehlo")
    (folder / f"{name}.mlir.z").write_bytes(zlib.compress(text.encode()))
    arrays = {
        f"{kind}{i:04d}": tensor.numpy()
        for kind, tensors in (
            ("argument", tf.nest.flatten(arguments)),
            ("result", results),
        )
        for i, tensor in enumerate(tensors)
    }
    np.savez_compressed(folder / f"{name}.npz", **arrays)
    about = {"n_steps": n_steps, "length": length}
    (folder / f"{name}.json").write_text(json.dumps(about))


def write_all(folder, networks, minibatches):
    """Write the programs of networks; return a row with the sizes of each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for network in networks:
        for items in minibatches:
            kinds = [simulation]
            if network in TRAINED and items > 1:
                kinds.append(training)
            for make in kinds:
                name = f"{network}-{items}-{make.__name__}"
                print(name, file=sys.stderr, flush=True)
                write(folder, name, make(NETWORKS[network](), items))
                sizes = {
                    f"{suffix} KiB": (folder / f"{name}.{suffix}").stat().st_size / 1024
                    for suffix in ("mlir.z", "npz")
                }
                rows.append({"program": name, **sizes})
    return rows


def main():
    """Write the programs that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hlo",
        description=__doc__,
        epilog="Then, where JAX is: python hlo_runner.py FOLDER",
    )
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument(
        "networks", nargs="*", default=NETWORKS, help="all of them by default"
    )
    parser.add_argument(
        "--minibatch", type=int, nargs="+", default=[1, 64], help="%(default)s"
    )
    options = parser.parse_args()
    # else a GPU rounds products, and results cannot be compared
    tf.config.experimental.enable_tensor_float_32_execution(False)
    rows = write_all(options.folder, options.networks, options.minibatch)
    report.show("How large are the programs?", rows)


if __name__ == "__main__":
    main()
