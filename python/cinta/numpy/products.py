"""Products of vectors, matrices and tensors."""

from __future__ import annotations

from typing import Any

from cinta import _core
from cinta._core import Tensor

from .promotion import refuse_out, tensor_of, tensors


def dot(a: Any, b: Any, out: Any = None) -> Tensor:
    """The sum over the last axis of a and the second to last (or only) axis of b: sum_k a[..., k] b[..., k, j].

    Shapes: (n) (n) -> (); (m, n) (n, p) -> (m, p); (i..., n) (j..., n, k) -> (i..., j..., k); a number multiplies.
    ValueError where the summed axes differ.

    >>> np.dot([1.0, 2.0], [3.0, 4.0]).item()
    11.0
    """
    refuse_out("dot", out)
    x, y = tensors((a, b))
    return x * y if x.ndim == 0 or y.ndim == 0 else _core.dot(x, y)


def vdot(a: Any, b: Any) -> Tensor:
    """The sum of products of two flattened arrays: sum_i a_i b_i.

    >>> np.vdot([[1.0, 2.0]], [[3.0], [4.0]]).item()
    11.0
    """
    x, y = tensors((a, b))
    return _core.dot(x.ravel(), y.ravel())


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Tensor:
    """The sum of products along one axis, the others broadcast: sum_k x1[..., k] x2[..., k].

    >>> print(np.vecdot([[1, 2], [3, 4]], [1, 1]))
    [3 7]
    """
    x, y = tensors((x1, x2))
    return _core.sum(_core.moveaxis(x, axis, -1) * _core.moveaxis(y, axis, -1), axis=-1)


def inner(a: Any, b: Any, /) -> Tensor:
    """The sum over the last axes of both: sum_k a[i..., k] b[j..., k].

    Shapes: (i..., n) (j..., n) -> (i..., j...); a number multiplies.

    >>> np.inner([1.0, 2.0], [3.0, 4.0]).item()
    11.0
    """
    x, y = tensors((a, b))
    return x * y if x.ndim == 0 or y.ndim == 0 else _core.inner(x, y)


def outer(a: Any, b: Any, out: Any = None) -> Tensor:
    """All products of elements of two flattened arrays: a_i b_j.

    >>> print(np.outer([1, 2], [3, 4]))
    [[3 4]
     [6 8]]
    """
    refuse_out("outer", out)
    x, y = tensors((a, b))
    return _core.outer(x.ravel(), y.ravel())


def kron(a: Any, b: Any) -> Tensor:
    """The Kronecker product: blocks a_ij b.

    >>> print(np.kron([1, 10], [1, 2]))
    [ 1  2 10 20]
    """
    x, y = tensors((a, b))
    return x * y if x.ndim == 0 or y.ndim == 0 else _core.kron(x, y)


def matmul(x1: Any, x2: Any, /, out: Any = None) -> Tensor:
    """The matrix product, leading axes broadcast: sum_k x1[..., i, k] x2[..., k, j].

    Shapes: (..., m, n) (..., n, p) -> (..., m, p); vectors as rows and columns. ValueError where n differs.

    >>> print(np.matmul([[1, 2], [3, 4]], [1, 1]))
    [3 7]
    """
    refuse_out("matmul", out)
    return _core.matmul(*tensors((x1, x2)))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """The sum of products over pairs of axes: the last `axes` of a with the first of b, or the lists named.

    >>> np.tensordot(np.ones((2, 3)), np.ones((3, 2)), ([0, 1], [1, 0])).item()
    6.0
    """
    x, y = tensors((a, b))
    return _core.tensordot(x, y, axes=axes)


def einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Tensor:
    """The sum of products by Einstein's convention: `einsum("ij,jk->ik", a, b)` is the matrix product.

    Axes are named by letters (`...` for the rest), or by lists of integers: `einsum(a, [0, 1], b, [1, 2], [0, 2])`.

    >>> np.einsum("ii", np.eye(3)).item()
    3.0
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _letters((subscripts, *operands))
    return _core.einsum(subscripts, *tensors(operands))


def _letters(arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The string form of einsum's list form."""

    def names(axes: Any) -> str:
        return "".join(
            "..." if axis is Ellipsis else "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[axis] for axis in axes
        )

    pairs = len(arguments) // 2
    equation = ",".join(names(arguments[2 * i + 1]) for i in range(pairs))
    if len(arguments) % 2:
        equation += "->" + names(arguments[-1])
    return equation, arguments[0 : 2 * pairs : 2]


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """The cross product of vectors of three elements along an axis, the others broadcast: a x b.

    >>> print(np.cross([1, 0, 0], [0, 1, 0]))
    [0 0 1]
    """
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    x, y = tensors((a, b))
    x, y = _core.moveaxis(x, axisa, -1), _core.moveaxis(y, axisb, -1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise ValueError(
            f"[numpy.cross] the vectors have {x.shape[-1]} and {y.shape[-1]} elements, expected 3 (pad with a zero)"
        )
    parts = [x[..., i] * y[..., j] - x[..., j] * y[..., i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return _core.moveaxis(_core.stack(parts, axis=-1), -1, axisc)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Tensor:
    """The sum of a diagonal: sum_i a[i, i + offset].

    >>> np.trace(np.eye(3)).item()
    3.0
    """
    refuse_out("trace", out)
    diagonal = _core.diagonal(tensor_of(a), offset, axis1, axis2)
    return _core.sum(diagonal if dtype is None else diagonal.astype(dtype), axis=-1)


__all__ = [
    "cross",
    "dot",
    "einsum",
    "inner",
    "kron",
    "matmul",
    "outer",
    "tensordot",
    "trace",
    "vdot",
    "vecdot",
]
