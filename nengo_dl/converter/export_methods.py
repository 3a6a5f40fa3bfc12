"""Methods of the `Converter` that write its network in other formats."""

from typing import Any

import nengo

from nengo_dl.nir import ExportReport, to_nir


class ExportMethods:
    """Public methods on a network, which is all that they need.

    Parameters
    ----------
    net : Network
        Is written in other formats.
    """

    def __init__(self, net: nengo.Network):
        self.net = net

    def to_nir(self, dt: float, **options: Any) -> tuple[Any, ExportReport]:
        """Make a NIR graph of the network, and report what is not in it.

        Parameters
        ----------
        dt : float
            Length of a step, in seconds.
        **options
            More arguments of `nengo_dl.nir.to_nir`.

        Returns
        -------
        graph : nir.NIRGraph
            Channels come first, so that inputs are those of the model, transposed.
        report : `nengo_dl.nir.ExportReport`
            What is left out or not exact.
        """
        return to_nir(self.net, dt, **options)
