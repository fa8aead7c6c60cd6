"""The normal distribution with mean `loc` and standard deviation `scale`, differentiable by all three arguments.

Shapes: x, loc and scale broadcast.
"""

from __future__ import annotations

from typing import Any

from cinta import _core
from cinta._core import Tensor
from cinta.numpy.promotion import float_of, pair

from ..special import log_ndtr, ndtr

_LOG_SQRT_2PI = 0.9189385332046727


def logpdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The logarithm of the density: -z^2 / 2 - log(scale sqrt(2 pi)), z = (x - loc) / scale.

    >>> round(logpdf(0.0).item(), 12)
    -0.918938533205
    """
    width = float_of(scale) if isinstance(scale, Tensor) else scale
    z = _standard(x, loc, width)
    return -0.5 * _core.square(z) - _core.log(float_of(width)).astype(z.dtype) - _LOG_SQRT_2PI


def pdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The density: exp(-z^2 / 2) / (scale sqrt(2 pi)), z = (x - loc) / scale.

    >>> round(pdf(0.0).item(), 12)
    0.398942280401
    """
    return _core.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The probability of a value not above x.

    >>> cdf(0.0).item()
    0.5
    """
    return ndtr(_standard(x, loc, scale))


def sf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The probability of a value above x, accurate far out.

    >>> sf(0.0).item()
    0.5
    """
    return ndtr(-_standard(x, loc, scale))


def logcdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The logarithm of the probability of a value not above x.

    >>> round(logcdf(0.0).item(), 12)
    -0.69314718056
    """
    return log_ndtr(_standard(x, loc, scale))


def logsf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The logarithm of the probability of a value above x.

    >>> round(logsf(0.0).item(), 12)
    -0.69314718056
    """
    return log_ndtr(-_standard(x, loc, scale))


def _standard(x: Any, loc: Any, scale: Any) -> Tensor:
    distance = _core.subtract(*pair(float_of(x), loc))
    return _core.divide(*pair(distance, scale))
