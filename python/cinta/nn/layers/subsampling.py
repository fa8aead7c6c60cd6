"""Subsampling that learns, as LeNet-5's."""

from __future__ import annotations

import math
from typing import Any

from cinta._core import Tensor, avg_pool2d, empty
from cinta.nn.init import uniform_
from cinta.nn.layers.arguments import brief, int_tuple, positive
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter


class Subsampling2d(Module):
    """The sum over windows of an image, times a coefficient and plus a bias that each channel learns.

    y[n,c,p,q] = w[c] sum_{k,l} x[n,c, p stride + k, q stride + l] + b[c]
    x [N, C, H, W], weight w [C], bias b [C], y [N, C, H', W'], H' = floor((H - KH) / stride) + 1, W' alike

    `kernel_size` is one number or a pair, `stride` the same unless given. Weight and bias start as
    U(-1/sqrt(f), 1/sqrt(f)), f = KH KW. A squashing function follows in LeNet-5.
    Errors: ValueError where no window fits, or x's channels are not C.
    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998.

    Example:
        >>> layer = nn.Subsampling2d(6, 2)
        >>> layer(ct.ones((8, 6, 28, 28))).shape, sum(p.size for p in layer.parameters())
        ((8, 6, 14, 14), 12)
    """

    def __init__(self, channels: int, kernel_size: Any, stride: Any = None, dtype: Any = None) -> None:
        super().__init__()
        positive("Subsampling2d", channels=channels)
        self.channels = channels
        self.kernel_size = int_tuple("Subsampling2d", "kernel_size", kernel_size, 2, 1)
        self.stride = self.kernel_size if stride is None else int_tuple("Subsampling2d", "stride", stride, 2, 1)
        self.weight = Parameter(empty((channels,), dtype=dtype))
        self.bias = Parameter(empty((channels,), dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias anew."""
        bound = 1.0 / math.sqrt(math.prod(self.kernel_size))
        uniform_(self.weight, -bound, bound)
        uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in (3, 4) or x.shape[-3] != self.channels:
            raise ValueError(
                f"[Subsampling2d] input has shape {list(x.shape)}, expected [N, C, H, W] or [C, H, W] with "
                f"{self.channels} channels"
            )
        sums = avg_pool2d(x, self.kernel_size, self.stride, divisor_override=1)
        return sums * self.weight.reshape(-1, 1, 1) + self.bias.reshape(-1, 1, 1)

    def extra_repr(self) -> str:
        text = f"{self.channels}, kernel_size={brief(self.kernel_size)}"
        return text if self.stride == self.kernel_size else f"{text}, stride={brief(self.stride)}"
