"""Elastic distortion."""

from __future__ import annotations

import math
from typing import Any

import cinta as ct
from cinta._core import Tensor
from cinta.augment.draws import between, draw, interval
from cinta.augment.functional.geometry import gaussian_blur
from cinta.augment.transform import Warp


class ElasticTransform(Warp):
    """Images pulled about like rubber: every pixel is taken from a place displaced by a smooth random field.

    (dx, dy) = alpha G_sigma * u, u drawn from (-1, 1) for every pixel, G_sigma a Gaussian that sums to 1

    alpha: pixels, one number or (low, high) to draw from for every sample; torchvision's counts half pixels. sigma: the
    deviation of the Gaussian in pixels. Outside of the image u is 0. With 34 and 4, as published for digits of 28x28,
    a pixel moves by about 1.4 in each direction.
    interpolation, padding_mode, fill: as in `RandomAffine`. Errors: ValueError for values out of range.
    Source: Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks", ICDAR 2003.

    Example:
        >>> augment.ElasticTransform(alpha=34, sigma=4)(ct.ones((16, 1, 28, 28))).shape
        (16, 1, 28, 28)
    """

    displaces = True

    def __init__(
        self,
        alpha: Any = 34.0,
        sigma: float = 4.0,
        interpolation: str = "bilinear",
        fill: float = 0.0,
        padding_mode: str = "constant",
    ) -> None:
        self.alpha, self.sigma = interval(self.name, "alpha", alpha), float(sigma)
        if self.alpha[0] < 0 or not (self.sigma > 0 and math.isfinite(self.sigma)):
            raise ValueError(f"[{self.name}] alpha got {alpha} and sigma {sigma}, expected 0 or more and above 0")
        self.sampling(interpolation, padding_mode, fill)

    def motion(self, images: Tensor) -> tuple[Tensor | None, Tensor | None]:
        samples, _, height, width = images.shape
        strength = between(self.alpha, draw(samples, 1)).astype("float32").reshape(-1, 1, 1, 1)
        field = ct.random.uniform(-1.0, 1.0, (samples, 2, height, width))
        return None, strength * gaussian_blur(field, self.sigma, padding_mode="constant")
