"""Columns of mean 0 and variance 1: the first step of every training."""

from __future__ import annotations

from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor


class Scaling:
    """z = (x - mean) / scale, column by column; x, z [N, C]. A column that is constant keeps its scale."""

    def __init__(self, x: numpy.ndarray[Any, Any], weights: numpy.ndarray[Any, Any] | None) -> None:
        wide = x.astype(numpy.float64, copy=False)
        mean = numpy.average(wide, axis=0, weights=weights)
        scale = numpy.sqrt(numpy.average((wide - mean) ** 2, axis=0, weights=weights))
        # As small as rounding makes it where all values are the same.
        constant = scale <= 10 * numpy.finfo(x.dtype).eps * numpy.maximum(numpy.abs(mean), numpy.finfo(x.dtype).tiny)
        self._mean = _core.tensor(mean.astype(x.dtype))
        self._scale = _core.tensor(numpy.where(constant, 1.0, scale).astype(x.dtype))

    def __call__(self, x: Tensor) -> Tensor:
        return (x - self._mean) / self._scale

    def inverse(self, z: Tensor) -> Tensor:
        return z * self._scale + self._mean
