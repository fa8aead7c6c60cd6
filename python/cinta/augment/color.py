"""Random brightness and contrast."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor
from cinta.augment.draws import between, draw, interval
from cinta.augment.functional import adjust_brightness, adjust_contrast
from cinta.augment.functional.images import computed
from cinta.augment.transform import Transform


class ColorJitter(Transform):
    """Brightness and contrast changed by factors drawn for every sample, brightness first.

    brightness, contrast: d for factors from (max(0, 1 - d), 1 + d), or (low, high); 0 leaves them alone.
    bounds: (low, high) that results are held in; uint8 always in 0 to 255. Errors: ValueError for negative factors.
    Source: torchvision's ColorJitter.

    Example:
        >>> augment.ColorJitter(brightness=(0.5, 0.5))(ct.ones((1, 1, 1, 2))).tolist()
        [[[[0.5, 0.5]]]]
    """

    def __init__(self, brightness: Any = 0.0, contrast: Any = 0.0, bounds: tuple[float, float] | None = None) -> None:
        self.brightness, self.contrast = self._factors("brightness", brightness), self._factors("contrast", contrast)
        self.bounds = bounds

    def _factors(self, name: str, value: Any) -> tuple[float, float]:
        low, high = interval(self.name, name, value, around=True)
        if not isinstance(value, (tuple, list)):
            low, high = max(0.0, 1 + low), 1 + high
        if low < 0:
            raise ValueError(f"[{self.name}] {name} got {value}, expected factors that are not negative")
        return low, high

    def apply(self, images: Any) -> Any:
        u = draw(len(images), 2)
        bounds = (0.0, 255.0) if str(images.dtype) == "uint8" else self.bounds

        def jittered(x: Tensor) -> Tensor:
            if self.brightness != (1.0, 1.0):
                x = adjust_brightness(x, between(self.brightness, u[:, 0]), bounds)
            if self.contrast != (1.0, 1.0):
                x = adjust_contrast(x, between(self.contrast, u[:, 1]), bounds)
            return x

        return computed(self.name, images, jittered)
