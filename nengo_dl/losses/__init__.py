"""Losses for `Simulator.compile`, and for Keras models in general."""

from nengo_dl.losses.activity import RegularizeOverTime
from nengo_dl.losses.masked import nan_mse
from nengo_dl.losses.norms import Regularize
from nengo_dl.losses.over_time import CrossentropyOverTime, LossOverTime
from nengo_dl.over_time import AnySteps

__all__ = [
    "AnySteps",
    "CrossentropyOverTime",
    "LossOverTime",
    "Regularize",
    "RegularizeOverTime",
    "nan_mse",
]
