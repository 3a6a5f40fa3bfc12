"""The TensorFlow step of `nengo_dl.nodes.running_mean`."""

from nengo_dl.nodes.running_mean import RunningMean
from nengo_dl.ops import processes


@processes.register(RunningMean, merge_key=lambda op: ())
def build_running_mean(ops, ctx):
    """Build means of all inputs so far."""
    del ops, ctx

    def fn(u, mean, n_steps):
        n_steps = n_steps + 1
        mean = mean + (u - mean) / n_steps
        return mean, mean, n_steps

    return fn
