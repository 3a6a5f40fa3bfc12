"""From a Nengo network to a built model, with Nengo's own builder."""

import contextlib
import threading

import nengo
from nengo.builder import Model
from nengo.cache import get_default_decoder_cache
from nengo.rc import rc
from nengo.utils.progress import Progress, ProgressBar

from nengo_dl.biases import biases
from nengo_dl.graph.decoders import SharedDecoders
from nengo_dl.progress import Display, progress
from nengo_dl.silence import warnings_ignored

# Nengo's setting is one for all threads, so that only one at a time may build.
_lock = threading.RLock()


@contextlib.contextmanager
def precision(dtype: str):
    """Make Nengo build signals of a dtype, and restore its setting afterwards.

    Threads wait for each other.
    """
    with _lock:
        before = rc.get("precision", "bits")
        rc.set("precision", "bits", dtype.removeprefix("float"))
        try:
            yield
        finally:
            rc.set("precision", "bits", before)


class BuildProgress(Progress):
    """Passes the steps of Nengo's builder on to a display.

    Parameters
    ----------
    display : `Display`
        Is told about every object that was built.
    """

    def __init__(self, display: Display):
        super().__init__("Building", "Build")
        self._display = display

    def step(self, n: int = 1) -> None:
        """Advance by `n` objects."""
        self._display.update(n)
        super().step(n)


def build_model(
    network: nengo.Network | None,
    dt: float,
    dtype: str,
    model: Model | None = None,
    progress_bar: bool | ProgressBar | None = None,
) -> Model:
    """Build a network into a model, in float32 or float64; return the model.

    Without a network, the model holds everything already; without a model, there is a
    new one whose steps have the length ``dt``, in seconds. ``progress_bar`` is that of
    `nengo_dl.progress.progress`.
    """
    total = None if network is None else len(network.all_objects) + 1
    with (
        progress(progress_bar, "Building", total, "object") as display,
        precision(dtype),
    ):
        if model is None:
            model = Model(
                dt=float(dt),
                label=f"{network}, dt={float(dt):f}",
                decoder_cache=SharedDecoders(get_default_decoder_cache()),
            )
        if network is not None:
            with _unasked_hints_ignored(network):
                model.build(network, progress=BuildProgress(display))
    return model


def _unasked_hints_ignored(network: nengo.Network) -> contextlib.AbstractContextManager:
    """Ignore hints on firing rates in networks with neurons that belong to no ensemble.

    Nengo computes the rate of each neuron for what an ensemble represents, and warns if
    it does not fire for that. The neurons of a converted model represent nothing.
    """
    if biases(network):
        return warnings_ignored(module=r"nengo\.neurons")
    return contextlib.nullcontext()
