"""The mean of all inputs so far, as a process that every Nengo backend runs."""

from collections.abc import Callable
from typing import Any

import nengo
import numpy as np


class RunningMean(nengo.Process):
    r"""The mean of the inputs of all steps since the start of the simulation.

    .. math:: y_t = y_{t-1} + (u_t - y_{t-1}) / t

    Spikes are few and large; what is computed from their mean is the nearer to what
    rates would give, the more steps there have been. It has no delay. ``reset`` of a
    simulator, and each item of ``predict``, begin a new mean.

    Examples
    --------
    .. testcode::

       with nengo.Network() as net:
           source = nengo.Node(lambda t: 4 * (t > 0.0025))
           mean = nengo.Node(RunningMean(), size_in=1)
           nengo.Connection(source, mean, synapse=None)
           probe = nengo.Probe(mean)
       with nengo_dl.Simulator(net, progress_bar=False) as sim:
           sim.run_steps(4)
       print(sim.data[probe].ravel())

    .. testoutput::

       [0.        0.        1.3333334 2.       ]
    """

    def __init__(self) -> None:
        super().__init__(default_size_in=1, default_size_out=1)

    def make_state(
        self, shape_in: tuple, shape_out: tuple, dt: float, dtype: Any = None
    ) -> dict[str, np.ndarray]:
        """Return the mean and the number of steps, of each element."""
        del dt
        if shape_in != shape_out:
            raise nengo.exceptions.ValidationError(
                f"expected outputs of the shape of the inputs, {shape_in} (got "
                f"{shape_out}). Leave out size_out.",
                attr="size_out",
                obj=self,
            )
        return {"mean": np.zeros(shape_in, dtype), "n_steps": np.zeros(shape_in, dtype)}

    def make_step(
        self,
        shape_in: tuple,
        shape_out: tuple,
        dt: float,
        rng: np.random.RandomState,
        state: dict[str, np.ndarray],
    ) -> Callable[[float, np.ndarray], np.ndarray]:
        """Return the function of a step, for `nengo.Simulator`."""
        del shape_in, shape_out, dt, rng
        mean, n_steps = state["mean"], state["n_steps"]

        def step(t, x):
            del t
            n_steps[...] += 1
            mean[...] += (x - mean) / n_steps
            return mean

        return step
