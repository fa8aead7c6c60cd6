"""Max unpooling: values back to where max pooling found them."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor
from cinta.nn.layers.arguments import brief, int_tuple
from cinta.nn.module import Module
from cinta.nn.pooling import max_unpool1d, max_unpool2d


class _MaxUnpool(Module):
    dims: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        layer = type(self).__name__
        self.kernel_size = int_tuple(layer, "kernel_size", kernel_size, self.dims, 1)
        self.stride = self.kernel_size if stride is None else int_tuple(layer, "stride", stride, self.dims, 1)
        self.padding = int_tuple(layer, "padding", padding, self.dims, 0)

    def extra_repr(self) -> str:
        text = f"kernel_size={brief(self.kernel_size)}, stride={brief(self.stride)}"
        return text + (f", padding={brief(self.padding)}" if any(self.padding) else "")


class MaxUnpool1d(_MaxUnpool):
    """Values of max pooling back at the places they came from, zeros elsewhere.

    y[n,c, indices[n,c,t]] = x[n,c,t], x and indices [N, C, L'] or [C, L'], y [N, C, L]
    L = (L' - 1) stride - 2 padding + kernel_size, or `output_size`, which several L share

    Where indices meet the last counts. Errors: IndexError for indices outside of L; ValueError for an output_size that
    these windows do not make.

    Example:
        >>> y, indices = nn.MaxPool1d(2, return_indices=True)(ct.tensor([[[1.0, 3.0, 4.0, 2.0]]]))
        >>> nn.MaxUnpool1d(2)(y, indices).tolist()
        [[[0.0, 3.0, 4.0, 0.0]]]
    """

    dims = 1

    def forward(self, x: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return max_unpool1d(x, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(_MaxUnpool):
    """Values of max pooling back at the places they came from, zeros elsewhere.

    y[n,c, indices[n,c,i,j]] = x[n,c,i,j], planes counted row by row, x and indices [N, C, H', W'] or [C, H', W'],
    y [N, C, H, W], H = (H' - 1) stride - 2 padding + kernel_size, or `output_size`, which several H share

    Where indices meet the last counts. Errors: IndexError for indices outside of H W; ValueError for an output_size
    that these windows do not make.
    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014.

    Example:
        >>> x = ct.random.normal(shape=(8, 6, 9, 9))
        >>> y, indices = nn.MaxPool2d(2, return_indices=True)(x)
        >>> nn.MaxUnpool2d(2)(y, indices, output_size=x.shape).shape
        (8, 6, 9, 9)
    """

    dims = 2

    def forward(self, x: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return max_unpool2d(x, indices, self.kernel_size, self.stride, self.padding, output_size)
