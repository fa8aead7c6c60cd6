"""Pixels that move: affine maps and displacements in one resampling, flips, crops."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

import cinta as ct
from cinta._core import Tensor
from cinta.augment.functional.images import computed, opened, pair, per_sample


def affine_matrix(
    angle: Any = 0.0, translate: Any = (0.0, 0.0), scale: Any = 1.0, shear: Any = (0.0, 0.0), *, size: Any
) -> Tensor:
    """The matrices [N,2,3] of `affine` that turn, shift, scale and shear images about their middle.

    The image is sheared, scaled and turned about the centre c, then shifted: a pixel at q goes to
    T R S K (q - c) + c, so the pixel at p of the result comes from (R S K)^-1 (p - c - t) + c, which is M (p, 1).

    angle: degrees, clockwise. translate: (right, down) in pixels. scale: above 1 enlarges. shear: (x, y) in degrees.
    Each may be one number or one for every image, [N]. size: (H, W) of the images.
    Errors: ValueError for shapes that do not fit. Source: torchvision's `affine`, whose conventions these are.

    Example:
        >>> (affine_matrix(translate=(1, 0), scale=2.0, size=(3, 3)) + 0.0).tolist()
        [[[0.5, 0.0, 0.0], [0.0, 0.5, 0.5]]]
    """
    named = {"angle": angle, "translate": translate[0], "scale": scale, "shear": shear[0]}
    samples = max([int(np.prod(np.shape(v))) for v in (*named.values(), translate[1], shear[1]) if np.ndim(v)] or [1])

    def numbers(name: str, value: Any) -> Tensor:
        return per_sample("affine_matrix", name, value, samples)

    height, width = pair("affine_matrix", size)
    turn = numbers("angle", angle) * (np.pi / 180)
    right, down = numbers("translate", translate[0]), numbers("translate", translate[1])
    shear_x, shear_y = (numbers("shear", s) * (np.pi / 180) for s in shear)
    factor = numbers("scale", scale)
    slant = turn - shear_y
    # (R K)^-1, whose determinant is 1, over the scale
    across, up = ct.cos(slant) / ct.cos(shear_y), ct.sin(slant) / ct.cos(shear_y)
    a = (ct.cos(turn) - up * ct.tan(shear_x)) / factor
    b = (across * ct.tan(shear_x) + ct.sin(turn)) / factor
    c, d = -up / factor, across / factor
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    x, y = right + middle_x, down + middle_y
    rows = [a, b, middle_x - a * x - b * y, c, d, middle_y - c * x - d * y]
    return ct.stack(rows, axis=1).reshape(samples, 2, 3)


def after(first: Tensor, second: Tensor) -> Tensor:
    """The matrices of `affine` by `first` and then by `second`: where the second looks, the first has looked on."""
    linear = ct.matmul(first[:, :, :2], second[:, :, :2])
    shift = ct.matmul(first[:, :, :2], second[:, :, 2:]) + first[:, :, 2:]
    return ct.concat([linear, shift], axis=2)


def affine(
    images: Any,
    matrices: Any,
    *,
    displacement: Any = None,
    size: Any = None,
    interpolation: str = "bilinear",
    padding_mode: str = "constant",
    fill: float = 0.0,
) -> Any:
    """Images under affine maps, and perhaps displaced as well, in one resampling.

    y[n,c,i,j] = x[n,c] at (px, py) = M_n (j + dx, i + dy, 1)

    images: [N,C,H,W], floating or uint8 (rounded). matrices: [2,3] or [N,2,3], from pixels of the result to pixels of
    the image, x before y, counted from the centre of the first pixel. displacement: (dx, dy) as [N,2,OH,OW].
    size: (OH, OW) of the result, the images' by default. interpolation: "bilinear" or "nearest". padding_mode: what
    lies beyond the image: "constant" (fill), "edge", "reflect" or "symmetric", as in NumPy's `pad`.
    Errors: ValueError for shapes and names that do not fit, TypeError for other dtypes.

    Example:
        >>> image = ct.tensor([[[[1.0, 2.0, 3.0]]]])
        >>> affine(image, [[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]], padding_mode="edge").tolist()
        [[[[1.5, 2.5, 3.0]]]]
    """
    size = None if size is None else pair("affine", size)
    if not (isinstance(matrices, Tensor) and matrices.dtype.is_floating):
        matrices = ct.asarray(np.asarray(matrices, np.float64))
    return computed(
        "affine", images, lambda x: ct.warp(x, matrices, displacement, size, interpolation, padding_mode, fill)
    )


def elastic(
    images: Any,
    displacement: Any,
    *,
    interpolation: str = "bilinear",
    padding_mode: str = "constant",
    fill: float = 0.0,
) -> Any:
    """Images whose pixels are taken from displaced places: y[n,c,i,j] = x[n,c] at (j + dx, i + dy).

    images: [N,C,H,W], floating or uint8. displacement: (dx, dy) in pixels, [N,2,H,W]. The rest and errors: as `affine`.

    Example:
        >>> image = ct.tensor([[[[1.0, 2.0, 3.0]]]])
        >>> elastic(image, ct.tensor([[[[1.0, 0.0, -2.0]], [[0.0, 0.0, 0.0]]]])).tolist()
        [[[[2.0, 2.0, 1.0]]]]
    """
    how = (None, interpolation, padding_mode, fill)
    return computed("elastic", images, lambda x: ct.warp(x, None, displacement, *how))


@lru_cache(maxsize=64)
def _smoothing(n: int, sigma: float, padding_mode: str) -> np.ndarray:
    """The matrix [n,n] that smooths a line of n pixels: the Gaussian to 4 sigma, with what it sees beyond the ends."""
    radius = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma, 1e-12)) ** 2)
    reach = np.arange(n)[:, None] + np.arange(-radius, radius + 1)
    matrix = np.zeros((n, n))
    if padding_mode == "constant":
        inside = (reach >= 0) & (reach < n)
    else:
        source = np.pad(np.arange(n), radius, mode=padding_mode)  # type: ignore[call-overload]
        reach, inside = source[reach + radius], np.ones(reach.shape, bool)
    weights = np.broadcast_to(kernel / kernel.sum(), reach.shape)
    np.add.at(matrix, (np.broadcast_to(np.arange(n)[:, None], reach.shape)[inside], reach[inside]), weights[inside])
    return matrix


def gaussian_blur(images: Any, sigma: float, *, padding_mode: str = "reflect") -> Any:
    """Images smoothed by a Gaussian of standard deviation sigma, in pixels, cut off at 4 sigma.

    Both axes are products with one matrix each, so that every edge is exact: "constant" (0 beyond it), "edge",
    "reflect" or "symmetric", as in NumPy's `pad`. images: [N,C,H,W], floating or uint8.
    Errors: ValueError for a negative sigma or another mode.

    Example:
        >>> spot = ct.zeros((1, 1, 5, 5))
        >>> spot[0, 0, 2, 2] = 1.0
        >>> [round(v, 3) for v in gaussian_blur(spot, 0.5)[0, 0, 2].tolist()]
        [0.0, 0.084, 0.619, 0.084, 0.0]
    """
    if not (np.isfinite(sigma) and sigma >= 0):
        raise ValueError(f"[gaussian_blur] sigma got {sigma}, expected 0 or more pixels")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(
            f"[gaussian_blur] padding_mode got {padding_mode!r}, expected 'constant', 'edge', 'reflect' or 'symmetric'"
        )

    def smoothed(x: Tensor) -> Tensor:
        rows, columns = (ct.asarray(_smoothing(n, float(sigma), padding_mode)).astype(x.dtype) for n in x.shape[2:])
        return ct.matmul(rows, ct.matmul(x, columns.T))

    return computed("gaussian_blur", images, smoothed)


def _flipped(op: str, images: Any, which: Any, axis: int) -> Any:
    x, give = opened(op, images)
    if which is None:
        return give(ct.flip(x, axis))
    chosen = per_sample(op, "which", which, x.shape[0], "bool").astype("float64")
    sign, start, one, zero = 1 - 2 * chosen, (x.shape[axis] - 1) * chosen, ct.ones_like(chosen), ct.zeros_like(chosen)
    rows = [sign, zero, start, zero, one, zero] if axis == 3 else [one, zero, zero, zero, sign, start]
    matrices = ct.stack(rows, axis=1).reshape(-1, 2, 3)
    return computed(op, images, lambda x: ct.warp(x, matrices, interpolation="nearest"))


def horizontal_flip(images: Any, which: Any = None) -> Any:
    """Images [N,C,H,W] with left and right exchanged: all, or those where `which` [N] is True.

    Errors: ValueError for shapes that do not fit.

    Example:
        >>> horizontal_flip(ct.tensor([[[[1.0, 2.0]]], [[[3.0, 4.0]]]]), [True, False]).tolist()
        [[[[2.0, 1.0]]], [[[3.0, 4.0]]]]
    """
    return _flipped("horizontal_flip", images, which, 3)


def vertical_flip(images: Any, which: Any = None) -> Any:
    """Images [N,C,H,W] with top and bottom exchanged: all, or those where `which` [N] is True.

    Errors: ValueError for shapes that do not fit.

    Example:
        >>> vertical_flip(ct.tensor([[[[1.0], [2.0]]]])).tolist()
        [[[[2.0], [1.0]]]]
    """
    return _flipped("vertical_flip", images, which, 2)


def crop(images: Any, top: Any, left: Any, size: Any, *, padding_mode: str = "constant", fill: float = 0.0) -> Any:
    """Windows of images: y[n,c,i,j] = x[n,c, top_n + i, left_n + j], which may reach beyond the image.

    images: [N,C,H,W], floating or uint8. top, left: whole numbers, one or [N]. size: (height, width) of the window.
    padding_mode, fill: what lies beyond, as in `affine`. Errors: ValueError for shapes that do not fit.

    Example:
        >>> crop(ct.arange(9.0).reshape(1, 1, 3, 3), 1, -1, 2).tolist()
        [[[[0.0, 3.0], [0.0, 6.0]]]]
    """
    size = pair("crop", size)

    def window(x: Tensor) -> Tensor:
        right, down = (per_sample("crop", name, v, x.shape[0]) for name, v in (("left", left), ("top", top)))
        one, zero = ct.ones_like(right), ct.zeros_like(right)
        matrices = ct.stack([one, zero, right, zero, one, down], axis=1).reshape(-1, 2, 3)
        return ct.warp(x, matrices, None, size, "nearest", padding_mode, fill)

    return computed("crop", images, window)
