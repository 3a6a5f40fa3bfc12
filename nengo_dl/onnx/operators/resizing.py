"""Images of other sizes."""

from collections.abc import Callable, Mapping

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
from nengo_dl.onnx.folding import axes_of

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
    if place is None or antialias or keep_aspect_ratio_policy != "stretch":
        raise InvalidValue(
            "expected a whole image, without antialiasing (got "
            f"{coordinate_transformation_mode}, antialias {antialias})"
        )
    if coordinate_transformation_mode == "align_corners" and scales is not None:
        _check_whole(value.shape, emit.constant(scales), axes)
    if mode == "cubic" and exclude_outside:
        raise InvalidValue("expected exclude_outside 0 (got 1)")
    chosen = range(value.rank)
    if axes is not None:
        chosen = axes_of(np.array(axes), value.rank)
    lengths = [
        _lengths(emit, value, scales, sizes, *pair) for pair in enumerate(chosen)
    ]
    by_axis = dict(zip(chosen, lengths, strict=True))
    for axis in (0, 1):
        new, scale = by_axis.pop(axis, (value.shape[axis], 1.0))
        if scale != 1:
            raise InvalidValue(f"expected axis {axis} as it is (got {new} elements)")
    places = []
    for axis in range(2, value.rank):
        n = value.shape[axis]
        new, scale = by_axis.get(axis, (n, 1.0))
        places.append(np.asarray(place(np.arange(new, dtype=float), n, new, scale)))
    spatial = value.shape[2:]
    if mode == "nearest":
        rounded = [ROUNDING[nearest_mode](each) for each in places]
        pairs = zip(rounded, spatial, strict=True)
        return take_along(
            value, [np.clip(r, 0, n - 1).astype(int) for r, n in pairs], emit
        )
    kernel, reach = (linear_kernel, 1)
    if mode == "cubic":
        kernel, reach = cubic_kernel(cubic_coeff_a), 2
    matrices = [
        interpolation(n, each, kernel, reach)
        for n, each in zip(spatial, places, strict=True)
    ]
    return multiply_along(emit, value, matrices)


def _check_whole(shape, scales: np.ndarray, axes) -> None:
    """Raise InvalidValue about lengths that runtimes round in different ways."""
    lengths = [n or 1 for n in shape]
    lengths = lengths if axes is None else [lengths[axis] for axis in axes]
    wanted = np.array(lengths) * scales
    if np.any(np.abs(wanted - np.round(wanted)) > 1e-4):
        raise InvalidValue(
            "expected scales to whole lengths with align_corners, as runtimes differ "
            f"about others (got {wanted})"
        )


def _lengths(emit: Emitter, value, scales, sizes, i: int, axis: int):
    """Return the new length of an axis, and its ratio to the old one."""
    n = value.shape[axis]
    if sizes is not None:
        new = sizes[i] if isinstance(sizes, tuple) else emit.constant(sizes)[i]
        if new is None or n is None:
            return n, 1.0 if new is n else 0.0
        return int(new), int(new) / n
    scale = float(emit.constant(scales)[i])
    return (n, scale) if n is None else (int(np.floor(n * scale)), scale)
