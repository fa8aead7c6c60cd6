"""Transposed convolutions: the gradient of a convolution with respect to its input, as a layer."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor, conv_transpose1d, conv_transpose2d
from cinta.nn.layers.arguments import int_tuple
from cinta.nn.layers.convolution import Convolution


class _ConvolutionTranspose(Convolution):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        dtype: Any = None,
    ) -> None:
        self.output_padding = int_tuple(type(self).__name__, "output_padding", output_padding, self.dims, 0)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            dtype,
        )


class ConvTranspose1d(_ConvolutionTranspose):
    """The transpose of `Conv1d` as a linear map: stride spreads the input out instead of thinning it.

    y[n,o,t] = b[o] + sum_{i,s,k: s stride + k dilation - padding = t} W[i,o,k] x[n,i,s]
    x [N, I, L], weight W [I, O/groups, K], bias b [O], y [N, O, L'],
    L' = (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1

    Errors: ValueError where x's channels are not I or output_padding reaches both stride and dilation.
    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Example:
        >>> nn.ConvTranspose1d(4, 2, 4, stride=2, padding=1)(ct.ones((8, 4, 10))).shape
        (8, 2, 20)
    """

    dims = 1

    def forward(self, x: Tensor) -> Tensor:
        return conv_transpose1d(
            x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation
        )


class ConvTranspose2d(_ConvolutionTranspose):
    """The transpose of `Conv2d` as a linear map: stride spreads the image out instead of thinning it.

    y[n,o,p,q] = b[o] + sum over i and (s,k) with s stride + k dilation - padding = p, (r,l) alike for q,
    of W[i,o,k,l] x[n,i,s,r]
    x [N, I, H, W], weight W [I, O/groups, KH, KW], bias b [O], y [N, O, H', W'],
    H' = (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1, W' alike

    Errors: ValueError where x's channels are not I or output_padding reaches both stride and dilation.
    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Example:
        >>> nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1)(ct.ones((8, 4, 14, 14))).shape
        (8, 1, 28, 28)
    """

    dims = 2

    def forward(self, x: Tensor) -> Tensor:
        return conv_transpose2d(
            x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation
        )
