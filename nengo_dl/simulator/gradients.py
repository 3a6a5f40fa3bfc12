"""Compare the gradients that training uses with finite differences."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from nengo import Node, Probe
from nengo.exceptions import SimulationError

from nengo_dl.keras_model.layer import EngineLayer

# Half of the distance between two evaluations. Layers compute in float32 even where the
# simulation is in float64, and so need a larger one.
STEP = 1e-5
STEP_WITH_LAYERS = 1e-2

# "analytic" and "numeric": one array of shape (size of the input, size of the output)
# for each input, over items, steps and dimensions
Gradients = dict[str, list[np.ndarray]]


def check_gradients(
    layer: EngineLayer,
    inputs: Mapping[Node, np.ndarray],
    outputs: tuple[Probe, ...],
    atol: float,
    rtol: float,
) -> dict[Probe, Gradients]:
    """Compare gradients of outputs with respect to inputs.

    The layer computes in float64, where finite differences are most precise. A gradient
    that is not finite, or differs by more than ``atol + rtol * abs(numeric)``, is a
    SimulationError.
    """
    names = [layer.input_names[node] for node in inputs]
    arrays = [np.asarray(x, layer.engine.dtype) for x in inputs.values()]
    found: dict[Probe, Gradients] = {}
    for probe in outputs:
        name = layer.output_names[probe]

        @tf.function(autograph=False)
        def run(*tensors: tf.Tensor, name: str = name) -> tf.Tensor:
            layer.draws.assign(0)  # the same random numbers in all calls
            return layer(dict(zip(names, tensors, strict=True)), training=True)[name]

        step = STEP_WITH_LAYERS if layer.keras_layers else STEP
        analytic, numeric = tf.test.compute_gradient(run, arrays, delta=step)
        _compare(probe, names, analytic, numeric, atol, rtol)
        found[probe] = {"analytic": list(analytic), "numeric": list(numeric)}
    return found


def _compare(
    probe: Probe,
    names: list[str],
    analytic: Sequence[np.ndarray],
    numeric: Sequence[np.ndarray],
    atol: float,
    rtol: float,
) -> None:
    for name, a, n in zip(names, analytic, numeric, strict=True):
        differs = ~(np.abs(a - n) < atol + rtol * np.abs(n))  # also where it is NaN
        if differs.any():
            row, column = (int(i) for i in np.argwhere(differs)[0])
            raise SimulationError(
                "Simulator.check_gradients: expected analytic and numeric gradients "
                f"of {probe} with respect to '{name}' to agree within {atol} + {rtol} "
                f"* |numeric| (got {a[row, column]:.6g} and {n[row, column]:.6g} for "
                f"input {row}, output {column}, and {differs.sum()} differences in "
                "all). Functions may not be differentiable there, like a rectifier "
                "at 0: try other inputs, or raise the tolerances."
            )
