"""Convolutions over one and two dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cinta._core import Tensor, asarray, conv1d, conv2d, empty, pad, sparse_conv2d, zeros
from cinta.autodiff import no_grad
from cinta.nn.init import uniform_
from cinta.nn.layers.arguments import brief, int_tuple, positive
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter

_PAD_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def connection_table(layer: str, table: Any, out_channels: int, in_channels: int, groups: int) -> np.ndarray:
    """Which input channels each output channel sees, bool [O, I]; one connection at least."""
    given = np.asarray(table)
    if given.shape != (out_channels, in_channels):
        raise ValueError(
            f"[{layer}] connections got shape {list(given.shape)}, expected [{out_channels}, {in_channels}]: a row for "
            "each output channel, a column for each input channel"
        )
    if not np.isin(given, (0, 1)).all() or not given.any():
        raise ValueError(f"[{layer}] connections got {given.tolist()}, expected true and false, true at least once")
    if groups != 1:
        raise ValueError(f"[{layer}] groups got {groups}, expected 1 with connections: write the groups into the table")
    return given.astype(bool)


class Convolution(Module):
    """What all convolution layers share: arguments, weight [O, I/groups, *kernel] or transposed, bias [O]."""

    dims: int
    transposed = False
    bias: Parameter | None
    connections: Tensor | None  # the table [O, I], where there is one

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
        padding_mode: str = "zeros",
        dtype: Any = None,
        connections: Any = None,
    ) -> None:
        super().__init__()
        layer, dims, transposed = type(self).__name__, self.dims, self.transposed
        positive(layer, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"[{layer}] groups got {groups}, expected a divisor of in_channels {in_channels} and "
                f"out_channels {out_channels}"
            )
        if padding_mode not in _PAD_MODES or (transposed and padding_mode != "zeros"):
            modes = ["zeros"] if transposed else list(_PAD_MODES)
            raise ValueError(f"[{layer}] padding_mode got {padding_mode!r}, expected one of {modes}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = int_tuple(layer, "kernel_size", kernel_size, dims, 1)
        self.stride = int_tuple(layer, "stride", stride, dims, 1)
        self.dilation = int_tuple(layer, "dilation", dilation, dims, 1)
        self.groups = groups
        self.padding_mode = padding_mode
        if not isinstance(padding, str):
            self.padding: Any = int_tuple(layer, "padding", padding, dims, 0)
        elif transposed or padding not in ("same", "valid"):
            words = "" if transposed else " or 'same' or 'valid'"
            raise ValueError(f"[{layer}] padding got {padding!r}, expected an int >= 0, {dims} of them{words}")
        elif padding == "same" and max(self.stride) > 1 and padding_mode != "zeros":
            raise ValueError(f"[{layer}] padding 'same' got stride {self.stride}, expected 1 with {padding_mode!r}")
        else:
            self.padding = padding
        channels = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        table = None
        if connections is not None:
            table = connection_table(layer, connections, out_channels, in_channels, groups)
            channels = (int(table.sum()), 1)
        self.register_buffer("connections", None if table is None else asarray(table))
        self.weight = Parameter(empty((*channels, *self.kernel_size), dtype=dtype))
        self.register_parameter("bias", Parameter(empty((out_channels,), dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias anew."""
        if self.connections is not None:
            return self._reset_connected(self.connections.numpy())
        bound = 1.0 / math.sqrt(math.prod(self.weight.shape[1:]))
        uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            uniform_(self.bias, -bound, bound)

    def _reset_connected(self, table: np.ndarray) -> None:
        """The same bounds, each output channel's by the inputs that it sees."""
        bounds = 1.0 / np.sqrt(np.maximum(table.sum(axis=1), 1) * math.prod(self.kernel_size))
        of_kernels = bounds[np.nonzero(table)[0]].reshape(-1, *[1] * (1 + self.dims))
        for parameter, bound in ((self.weight, of_kernels), (self.bias, bounds)):
            if parameter is not None:
                uniform_(parameter, -1.0, 1.0)
                with no_grad():
                    parameter.copy_(parameter * asarray(bound).astype(parameter.dtype))

    def dense_weight(self) -> Tensor:
        """The weight [O, I/groups, *kernel] of the same convolution without a table, zeros where nothing is connected.

        Differentiable; without `connections` the weight itself.
        """
        if self.connections is None:
            return self.weight
        whole = zeros((self.out_channels, self.in_channels, *self.kernel_size), dtype=self.weight.dtype)
        whole[self.connections.numpy()] = self.weight[:, 0]
        return whole

    def _padded(self, x: Tensor) -> Tensor:
        """The input with this layer's padding around it, for the modes that the core's convolution lacks."""
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            sides = [(total // 2, total - total // 2) for total in totals]
        else:
            sides = [(0, 0)] * self.dims if self.padding == "valid" else [(p, p) for p in self.padding]
        return pad(x, [(0, 0)] * (x.ndim - self.dims) + sides, mode=_PAD_MODES[self.padding_mode])

    def extra_repr(self) -> str:
        text = f"{self.in_channels} -> {self.out_channels}, kernel_size={brief(self.kernel_size)}"
        for name, default in (("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1)):
            value = self.__dict__.get(name, default)
            if isinstance(value, str):
                text += f", {name}={value!r}"
            elif value != default and set(value) != {default}:
                text += f", {name}={brief(value)}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.connections is not None:
            text += f", connections={len(self.weight)} of {self.connections.size}"
        if self.bias is None:
            text += ", bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode!r}"


class Conv1d(Convolution):
    """Cross-correlation of sequences with learned kernels.

    y[n,o,t] = b[o] + sum_{i,k} W[o,i,k] x[n,i, t stride + k dilation - padding]
    x [N, I, L], weight W [O, I/groups, K], bias b [O], y [N, O, L'],
    L' = floor((L + 2 padding - dilation (K - 1) - 1) / stride) + 1

    `padding` is a number, 'same' or 'valid'; `padding_mode` 'zeros', 'reflect', 'replicate' or 'circular'.
    Weight and bias start as U(-1/sqrt(f), 1/sqrt(f)), f = I/groups K. `connections`: as in `Conv2d`.
    Errors: ValueError where x's channels are not I or the kernel exceeds the padded input.

    Example:
        >>> nn.Conv1d(2, 4, 3, padding=1)(ct.ones((8, 2, 20))).shape
        (8, 4, 20)
    """

    dims = 1

    def forward(self, x: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = self._padded(x), (0,)
        if self.connections is None:
            return conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)
        line = x.reshape(*x.shape[:-1], 1, x.shape[-1])  # an image of one row
        kernels = self.weight.reshape(*self.weight.shape[:-1], 1, -1)
        padding = padding if isinstance(padding, str) else (0, *padding)
        stride, dilation = (1, *self.stride), (1, *self.dilation)
        return sparse_conv2d(line, kernels, self.connections, self.bias, stride, padding, dilation).squeeze(-2)


class Conv2d(Convolution):
    """Cross-correlation of images with learned kernels.

    y[n,o,p,q] = b[o] + sum_{i,k,l} W[o,i,k,l] x[n,i, p stride + k dilation - padding, q ...]
    x [N, I, H, W], weight W [O, I/groups, KH, KW], bias b [O], y [N, O, H', W'],
    H' = floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1, W' alike

    Arguments are one number or a pair (height, width); `padding` also 'same' or 'valid', `padding_mode` 'zeros',
    'reflect', 'replicate' or 'circular'. Weight and bias start as U(-1/sqrt(f), 1/sqrt(f)), f = I/groups KH KW.

    connections: a table [O, I] of true and false: output o sees input i only where it says so. The weight then has one
    kernel for each of the P connections, row by row of the table, [P, 1, KH, KW]: of a dense weight W those of
    W[table]. What is absent is neither stored nor trained, and not computed where that is quicker; f counts what is
    connected.

    Errors: ValueError where x's channels are not I or the kernel exceeds the padded input, for a table of another shape
    or one with groups.
    Source of the table: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition",
    1998, table I.

    Example:
        >>> nn.Conv2d(1, 6, 5, padding=2)(ct.ones((8, 1, 28, 28))).shape
        (8, 6, 28, 28)
        >>> nn.Conv2d(3, 2, 5, connections=[[True, True, False], [False, True, True]]).weight.shape
        (4, 1, 5, 5)
    """

    dims = 2

    def forward(self, x: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = self._padded(x), 0
        if self.connections is None:
            return conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)
        return sparse_conv2d(x, self.weight, self.connections, self.bias, self.stride, padding, self.dilation)
