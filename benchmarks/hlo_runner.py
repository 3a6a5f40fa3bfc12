"""How fast are the compiled loops of nengo_dl on this machine's processor or GPU?

Compiles the programs that ``python -m benchmarks.hlo`` has written with the XLA of JAX,
checks their results, and times them. Needs NumPy and JAX alone, and no other file of
this project.
"""

import argparse
import json
import statistics
import sys
import time
import zlib
from pathlib import Path

import jax
import jax.extend.backend
import numpy as np

# Two compilers round differently: of spikes, a few may come a step sooner or later.
TOLERANCE = 1e-3
MAX_DIFFERING = 0.01
# How the programs ask for products in float32, and how for what a GPU does best
FLOAT32, TF32 = "[HIGHEST, HIGHEST]", "[DEFAULT, DEFAULT]"


def run(path, n_rounds, tf32=False):
    """Compile, check and time a program.

    Parameters
    ----------
    path : Path
        Its ``.json`` file, with the others beside it.
    n_rounds : int
        Number of calls to take the median of.
    tf32 : bool
        Whether products may round to TensorFloat-32.

    Returns
    -------
    row : dict
        "us/step", and the share of the results that "differ" by more than a thousandth
        of the largest.
    """
    about = json.loads(path.read_text())
    text = zlib.decompress(path.with_suffix(".mlir.z").read_bytes()).decode()
    if tf32:
        text = text.replace(FLOAT32, TF32)
    stored = np.load(path.with_suffix(".npz"), allow_pickle=False)
    arguments = [stored[key] for key in sorted(stored) if key.startswith("argument")]
    expected = [stored[key] for key in sorted(stored) if key.startswith("result")]
    began = time.perf_counter()
    call = compiled(text)
    seconds = time.perf_counter() - began
    results = call(arguments)
    n_steps = about["n_steps"]
    if about["length"]:
        n_steps = about["length"]
        arguments[-1] = np.asarray(n_steps, arguments[-1].dtype)
    placed = [jax.device_put(argument) for argument in arguments]
    call(placed)
    times = []
    for _ in range(n_rounds):
        began = time.perf_counter()
        call(placed)
        times.append(time.perf_counter() - began)
    return {
        "program": path.stem,
        "compile s": seconds,
        "us/step": statistics.median(times) / n_steps * 1e6,
        "differ": max(differing(*pair) for pair in zip(results, expected, strict=True)),
    }


def compiled(text):
    """Compile a module of StableHLO; return a function from arrays to arrays."""
    client = jax.extend.backend.get_backend()
    options = jax.extend.backend.get_compile_options(num_replicas=1, num_partitions=1)
    program = client.compile_and_load(text, tuple(jax.devices()[:1]), options)

    def call(arguments):
        outputs = program.execute_sharded([jax.device_put(x) for x in arguments])
        arrays = outputs.disassemble_into_single_device_arrays()
        return [np.asarray(array) for (array,) in arrays]

    return call


def differing(result, expected):
    """Return the share of elements that differ, beyond rounding."""
    if result.shape != expected.shape:
        raise ValueError(f"expected shape {expected.shape} (got {result.shape})")
    if not result.size:
        return 0.0
    scale = max(float(np.max(np.abs(expected))), 1e-6)
    return float(np.mean(np.abs(result - expected) > TOLERANCE * scale))


def main():
    """Run all programs in a folder; fail if results are wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what benchmarks.hlo has written")
    parser.add_argument("--rounds", type=int, default=7, help="%(default)s")
    parser.add_argument("--only", default="", help="a part of the names of programs")
    parser.add_argument(
        "--tf32",
        action="store_true",
        help="let a GPU round products to TensorFloat-32, as TensorFlow does unless "
        "told otherwise; results then differ",
    )
    parser.add_argument("--json", type=Path, help="where to write the results")
    options = parser.parse_args()
    device = jax.devices()[0]
    print(f"{device.device_kind} ({device.platform}), JAX {jax.__version__}")
    print(f"{'program':36} {'compile s':>10} {'us/step':>10} {'differ':>8}")
    rows, wrong = [], []
    for path in sorted(options.folder.glob("*.json")):
        if options.only not in path.stem:
            continue
        row = run(path, options.rounds, options.tf32)
        rows.append(row)
        print(
            "{program:36} {compile s:10.2f} {us/step:10.1f} {differ:8.4f}".format(**row)
        )
        sys.stdout.flush()
        if row["differ"] > MAX_DIFFERING and not options.tf32:
            wrong.append(row["program"])
    if options.json:
        about = {"device": device.device_kind, "jax": jax.__version__, "rows": rows}
        options.json.write_text(json.dumps(about, indent=1))
    if wrong:
        sys.exit(f"wrong results: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
