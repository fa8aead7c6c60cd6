"""Images in another size."""

from __future__ import annotations

from typing import Any

import numpy as np

from cinta.augment.functional.images import computed, opened, pair
from cinta.nn.resizing import interpolate

INTERPOLATIONS = ("nearest", "nearest-exact", "bilinear", "bicubic")


def resize(images: Any, size: Any, interpolation: str = "bilinear", antialias: bool = True) -> Any:
    """Images [N,C,H,W] in another size.

    size: (height, width), or one number for the shorter side, the other in proportion. interpolation: "bilinear",
    "bicubic", "nearest-exact" (as Pillow's nearest) or "nearest". antialias: where images shrink, filters as wide as
    the step, as Pillow's. Errors: ValueError for another interpolation or sizes below 1.
    Source: torchvision's `resize`.

    Example:
        >>> resize(ct.zeros((8, 3, 60, 80)), 30).shape
        (8, 3, 30, 40)
    """
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"[resize] interpolation got {interpolation!r}, expected one of {INTERPOLATIONS}")
    x, _ = opened("resize", images)
    height, width = pair("resize", size)
    if np.ndim(size) == 0:
        shorter = min(x.shape[2:])
        height, width = (max(int(height * n / shorter), 1) for n in x.shape[2:])
    smooth = antialias and interpolation in ("bilinear", "bicubic")
    return computed("resize", images, lambda x: interpolate(x, (height, width), mode=interpolation, antialias=smooth))
