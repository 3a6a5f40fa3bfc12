"""Images of other sizes."""

import numpy as np

from nengo_dl.errors import InvalidValue
from nengo_dl.exchange.emitter import Emitter
from nengo_dl.exchange.operators import resizing, shapes
from nengo_dl.exchange.registry import register


def _scales(emit: Emitter, lengths, output_size, scale_factors):
    """Return how many elements of the input one of the output is, for each axis."""
    (shape,) = emit.node.shapes
    pairs = list(zip(lengths, shape[2:], strict=True))
    if output_size is None and scale_factors is not None:
        return [(n, m, 1 / s) for (n, m), s in zip(pairs, scale_factors, strict=True)]
    return [(n, m, n / m) for n, m in pairs]


@register(
    "aten.upsample_nearest1d.vec",
    "aten.upsample_nearest2d.vec",
    "aten.upsample_nearest3d.vec",
    keras="UpSampling1D, UpSampling2D, UpSampling3D, keras.ops.take",
)
def convert_nearest(emit: Emitter, x, output_size=None, scale_factors=None):
    """Convert up-sampling by the nearest neighbour."""
    value = emit.value(x)
    found = _scales(emit, value.shape[2:], output_size, scale_factors)
    indices = [
        # as PyTorch has it: in single precision
        np.minimum(
            np.floor(np.arange(m, dtype=np.float32) * np.float32(scale)).astype(int),
            n - 1,
        )
        for n, m, scale in found
    ]
    return resizing.take_along(value, indices, emit)


@register(
    "aten.upsample_linear1d.vec",
    "aten.upsample_bilinear2d.vec",
    "aten.upsample_trilinear3d.vec",
    keras="keras.ops.einsum",
)
def convert_linear(emit: Emitter, x, output_size, align_corners, scale_factors=None):
    """Convert linear interpolation."""
    value = emit.value(x)
    matrices = []
    for n, m, scale in _scales(emit, value.shape[2:], output_size, scale_factors):
        places = _places(n, m, scale, align_corners)
        places = np.clip(places, 0, n - 1)
        matrices.append(resizing.interpolation(n, places, resizing.linear_kernel, 1))
    return resizing.multiply_along(emit, value, matrices)


@register("aten.upsample_bicubic2d.vec", keras="keras.ops.einsum")
def convert_cubic(emit: Emitter, x, output_size, align_corners, scale_factors=None):
    """Convert cubic interpolation."""
    value = emit.value(x)
    matrices = []
    for n, m, scale in _scales(emit, value.shape[2:], output_size, scale_factors):
        places = _places(n, m, scale, align_corners)
        kernel = resizing.cubic_kernel()
        matrices.append(resizing.interpolation(n, places, kernel, 2))
    return resizing.multiply_along(emit, value, matrices)


def _places(n: int, m: int, scale: float, align_corners: bool) -> np.ndarray:
    """Return where between the elements of the input those of the output are."""
    if align_corners:
        return np.arange(m) * ((n - 1) / (m - 1) if m > 1 else 0.0)
    return (np.arange(m) + 0.5) * scale - 0.5


@register("aten.pixel_shuffle.default", keras="keras.ops.reshape, keras.ops.transpose")
def convert_pixel_shuffle(emit: Emitter, x, upscale_factor):
    """Convert channels that move into space."""
    return shapes.shuffle_pixels(emit, emit.value(x), upscale_factor)


@register(
    "aten.pixel_unshuffle.default", keras="keras.ops.reshape, keras.ops.transpose"
)
def convert_pixel_unshuffle(emit: Emitter, x, downscale_factor):
    """Convert space that moves into channels."""
    return shapes.unshuffle_pixels(emit, emit.value(x), downscale_factor)


@register("aten.channel_shuffle.default", keras="keras.ops.take")
def convert_channel_shuffle(emit: Emitter, x, groups):
    """Convert channels in another order."""
    value = emit.value(x)
    if value.batch != 0 or value.rank < 3:
        raise InvalidValue(f"expected an image (got shape {value.shape})")
    return shapes.shuffle_channels(emit, value, groups)
