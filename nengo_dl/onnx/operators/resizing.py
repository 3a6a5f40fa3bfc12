"""Images of other sizes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators.resizing import (
    cubic_kernel,
    interpolation,
    linear_kernel,
    multiply_along,
    take_along,
)
from nengo_dl.exchange.registry import register
from nengo_dl.exchange.values import Value, item_shape
from nengo_dl.onnx.axes import axes_of

Places = Callable[[np.ndarray, int, int, float], np.ndarray]

# Where each new element is between the old ones, from its number, both lengths, and the
# scale
PLACES: Mapping[str, Places] = {
    "align_corners": lambda i, n, new, s: i * (n - 1) / max(new - 1, 1),
    "asymmetric": lambda i, n, new, s: i / s,
    "half_pixel": lambda i, n, new, s: (i + 0.5) / s - 0.5,
    "half_pixel_symmetric": lambda i, n, new, s: (
        n / 2 * (1 - new / (s * n)) + (i + 0.5) / s - 0.5
    ),
    "pytorch_half_pixel": lambda i, n, new, s: (
        (i + 0.5) / s - 0.5 if new > 1 else 0.0 * i
    ),
}
ROUNDING: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "ceil": np.ceil,
    "floor": np.floor,
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
}


@register(
    "onnx.Resize",
    keras="UpSampling, keras.ops.take, keras.ops.einsum",
    restrictions="spatial axes; no regions, no antialiasing",
)
def convert_resize(
    emit: Emitter,
    x,
    roi=None,
    scales=None,
    sizes=None,
    antialias=0,
    axes=None,
    coordinate_transformation_mode="half_pixel",
    cubic_coeff_a=-0.75,
    exclude_outside=0,
    extrapolation_value=0.0,
    keep_aspect_ratio_policy="stretch",
    mode="nearest",
    nearest_mode="round_prefer_floor",
):
    """Convert an interpolation."""
    del roi, extrapolation_value  # of the mode tf_crop_and_resize
    value, place = emit.value(x), PLACES.get(coordinate_transformation_mode)
    refused = antialias or keep_aspect_ratio_policy != "stretch"
    if place is None or refused or exclude_outside and mode == "cubic":
        raise InvalidValue(
            "expected a whole image, without antialiasing, and with its edges (got "
            f"{coordinate_transformation_mode}, {antialias=}, {exclude_outside=}, "
            f"{keep_aspect_ratio_policy})"
        )
    spatial = item_shape(value.shape)[1:]
    if sizes is not None:
        by_axis = _by_axis(sizes, axes, value.rank)
        new = [int(by_axis.get(i, n)) for i, n in enumerate(spatial, start=2)]
        ratios = [m / n for m, n in zip(new, spatial, strict=True)]
    else:
        by_axis = _by_axis(emit.constant(scales).tolist(), axes, value.rank)
        _check_channels(by_axis)
        ratios = [by_axis.get(i, 1.0) for i in range(2, value.rank)]
        new = [int(np.floor(n * r)) for n, r in zip(spatial, ratios, strict=True)]
        if coordinate_transformation_mode == "align_corners":
            _check_whole(spatial, ratios)
    arguments = zip(spatial, new, ratios, strict=True)
    places = [place(np.arange(m, dtype=float), n, m, r) for n, m, r in arguments]
    return _resized(emit, value, places, mode, nearest_mode, cubic_coeff_a)


def _resized(
    emit: Emitter,
    value: Value,
    places: Sequence[np.ndarray],
    mode: str,
    nearest_mode: str,
    a: float,
) -> Value:
    """Return an image with new elements at certain places between the old ones."""
    pairs = list(zip(item_shape(value.shape)[1:], places, strict=True))
    if mode == "nearest":
        rounding = ROUNDING[nearest_mode]
        return take_along(
            value, [np.clip(rounding(p), 0, n - 1).astype(int) for n, p in pairs], emit
        )
    kernel, reach = (cubic_kernel(a), 2) if mode == "cubic" else (linear_kernel, 1)
    matrices = [interpolation(n, each, kernel, reach) for n, each in pairs]
    return multiply_along(emit, value, matrices)


def _by_axis(
    given: Sequence[Any], axes: Sequence[int] | None, rank: int
) -> dict[int, Any]:
    chosen = axes_of(np.arange(rank) if axes is None else np.array(axes), rank)
    return dict(zip(chosen or (), given, strict=True))


def _check_channels(scales: Mapping[int, float]) -> None:
    if (scales.get(0, 1), scales.get(1, 1)) != (1, 1):
        raise InvalidValue(f"expected channels as they are (got scales {scales})")


def _check_whole(lengths: Sequence[int], scales: Sequence[float]) -> None:
    """Raise InvalidValue about lengths that runtimes round in different ways."""
    wanted = np.multiply(lengths, scales)
    if np.any(np.abs(wanted - np.round(wanted)) > 1e-4):
        raise InvalidValue(
            "expected scales to whole lengths with align_corners, as runtimes differ "
            f"about others (got {wanted})"
        )
