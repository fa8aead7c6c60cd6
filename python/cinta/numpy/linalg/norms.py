"""Lengths of vectors and of matrices."""

from __future__ import annotations

from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

from ..promotion import mean_float_of
from .decompositions import svdvals


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The length of vectors or of matrices.

    Vectors (one axis): ord None or 2 is sqrt(sum x^2), 1 the sum and inf the largest of |x|, 0 counts, p is
    (sum |x|^p)^(1/p). Matrices (two axes): None or "fro" is sqrt(sum x^2), 1 and inf the largest column and row sum,
    2 and "nuc" the largest and the sum of the singular values. Without axis and ord, of all elements.
    Not differentiable where the 2-norm is 0.

    >>> np.linalg.norm([3.0, 4.0]).item()
    5.0
    """
    values = mean_float_of(x)
    if axis is None and (ord is None or (values.ndim == 2 and ord == "fro") or (values.ndim == 1 and ord == 2)):
        result = _core.sqrt(_core.sum(_core.square(values)))
        return result.reshape((1,) * values.ndim) if keepdims else result
    axes = tuple(range(values.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if len(axes) == 1:
        return _vector_norm(values, 2 if ord is None else ord, axes[0], keepdims)
    if len(axes) == 2:
        return _matrix_norm(values, "fro" if ord is None else ord, axes, keepdims)
    raise ValueError(
        f"[numpy.linalg.norm] got {len(axes)} axes, expected one for vectors or two for matrices (name axis)"
    )


def _vector_norm(x: Tensor, p: Any, axis: int, keepdims: bool) -> Tensor:
    if isinstance(p, str):
        raise ValueError(f"[numpy.linalg.norm] got ord {p!r} for vectors, expected a number")
    if p == 2:
        return _core.sqrt(_core.sum(_core.square(x), axis=axis, keepdims=keepdims))
    size = _core.abs(x)
    if p == numpy.inf:
        return _core.max(size, axis=axis, keepdims=keepdims)
    if p == -numpy.inf:
        return _core.min(size, axis=axis, keepdims=keepdims)
    if p == 0:
        return _core.sum((x != 0).astype(x.dtype), axis=axis, keepdims=keepdims)
    if p == 1:
        return _core.sum(size, axis=axis, keepdims=keepdims)
    return _core.sum(size ** float(p), axis=axis, keepdims=keepdims) ** (1.0 / p)


def _matrix_norm(x: Tensor, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    matrix = _core.moveaxis(x, axes, (-2, -1))
    if ord == "fro":
        result = _core.sqrt(_core.sum(_core.square(matrix), axis=(-2, -1)))
    elif ord in (1, -1, numpy.inf, -numpy.inf):
        sums = _core.sum(_core.abs(matrix), axis=-2 if abs(ord) == 1 else -1)
        result = _core.max(sums, axis=-1) if ord > 0 else _core.min(sums, axis=-1)
    elif ord in (2, -2, "nuc"):
        values = svdvals(matrix)
        result = _core.sum(values, axis=-1) if ord == "nuc" else values[..., 0 if ord == 2 else -1]
    else:
        raise ValueError(f"[numpy.linalg.norm] got ord {ord!r}, expected 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    if keepdims:
        places = {axis % x.ndim for axis in axes}
        result = result.reshape(tuple(1 if i in places else n for i, n in enumerate(x.shape)))
    return result


__all__ = [
    "norm",
]
