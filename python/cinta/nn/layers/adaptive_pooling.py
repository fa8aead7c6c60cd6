"""Adaptive pooling: as many windows as the output has places, whatever the size of the input."""

from __future__ import annotations

from typing import Any

from cinta._core import (
    Tensor,
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
)
from cinta.nn.layers.arguments import brief, int_tuple
from cinta.nn.module import Module


class _AdaptivePool(Module):
    dims: int

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        sizes = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * self.dims
        int_tuple(type(self).__name__, "output_size", [1 if size is None else size for size in sizes], self.dims, 1)
        self.output_size = sizes

    def _size(self, x: Tensor) -> tuple[int, ...]:
        """The output's size, None standing for the input's."""
        given = x.shape[-self.dims :]
        return tuple(old if size is None else size for size, old in zip(self.output_size, given, strict=True))

    def extra_repr(self) -> str:
        return brief(self.output_size)


class AdaptiveAvgPool1d(_AdaptivePool):
    """The mean over as many windows as the output has places, whatever the input's length.

    y[n,c,t] = mean of x[n,c, floor(t L / L') : ceil((t + 1) L / L')], x [N, C, L], y [N, C, L'], L' = output_size

    Example:
        >>> nn.AdaptiveAvgPool1d(1)(ct.ones((8, 6, 30))).shape
        (8, 6, 1)
    """

    dims = 1

    def forward(self, x: Tensor) -> Tensor:
        return adaptive_avg_pool1d(x, self._size(x))


class AdaptiveAvgPool2d(_AdaptivePool):
    """The mean over as many windows as the output has places, whatever the image's size.

    y[n,c,p,q] = mean of x[n,c, floor(p H / H') : ceil((p + 1) H / H'), ...], x [N, C, H, W], y [N, C, H', W']

    `output_size` is one number or a pair (H', W'); None keeps the input's.

    Example:
        >>> nn.AdaptiveAvgPool2d((1, None))(ct.ones((8, 6, 7, 9))).shape
        (8, 6, 1, 9)
    """

    dims = 2

    def forward(self, x: Tensor) -> Tensor:
        return adaptive_avg_pool2d(x, self._size(x))


class _AdaptiveMaxPool(_AdaptivePool):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The maximum over as many windows as the output has places, whatever the input's length.

    y[n,c,t] = max of x[n,c, floor(t L / L') : ceil((t + 1) L / L')], x [N, C, L], y [N, C, L'], L' = output_size

    With `return_indices` the positions in L come along.

    Example:
        >>> nn.AdaptiveMaxPool1d(2, return_indices=True)(ct.tensor([[[1.0, 4.0, 2.0, 3.0]]]))[1].tolist()
        [[[1, 3]]]
    """

    dims = 1

    def forward(self, x: Tensor) -> Any:
        return adaptive_max_pool1d(x, self._size(x), self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The maximum over as many windows as the output has places, whatever the image's size.

    y[n,c,p,q] = max of x[n,c, floor(p H / H') : ceil((p + 1) H / H'), ...], x [N, C, H, W], y [N, C, H', W']

    `output_size` is one number or a pair (H', W'); None keeps the input's. With `return_indices` the positions in H W
    come along.

    Example:
        >>> nn.AdaptiveMaxPool2d((1, None))(ct.ones((8, 6, 7, 9))).shape
        (8, 6, 1, 9)
    """

    dims = 2

    def forward(self, x: Tensor) -> Any:
        return adaptive_max_pool2d(x, self._size(x), self.return_indices)
