"""Flatten and Unflatten: dimensions joined and split."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor
from cinta.nn.module import Module


class Flatten(Module):
    """Joins the dimensions start_dim to end_dim into one.

    x [N, A, B, ...] -> y [N, A B ...] with the defaults

    Errors: IndexError where a dimension does not exist, ValueError where start_dim comes after end_dim.

    Example:
        >>> nn.Flatten()(ct.ones((8, 16, 5, 5))).shape
        (8, 400)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return "" if (self.start_dim, self.end_dim) == (1, -1) else f"{self.start_dim}, {self.end_dim}"


class Unflatten(Module):
    """Splits dimension dim into several; one of the sizes may be -1.

    x [N, A B] -> y [N, A, B] for dim=1, unflattened_size=(A, B)

    Errors: IndexError where dim does not exist, ValueError where the sizes do not multiply to its size.

    Example:
        >>> nn.Unflatten(1, (16, 5, 5))(ct.ones((8, 400))).shape
        (8, 16, 5, 5)
    """

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, x: Tensor) -> Tensor:
        if not -x.ndim <= self.dim < x.ndim:
            raise IndexError(f"dim got {self.dim}, expected one of {x.ndim} (input has shape {list(x.shape)})")
        at = self.dim % x.ndim
        return x.reshape((*x.shape[:at], *self.unflattened_size, *x.shape[at + 1 :]))

    def extra_repr(self) -> str:
        return f"{self.dim}, {self.unflattened_size}"
