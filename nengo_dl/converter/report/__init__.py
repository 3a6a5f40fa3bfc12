"""Reports on converted networks: activity, operations and errors on data.

`nengo_dl.Converter.report` runs the network and the Keras model; the `Report` is data.
"""

from nengo_dl.converter.fan_out import fan_out
from nengo_dl.converter.report.energy import DEVICES, Device, Energy
from nengo_dl.converter.report.operations import Counts
from nengo_dl.converter.report.report import (
    HardwareReport,
    LayerReport,
    OutputReport,
    Raster,
    Report,
)

__all__ = [
    "DEVICES",
    "Counts",
    "Device",
    "Energy",
    "HardwareReport",
    "LayerReport",
    "OutputReport",
    "Raster",
    "Report",
    "fan_out",
]
