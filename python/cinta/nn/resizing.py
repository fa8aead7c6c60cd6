"""Functions that change the size of images: interpolation, and channels laid out as pixels."""

from __future__ import annotations

import math
from typing import Any

from cinta._core import Tensor, resample

_SMOOTH = ("linear", "bilinear", "bicubic")


def interpolate(
    x: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Images or sequences in another size.

    x [N, C, L] or [N, C, H, W], y [N, C, L'] or [N, C, H', W']; pixel i of y lies at (i + 1/2) / scale - 1/2 of x

    Args:
        size: of y, one number or one for each axis; or
        scale_factor: sizes are floor(scale_factor x's size); pixels lie as the factor says, not the rounded size.
        mode: "nearest" (as PyTorch and OpenCV round, towards the first pixel), "nearest-exact" (as scikit-image and
            Pillow do), "area" (the mean of what a new pixel covers), "linear" for [N, C, L], "bilinear" or "bicubic"
            (Keys, 1981, with a = -3/4) for [N, C, H, W].
        align_corners: the outermost pixels keep their places: pixel i lies at i (H - 1) / (H' - 1).
        recompute_scale_factor: pixels lie as the ratio of sizes says.
        antialias: when an image shrinks, filters as wide as the step, as Pillow's; a = -1/2 for "bicubic".

    Differentiable as often as one likes: it is linear. Errors: ValueError for another mode, rank or size, or options
    that do not go together.

    Example:
        >>> nn.functional.interpolate(ct.tensor([[[0.0, 1.0]]]), scale_factor=2, mode="linear").tolist()
        [[[0.0, 0.25, 0.75, 1.0]]]
        >>> nn.functional.interpolate(ct.ones((1, 3, 64, 48)), size=(32, 24), mode="bicubic", antialias=True).shape
        (1, 3, 32, 24)
    """
    axes = x.ndim - 2
    if axes not in (1, 2):
        raise ValueError(f"[interpolate] input has shape {list(x.shape)}, expected [N,C,L] or [N,C,H,W]")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"[interpolate] got size {size} and scale_factor {scale_factor}, expected one of them")
    if align_corners is not None and mode not in _SMOOTH:
        raise ValueError(f"[interpolate] got align_corners with mode {mode!r}, expected it with one of {_SMOOTH}")
    if recompute_scale_factor and size is not None:
        raise ValueError("[interpolate] got recompute_scale_factor with size, expected it with scale_factor")
    factors = None
    if size is None:
        factors = [float(f) for f in _each("scale_factor", scale_factor, axes)]
        if not all(0 < f < math.inf for f in factors):
            raise ValueError(f"[interpolate] scale_factor got {scale_factor}, expected numbers above 0")
        size = [math.floor(n * f) for n, f in zip(x.shape[2:], factors, strict=True)]
    scale = None if recompute_scale_factor else factors
    return resample(x, _each("size", size, axes), mode, scale, bool(align_corners), antialias)


def _each(name: str, given: Any, axes: int) -> list[Any]:
    values = list(given) if isinstance(given, (tuple, list)) else [given] * axes
    if len(values) != axes:
        raise ValueError(f"[interpolate] {name} got {given}, expected one number or {axes}")
    return values


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """Channels laid out as pixels: r^2 of them become a square of r x r.

    y[n, c, h r + i, w r + j] = x[n, c r^2 + i r + j, h, w], r = upscale_factor
    x [..., C r^2, H, W], y [..., C, H r, W r]

    Errors: ValueError where r^2 does not divide the channels.
    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
    Neural Network", 2016.

    Example:
        >>> nn.functional.pixel_shuffle(ct.arange(4.0).reshape(1, 4, 1, 1), 2).tolist()
        [[[[0.0, 1.0], [2.0, 3.0]]]]
    """
    r = _factor("pixel_shuffle", "upscale_factor", upscale_factor, x)
    *batch, channels, height, width = x.shape
    if channels % (r * r):
        raise ValueError(f"[pixel_shuffle] input has {channels} channels, expected a multiple of {r}^2")
    y = x.reshape(-1, channels // (r * r), r, r, height, width).transpose(0, 1, 4, 2, 5, 3)
    return y.reshape(*batch, channels // (r * r), height * r, width * r)


def pixel_unshuffle(x: Tensor, downscale_factor: int) -> Tensor:
    """Pixels laid out as channels, the inverse of `pixel_shuffle`.

    y[n, c r^2 + i r + j, h, w] = x[n, c, h r + i, w r + j], r = downscale_factor
    x [..., C, H r, W r], y [..., C r^2, H, W]

    Errors: ValueError where r does not divide height and width.

    Example:
        >>> nn.functional.pixel_unshuffle(ct.arange(4.0).reshape(1, 1, 2, 2), 2).tolist()
        [[[[0.0]], [[1.0]], [[2.0]], [[3.0]]]]
    """
    r = _factor("pixel_unshuffle", "downscale_factor", downscale_factor, x)
    *batch, channels, height, width = x.shape
    if height % r or width % r:
        raise ValueError(f"[pixel_unshuffle] images have {height}x{width} pixels, expected multiples of {r}")
    y = x.reshape(-1, channels, height // r, r, width // r, r).transpose(0, 1, 3, 5, 2, 4)
    return y.reshape(*batch, channels * r * r, height // r, width // r)


def _factor(function: str, name: str, factor: int, x: Tensor) -> int:
    if not isinstance(factor, int) or factor < 1:
        raise ValueError(f"[{function}] {name} got {factor!r}, expected an int >= 1")
    if x.ndim < 3:
        raise ValueError(f"[{function}] input has shape {list(x.shape)}, expected [..., C, H, W]")
    return factor
