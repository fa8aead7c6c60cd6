"""Elements chosen by index, condition or order, and the triangles and diagonals of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

from .promotion import host, pair, refuse_out, tensor_of


def take(a: Any, indices: Any, axis: int | None = None, out: Any = None) -> Tensor:
    """The elements at `indices` along an axis; without axis, of the flattened array.

    Shapes: the axis is replaced by the shape of `indices`. IndexError outside.

    >>> print(np.take([10, 20, 30], [2, 0]))
    [30 10]
    """
    refuse_out("take", out)
    return _core.take(tensor_of(a), tensor_of(indices), axis=axis)


def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Tensor:
    """For each position the element of its own index along an axis: out[i, j] = arr[i, indices[i, j]].

    >>> print(np.take_along_axis([[1, 2], [3, 4]], [[1], [0]], 1))
    [[2]
     [3]]
    """
    array, index = tensor_of(arr), tensor_of(indices)
    return _core.take_along_axis(array.ravel() if axis is None else array, index, axis=0 if axis is None else axis)


def where(condition: Any, *choices: Any) -> Any:
    """x where the condition holds, y elsewhere, shapes broadcast; with the condition alone, `nonzero` of it.

    Gradient: each of x and y gets it where it was chosen.

    >>> print(np.where(np.array([True, False]), 1.0, 2.0))
    [1. 2.]
    """
    if not choices:
        return nonzero(condition)
    if len(choices) != 2:
        raise TypeError(f"[numpy.where] got {len(choices)} choices, expected both x and y, or none")
    chosen = tensor_of(condition)
    chosen = chosen if str(chosen.dtype) == "bool" else chosen != 0
    return _core.where(chosen, *pair(*choices))


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Tensor:
    """For each position the choice of the first condition that holds, `default` where none does; shapes broadcast.

    >>> x = np.arange(4)
    >>> print(np.select([x < 1, x > 2], [-x, 10 * x]))
    [ 0  0  0 30]
    """
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"[numpy.select] got {len(condlist)} conditions and {len(choicelist)} choices, expected as many"
        )
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist)):
        result = where(condition, choice, result)
    return tensor_of(result)


def choose(a: Any, choices: Sequence[Any]) -> Tensor:
    """For each position the array of that number: choices[a[i]][i], shapes broadcast.

    >>> print(np.choose([1, 0], [[1, 2], [3, 4]]))
    [3 2]
    """
    index = tensor_of(a)
    if index.size and not (int(index.min()) >= 0 and int(index.max()) < len(choices)):
        raise ValueError(f"[numpy.choose] got an index outside the {len(choices)} choices")
    return select([index == k for k in range(len(choices))], choices)


def compress(condition: Any, a: Any, axis: int | None = None) -> Tensor:
    """The slices along an axis for which the condition holds; without axis, of the flattened array.

    >>> print(np.compress([True, False, True], [1, 2, 3]))
    [1 3]
    """
    chosen = numpy.flatnonzero(host(tensor_of(condition)))
    return _core.take(tensor_of(a), _core.asarray(chosen), axis=axis)


def extract(condition: Any, arr: Any) -> Tensor:
    """The elements for which the condition holds, in one row.

    >>> print(np.extract([True, False], [1, 2]))
    [1]
    """
    return compress(tensor_of(condition).ravel(), tensor_of(arr).ravel())


def delete(arr: Any, obj: Any, axis: int | None = None) -> Tensor:
    """The array without the entries numbered `obj` along an axis; without axis, of the flattened array.

    >>> print(np.delete([1, 2, 3], 1))
    [1 3]
    """
    array = tensor_of(arr)
    length = array.size if axis is None else array.shape[axis]
    kept = numpy.delete(numpy.arange(length), obj if isinstance(obj, slice) else host(obj))
    return _core.take(array, _core.asarray(kept), axis=axis)


def nonzero(a: Any) -> tuple[Tensor, ...]:
    """The indices of the elements that are not zero, one array for each axis.

    >>> [index.tolist() for index in np.nonzero([0, 3, 4])]
    [[1, 2]]
    """
    return tuple(_core.asarray(index) for index in numpy.nonzero(host(tensor_of(a))))


def flatnonzero(a: Any) -> Tensor:
    """The indices, in the flattened array, of the elements that are not zero.

    >>> print(np.flatnonzero([0, 3, 4]))
    [1 2]
    """
    return nonzero(tensor_of(a).ravel())[0]


def argwhere(a: Any) -> Tensor:
    """The indices of the elements that are not zero, one row for each.

    >>> print(np.argwhere([[0, 3]]))
    [[0 1]]
    """
    return _core.asarray(numpy.argwhere(host(tensor_of(a))))


def sort(a: Any, axis: int | None = -1, kind: Any = None) -> Tensor:
    """The elements in rising order along an axis; without axis, of the flattened array. Equal ones keep their order.

    >>> print(np.sort([3, 1, 2]))
    [1 2 3]
    """
    array = tensor_of(a)
    return _core.sort(array.ravel(), axis=0) if axis is None else _core.sort(array, axis=axis)


def argsort(a: Any, axis: int | None = -1, kind: Any = None) -> Tensor:
    """The indices that put the elements in rising order along an axis; equal ones keep their order.

    >>> print(np.argsort([3, 1, 2]))
    [1 2 0]
    """
    array = tensor_of(a)
    return _core.argsort(array.ravel(), axis=0) if axis is None else _core.argsort(array, axis=axis)


def partition(a: Any, kth: Any, axis: int | None = -1) -> Tensor:
    """The elements ordered so that number `kth` stands where sorting would put it, smaller ones before it.

    >>> print(np.partition([3, 1, 2], 1)[1])
    2
    """
    array = tensor_of(a)
    array, along = (array.ravel(), 0) if axis is None else (array, axis)
    order = numpy.argpartition(host(array), kth, axis=along)
    return _core.take_along_axis(array, _core.asarray(order), axis=along)


def tril(m: Any, k: int = 0) -> Tensor:
    """The elements on and below diagonal k, zeros above.

    >>> print(np.tril([[1, 2], [3, 4]]))
    [[1 0]
     [3 4]]
    """
    return _core.tril(tensor_of(m), k)


def triu(m: Any, k: int = 0) -> Tensor:
    """The elements on and above diagonal k, zeros below.

    >>> print(np.triu([[1, 2], [3, 4]]))
    [[1 2]
     [0 4]]
    """
    return _core.triu(tensor_of(m), k)


def diag(v: Any, k: int = 0) -> Tensor:
    """The matrix with v on diagonal k; for a matrix v, its diagonal k.

    >>> print(np.diag([1, 2]))
    [[1 0]
     [0 2]]
    """
    return _core.diag(tensor_of(v), k)


def diagflat(v: Any, k: int = 0) -> Tensor:
    """The matrix with the flattened v on diagonal k.

    >>> np.diagflat([[1, 2]]).shape
    (2, 2)
    """
    return _core.diag(tensor_of(v).ravel(), k)


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonal of the planes that two axes span, as the last axis.

    >>> print(np.diagonal([[1, 2], [3, 4]]))
    [1 4]
    """
    return _core.diagonal(tensor_of(a), offset, axis1, axis2)


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
) -> Any:
    """The distinct elements in rising order; with the flags also where each came first, back and how often.

    Differentiable by the elements kept: each distinct one is taken from where it stands first.

    >>> print(np.unique([3, 1, 3]))
    [1 3]
    """
    array = tensor_of(ar)
    _, first, inverse, counts = numpy.unique(
        host(array), return_index=True, return_inverse=True, return_counts=True, axis=axis
    )
    found: list[Tensor] = [_core.take(array, _core.asarray(first), axis=axis)]
    for wanted, extra in ((return_index, first), (return_inverse, inverse), (return_counts, counts)):
        if wanted:
            found.append(_core.asarray(extra))
    return found[0] if len(found) == 1 else tuple(found)


__all__ = [
    "argsort",
    "argwhere",
    "choose",
    "compress",
    "delete",
    "diag",
    "diagflat",
    "diagonal",
    "extract",
    "flatnonzero",
    "nonzero",
    "partition",
    "select",
    "sort",
    "take",
    "take_along_axis",
    "tril",
    "triu",
    "unique",
    "where",
]
