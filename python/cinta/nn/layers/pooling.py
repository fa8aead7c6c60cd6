"""Pooling: the maximum, the mean or a power mean over windows."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor, avg_pool1d, avg_pool2d, max_pool1d, max_pool2d
from cinta.nn.layers.arguments import brief, int_tuple
from cinta.nn.module import Module
from cinta.nn.pooling import lp_pool1d, lp_pool2d


class _Pooling(Module):
    dims: int

    def __init__(self, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool) -> None:
        super().__init__()
        layer = type(self).__name__
        self.kernel_size = int_tuple(layer, "kernel_size", kernel_size, self.dims, 1)
        self.stride = self.kernel_size if stride is None else int_tuple(layer, "stride", stride, self.dims, 1)
        self.padding = int_tuple(layer, "padding", padding, self.dims, 0)
        self.ceil_mode = ceil_mode
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(f"[{layer}] padding got {padding}, expected at most half of kernel_size {kernel_size}")

    def extra_repr(self) -> str:
        text = brief(self.kernel_size)
        if self.stride != self.kernel_size:
            text += f", stride={brief(self.stride)}"
        if any(self.padding):
            text += f", padding={brief(self.padding)}"
        return text + (", ceil_mode=True" if self.ceil_mode else "")


class _MaxPool(_Pooling):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.dilation = int_tuple(type(self).__name__, "dilation", dilation, self.dims, 1)
        self.return_indices = return_indices


class MaxPool1d(_MaxPool):
    """The maximum over windows of a sequence.

    y[n,c,t] = max_k x[n,c, t stride + k dilation - padding], padding counting as -inf
    x [N, C, L], y [N, C, L'], L' = floor((L + 2 padding - dilation (K - 1) - 1) / stride) + 1 (or ceil)

    `stride` is kernel_size unless given; with `return_indices` the positions in L come along.
    Errors: ValueError where padding exceeds half the kernel or no window fits.

    Example:
        >>> nn.MaxPool1d(2)(ct.tensor([[[1.0, 3.0, 2.0, 0.0]]])).tolist()
        [[[3.0, 2.0]]]
    """

    dims = 1

    def forward(self, x: Tensor) -> Any:
        return max_pool1d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxPool2d(_MaxPool):
    """The maximum over windows of an image.

    y[n,c,p,q] = max_{k,l} x[n,c, p stride + k dilation - padding, q ...], padding counting as -inf
    x [N, C, H, W], y [N, C, H', W'], H' = floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1 (or ceil)

    `stride` is kernel_size unless given; with `return_indices` the positions in H W come along.
    Errors: ValueError where padding exceeds half the kernel or no window fits.

    Example:
        >>> nn.MaxPool2d(2)(ct.ones((8, 6, 28, 28))).shape
        (8, 6, 14, 14)
    """

    dims = 2

    def forward(self, x: Tensor) -> Any:
        return max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class AvgPool1d(_Pooling):
    """The mean over windows of a sequence.

    y[n,c,t] = 1/K sum_k x[n,c, t stride + k - padding]
    x [N, C, L], y [N, C, L'], L' = floor((L + 2 padding - K) / stride) + 1 (or ceil)

    With `count_include_pad=False` the divisor counts only what lies within the input.
    Errors: ValueError where padding exceeds half the kernel or no window fits.

    Example:
        >>> nn.AvgPool1d(2)(ct.tensor([[[1.0, 3.0, 2.0, 0.0]]])).tolist()
        [[[2.0, 1.0]]]
    """

    dims = 1

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.count_include_pad = count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        return avg_pool1d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(_Pooling):
    """The mean over windows of an image.

    y[n,c,p,q] = 1/(KH KW) sum_{k,l} x[n,c, p stride + k - padding, q ...]
    x [N, C, H, W], y [N, C, H', W'], H' = floor((H + 2 padding - KH) / stride) + 1 (or ceil)

    With `count_include_pad=False` the divisor counts only what lies within the image; `divisor_override` sets it.
    Errors: ValueError where padding exceeds half the kernel or no window fits.

    Example:
        >>> nn.AvgPool2d(2)(ct.ones((8, 6, 28, 28))).shape
        (8, 6, 14, 14)
    """

    dims = 2

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, x: Tensor) -> Tensor:
        return avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class _LPPool(Module):
    dims: int

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        layer = type(self).__name__
        if not norm_type > 0:
            raise ValueError(f"[{layer}] norm_type got {norm_type}, expected a number above 0")
        self.norm_type = norm_type
        self.kernel_size = int_tuple(layer, "kernel_size", kernel_size, self.dims, 1)
        self.stride = self.kernel_size if stride is None else int_tuple(layer, "stride", stride, self.dims, 1)
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        text = f"norm_type={self.norm_type:g}, kernel_size={brief(self.kernel_size)}, stride={brief(self.stride)}"
        return text + (", ceil_mode=True" if self.ceil_mode else "")


class LPPool1d(_LPPool):
    """The p-norm of windows of a sequence: between their sum (p = 1) and their maximum (p = inf).

    y[n,c,t] = (sum_k x[n,c, t stride + k]^p)^(1/p), p = norm_type, x [N, C, L] or [C, L], y [N, C, L']

    Where the sum is 0 its gradient is 0. With `ceil_mode` a window that hangs over the end counts as if it went on with
    its mean. Errors: ValueError for norm_type not above 0, or where no window fits.

    Example:
        >>> nn.LPPool1d(2, 2)(ct.tensor([[[3.0, 4.0, 0.0, 1.0]]])).tolist()
        [[[5.0, 1.0]]]
    """

    dims = 1

    def forward(self, x: Tensor) -> Tensor:
        return lp_pool1d(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(_LPPool):
    """The p-norm of windows of an image: between their sum (p = 1) and their maximum (p = inf).

    y[n,c,i,j] = (sum_{k,l} x[n,c, i stride + k, j stride + l]^p)^(1/p), p = norm_type
    x [N, C, H, W] or [C, H, W], y [N, C, H', W']

    Where the sum is 0 its gradient is 0. With `ceil_mode` a window that hangs over the end counts as if it went on with
    its mean. Errors: ValueError for norm_type not above 0, or where no window fits.
    Source: Sermanet, Chintala and LeCun, "Convolutional Neural Networks Applied to House Numbers Digit Classification",
    2012.

    Example:
        >>> nn.LPPool2d(2, 2)(ct.ones((8, 6, 28, 28))).shape
        (8, 6, 14, 14)
    """

    dims = 2

    def forward(self, x: Tensor) -> Tensor:
        return lp_pool2d(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)
