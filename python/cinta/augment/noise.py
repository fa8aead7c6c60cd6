"""Random noise in images."""

from __future__ import annotations

from typing import Any

from cinta.augment.draws import between, draw, interval
from cinta.augment.functional import gaussian_noise
from cinta.augment.transform import Transform


class GaussianNoise(Transform):
    """Normal noise added to every pixel, of a deviation drawn for every sample.

    sigma: one number, or (low, high) to draw from. bounds: (low, high) that results are held in; uint8 always in 0 to
    255, in whose units sigma then is. Errors: ValueError for a negative sigma.

    Example:
        >>> augment.GaussianNoise((0.0, 0.2), bounds=(0, 1))(ct.zeros((4, 1, 8, 8))).min().item()
        0.0
    """

    def __init__(self, sigma: Any = 0.1, mean: float = 0.0, bounds: tuple[float, float] | None = None) -> None:
        self.sigma, self.mean, self.bounds = interval(self.name, "sigma", sigma), mean, bounds
        if self.sigma[0] < 0:
            raise ValueError(f"[{self.name}] sigma got {sigma}, expected 0 or more")

    def apply(self, images: Any) -> Any:
        sigma = between(self.sigma, draw(len(images), 1)[:, 0])
        return gaussian_noise(images, sigma, self.mean, self.bounds)
