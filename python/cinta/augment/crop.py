"""Windows of images: at random places, or in the middle."""

from __future__ import annotations

from typing import Any

import numpy as np

import cinta as ct
from cinta.augment.draws import checked_padding_mode, draw
from cinta.augment.functional import crop
from cinta.augment.functional.images import opened, pair
from cinta.augment.transform import Transform


class RandomCrop(Transform):
    """A window of every image at a place drawn for it.

    size: (height, width) or one number. padding: pixels around the image to choose from as well: one number,
    (x, y), or (left, top, right, bottom). pad_if_needed: as many as the window needs. padding_mode: "constant" (fill),
    "edge", "reflect" or "symmetric".
    Errors: ValueError for a window that is larger than the padded image. Source: torchvision's RandomCrop.

    Example:
        >>> augment.RandomCrop(32, padding=4)(ct.ones((8, 3, 32, 32))).shape
        (8, 3, 32, 32)
    """

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: float = 0.0,
        padding_mode: str = "constant",
    ) -> None:
        self.size, self.padding, self.pad_if_needed = pair(self.name, size), self._sides(padding), pad_if_needed
        self.fill, self.padding_mode = fill, checked_padding_mode(self.name, padding_mode)

    def _sides(self, padding: Any) -> tuple[int, int, int, int]:
        sides = (0,) if padding is None else tuple(int(p) for p in np.ravel(padding))
        if len(sides) not in (1, 2, 4) or min(sides) < 0:
            raise ValueError(f"[{self.name}] padding got {padding}, expected one, two or four numbers from 0 on")
        left, top, right, bottom = sides * (4 // len(sides))
        return left, top, right, bottom

    def apply(self, images: Any) -> Any:
        x, give = opened(self.name, images)
        samples, _, height, width = x.shape
        left, top, right, bottom = self.padding
        if self.pad_if_needed:
            more_y, more_x = max(self.size[0] - height - top - bottom, 0), max(self.size[1] - width - left - right, 0)
            left, right, top, bottom = left + more_x, right + more_x, top + more_y, bottom + more_y
        rows, columns = height + top + bottom - self.size[0], width + left + right - self.size[1]
        if rows < 0 or columns < 0:
            raise ValueError(
                f"[{self.name}] size is {self.size}, expected at most {(height + top + bottom, width + left + right)}, "
                "what the images have with their padding: give more padding or pad_if_needed=True"
            )
        u = draw(samples, 2)
        down, along = ct.floor(u[:, 0] * (rows + 1)) - top, ct.floor(u[:, 1] * (columns + 1)) - left
        return give(crop(x, down, along, self.size, padding_mode=self.padding_mode, fill=self.fill))


class CenterCrop(Transform):
    """The window in the middle of every image, where it is not smaller than that; else with zeros around it.

    size: (height, width) or one number. Source: torchvision's CenterCrop.

    Example:
        >>> augment.CenterCrop(2)(ct.arange(16.0).reshape(1, 1, 4, 4)).tolist()
        [[[[5.0, 6.0], [9.0, 10.0]]]]
    """

    def __init__(self, size: Any) -> None:
        self.size = pair(self.name, size)

    def apply(self, images: Any) -> Any:
        x, give = opened(self.name, images)
        top, left = ((n - size) // 2 for n, size in zip(x.shape[2:], self.size))
        return give(crop(x, top, left, self.size))
