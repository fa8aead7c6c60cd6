"""Eigenvalues and singular values, and what is made of them.

Source of the gradient rules: M. Giles, "An extended collection of matrix derivative results for forward and reverse
mode algorithmic differentiation", 2008.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff import defvjp, primitive

from ..promotion import host, mean_float_of
from .solving import transposed


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def _eigh_pair(a: Any) -> EighResult:
    found: Any = numpy.linalg.eigh(a)
    return EighResult(*found)


_eigh = primitive(_eigh_pair)


def _eigh_vjp(ans: EighResult, x: Tensor) -> Any:
    values, vectors = ans

    def pull(g: EighResult) -> Tensor:
        off = 1.0 - numpy.eye(x.shape[-1])
        gaps = values[..., None, :] - values[..., :, None] + _core.asarray(1.0 - off).astype(x.dtype)
        inside = _core.asarray(off).astype(x.dtype) * _core.matmul(transposed(vectors), g.eigenvectors) / gaps
        inside = inside + _core.asarray(1.0 - off).astype(x.dtype) * g.eigenvalues[..., None, :]
        result = _core.matmul(vectors, _core.matmul(inside, transposed(vectors)))
        return 0.5 * (result + transposed(result))

    return pull


defvjp(_eigh, _eigh_vjp)


def eigh(a: Any) -> EighResult:
    """Eigenvalues in rising order and eigenvectors (columns) of a symmetric matrix; `a` is read as (a + a^T) / 2.

    The eigenvectors' gradient needs distinct eigenvalues.

    >>> print(np.linalg.eigh([[3.0, 0.0], [0.0, 2.0]]).eigenvalues)
    [2. 3.]
    """
    matrix = mean_float_of(a)
    return _eigh(0.5 * (matrix + transposed(matrix)))


def eigvalsh(a: Any) -> Tensor:
    """The eigenvalues of a symmetric matrix, in rising order.

    >>> print(np.linalg.eigvalsh([[3.0, 0.0], [0.0, 2.0]]))
    [2. 3.]
    """
    return eigh(a).eigenvalues


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def _thin_svd(a: Any) -> SVDResult:
    found: Any = numpy.linalg.svd(a, full_matrices=False)
    return SVDResult(*found)


_svd = primitive(_thin_svd)


def _svd_vjp(ans: SVDResult, x: Tensor) -> Any:
    u, s, vh = ans

    def pull(g: SVDResult) -> Tensor:
        k = s.shape[-1]
        one = _core.asarray(numpy.eye(k)).astype(x.dtype)
        squares = _core.square(s)
        gaps = (1.0 - one) / (squares[..., None, :] - squares[..., :, None] + one)
        ug, vg = _core.matmul(transposed(u), g.U), _core.matmul(vh, transposed(g.Vh))
        inside = one * g.S[..., None, :]
        inside = (
            inside + gaps * (ug - transposed(ug)) * s[..., None, :] + s[..., :, None] * (gaps * (vg - transposed(vg)))
        )
        result = _core.matmul(u, _core.matmul(inside, vh))
        if x.shape[-2] > k:  # what of dU lies outside the columns of U
            result = result + _core.matmul(g.U / s[..., None, :] - _core.matmul(u, ug / s[..., None, :]), vh)
        if x.shape[-1] > k:
            rest = g.Vh / s[..., :, None]
            result = result + _core.matmul(u, rest - _core.matmul(_core.matmul(rest, transposed(vh)), vh))
        return result

    return pull


defvjp(_svd, _svd_vjp)


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition U diag(S) Vh = a, S falling; only S without `compute_uv`.

    Shapes: a (..., m, n), k = min(m, n): U (..., m, k), S (..., k), Vh (..., k, n). The gradients of U and Vh need
    distinct singular values. ValueError where `full_matrices` asks for the columns beyond k, which are arbitrary.

    >>> print(np.linalg.svd([[3.0, 0.0], [0.0, 2.0]], full_matrices=False).S)
    [3. 2.]
    """
    matrix = mean_float_of(a)
    if full_matrices and compute_uv and matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(
            f"[numpy.linalg.svd] got full_matrices=True for shape {matrix.shape}, expected False (pass "
            "full_matrices=False: the thin form has a gradient)"
        )
    found = _svd(matrix)
    return found if compute_uv else found.S


def svdvals(x: Any, /) -> Tensor:
    """The singular values, falling.

    >>> print(np.linalg.svdvals([[3.0, 0.0], [0.0, 2.0]]))
    [3. 2.]
    """
    return svd(x, compute_uv=False)


def pinv(a: Any, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse (Moore and Penrose) from the singular values above `rcond` times the largest.

    >>> print(np.linalg.pinv([[2.0, 0.0], [0.0, 4.0]]))
    [[0.5  0.  ]
     [0.   0.25]]
    """
    u, s, vh = svd(a, full_matrices=False)
    large = s.detach() > rcond * _core.max(s.detach(), axis=-1, keepdims=True)
    inverse = _core.where(large, 1.0 / _core.where(large, s, 1.0), 0.0)
    return _core.matmul(transposed(vh) * inverse[..., None, :], transposed(u))


def matrix_rank(A: Any, tol: Any = None) -> Tensor:
    """The number of singular values above `tol`; no gradient.

    >>> np.linalg.matrix_rank(np.eye(2)).item()
    2
    """
    return _core.asarray(numpy.asarray(numpy.linalg.matrix_rank(host(mean_float_of(A)), tol)))


__all__ = [
    "EighResult",
    "SVDResult",
    "eigh",
    "eigvalsh",
    "matrix_rank",
    "pinv",
    "svd",
    "svdvals",
]
