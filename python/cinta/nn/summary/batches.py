"""Inputs of any number of rows, made from a tensor or a shape."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

# Rows on which a network is tried. Weights are packed ahead for products of 33 to 256 rows (fewer without a tile unit,
# kernels/cpu/gemm_ahead.inl), so up to 256 rows the memory follows FEW, beyond them MANY.
FEW = (48, 64)
MANY = (264, 288)
AT_MOST = 1 << 28  # bytes of activations that trying may take: where more would be kept, packed weights matter little


class Batches:
    """The inputs that were asked for, and smaller ones like them."""

    def __init__(self, given: Any, batch_size: int | None, dtype: Any) -> None:
        if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
            raise ValueError(f"[summary] batch_size got {batch_size!r}, expected an int of 1 or more")
        several = isinstance(given, (list, tuple)) and not _is_shape(given)
        entries = list(given) if several else [given]
        if not entries:
            raise ValueError("[summary] input got an empty list, expected a tensor, a shape or a list of these")
        dtypes = list(dtype) if isinstance(dtype, (list, tuple)) else [dtype] * len(entries)
        if len(dtypes) != len(entries):
            raise ValueError(f"[summary] dtype got {len(dtypes)} entries, expected one or {len(entries)}")
        self._sources = [_source(entry, kind, batch_size) for entry, kind in zip(entries, dtypes)]
        rows = {shape[0] if shape else None for shape, *_ in self._sources}
        if batch_size is None and len(rows) > 1 and several:
            raise ValueError(
                f"[summary] inputs got {sorted(map(str, rows))} rows, expected as many in each: the batch axis is first"
            )
        self.rows = rows.pop() if len(rows) == 1 else None
        self.shapes = [shape for shape, *_ in self._sources]
        self.dtypes = [kind for _, kind, _ in self._sources]

    @property
    def nbytes(self) -> int:
        """Of the inputs as asked for."""
        return sum(prod(shape) * kind.itemsize for shape, kind in zip(self.shapes, self.dtypes))

    @property
    def large(self) -> bool:
        """Whether fewer rows tell about what was asked for."""
        return self.rows is not None and self.rows > FEW[1]

    def sizes(self, bytes_per_row: float) -> tuple[int, int] | None:
        """Two numbers of rows to be tried where each keeps so many bytes, or None: as many as were asked for."""
        assert self.rows is not None
        if self.rows <= 256 or bytes_per_row * MANY[1] > AT_MOST:
            return FEW
        return MANY if self.rows > MANY[1] else None

    def make(self, rows: int | None) -> list[Tensor]:
        """The inputs with so many rows; None: as asked for."""
        made = []
        for shape, kind, tensor in self._sources:
            shape = shape if rows is None else (rows, *shape[1:])
            if tensor is not None:
                made.append(tensor if shape == tensor.shape else _repeated(tensor, shape[0]))
            elif kind.is_floating:
                numbers = numpy.random.default_rng(0).standard_normal(shape, dtype=numpy.float32)
                made.append(_core.asarray(numbers).astype(kind))
            else:
                made.append(_core.zeros(shape, dtype=kind))
        return made


def _is_shape(value: Any) -> bool:
    if isinstance(value, list) and not value:
        return False
    return isinstance(value, (list, tuple)) and all(
        isinstance(n, (int, numpy.integer)) and not isinstance(n, bool) for n in value
    )


def _source(entry: Any, kind: Any, batch_size: int | None) -> tuple[tuple[int, ...], Any, Tensor | None]:
    if isinstance(entry, (Tensor, numpy.ndarray)):
        tensor = _core.asarray(entry).detach()
        if batch_size is None:
            return tensor.shape, tensor.dtype, tensor
        if not tensor.ndim or not tensor.shape[0]:
            raise ValueError(f"[summary] input got shape {list(tensor.shape)}, expected rows along its first axis")
        return (batch_size, *tensor.shape[1:]), tensor.dtype, tensor
    if _is_shape(entry):
        if any(n < 0 for n in entry):
            raise ValueError(f"[summary] input got the shape {list(entry)}, expected no negative numbers")
        shape = tuple(int(n) for n in entry) if batch_size is None else (batch_size, *map(int, entry))
        return shape, _core.empty(0, dtype=kind).dtype, None
    raise TypeError(f"[summary] input got a {type(entry).__name__}, expected a tensor, an array or a shape")


def _repeated(tensor: Tensor, rows: int) -> Tensor:
    return tensor[numpy.arange(rows) % tensor.shape[0]]
