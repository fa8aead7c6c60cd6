"""RowSparse: the gradient of a table of which few rows were read."""

from __future__ import annotations

from typing import Any

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff.modes import no_grad


class RowSparse:
    """A gradient that is zero but for some rows: what `nn.Embedding(..., sparse=True)` leaves in `weight.grad`.

    g[rows[k]] = values[k], g [V, ..] elsewhere 0; rows [n] of int64, ascending, each once, values [n, ..]

    Rows given more than once are summed in their order. `optim.SGD`, `Adam`, `AdamW`, clipping, accumulation and
    `ct.Monitor` take it as it is, with the bits of the dense gradient. It can be scaled by a number and added to
    another; for all else there is `to_dense()`.
    Errors: ValueError for shapes that do not fit; IndexError for a row outside the table.

    Example:
        >>> table = nn.Embedding(1000, 2, sparse=True)
        >>> table(ct.tensor([7, 3, 7])).sum().backward()
        >>> table.weight.grad
        RowSparse(rows=[3, 7], values=[[1.0, 1.0], [2.0, 2.0]], shape=(1000, 2))
        >>> table.weight.grad.to_dense().sum().item()
        6.0
    """

    __slots__ = ("_rows", "_values", "shape")
    __array_ufunc__ = None  # NumPy's operators then ask ours

    _rows: Tensor  # unused places at the end are -1 where a compiled function left it
    _values: Tensor
    shape: tuple[int, ...]

    def __init__(self, rows: Any, values: Any, shape: tuple[int, ...]) -> None:
        rows, values, shape = _core.asarray(rows), _core.asarray(values).detach(), tuple(shape)
        if rows.ndim != 1 or not shape or values.shape != (rows.size, *shape[1:]):
            raise ValueError(
                f"[RowSparse] rows have shape {list(rows.shape)} and values {list(values.shape)}, expected [n] and "
                f"{['n', *shape[1:]]} (shape is {list(shape)})"
            )
        if rows.dtype.is_floating:
            raise TypeError(f"[RowSparse] rows have dtype {rows.dtype}, expected an integer dtype")
        if rows.size and (rows.min().item() < 0 or rows.max().item() >= shape[0]):
            raise IndexError(
                f"[RowSparse] rows reach from {rows.min().item()} to {rows.max().item()}, expected 0 to {shape[0] - 1}"
            )
        with no_grad():
            self._rows, self._values = _core._sum_rows(rows.astype(_core.int64), values)
        self.shape = shape

    @classmethod
    def _made(cls, rows: Tensor, values: Tensor, shape: tuple[int, ...]) -> RowSparse:
        self = cls.__new__(cls)
        self._rows, self._values, self.shape = rows, values, shape
        return self

    @property
    def rows(self) -> Tensor:
        """The rows [n] that are not zero, ascending."""
        return _core._trimmed_rows(self._rows, self._values)[0]

    @property
    def values(self) -> Tensor:
        """What stands in these rows, [n, ..]; shares memory with the gradient."""
        return _core._trimmed_rows(self._rows, self._values)[1]

    @property
    def dtype(self) -> Any:
        """The type of the elements."""
        return self._values.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of rows and values."""
        return self._rows.nbytes + self._values.nbytes

    def to_dense(self) -> Tensor:
        """The same gradient as a tensor [V, ..], in memory of its own."""
        return _core._dense_rows(self._rows, self._values, self.shape)

    def numpy(self) -> Any:
        """A dense NumPy array, in memory of its own."""
        return self.to_dense().numpy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if copy is False:
            raise ValueError("[RowSparse] __array__ got copy=False, expected a copy: the zeros are not in memory")
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    # What code written for gradients does with them

    def detach(self) -> RowSparse:
        """The same gradient."""
        return self

    def clone(self) -> RowSparse:
        """A copy."""
        return self._made(self._rows.clone(), self._values.clone(), self.shape)

    def zero_(self) -> RowSparse:
        """Writes zeros into the values."""
        self._values.zero_()
        return self

    def __mul__(self, factor: Any) -> RowSparse:
        return self._made(self._rows, self._values * _one(factor, "*"), self.shape)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> RowSparse:
        return self._made(self._rows, self._values / _one(divisor, "/"), self.shape)

    def __neg__(self) -> RowSparse:
        return self._made(self._rows, -self._values, self.shape)

    def __imul__(self, factor: Any) -> RowSparse:
        self._values *= _one(factor, "*=")
        return self

    def __itruediv__(self, divisor: Any) -> RowSparse:
        self._values /= _one(divisor, "/=")
        return self

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, RowSparse):
            return NotImplemented
        if other.shape != self.shape:
            raise ValueError(f"[RowSparse] + got shape {list(other.shape)}, expected {list(self.shape)}")
        rows = _core.concat([self._rows, other._rows])
        return self._made(*_core._sum_rows(rows, _core.concat([self._values, other._values])), self.shape)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"[RowSparse] a row-sparse gradient has no {name!r}, expected rows, values, shape, dtype ...: call "
            ".to_dense() first, or make the embedding with sparse=False"
        )

    def __repr__(self) -> str:
        rows = self.rows
        if rows.size > 8:
            return f"RowSparse({rows.size} rows, shape={self.shape})"
        return f"RowSparse(rows={rows.tolist()}, values={self.values.tolist()}, shape={self.shape})"


def _one(factor: Any, operator: str) -> Any:
    shape = getattr(factor, "shape", ())
    if tuple(shape) != ():
        raise ValueError(f"[RowSparse] {operator} got shape {list(shape)}, expected one number: call .to_dense() first")
    return factor


_core._set_row_sparse_type(RowSparse)
