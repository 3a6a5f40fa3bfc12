"""Networks on models of real hardware: weights of few bits, or in analog devices.

The setting ``hardware`` of `.configure_settings`, or `convert`, puts weights and
encoders on a model of hardware. All methods of a `.Simulator`, and a `.NengoLayer`,
then compute with what the hardware makes of them, and training changes the weights
behind it.
"""

from nengo_dl.chips.devices import PCM, Device, PowerLaw
from nengo_dl.chips.reram import ReRAM
from nengo_dl.chips.weights import Hardware, Weights
from nengo_dl.hardware.networks import convert, remove
from nengo_dl.simulator.drift_report import DriftReport

__all__ = [
    "PCM",
    "Device",
    "DriftReport",
    "Hardware",
    "PowerLaw",
    "ReRAM",
    "Weights",
    "convert",
    "remove",
]
