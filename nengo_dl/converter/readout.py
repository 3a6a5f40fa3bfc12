"""Outputs of a converted network in the shapes of its model."""

from dataclasses import dataclass
from typing import Any, Literal

import keras
import nengo
import numpy as np

from nengo_dl.converter.conversion import Conversion, TensorSpec
from nengo_dl.converter.presentation import (
    Arrays,
    chunks,
    flat,
    minibatches,
    probed,
    simulator,
)


@dataclass(frozen=True)
class Readout:
    """How an output of the model follows from what its probe records over time.

    Parameters
    ----------
    spec : TensorSpec
        The output.
    over_time : "mean" or "last" or "each"
        Whether it is the mean of all steps, the last one, or has an axis of time.
    """

    spec: TensorSpec
    over_time: Literal["mean", "last", "each"]

    def __call__(self, values: Any) -> Any:
        """Return a tensor of the shape of the output, with the minibatch.

        Values have the shape (n_items, n_steps, size), as an array or a tensor.
        """
        outer = [-1]
        if self.over_time == "mean":
            values = keras.ops.mean(values, axis=1)
        elif self.over_time == "last":
            values = values[:, -1]
        else:
            outer = [-1, values.shape[1] or keras.ops.shape(values)[1]]
        return keras.ops.reshape(values, (*outer, *self.spec.signal_shape))


def readouts(conversion: Conversion, last: bool = False) -> tuple[Readout, ...]:
    """Return how each output of the model follows from its probe.

    In a network without an axis of time, it is the mean over all steps, or the last
    step if that is an average itself, or asked for. In a model over time, an output
    without an axis of time is what the last step has.
    """
    is_series = conversion.source.n_outer_axes > 1

    def over_time(spec: TensorSpec, probe: nengo.Probe):
        if is_series:
            return "each" if spec.n_outer_axes > 1 else "last"
        return "last" if last or probe in conversion.averages else "mean"

    return tuple(
        Readout(spec, over_time(spec, probe))
        for spec, probe in zip(
            conversion.source.outputs, conversion.outputs, strict=True
        )
    )


def run(
    conversion: Conversion, inputs: Arrays, n_steps: int, dt: float, minibatch_size: int
) -> list[np.ndarray]:
    """Return the outputs for data of the model's shapes, which is held for all steps.

    They have the shapes of the model's outputs.
    """
    n_items = len(inputs[0])
    found: list[list[np.ndarray]] = [[] for _ in conversion.outputs]
    read = readouts(conversion)
    with (
        probed(conversion.net, conversion.outputs) as probes,
        simulator(conversion.net, dt, min(minibatch_size, n_items)) as sim,
    ):
        for items in minibatches(n_items, sim.minibatch_size):
            arrays = flat(conversion.source, [x[items] for x in inputs])
            data = dict(zip(conversion.inputs, arrays, strict=True))
            (chunk,) = chunks(sim, probes, data, n_steps, is_whole=True)
            for values, function, probe in zip(
                found, read, conversion.outputs, strict=True
            ):
                output = function(chunk.values[probe])
                values.append(keras.ops.convert_to_numpy(output))
    return [np.concatenate(values) for values in found]
