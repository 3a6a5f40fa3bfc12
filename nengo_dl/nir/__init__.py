"""Networks from NIR graphs and to them: the exchange format of spiking frameworks.

NIR (Pedersen et al. 2024, Neuromorphic intermediate representation,
https://doi.org/10.1038/s41467-024-52259-9) describes networks as graphs of neurons and
linear maps. Reading and writing files takes the package ``nir``; see :doc:`/nir`.
"""

from nengo_dl.nir.exporting import ExportReport, to_nir
from nengo_dl.nir.network import from_nir
from nengo_dl.nir.numerics import DIALECTS, Numerics
from nengo_dl.nir.numpy_steps import reference

__all__ = [
    "DIALECTS",
    "ExportReport",
    "Numerics",
    "from_nir",
    "reference",
    "to_nir",
]
