"""Inverses, determinants, linear systems and the Cholesky triangle.

Sources of the gradient rules: M. Giles, "An extended collection of matrix derivative results for forward and reverse
mode algorithmic differentiation", 2008; I. Murray, "Differentiation of the Cholesky decomposition", 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff import defvjp, primitive

from ..products import dot
from ..promotion import host, mean_float_of, tensor_of


def transposed(x: Any) -> Any:
    """The matrices of a stack transposed."""
    return _core.swapaxes(x, -1, -2)


_inv = primitive(numpy.linalg.inv)
defvjp(_inv, lambda ans, x: lambda g: -_core.matmul(transposed(ans), _core.matmul(g, transposed(ans))))


def inv(a: Any) -> Tensor:
    """The inverse matrix: a^-1 a = 1. Gradient: -a^-T g a^-T. LinAlgError for a singular matrix.

    >>> print(np.linalg.inv([[2.0, 0.0], [0.0, 4.0]]))
    [[0.5  0.  ]
     [0.   0.25]]
    """
    return _inv(mean_float_of(a))


_det = primitive(numpy.linalg.det)
defvjp(_det, lambda ans, x: lambda g: _matrix(g * ans) * transposed(inv(x)))


def det(a: Any) -> Tensor:
    """The determinant. Gradient: g det(a) a^-T, for an invertible a.

    >>> np.linalg.det([[2.0, 0.0], [0.0, 3.0]]).item()
    6.0
    """
    return _det(mean_float_of(a))


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Tensor
    logabsdet: Tensor


_logabsdet = primitive(lambda a: numpy.linalg.slogdet(a)[1])
defvjp(_logabsdet, lambda ans, x: lambda g: _matrix(g) * transposed(inv(x)))


def slogdet(a: Any) -> SlogdetResult:
    """The sign and the logarithm of the absolute value of the determinant. Gradient of the latter: g a^-T.

    >>> np.linalg.slogdet([[-1.0, 0.0], [0.0, 1.0]]).sign.item()
    -1.0
    """
    matrix = mean_float_of(a)
    sign = numpy.linalg.slogdet(host(matrix))[0]
    return SlogdetResult(_core.asarray(numpy.asarray(sign)), _logabsdet(matrix))


_solve = primitive(numpy.linalg.solve)
defvjp(
    _solve,
    lambda ans, a, b: lambda g: _summed(-_core.matmul(_solve(transposed(a), g), transposed(ans)), a.shape),
    lambda ans, a, b: lambda g: _summed(_solve(transposed(a), g), b.shape),
)


def solve(a: Any, b: Any) -> Tensor:
    """The x with a x = b, for a vector or a matrix of columns b. Gradients: db = a^-T g, da = -db x^T.

    >>> print(np.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]))
    [1.  0.5]
    """
    matrix, right = mean_float_of(a), mean_float_of(b)
    if right.ndim == 1:
        return _solve(matrix, right[:, None])[..., 0]
    return _solve(matrix, right)


_cholesky = primitive(numpy.linalg.cholesky)


def _cholesky_vjp(ans: Tensor, x: Tensor) -> Any:
    def pull(g: Tensor) -> Tensor:
        inverse = inv(ans)
        inside = _half_lower(_core.matmul(transposed(ans), g))
        result = _core.matmul(transposed(inverse), _core.matmul(inside, inverse))
        return 0.5 * (result + transposed(result))

    return pull


def _half_lower(x: Tensor) -> Tensor:
    weights = numpy.tri(x.shape[-1]) - 0.5 * numpy.eye(x.shape[-1])
    return x * _core.asarray(weights).astype(x.dtype)


defvjp(_cholesky, _cholesky_vjp)


def cholesky(a: Any) -> Tensor:
    """The lower triangle L with L L^T = a, for a symmetric positive definite a. LinAlgError otherwise.

    >>> print(np.linalg.cholesky([[4.0, 0.0], [0.0, 9.0]]))
    [[2. 0.]
     [0. 3.]]
    """
    return _cholesky(mean_float_of(a))


def matrix_power(a: Any, n: int) -> Tensor:
    """The n-th power of a square matrix by repeated squaring; a negative n inverts first.

    >>> print(np.linalg.matrix_power([[1, 1], [0, 1]], 3))
    [[1 3]
     [0 1]]
    """
    base = tensor_of(a) if n >= 0 else inv(a)
    power = _core.asarray(numpy.eye(base.shape[-1])).astype(base.dtype).broadcast_to(base.shape)
    count = abs(n)
    while count:
        if count & 1:
            power = _core.matmul(power, base)
        count >>= 1
        base = _core.matmul(base, base) if count else base
    return power


def multi_dot(arrays: Sequence[Any]) -> Tensor:
    """The product of several matrices, from left to right.

    >>> np.linalg.multi_dot([np.eye(2), np.eye(2), np.eye(2)]).shape
    (2, 2)
    """
    result = tensor_of(arrays[0])
    for array in arrays[1:]:
        result = dot(result, array)
    return result


def _matrix(g: Any) -> Any:
    """Numbers, one for each matrix of a stack, as 1 x 1 matrices."""
    return g[..., None, None]


def _summed(gradient: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The gradient of a stack that was broadcast, summed back to its shape."""
    extra = gradient.ndim - len(shape)
    gradient = _core.sum(gradient, axis=tuple(range(extra))) if extra > 0 else gradient
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and gradient.shape[i] != 1)
    return _core.sum(gradient, axis=axes, keepdims=True) if axes else gradient


__all__ = [
    "SlogdetResult",
    "cholesky",
    "det",
    "inv",
    "matrix_power",
    "multi_dot",
    "slogdet",
    "solve",
]
