"""Arrays put together from pieces of several kinds: `insert`, `block`, and the short forms `r_` and `c_`."""

from __future__ import annotations

from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

from .creation import arange, linspace
from .joining import concatenate
from .promotion import host, tensor_of


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Tensor:
    """Values put before the places `obj` (a number, numbers or a slice) along an axis; without axis, all flattened.

    Shapes: values broadcast to one entry for each place; at a single place, to as many as they have themselves.

    >>> print(np.insert([1.0, 2.0], 1, 5.0))
    [1. 5. 2.]
    """
    array, new = tensor_of(arr), tensor_of(values)
    if axis is None:
        array, axis = array.ravel(), 0
    axis = range(array.ndim)[axis]
    length = array.shape[axis]
    places = numpy.arange(length)[obj] if isinstance(obj, slice) else numpy.asarray(host(obj))
    new = new.astype(array.dtype).reshape((1,) * (array.ndim - new.ndim) + tuple(new.shape))
    if places.ndim == 0:
        new = _core.moveaxis(new, 0, axis)
    count = new.shape[axis] if places.size == 1 else places.size
    new = _core.broadcast_to(new, (*array.shape[:axis], count, *array.shape[axis + 1 :]))
    order = numpy.insert(numpy.arange(length), places, numpy.arange(length, length + count))
    return _core.take(concatenate([array, new], axis), order, axis)


def block(arrays: Any) -> Tensor:
    """A matrix of blocks, given as nested lists: the innermost joined along the last axis, those along the one before.

    Shapes: blocks beside each other agree in all other axes; those with fewer axes get leading ones of size 1.

    >>> print(np.block([[np.eye(2), np.zeros((2, 1))], [np.ones((1, 3))]]))
    [[1. 0. 0.]
     [0. 1. 0.]
     [1. 1. 1.]]
    """

    def depth(x: Any) -> int:
        return 1 + max(map(depth, x)) if isinstance(x, list) and x else 0

    def axes(x: Any) -> int:
        return max(map(axes, x)) if isinstance(x, list) else tensor_of(x).ndim

    def join(x: Any, axis: int) -> Tensor:
        if isinstance(x, list):
            return concatenate([join(part, axis + 1) for part in x], axis)
        leaf = tensor_of(x)
        return leaf.reshape((1,) * (ndim - leaf.ndim) + tuple(leaf.shape))

    ndim = max(depth(arrays), axes(arrays))
    return join(arrays, -depth(arrays)) if isinstance(arrays, list) else tensor_of(arrays)


def _piece(item: Any) -> Tensor:
    """A slice as the range it names (its step, where imaginary, as a number of points); all else at least 1-d."""
    if isinstance(item, slice):
        start = 0 if item.start is None else item.start
        if isinstance(item.step, complex):
            return linspace(start, item.stop, round(abs(item.step)))
        return arange(start, item.stop, 1 if item.step is None else item.step)
    if isinstance(item, str):
        raise ValueError(f"[numpy.r_] got the directive {item!r}, expected slices, numbers or arrays (use stack)")
    tensor = tensor_of(item)
    return tensor.reshape(1) if tensor.ndim == 0 else tensor


class _Rows:
    """Joins slices, numbers and arrays along the first axis: `r_[0:3, 7, [8, 9]]`.

    >>> print(np.r_[0:3, 7, [8, 9]])
    [0 1 2 7 8 9]
    """

    def __getitem__(self, key: Any) -> Tensor:
        return concatenate([_piece(item) for item in (key if isinstance(key, tuple) else (key,))], 0)


class _Columns:
    """Joins slices, numbers and arrays as columns, along the last axis: `c_[[1, 2], [3, 4]]`.

    >>> print(np.c_[[1, 2], [3, 4]])
    [[1 3]
     [2 4]]
    """

    def __getitem__(self, key: Any) -> Tensor:
        pieces = [_piece(item) for item in (key if isinstance(key, tuple) else (key,))]
        return concatenate([x.reshape(-1, 1) if x.ndim == 1 else x for x in pieces], -1)


r_, c_ = _Rows(), _Columns()

__all__ = ["block", "c_", "insert", "r_"]
