"""Sums, averages, extremes and other numbers drawn from an array or along its axes."""

from __future__ import annotations

from typing import Any

from cinta import _core
from cinta._core import Tensor

from .promotion import mean_float_of, refuse_out, tensor_of

Axis = int | tuple[int, ...] | None


def sum(
    a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None,
    where: Any = True,
) -> Tensor:  # fmt: skip
    """The sum of all elements, or along axes: initial + sum_i a_i over those i where `where` is true.

    Shapes: (n...) without the summed axes, or with them as 1 where `keepdims`. Booleans and integers give int64.

    >>> np.sum(np.array([1.0, 2.0])).item()
    3.0
    """
    refuse_out("sum", out)
    total = _core.sum(_chosen(_summable(a, dtype), where, 0), axis=axis, keepdims=keepdims)
    return total if initial is None else total + _like(initial, total)


def prod(
    a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None,
    where: Any = True,
) -> Tensor:  # fmt: skip
    """The product of all elements, or along axes: initial * prod_i a_i; shapes and `where` as in `sum`.

    >>> np.prod(np.array([2.0, 3.0])).item()
    6.0
    """
    refuse_out("prod", out)
    total = _core.prod(_chosen(_summable(a, dtype), where, 1), axis=axis, keepdims=keepdims)
    return total if initial is None else total * _like(initial, total)


def mean(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """The average of all elements, or along axes: sum_i a_i / n; shapes as `sum`.

    >>> np.mean([1, 2]).item()
    1.5
    """
    refuse_out("mean", out)
    return _core.mean(mean_float_of(a, dtype), axis=axis, keepdims=keepdims)


def var(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The variance, of all elements or along axes: sum_i (a_i - mean)^2 / (n - ddof); shapes as `sum`.

    >>> np.var([1.0, 3.0]).item()
    1.0
    """
    refuse_out("var", out)
    return _core.var(mean_float_of(a, dtype), axis=axis, ddof=ddof, keepdims=keepdims)


def std(a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The standard deviation sqrt(var), of all elements or along axes; not differentiable where it is 0.

    >>> np.std([1.0, 3.0]).item()
    1.0
    """
    refuse_out("std", out)
    return _core.std(mean_float_of(a, dtype), axis=axis, ddof=ddof, keepdims=keepdims)


def max(
    a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Tensor:
    """The largest of the elements, all or along axes, where `where` is true, and of `initial`; shapes as `sum`.

    Errors: ValueError without `initial` for an empty array, or with `where`.

    >>> np.max([1.0, 3.0]).item()
    3.0
    """
    refuse_out("max", out)
    return _extreme("max", _core.max, _core.maximum, tensor_of(a), axis, keepdims, initial, where)


def min(
    a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Tensor:
    """The smallest of the elements, all or along axes, where `where` is true, and of `initial`; shapes as `sum`.

    Errors: ValueError without `initial` for an empty array, or with `where`.

    >>> np.min([1.0, 3.0]).item()
    1.0
    """
    refuse_out("min", out)
    return _extreme("min", _core.min, _core.minimum, tensor_of(a), axis, keepdims, initial, where)


amax, amin = max, min


def ptp(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """The range, largest minus smallest, of all elements or along axes; shapes as `sum`.

    >>> np.ptp([1.0, 3.0]).item()
    2.0
    """
    refuse_out("ptp", out)
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


def all(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are true, of the array or along axes.

    >>> np.all([True, False]).item()
    False
    """
    refuse_out("all", out)
    return _core.all(tensor_of(a), axis=axis, keepdims=keepdims)


def any(a: Any, axis: Axis = None, out: Any = None, keepdims: bool = False) -> Tensor:
    """Whether some element is true, in the array or along axes.

    >>> np.any([True, False]).item()
    True
    """
    refuse_out("any", out)
    return _core.any(tensor_of(a), axis=axis, keepdims=keepdims)


def count_nonzero(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """How many elements are not zero, in the array or along axes.

    >>> np.count_nonzero([1.0, 0.0, 2.0]).item()
    2
    """
    return _core.sum(tensor_of(a) != 0, axis=axis, keepdims=keepdims)


def argmax(a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Tensor:
    """The index of the (first) largest element: in the flattened array, or along an axis.

    >>> np.argmax([1.0, 3.0]).item()
    1
    """
    refuse_out("argmax", out)
    return _core.argmax(tensor_of(a), axis=axis, keepdims=keepdims)


def argmin(a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Tensor:
    """The index of the (first) smallest element: in the flattened array, or along an axis.

    >>> np.argmin([1.0, 3.0]).item()
    0
    """
    refuse_out("argmin", out)
    return _core.argmin(tensor_of(a), axis=axis, keepdims=keepdims)


def cumsum(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Tensor:
    """Running sums: of the flattened array, or along an axis.

    >>> print(np.cumsum([1, 2, 3]))
    [1 3 6]
    """
    refuse_out("cumsum", out)
    return _core.cumsum(_summable(a, dtype), axis=axis)


def cumprod(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Tensor:
    """Running products: of the flattened array, or along an axis.

    >>> print(np.cumprod([1, 2, 3]))
    [1 2 6]
    """
    refuse_out("cumprod", out)
    return _core.cumprod(_summable(a, dtype), axis=axis)


def _chosen(a: Tensor, where: Any, otherwise: Any) -> Tensor:
    return a if where is True else _core.where(where, a, otherwise)


def _like(value: Any, tensor: Tensor) -> Tensor:
    return tensor_of(value).astype(tensor.dtype)


def _extreme(
    name: str, reduce: Any, pair: Any, a: Tensor, axis: Axis, keepdims: bool, initial: Any, where: Any
) -> Tensor:
    if initial is None:
        if where is not True:
            raise ValueError(f"[numpy.{name}] got `where` without `initial`, expected both: nothing may be chosen")
        return reduce(a, axis=axis, keepdims=keepdims)
    first = _like(initial, a)
    if not a.size:  # of nothing but `initial`
        return _core.sum(a, axis=axis, keepdims=keepdims).astype(a.dtype) + first
    return pair(reduce(_chosen(a, where, first), axis=axis, keepdims=keepdims), first)


def _summable(a: Any, dtype: Any) -> Tensor:
    tensor = tensor_of(a)
    return tensor if dtype is None else tensor.astype(dtype)


__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "max",
    "mean",
    "min",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]
