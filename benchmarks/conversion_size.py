"""How long does the conversion of a large Keras model take, and how much memory?

Models of ``keras.applications`` with random weights are converted without fallback, and
simulated for one step, each in a process of its own. ``python -m
benchmarks.conversion_size ResNet50:64 DenseNet121:32`` chooses models and sizes of
images.
"""

import argparse
import sys
import time

from benchmarks import measure, report

QUESTION = __doc__.splitlines()[0]
MODELS = (
    "VGG16:32",
    "ResNet50:64",
    "MobileNetV2:64",
    "DenseNet121:32",
    "EfficientNetB0:32",
    "InceptionV3:75",
    "Xception:71",
)
N_RUNS = 5


def timed(function):
    """Return what a function returns, and the seconds that it took."""
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def measure_model(name, size):
    """Convert a model, and run the network.

    Returns
    -------
    row : dict
        Seconds, and the peak of memory in MiB: of the whole process, and of what the
        libraries and the Keras model do not take.
    """
    measure.prepare(["nengo_dl"])
    import keras

    import nengo_dl

    model, keras_time = timed(
        lambda: getattr(keras.applications, name)(
            weights=None, input_shape=(size, size, 3), classes=10
        )
    )
    before = measure.memory()
    converter, convert_time = timed(
        lambda: nengo_dl.Converter(model, allow_fallback=False, inference_only=True)
    )
    net = converter.net
    sim, build_time = timed(lambda: nengo_dl.Simulator(net, progress_bar=False))
    with sim:
        first, *runs = (measure.run_time(sim, 1) for _ in range(1 + N_RUNS))
    return {
        "model": name,
        "image": f"{size}x{size}",
        "layers": len(model.layers),
        "parameters": model.count_params(),
        "neurons": net.n_neurons,
        "Keras s": keras_time,
        "convert s": convert_time,
        "construct s": build_time,
        "first run s": first,
        "ms/step": 1e3 * min(runs),
        "MiB": measure.peak_memory(),
        "MiB more than Keras": measure.peak_memory() - before,
    }


def main():
    """Measure the chosen models one by one."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.conversion_size", description=QUESTION
    )
    parser.add_argument(
        "models",
        nargs="*",
        default=MODELS,
        metavar="NAME:SIZE",
        help="a function of keras.applications, and the size of the images; by "
        f"default {' '.join(MODELS)}",
    )
    rows = []
    for model in parser.parse_args().models:
        print(model, file=sys.stderr, flush=True)
        name, size = model.split(":")
        rows.append(measure.in_new_process(measure_model, name, int(size)))
    report.show(QUESTION, rows)
    report.save("conversion_size", rows)


if __name__ == "__main__":
    main()
