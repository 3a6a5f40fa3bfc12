"""The axes that an operator works on."""

from typing import Any

from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.registry import outer_axis


def axes_of(call: LayerCall) -> tuple[int, ...]:
    """Return the axes that an operator works on, counted within the signal."""
    return tuple(sorted(call.signal_axes(call.layer.axis)))


def signal_axes(call: LayerCall, converter: Any) -> str | None:
    """Say if an operator works along the minibatch or the time."""
    del converter
    reason = outer_axis(call, call.layer.axis)
    if reason is None and call.outputs[0].dtype.startswith("complex"):
        return "expected real numbers (got complex ones)"
    return reason
