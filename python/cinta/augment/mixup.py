"""Mixup: images and labels blended with those of others of the batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import cinta as ct
from cinta._core import Tensor
from cinta.augment.draws import draw, probability
from cinta.augment.functional import mixup
from cinta.augment.transform import Transform


def symmetric_beta(samples: int, alpha: float) -> Tensor:
    """Numbers drawn from Beta(alpha, alpha), [N] float64, without rejection.

    T = sqrt(2 alpha (u^(-1 / alpha) - 1)) cos(2 pi v) has Student's distribution of 2 alpha degrees of freedom (Bailey
    1994), and (1 + T / sqrt(2 alpha + T^2)) / 2 the wanted one.
    """
    u = draw(samples, 2)
    radius = ct.minimum(ct.expm1(ct.log(1 - u[:, 0]) * (-1 / alpha)), 1e300)  # u^(-1 / alpha) may be infinite
    turn = ct.cos(2 * math.pi * u[:, 1])
    square = radius * turn * turn
    return (1 + ct.sign(turn) * ct.sqrt(square / (1 + square))) / 2


class Mixup(Transform):
    """Every image and its label blended with another of the batch, by a weight drawn for it from Beta(alpha, alpha).

    x = w x_i + (1 - w) x_j, y = w y_i + (1 - w) y_j with y one-hot, j from a random permutation of the batch

    alpha: small leaves most images nearly whole. num_classes: of integer labels [N]; labels [N,K] may be given as
    probabilities instead. p: with this probability, for every sample. The labels that come out, [N,K] in float32, are
    what `cross_entropy` takes as probabilities.
    Errors: ValueError without labels, for labels that do not fit, and for an alpha that is not above 0.
    Source: Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018.

    Example:
        >>> images, labels = augment.Mixup(alpha=0.2, num_classes=3)(ct.ones((4, 1, 2, 2)), ct.tensor([0, 1, 2, 0]))
        >>> labels.shape, labels.sum(1).numpy().round(6).tolist()
        ((4, 3), [1.0, 1.0, 1.0, 1.0])
    """

    def __init__(self, alpha: float = 0.2, num_classes: int | None = None, p: float = 1.0) -> None:
        if not (math.isfinite(alpha) and alpha > 0):
            raise ValueError(f"[Mixup] alpha got {alpha}, expected above 0")
        self.alpha, self.num_classes, self.p = float(alpha), num_classes, probability("Mixup", p)

    def apply(self, images: Any) -> Any:
        raise ValueError("[Mixup] got images without labels, expected both: mixup(images, labels)")

    def pair(self, images: Any, labels: Any) -> tuple[Any, Any]:
        y = labels if isinstance(labels, Tensor) else ct.asarray(np.asarray(labels))
        if y.ndim == 1:
            if self.num_classes is None:
                raise ValueError("[Mixup] got labels [N], expected num_classes= to make one-hot rows of them")
            y = ct.one_hot(y, self.num_classes, dtype="float32")
        samples = len(images)
        weight = symmetric_beta(samples, self.alpha)
        if self.p < 1:
            weight = ct.where(draw(samples, 1)[:, 0] < self.p, weight, 1.0)
        images, y = mixup(images, y, weight, ct.random.permutation(samples))
        return images, y if isinstance(labels, Tensor) else y.numpy()
