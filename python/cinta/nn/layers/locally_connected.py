"""Locally connected layers: convolutions that share no weights, another kernel at every place of the output."""

from __future__ import annotations

import math
from typing import Any

from cinta._core import Tensor, empty, locally_connected1d, locally_connected2d
from cinta.nn.init import uniform_
from cinta.nn.layers.arguments import brief, int_tuple, positive
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter


class LocallyConnected(Module):
    """What both layers share: arguments, weight [*places, O, *kernel, I/groups], bias [O, *places]."""

    dims: int
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        input_size: Any,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        layer, dims = type(self).__name__, self.dims
        positive(layer, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"[{layer}] groups got {groups}, expected a divisor of in_channels {in_channels} and "
                f"out_channels {out_channels}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = int_tuple(layer, "kernel_size", kernel_size, dims, 1)
        self.stride = int_tuple(layer, "stride", stride, dims, 1)
        self.dilation = int_tuple(layer, "dilation", dilation, dims, 1)
        self.groups = groups
        self.input_size = int_tuple(layer, "input_size", input_size, dims, 1)
        if not isinstance(padding, str):
            self.padding: Any = int_tuple(layer, "padding", padding, dims, 0)
        elif padding in ("same", "valid"):
            self.padding = padding
        else:
            raise ValueError(
                f"[{layer}] padding got {padding!r}, expected an int >= 0, {dims} of them or 'same' or 'valid'"
            )
        self.output_size = self._places()
        kernel = (*self.kernel_size, in_channels // groups)
        self.weight = Parameter(empty((*self.output_size, out_channels, *kernel), dtype=dtype))
        self.register_parameter(
            "bias", Parameter(empty((out_channels, *self.output_size), dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def _places(self) -> tuple[int, ...]:
        """Where kernels stand, along each axis."""
        if self.padding == "same":
            return tuple(-(-n // s) for n, s in zip(self.input_size, self.stride, strict=True))
        padding = (0,) * self.dims if self.padding == "valid" else self.padding
        reach = [d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        room = [n + 2 * p - r for n, p, r in zip(self.input_size, padding, reach, strict=True)]
        if min(room) < 0:
            raise ValueError(
                f"[{type(self).__name__}] kernel_size got {self.kernel_size}, which covers {tuple(reach)} elements, "
                f"expected at most input_size {self.input_size} with padding {padding} on both sides"
            )
        return tuple(left // s + 1 for left, s in zip(room, self.stride, strict=True))

    def reset_parameters(self) -> None:
        """Draws weight and bias anew."""
        bound = 1.0 / math.sqrt(math.prod(self.weight.shape[self.dims + 1 :]))
        uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.in_channels} -> {self.out_channels}, kernel_size={brief(self.kernel_size)}"
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1)):
            value = getattr(self, name)
            if isinstance(value, str):
                text += f", {name}={value!r}"
            elif set(value) != {default}:
                text += f", {name}={brief(value)}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return f"{text}, input_size={brief(self.input_size)}"


class LocallyConnected1d(LocallyConnected):
    """A convolution over sequences of one length with another kernel at every place of the output.

    y[n,o,t] = b[o,t] + sum_{k,i} W[t,o,k,i] x[n,i, t stride + k dilation - padding]
    x [N, I, L] or [I, L], weight W [L', O, K, I/groups], bias b [O, L'], y [N, O, L'],
    L' = floor((L + 2 padding - dilation (K - 1) - 1) / stride) + 1

    `input_size` is L; `padding` a number, 'same' or 'valid'. What a place needs lies together in memory, see
    `nn.LocallyConnected2d`. Weight and bias start as U(-1/sqrt(f), 1/sqrt(f)), f = I/groups K, as nn.Conv1d's.
    Errors: ValueError where x's channels are not I or its length is not L, or the kernel exceeds the padded input.

    Example:
        >>> layer = nn.LocallyConnected1d(2, 4, 3, padding=1, input_size=20)
        >>> layer(ct.ones((8, 2, 20))).shape, layer.weight.shape
        ((8, 4, 20), (20, 4, 3, 2))
    """

    dims = 1

    def forward(self, x: Tensor) -> Tensor:
        return locally_connected1d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class LocallyConnected2d(LocallyConnected):
    """A convolution over images of one size with another kernel at every place of the output (Taigman et al., 2014).

    y[n,o,p,q] = b[o,p,q] + sum_{k,l,i} W[p,q,o,k,l,i] x[n,i, p stride + k dilation - padding, q ...]
    x [N, I, H, W] or [I, H, W], weight W [H', W', O, KH, KW, I/groups], bias b [O, H', W'], y [N, O, H', W'],
    H' = floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1, W' alike

    `input_size` is the height and width, or one number for both; the other arguments are those of nn.Conv2d.
    `weight[p, q]` is one place's kernel, in the order [O, KH, KW, I/groups] in which it meets images: it lies in one
    piece, so that a pass over a small batch reads the weights, which may be hundreds of megabytes, once from one end
    to the other; and channels are last, so that a window of the images is few and long runs of memory.
    Weight and bias start as U(-1/sqrt(f), 1/sqrt(f)), f = I/groups KH KW, as nn.Conv2d's.
    Errors: ValueError where x's channels are not I or its size is not input_size, or the kernel exceeds the padded
    input.

    Example:
        >>> layer = nn.LocallyConnected2d(1, 6, 5, input_size=(28, 20))
        >>> layer(ct.ones((8, 1, 28, 20))).shape, layer.weight.shape
        ((8, 6, 24, 16), (24, 16, 6, 5, 5, 1))
    """

    dims = 2

    def forward(self, x: Tensor) -> Tensor:
        return locally_connected2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
