"""Making arrays: from values, by rule, on a grid. Python floats give float64, as in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

from .promotion import float_of, host, mean_float_of, numpy_dtype, tensor_of

Shape = int | Sequence[int]


def array(object: Any, dtype: Any = None, *, copy: bool = True, ndmin: int = 0) -> Tensor:
    """A new array of the given values; of tensors, or lists that hold tensors, a differentiable copy.

    >>> np.array([1.0, 2.0]).dtype == np.float64
    True
    """
    result = tensor_of(object)
    if dtype is not None and result.dtype != _core.asarray(numpy.empty(0, numpy_dtype(dtype))).dtype:
        result = result.astype(dtype)
    elif copy:
        result = result.clone()
    return result.reshape((1,) * (ndmin - result.ndim) + result.shape) if result.ndim < ndmin else result


def asarray(a: Any, dtype: Any = None) -> Tensor:
    """The values as an array, without a copy where there is an array already.

    >>> x = np.asarray([1.0, 2.0])
    >>> np.asarray(x) is x
    True
    """
    return a if isinstance(a, Tensor) and dtype is None else array(a, dtype, copy=False)


def copy(a: Any) -> Tensor:
    """A copy, differentiable.

    >>> print(np.copy([1.0, 2.0]))
    [1. 2.]
    """
    return array(a)


def zeros(shape: Shape, dtype: Any = float) -> Tensor:
    """An array of zeros, float64 unless told.

    >>> print(np.zeros(2))
    [0. 0.]
    """
    return _core.zeros(_shape(shape), dtype=numpy_dtype(dtype))


def ones(shape: Shape, dtype: Any = float) -> Tensor:
    """An array of ones, float64 unless told.

    >>> print(np.ones(2))
    [1. 1.]
    """
    return _core.ones(_shape(shape), dtype=numpy_dtype(dtype))


def empty(shape: Shape, dtype: Any = float) -> Tensor:
    """An array whose values are not set yet, float64 unless told.

    >>> np.empty((2, 3)).shape
    (2, 3)
    """
    return _core.empty(_shape(shape), dtype=numpy_dtype(dtype))


def full(shape: Shape, fill_value: Any, dtype: Any = None) -> Tensor:
    """An array of one value, or of an array broadcast to the shape; differentiable by the value.

    >>> print(np.full(2, 7.0))
    [7. 7.]
    """
    return array(array(fill_value, dtype, copy=False).broadcast_to(_shape(shape)))


def zeros_like(a: Any, dtype: Any = None) -> Tensor:
    """Zeros with the shape and dtype of another array.

    >>> print(np.zeros_like([1.0, 2.0]))
    [0. 0.]
    """
    return _core.zeros_like(tensor_of(a), dtype=dtype)


def ones_like(a: Any, dtype: Any = None) -> Tensor:
    """Ones with the shape and dtype of another array.

    >>> print(np.ones_like([1.0, 2.0]))
    [1. 1.]
    """
    return _core.ones_like(tensor_of(a), dtype=dtype)


def empty_like(a: Any, dtype: Any = None) -> Tensor:
    """An array not set yet, with the shape and dtype of another.

    >>> np.empty_like([1.0, 2.0]).shape
    (2,)
    """
    return _core.empty_like(tensor_of(a), dtype=dtype)


def full_like(a: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """One value in the shape and dtype of another array.

    >>> print(np.full_like([1.0, 2.0], 7))
    [7. 7.]
    """
    like = tensor_of(a)
    return full(like.shape, fill_value, like.dtype if dtype is None else dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Tensor:
    """Evenly spaced values start, start + step, ... below stop.

    >>> print(np.arange(3))
    [0 1 2]
    """
    start, stop, step = host(start), host(stop), host(step)
    values = numpy.arange(start, step=step) if stop is None else numpy.arange(start, stop, step)
    return _core.asarray(values if dtype is None else values.astype(numpy_dtype(dtype)))


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    """`num` evenly spaced values from start to stop, differentiable by both: start + k (stop - start) / (num - 1).

    Shapes: start and stop broadcast to (s...); the result is (num, s...), num moved to `axis`.

    >>> print(np.linspace(0, 1, 3))
    [0.  0.5 1. ]
    """
    if not isinstance(start, Tensor) and not isinstance(stop, Tensor):
        values, step = numpy.linspace(start, stop, num, endpoint, retstep=True, axis=axis)
        result = _core.asarray(values) if dtype is None else _core.asarray(values.astype(numpy_dtype(dtype)))
        return (result, step) if retstep else result
    first, last = mean_float_of(start), mean_float_of(stop)
    intervals = num - 1 if endpoint else num
    spacing = (last - first) / max(intervals, 1)
    fractions = _core.asarray(numpy.arange(num) / max(intervals, 1)).astype(spacing.dtype)
    fractions = fractions.reshape((num,) + (1,) * spacing.ndim)
    # the two ends are met exactly, and each is differentiated
    points = (first * (1 - fractions) + last * fractions).moveaxis(0, axis)
    points = points if dtype is None else points.astype(dtype)
    return (points, spacing) if retstep else points


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None
) -> Tensor:
    """`num` values evenly spaced on a log scale: base ** linspace(start, stop).

    >>> print(np.logspace(0, 2, 3))
    [  1.  10. 100.]
    """
    powers = _core.power(float_of(base), linspace(start, stop, num, endpoint))
    return powers if dtype is None else powers.astype(dtype)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True) -> Tensor:
    """`num` positive values in a geometric sequence from start to stop.

    >>> [round(float(v), 9) for v in np.geomspace(1, 100, 3)]
    [1.0, 10.0, 100.0]
    """
    return _core.exp(linspace(_core.log(float_of(start)), _core.log(float_of(stop)), num, endpoint))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = float) -> Tensor:
    """An N x M matrix with ones on diagonal k.

    >>> print(np.eye(2))
    [[1. 0.]
     [0. 1.]]
    """
    return _core.eye(N, N if M is None else M, k, dtype=numpy_dtype(dtype))


def identity(n: int, dtype: Any = float) -> Tensor:
    """The n x n identity matrix.

    >>> print(np.identity(2))
    [[1. 0.]
     [0. 1.]]
    """
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = float) -> Tensor:
    """An N x M matrix of ones on and below diagonal k, zeros above.

    >>> print(np.tri(2))
    [[1. 0.]
     [1. 1.]]
    """
    return _core.asarray(numpy.tri(N, M, k, numpy_dtype(dtype)))


def meshgrid(*xi: Any, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Coordinate matrices of vectors: every combination, one array for each vector.

    Shapes: vectors (n1), (n2), ... give (n2, n1, ...) for `xy`, (n1, n2, ...) for `ij`.

    >>> x, y = np.meshgrid([1.0, 2.0], [3.0])
    >>> print(x, y)
    [[1. 2.]] [[3. 3.]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"[numpy.meshgrid] got indexing {indexing!r}, expected 'xy' or 'ij'")
    vectors = [tensor_of(x).ravel() for x in xi]
    shape = tuple(v.size for v in vectors)
    grids = [
        v.reshape((1,) * i + (-1,) + (1,) * (len(vectors) - i - 1)).broadcast_to(shape) for i, v in enumerate(vectors)
    ]
    if indexing == "xy" and len(grids) > 1:
        grids = [grid.swapaxes(0, 1) for grid in grids]
    return tuple(array(grid) for grid in grids)


def _shape(shape: Shape) -> tuple[int, ...]:
    return tuple(index(n) for n in shape) if isinstance(shape, Sequence) else (index(shape),)


__all__ = [
    "arange",
    "array",
    "asarray",
    "copy",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "geomspace",
    "identity",
    "linspace",
    "logspace",
    "meshgrid",
    "ones",
    "ones_like",
    "tri",
    "zeros",
    "zeros_like",
]
