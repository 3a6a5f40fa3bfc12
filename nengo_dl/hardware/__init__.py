"""Networks on models of real hardware: few bits, analog devices, noisy products.

The setting ``hardware`` of `.configure_settings`, or `convert`, puts weights and
encoders on a model of hardware. All methods of a `.Simulator`, and a `.NengoLayer`,
then compute with what the hardware makes of them, and training changes the weights
behind it.
"""

from nengo_dl.chips.devices import PCM, Device, PowerLaw
from nengo_dl.chips.limits import LOIHI, ChipLimits
from nengo_dl.chips.pulses import ConstantStep, GokmenVlasov, SoftBounds
from nengo_dl.chips.reram import ReRAM
from nengo_dl.chips.tiles import Tile
from nengo_dl.chips.weights import Hardware, Weights
from nengo_dl.hardware.chip_report import ChipReport, CoreUse, check
from nengo_dl.hardware.loihi_networks import loihi
from nengo_dl.hardware.networks import convert, remove
from nengo_dl.hardware.pulsed_sgd import PulsedSGD
from nengo_dl.simulator.drift_report import DriftReport

__all__ = [
    "LOIHI",
    "PCM",
    "ChipLimits",
    "ChipReport",
    "ConstantStep",
    "CoreUse",
    "Device",
    "DriftReport",
    "GokmenVlasov",
    "Hardware",
    "PowerLaw",
    "PulsedSGD",
    "ReRAM",
    "SoftBounds",
    "Tile",
    "Weights",
    "check",
    "convert",
    "loihi",
    "remove",
]
