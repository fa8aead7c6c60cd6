"""Pixels that change in place: brightness, contrast, noise, holes, and images blended with one another."""

from __future__ import annotations

from typing import Any

import numpy as np

import cinta as ct
from cinta._core import Tensor
from cinta.augment.functional.images import computed, opened, per_sample

_LUMINANCE = [0.2989, 0.587, 0.114]  # of red, green and blue: ITU-R BT.601, as in torchvision


def held(x: Tensor, bounds: tuple[float, float] | None) -> Tensor:
    return x if bounds is None else ct.clip(x, *bounds)


def _factors(op: str, name: str, value: Any, x: Tensor) -> Tensor:
    return per_sample(op, name, value, x.shape[0]).astype(x.dtype).reshape(-1, 1, 1, 1)


def adjust_brightness(images: Any, factor: Any, bounds: tuple[float, float] | None = None) -> Any:
    """Images times a factor, one or [N]; held within `bounds` where given, uint8 always within 0 to 255.

    images: [N,C,H,W]. Errors: ValueError for shapes that do not fit.

    Example:
        >>> adjust_brightness(ct.tensor([[[[0.2, 0.8]]]]), 1.5, bounds=(0, 1)).numpy().round(2).tolist()
        [[[[0.30000001192092896, 1.0]]]]
    """
    return computed(
        "adjust_brightness", images, lambda x: held(x * _factors("adjust_brightness", "factor", factor, x), bounds)
    )


def adjust_contrast(images: Any, factor: Any, bounds: tuple[float, float] | None = None) -> Any:
    """y = m + factor (x - m) with each image's mean m: 0 gives a grey image, 1 the image itself.

    images: [N,C,H,W]; of three channels m is the mean luminance 0.2989 R + 0.587 G + 0.114 B. factor: one or [N].
    bounds: as in `adjust_brightness`. Errors: ValueError for shapes that do not fit.

    Example:
        >>> adjust_contrast(ct.tensor([[[[0.0, 1.0]]]]), 0.5).tolist()
        [[[[0.25, 0.75]]]]
    """

    def adjusted(x: Tensor) -> Tensor:
        grey = x.mean((2, 3), keepdims=True)
        weights = ct.tensor(_LUMINANCE, dtype=x.dtype).reshape(1, 3, 1, 1) if x.shape[1] == 3 else None
        middle = grey.mean(1, keepdims=True) if weights is None else (grey * weights).sum(1, keepdims=True)
        return held(middle + _factors("adjust_contrast", "factor", factor, x) * (x - middle), bounds)

    return computed("adjust_contrast", images, adjusted)


def gaussian_noise(images: Any, sigma: Any, mean: float = 0.0, bounds: tuple[float, float] | None = None) -> Any:
    """Images plus numbers drawn from the normal distribution of `ct.random`, of deviation sigma, one or [N].

    images: [N,C,H,W]. bounds: as in `adjust_brightness`. Errors: ValueError for shapes that do not fit.

    Example:
        >>> float(gaussian_noise(ct.zeros((1, 1, 100, 100)), 0.5).std().numpy().round(1))
        0.5
    """

    def noisy(x: Tensor) -> Tensor:
        drawn = ct.random.normal(shape=x.shape, dtype=x.dtype) * _factors("gaussian_noise", "sigma", sigma, x)
        return held(x + (drawn + mean if mean else drawn), bounds)

    return computed("gaussian_noise", images, noisy)


def erase(images: Any, top: Any, left: Any, height: Any, width: Any, value: Any = 0.0) -> Any:
    """Images with a rectangle of each replaced by `value`; what lies beyond the image has no effect.

    images: [N,C,H,W]. top, left, height, width: in pixels, one or [N]. value: a number, or an array or tensor that
    broadcasts to the images. Errors: ValueError for shapes that do not fit.

    Example:
        >>> erase(ct.ones((1, 1, 2, 3)), 0, 1, 1, 5).tolist()
        [[[[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]]
    """
    x, give = opened("erase", images)
    first_row, first_column, rows, columns = (
        per_sample("erase", name, v, x.shape[0]).reshape(-1, 1, 1, 1)
        for name, v in (("top", top), ("left", left), ("height", height), ("width", width))
    )
    row = ct.arange(x.shape[2], dtype="float64").reshape(-1, 1)
    column = ct.arange(x.shape[3], dtype="float64")
    in_rows = ct.logical_and(row >= first_row, row < first_row + rows)
    in_columns = ct.logical_and(column >= first_column, column < first_column + columns)
    fill = value if isinstance(value, Tensor) else ct.asarray(np.asarray(value))
    return give(ct.where(ct.logical_and(in_rows, in_columns), fill.astype(x.dtype), x))


def mixup(images: Any, labels: Any, weight: Any, partner: Any) -> tuple[Any, Any]:
    """Images and labels blended with those of partners: y_n = w_n x_n + (1 - w_n) x_partner(n).

    images: [N,C,H,W]. labels: probabilities or one-hot rows [N,K], floating. weight: one or [N], 0 to 1. partner:
    indices [N]. Errors: ValueError for shapes that do not fit. Source: Zhang et al., "mixup: Beyond Empirical Risk
    Minimization", ICLR 2018.

    Example:
        >>> x, y = ct.tensor([0.0, 1.0]).reshape(2, 1, 1, 1), ct.eye(2)
        >>> blended, mixed = mixup(x, y, 0.75, ct.tensor([1, 0]))
        >>> blended.ravel().tolist(), mixed.tolist()
        ([0.25, 0.75], [[0.75, 0.25], [0.25, 0.75]])
    """
    y = labels if isinstance(labels, Tensor) else ct.asarray(np.asarray(labels))
    samples = len(images)
    if y.ndim != 2 or y.shape[0] != samples or not y.dtype.is_floating:
        raise ValueError(
            f"[mixup] labels have shape {y.shape} and dtype {y.dtype}, expected floating rows [{samples},K], one-hot "
            "or probabilities: ct.one_hot(labels, K) makes them"
        )
    share = per_sample("mixup", "weight", weight, samples)
    other = per_sample("mixup", "partner", partner, samples, "int64")

    def blended(x: Tensor) -> Tensor:
        w = share.astype(x.dtype).reshape(-1, *(1,) * (x.ndim - 1))
        return w * x + (1 - w) * ct.take(x, other, axis=0)

    rows = blended(y)
    return computed("mixup", images, blended), rows if isinstance(labels, Tensor) else rows.numpy()
