"""Pictures of probe data and ensembles: spikes, rates, tuning curves, decoded values.

Each function draws into matplotlib axes (the current ones, if none are given) and
returns them, so that labels and limits can still be changed. Data is what a probe has
recorded: shape (n_steps, size) from ``sim.data[probe]``, of `Simulator` or of
`nengo.Simulator`, or (minibatch_size, n_steps, size) from a simulator with minibatches
and from ``sim.predict``, of which one ``item`` is drawn. Times are in seconds; as in
``sim.trange()``, the first step ends at ``dt``. A probe with ``sample_every`` has that
as its ``dt``.

Up to seven lines have the colours of Okabe & Ito, which colour-blind people can tell
apart as well (Wong 2011, https://doi.org/10.1038/nmeth.1618), and a legend. More lines
have shades of viridis, and none.
"""

from nengo_dl.plots.curves import decoded, rates, tuning
from nengo_dl.plots.spikes import most_active, raster

__all__ = ["decoded", "most_active", "raster", "rates", "tuning"]
