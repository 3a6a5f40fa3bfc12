"""The types of what `configure_settings` takes, for editors and type checkers."""

from collections.abc import Callable
from typing import Literal, TypedDict

from nengo_dl.surrogates import Surrogate


class SettingTypes(TypedDict, total=False):
    """All settings by name; `nengo_dl.config.Settings` says what they do."""

    trainable: bool | None
    keep_history: bool
    planner: Callable | None
    sorter: Callable | None
    simplifications: tuple[Callable, ...] | list[Callable] | None
    inference_only: bool
    lif_smoothing: float | None
    dtype: Literal["float32", "float64"]
    stateful: bool
    use_loop: bool
    learning_phase: bool | None
    jit_compile: bool | Literal["auto"]
    training_mode: Literal["rate", "spiking"]
    surrogate: Surrogate | Literal["fast_sigmoid", "arctan", "triangular", "rate"]
