"""Resizing: every image in one size, whatever network comes after."""

from __future__ import annotations

from typing import Any

from cinta.augment.functional import resize
from cinta.augment.functional.images import pair
from cinta.augment.functional.resizing import INTERPOLATIONS
from cinta.augment.transform import Transform


class Resize(Transform):
    """Images in another size.

    size: (height, width), or one number for the shorter side, the other in proportion. interpolation: "bilinear",
    "bicubic", "nearest-exact" or "nearest". antialias: where images shrink, filters as wide as the step, as Pillow's.
    Errors: ValueError for another interpolation or sizes below 1. Source: torchvision's Resize.

    Example:
        >>> augment.Resize((32, 24))(ct.ones((8, 3, 60, 80))).shape
        (8, 3, 32, 24)
    """

    def __init__(self, size: Any, interpolation: str = "bilinear", antialias: bool = True) -> None:
        pair(self.name, size)
        if interpolation not in INTERPOLATIONS:
            raise ValueError(f"[Resize] interpolation got {interpolation!r}, expected one of {INTERPOLATIONS}")
        self.size, self.interpolation, self.antialias = size, interpolation, antialias

    def apply(self, images: Any) -> Any:
        return resize(images, self.size, self.interpolation, self.antialias)
