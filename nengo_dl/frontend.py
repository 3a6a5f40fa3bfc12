"""From a Nengo network to a built model, with Nengo's own builder."""

import contextlib

import nengo
from nengo.builder import Model
from nengo.cache import get_default_decoder_cache
from nengo.rc import rc


@contextlib.contextmanager
def precision(dtype: str):
    """Make Nengo build signals of a dtype, and restore its setting afterwards."""
    before = rc.get("precision", "bits")
    rc.set("precision", "bits", dtype.removeprefix("float"))
    try:
        yield
    finally:
        rc.set("precision", "bits", before)


def build_model(
    network: nengo.Network | None,
    dt: float,
    dtype: str,
    model: Model | None = None,
    progress=None,
) -> Model:
    """Build a network into a model.

    Parameters
    ----------
    network : Network or None
        What to build; None if ``model`` holds everything already.
    dt : float
        Length of a step in seconds, unless a model is given that has its own.
    dtype : str
        "float32" or "float64": the precision of the build.
    model : `nengo.builder.Model`, optional
        To build into.
    progress : `nengo.utils.progress.Progress`, optional
        Is told about every object that was built.

    Returns
    -------
    model : `nengo.builder.Model`
    """
    with precision(dtype):
        if model is None:
            model = Model(
                dt=float(dt),
                label=f"{network}, dt={dt:f}",
                decoder_cache=get_default_decoder_cache(),
            )
        if network is not None:
            model.build(network, progress=progress)
    return model
