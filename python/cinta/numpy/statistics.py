"""Statistics: weighted averages, quantiles, covariances, and reductions that pass over what is not a number."""

from __future__ import annotations

from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

from .promotion import float_of, host, mean_float_of, refuse_out, tensor_of
from .reductions import Axis, max, min, prod, sum


def average(a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    """The weighted average sum_i w_i a_i / sum_i w_i, of all elements or along axes; both are differentiable.

    Shapes: weights as `a`, or one for each entry of a single `axis`. With `returned`, also the sum of the weights.

    >>> np.average([1.0, 3.0], weights=[3.0, 1.0]).item()
    1.5
    """
    values = mean_float_of(a)
    if weights is None:
        result = _core.mean(values, axis=axis, keepdims=keepdims)
        return (result, _core.full_like(result, values.size // (result.size or 1))) if returned else result
    w = mean_float_of(weights)
    if w.shape != values.shape:
        if not isinstance(axis, int) or w.shape != (values.shape[axis],):
            raise ValueError(
                f"[numpy.average] weights have shape {w.shape}, expected {values.shape}, or one weight for each entry "
                f"of axis {axis} (reshape them to the array's shape)"
            )
        w = w.reshape((-1,) + (1,) * (values.ndim - 1 - axis % values.ndim)).broadcast_to(values.shape)
    total = _core.sum(w, axis=axis, keepdims=keepdims)
    result = _core.sum(values * w, axis=axis, keepdims=keepdims) / total
    return (result, total) if returned else result


def quantile(a: Any, q: Any, axis: int | None = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """The value below which a fraction q of the elements lie, interpolated linearly between neighbours.

    Shapes: q (q...) gives (q..., n... without axis). Differentiable by `a`. ValueError for q outside [0, 1].

    >>> np.quantile([1.0, 2.0, 4.0], 0.75).item()
    3.0
    """
    refuse_out("quantile", out)
    fractions = numpy.asarray(host(q), dtype=float)
    if fractions.size and not (fractions.min() >= 0 and fractions.max() <= 1):
        raise ValueError(f"[numpy.quantile] got q = {q}, expected values in [0, 1] (divide percentages by 100)")
    values = mean_float_of(a)
    ordered = _core.sort(values.ravel() if axis is None else values, axis=0 if axis is None else axis)
    along = 0 if axis is None else axis
    place = fractions.ravel() * (ordered.shape[along] - 1)
    below = numpy.floor(place).astype(int)
    above = numpy.minimum(below + 1, ordered.shape[along] - 1)
    share = _core.asarray(place - below).astype(ordered.dtype)
    share = share.reshape((-1,) + (1,) * (ordered.ndim - 1))
    low = _core.take(ordered, _core.asarray(below), axis=along).moveaxis(along, 0)
    high = _core.take(ordered, _core.asarray(above), axis=along).moveaxis(along, 0)
    result = low + (high - low) * share
    rest = result.shape[1:]
    if keepdims:
        rest = (
            (1,) * values.ndim
            if axis is None
            else tuple(1 if i == along % values.ndim else n for i, n in enumerate(values.shape))
        )
    return result.reshape(fractions.shape + rest)


def percentile(a: Any, q: Any, axis: int | None = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """`quantile` of q / 100.

    >>> np.percentile([1.0, 2.0, 4.0], 75).item()
    3.0
    """
    return quantile(a, numpy.asarray(host(q)) / 100, axis, out, keepdims)


def median(a: Any, axis: int | None = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """The middle element, or the mean of the two in the middle, of all elements or along an axis.

    >>> np.median([1.0, 4.0, 2.0]).item()
    2.0
    """
    return quantile(a, 0.5, axis, out, keepdims)


def nansum(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """The sum of the elements that are numbers; shapes as `sum`.

    >>> np.nansum([1.0, np.nan]).item()
    1.0
    """
    return sum(_nan_as(a, 0), axis, dtype, out, keepdims)


def nanprod(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """The product of the elements that are numbers; shapes as `sum`.

    >>> np.nanprod([2.0, np.nan]).item()
    2.0
    """
    return prod(_nan_as(a, 1), axis, dtype, out, keepdims)


def nanmean(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """The average of the elements that are numbers; shapes as `sum`.

    >>> np.nanmean([1.0, np.nan, 3.0]).item()
    2.0
    """
    refuse_out("nanmean", out)
    values = mean_float_of(a, dtype)
    return _core.sum(_nan_as(values, 0), axis=axis, keepdims=keepdims) / _numbers(values, axis, keepdims)


def nanvar(
    a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: bool = False
) -> Tensor:
    """The variance of the elements that are numbers; shapes as `sum`.

    >>> np.nanvar([1.0, np.nan, 3.0]).item()
    1.0
    """
    refuse_out("nanvar", out)
    values = mean_float_of(a, dtype)
    squares = _core.square(_nan_as(values - nanmean(values, axis, keepdims=True), 0))
    return _core.sum(squares, axis=axis, keepdims=keepdims) / (_numbers(values, axis, keepdims) - ddof)


def nanstd(
    a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: bool = False
) -> Tensor:
    """The standard deviation of the elements that are numbers; shapes as `sum`.

    >>> np.nanstd([1.0, np.nan, 3.0]).item()
    1.0
    """
    return _core.sqrt(nanvar(a, axis, dtype, out, ddof, keepdims))


def nanmax(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """The largest of the elements that are numbers; minus infinity where there is none; shapes as `sum`.

    >>> np.nanmax([1.0, np.nan]).item()
    1.0
    """
    return max(_nan_as(a, -numpy.inf), axis, out, keepdims)


def nanmin(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest of the elements that are numbers; infinity where there is none; shapes as `sum`.

    >>> np.nanmin([1.0, np.nan]).item()
    1.0
    """
    return min(_nan_as(a, numpy.inf), axis, out, keepdims)


def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Tensor:
    """The covariance matrix of variables (rows, or columns unless `rowvar`): X X^T / (n - ddof), X centred.

    Shapes: m (variables, n) gives (variables, variables); m (n) gives a number.

    >>> np.cov([1.0, 3.0]).item()
    2.0
    """
    x = _variables(m, rowvar)
    if y is not None:
        x = _core.concat([x, _variables(y, rowvar)], axis=0)
    centred = x - _core.mean(x, axis=1, keepdims=True)
    ddof = (0 if bias else 1) if ddof is None else ddof
    return _core.squeeze(_core.matmul(centred, centred.T) / float(x.shape[1] - ddof))


def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Tensor:
    """The correlation matrix of variables: cov_ij / sqrt(cov_ii cov_jj).

    >>> round(np.corrcoef([1.0, 2.0], [2.0, 4.0])[0, 1].item(), 12)
    1.0
    """
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    deviations = _core.sqrt(_core.diagonal(c))
    return c / _core.outer(deviations, deviations)


def _variables(m: Any, rowvar: bool) -> Tensor:
    x = float_of(m)
    x = x.reshape(1, -1) if x.ndim < 2 else x
    return x if rowvar or x.shape[0] == 1 else x.T


def _nan_as(a: Any, value: float) -> Tensor:
    tensor = tensor_of(a)
    return _core.where(_core.isnan(tensor), value, tensor) if tensor.dtype.is_floating else tensor


def _numbers(values: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    return _core.sum((~_core.isnan(values)).astype(values.dtype), axis=axis, keepdims=keepdims)


__all__ = [
    "average",
    "corrcoef",
    "cov",
    "median",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
    "percentile",
    "quantile",
]
