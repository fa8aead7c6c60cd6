"""Functions of pooling that are made of others: p-norms, and unpooling by the windows that pooled."""

from __future__ import annotations

import math
from typing import Any

from cinta import _core
from cinta._core import Tensor, abs, avg_pool1d, avg_pool2d, max_pool1d, max_pool2d, power, sqrt, square, where
from cinta.nn.layers.arguments import int_tuple

_POOLS = {1: (avg_pool1d, max_pool1d), 2: (avg_pool2d, max_pool2d)}


def _lp_pool(x: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool, dims: int) -> Tensor:
    name = f"lp_pool{dims}d"
    if not norm_type > 0:
        raise ValueError(f"[{name}] norm_type got {norm_type}, expected a number above 0")
    kernel = int_tuple(name, "kernel_size", kernel_size, dims, 1)
    stride = kernel if stride is None else int_tuple(name, "stride", stride, dims, 1)
    mean, largest = _POOLS[dims]
    if math.isinf(norm_type):
        result: Tensor = largest(abs(x), kernel, stride, ceil_mode=ceil_mode)
        return result
    raised = x if norm_type == 1 else square(x) if norm_type == 2 else power(x, norm_type)
    total = mean(raised, kernel, stride, ceil_mode=ceil_mode) * math.prod(kernel)
    if norm_type == 1:
        return total
    nothing = total == 0  # a root's slope there is infinite
    total = where(nothing, 1.0, total)
    return where(nothing, 0.0, sqrt(total) if norm_type == 2 else power(total, 1 / norm_type))


def lp_pool1d(x: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-norm of windows of a sequence, as `nn.LPPool1d` gives it.

    y = (sum of x^p over the window)^(1/p), x [N, C, L] or [C, L]

    Example:
        >>> nn.functional.lp_pool1d(ct.tensor([[[3.0, 4.0, 0.0, 1.0]]]), 2, 2).tolist()
        [[[5.0, 1.0]]]
    """
    return _lp_pool(x, norm_type, kernel_size, stride, ceil_mode, 1)


def lp_pool2d(x: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The p-norm of windows of an image, as `nn.LPPool2d` gives it.

    y = (sum of x^p over the window)^(1/p), x [N, C, H, W] or [C, H, W]

    Example:
        >>> nn.functional.lp_pool2d(ct.ones((1, 1, 4, 4)), 2, 2).tolist()
        [[[[2.0, 2.0], [2.0, 2.0]]]]
    """
    return _lp_pool(x, norm_type, kernel_size, stride, ceil_mode, 2)


def _unpooled_size(name: str, x: Tensor, kernel: Any, stride: Any, padding: Any, wanted: Any, dims: int) -> list[int]:
    kernel = int_tuple(name, "kernel_size", kernel, dims, 1)
    stride = kernel if stride is None else int_tuple(name, "stride", stride, dims, 1)
    padding = int_tuple(name, "padding", padding, dims, 0)
    smallest = [(n - 1) * s - 2 * p + k for n, k, s, p in zip(x.shape[-dims:], kernel, stride, padding, strict=True)]
    if wanted is None:
        return smallest
    sizes = list(wanted)[-dims:] if isinstance(wanted, (tuple, list)) else [wanted] * dims
    if len(sizes) != dims or not all(abs(a - b) < s for a, b, s in zip(sizes, smallest, stride)):
        raise ValueError(
            f"[{name}] output_size got {wanted}, expected {smallest}, each less than the stride {stride} more or less"
        )
    return sizes


def max_unpool1d(
    x: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Values of max pooling back at the places they came from, as `nn.MaxUnpool1d` gives them.

    y[n,c, indices[n,c,t]] = x[n,c,t], zeros elsewhere, x and indices [N, C, L'] or [C, L']

    Example:
        >>> y, indices = nn.functional.max_pool1d(ct.tensor([[[1.0, 3.0, 4.0, 2.0]]]), 2, return_indices=True)
        >>> nn.functional.max_unpool1d(y, indices, 2).tolist()
        [[[0.0, 3.0, 4.0, 0.0]]]
    """
    size = _unpooled_size("max_unpool1d", x, kernel_size, stride, padding, output_size, 1)
    return _core.max_unpool1d(x, indices, size)


def max_unpool2d(
    x: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Values of max pooling back at the places they came from, as `nn.MaxUnpool2d` gives them.

    y[n,c, indices[n,c,i,j]] = x[n,c,i,j], zeros elsewhere, x and indices [N, C, H', W'] or [C, H', W']

    Example:
        >>> y, indices = nn.functional.max_pool2d(ct.arange(4.0).reshape(1, 1, 2, 2), 2, return_indices=True)
        >>> nn.functional.max_unpool2d(y, indices, 2).tolist()
        [[[[0.0, 0.0], [0.0, 3.0]]]]
    """
    size = _unpooled_size("max_unpool2d", x, kernel_size, stride, padding, output_size, 2)
    return _core.max_unpool2d(x, indices, size)
