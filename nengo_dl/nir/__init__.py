"""Networks from NIR graphs and to them: the exchange format of spiking frameworks.

NIR (Pedersen et al. 2024, Neuromorphic intermediate representation,
https://doi.org/10.1038/s41467-024-52259-9) describes networks as graphs of neurons and
linear maps. Reading and writing files takes the package ``nir``; see :doc:`/nir`.
"""

from nengo_dl.nir.from_nir import NIRNetwork, from_nir
from nengo_dl.nir.numerics import DIALECTS, Numerics
from nengo_dl.nir.reference import reference
from nengo_dl.nir.to_nir import ExportReport, to_nir

__all__ = [
    "DIALECTS",
    "ExportReport",
    "NIRNetwork",
    "Numerics",
    "from_nir",
    "reference",
    "to_nir",
]
