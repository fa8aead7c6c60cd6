"""Random flips."""

from __future__ import annotations

from typing import Any

from cinta.augment.draws import draw, probability
from cinta.augment.functional import horizontal_flip, vertical_flip
from cinta.augment.transform import Transform


class RandomHorizontalFlip(Transform):
    """Left and right exchanged with probability p, for every sample.

    Errors: ValueError for p outside [0, 1].

    Example:
        >>> augment.RandomHorizontalFlip(p=1.0)(ct.arange(3.0).reshape(1, 1, 1, 3)).tolist()
        [[[[2.0, 1.0, 0.0]]]]
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability(self.name, p)

    def apply(self, images: Any) -> Any:
        return horizontal_flip(images, draw(len(images), 1)[:, 0] < self.p)


class RandomVerticalFlip(Transform):
    """Top and bottom exchanged with probability p, for every sample.

    Errors: ValueError for p outside [0, 1].

    Example:
        >>> augment.RandomVerticalFlip(p=1.0)(ct.arange(3.0).reshape(1, 1, 3, 1)).ravel().tolist()
        [2.0, 1.0, 0.0]
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability(self.name, p)

    def apply(self, images: Any) -> Any:
        return vertical_flip(images, draw(len(images), 1)[:, 0] < self.p)
