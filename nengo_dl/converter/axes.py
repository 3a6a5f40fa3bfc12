"""The axes that an operator works on."""

from typing import Any

from nengo_dl.converter.keras_graph import LayerCall
from nengo_dl.converter.options import Options


def axes_of(call: LayerCall) -> tuple[int, ...]:
    """Return the axes that an operator works on, counted within the signal."""
    return tuple(sorted(call.signal_axes(call.layer.axis)))


def outer_axis(call: LayerCall, axis: Any) -> str | None:
    """Say that an axis is no part of the signal; None if all are."""
    if min(call.signal_axes(axis), default=0) >= 0:
        return None
    return (
        f"expected axes of the signal (got axis={axis}, which has the minibatch or "
        "the time)"
    )


def signal_axes(call: LayerCall, options: Options) -> str | None:
    """Say if an operator works along the minibatch or the time."""
    del options
    reason = outer_axis(call, call.layer.axis)
    if reason is None and call.outputs[0].dtype.startswith("complex"):
        return "expected real numbers (got complex ones)"
    return reason
