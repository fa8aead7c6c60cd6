"""Random holes in images."""

from __future__ import annotations

import math
from typing import Any

import cinta as ct
from cinta.augment.draws import between, draw, interval, probability
from cinta.augment.functional import erase
from cinta.augment.functional.images import opened
from cinta.augment.transform import Transform


class RandomErasing(Transform):
    """A rectangle of every image replaced, with probability p; its place, area and shape are drawn for every sample.

    scale: its area as a part of the image, (low, high). ratio: height over width, (low, high), drawn evenly on a
    logarithmic scale. A side longer than the image is cut to it. value: a number, or "random" for normal noise.
    Errors: ValueError for values out of range. Source: Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.

    Example:
        >>> holes = augment.RandomErasing(p=1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0))
        >>> float(holes(ct.ones((1, 1, 8, 8))).sum())
        48.0
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: Any = 0.0,
    ) -> None:
        self.p = probability(self.name, p)
        self.scale, self.ratio = interval(self.name, "scale", scale), interval(self.name, "ratio", ratio)
        self.value = value
        if self.scale[0] < 0 or self.scale[1] > 1 or self.ratio[0] <= 0:
            raise ValueError(f"[{self.name}] scale got {scale} and ratio {ratio}, expected 0 to 1 and above 0")
        if isinstance(value, str) and value != "random":
            raise ValueError(f"[{self.name}] value got {value!r}, expected a number or 'random'")

    def apply(self, images: Any) -> Any:
        x, give = opened(self.name, images)
        samples, _, rows, columns = x.shape
        u = draw(samples, 5)
        area = between(self.scale, u[:, 0]) * (rows * columns)
        ratio = ct.exp(between((math.log(self.ratio[0]), math.log(self.ratio[1])), u[:, 1]))
        height = ct.clip(ct.round(ct.sqrt(area * ratio)), 0, rows) * (u[:, 4] < self.p)
        width = ct.clip(ct.round(ct.sqrt(area / ratio)), 0, columns)
        top, left = ct.floor(u[:, 2] * (rows - height + 1)), ct.floor(u[:, 3] * (columns - width + 1))
        value: Any = self.value
        if value == "random":
            value = ct.random.normal(shape=x.shape)
            if x.dtype == ct.uint8:
                value = ct.random.uniform(0, 256, x.shape)
        return give(erase(x, top, left, height, width, value))


class Cutout(Transform):
    """A square of every image replaced, its middle drawn evenly from all pixels: it may lie partly outside.

    size: its side in pixels. p: with this probability, for every sample.
    Errors: ValueError for values out of range. Source: DeVries and Taylor, "Improved Regularization of Convolutional
    Neural Networks with Cutout", 2017.

    Example:
        >>> bool(augment.Cutout(2)(ct.ones((1, 1, 8, 8))).sum() < 64)
        True
    """

    def __init__(self, size: int, p: float = 1.0, value: float = 0.0) -> None:
        if size < 1:
            raise ValueError(f"[{self.name}] size got {size}, expected at least 1 pixel")
        self.size, self.p, self.value = int(size), probability(self.name, p), value

    def apply(self, images: Any) -> Any:
        x, give = opened(self.name, images)
        samples, _, rows, columns = x.shape
        u = draw(samples, 3)
        top, left = ct.floor(u[:, 0] * rows) - self.size // 2, ct.floor(u[:, 1] * columns) - self.size // 2
        return give(erase(x, top, left, self.size * (u[:, 2] < self.p), self.size, self.value))
