"""The axes that an operator works on."""

from typing import Any

from nengo_dl.converter.keras_graph import LayerCall


def _all(call: LayerCall) -> tuple[int, ...]:
    axis, rank = call.layer.axis, len(call.inputs[0].shape)
    if axis is None:
        return tuple(range(rank))
    axes = axis if isinstance(axis, list | tuple) else (axis,)
    return tuple(int(a) % rank for a in axes)


def axes_of(call: LayerCall) -> tuple[int, ...]:
    """Return the axes that an operator works on, counted within the signal."""
    return tuple(sorted(axis - call.n_outer_axes for axis in _all(call)))


def signal_axes(call: LayerCall, converter: Any) -> str | None:
    """Say if an operator works along the minibatch or the time."""
    del converter
    if min(axes_of(call), default=0) < 0:
        return (
            "expected axes of the signal (got axis="
            f"{call.layer.axis}, which has the minibatch or the time)"
        )
    if call.outputs[0].dtype.startswith("complex"):
        return "expected real numbers (got complex ones)"
    return None
