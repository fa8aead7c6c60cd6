"""Arrays joined, split and repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cinta import _core
from cinta._core import Tensor

from .promotion import host, refuse_out, tensor_of, tensors
from .shaping import atleast_1d, atleast_2d, atleast_3d


def concatenate(arrays: Sequence[Any], axis: int | None = 0, out: Any = None, *, dtype: Any = None) -> Tensor:
    """Arrays joined along an axis they have; without axis, flattened first.

    Shapes: equal but for the axis. ValueError otherwise.

    >>> print(np.concatenate([[1, 2], [3]]))
    [1 2 3]
    """
    refuse_out("concatenate", out)
    parts = tensors(arrays)
    parts = [part.ravel() for part in parts] if axis is None else parts
    joined = _core.concat(parts, axis=0 if axis is None else axis)
    return joined if dtype is None else joined.astype(dtype)


concat = concatenate


def stack(arrays: Sequence[Any], axis: int = 0, out: Any = None) -> Tensor:
    """Arrays of one shape joined along a new axis.

    >>> print(np.stack([[1, 2], [3, 4]], axis=1))
    [[1 3]
     [2 4]]
    """
    refuse_out("stack", out)
    return _core.stack(tensors(arrays), axis=axis)


def vstack(tup: Sequence[Any]) -> Tensor:
    """Arrays joined as rows: along the first axis, sequences being rows.

    >>> print(np.vstack([[1, 2], [3, 4]]))
    [[1 2]
     [3 4]]
    """
    return concatenate([atleast_2d(x) for x in tup], 0)


row_stack = vstack


def hstack(tup: Sequence[Any]) -> Tensor:
    """Arrays joined side by side: along the second axis, sequences along their only one.

    >>> print(np.hstack([[1, 2], [3]]))
    [1 2 3]
    """
    parts = [atleast_1d(x) for x in tup]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1)


def dstack(tup: Sequence[Any]) -> Tensor:
    """Arrays joined in depth: along the third axis.

    >>> np.dstack([[1, 2], [3, 4]]).shape
    (1, 2, 2)
    """
    return concatenate([atleast_3d(x) for x in tup], 2)


def column_stack(tup: Sequence[Any]) -> Tensor:
    """Sequences joined as the columns of a matrix.

    >>> print(np.column_stack([[1, 2], [3, 4]]))
    [[1 3]
     [2 4]]
    """
    columns = [tensor_of(x) for x in tup]
    return concatenate([x.reshape(-1, 1) if x.ndim < 2 else x for x in columns], 1)


def append(arr: Any, values: Any, axis: int | None = None) -> Tensor:
    """Values joined to the end of an array along an axis; without axis, both flattened.

    >>> print(np.append([1, 2], 3))
    [1 2 3]
    """
    return concatenate([arr, values], axis)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """An array cut along an axis: into that many parts, the first ones longer if need be, or at the given indices.

    >>> [part.shape for part in np.array_split(np.zeros(5), 2)]
    [(3,), (2,)]
    """
    array = tensor_of(ary)
    cuts = host(indices_or_sections)
    if isinstance(cuts, int):
        length = array.shape[axis]
        if cuts <= 0:
            raise ValueError(f"[numpy.array_split] got {cuts} sections, expected 1 or more")
        cuts = [k * (length // cuts) + min(k, length % cuts) for k in range(1, cuts)]
    return _core.split(array, [int(cut) for cut in cuts], axis=axis)


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """An array cut along an axis: into that many equal parts (ValueError if it does not divide), or at indices.

    >>> [part.tolist() for part in np.split(np.arange(4), 2)]
    [[0, 1], [2, 3]]
    """
    array, sections = tensor_of(ary), host(indices_or_sections)
    if isinstance(sections, int) and array.shape[axis] % sections:
        raise ValueError(
            f"[numpy.split] axis {axis} of shape {array.shape} does not divide by {sections} (use array_split)"
        )
    return array_split(array, sections, axis)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Tensor]:
    """An array cut along the first axis, as `split`.

    >>> len(np.vsplit(np.zeros((4, 2)), 2))
    2
    """
    return split(ary, indices_or_sections, 0)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Tensor]:
    """An array cut along the second axis, a sequence along its only one, as `split`.

    >>> np.hsplit(np.zeros((4, 2)), 2)[0].shape
    (4, 1)
    """
    return split(ary, indices_or_sections, 0 if tensor_of(ary).ndim == 1 else 1)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Tensor]:
    """An array cut along the third axis, as `split`.

    >>> np.dsplit(np.zeros((4, 2, 2)), 2)[0].shape
    (4, 2, 1)
    """
    return split(ary, indices_or_sections, 2)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices of an array along an axis.

    >>> [part.tolist() for part in np.unstack([[1, 2], [3, 4]])]
    [[1, 2], [3, 4]]
    """
    return tuple(_core.moveaxis(tensor_of(x), axis, 0))


def tile(A: Any, reps: Any) -> Tensor:
    """The array laid side by side `reps` times, along each axis its own number.

    >>> print(np.tile([1, 2], 2))
    [1 2 1 2]
    """
    return _core.tile(tensor_of(A), host(reps))


def repeat(a: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Each element repeated, all alike or each its own number of times; without axis, flattened first.

    >>> print(np.repeat([1, 2], 2))
    [1 1 2 2]
    """
    counts = host(repeats)
    return _core.repeat(tensor_of(a), counts if isinstance(counts, int) else [int(n) for n in counts], axis)


__all__ = [
    "append",
    "array_split",
    "column_stack",
    "concat",
    "concatenate",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "repeat",
    "row_stack",
    "split",
    "stack",
    "tile",
    "unstack",
    "vsplit",
    "vstack",
]
