"""What images may be: [N,C,H,W] tensors or arrays, floating or uint8; results are of the same kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import cinta as ct
from cinta._core import Tensor

Give = Callable[[Tensor], Any]  # a result as the caller wants it


def opened(op: str, images: Any) -> tuple[Tensor, Give]:
    """The images as a tensor [N,C,H,W], and how a result becomes what they were: an array, or a tensor."""
    x = images if isinstance(images, Tensor) else ct.asarray(np.asarray(images))
    if x.ndim != 4:
        raise ValueError(f"[{op}] images have shape {x.shape}, expected [N,C,H,W]: x[:, None] adds an axis")
    if not (x.dtype.is_floating or x.dtype == ct.uint8):
        raise TypeError(f"[{op}] images have dtype {x.dtype}, expected a floating dtype or uint8")
    return x, (lambda y: y) if isinstance(images, Tensor) else (lambda y: y.numpy())


def computed(op: str, images: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """function of the images in floats; where they are uint8 the result is rounded and held in 0 to 255."""
    x, give = opened(op, images)
    if x.dtype == ct.uint8:
        return give(ct.round(ct.clip(function(x.astype(ct.float32)), 0, 255)).astype(ct.uint8))
    return give(function(x))


def per_sample(op: str, name: str, value: Any, samples: int, dtype: Any = "float64") -> Tensor:
    """One number for all samples, or one for each, as a tensor [N]."""
    x = (value if isinstance(value, Tensor) else ct.asarray(np.asarray(value))).astype(dtype)
    if x.shape not in ((), (samples,)):
        raise ValueError(f"[{op}] {name} has shape {x.shape}, expected one number or [{samples}], one for each sample")
    return ct.broadcast_to(x, (samples,))


def pair(op: str, size: Any) -> tuple[int, int]:
    """(height, width) from one number or two."""
    height, width = (size, size) if np.ndim(size) == 0 else size
    if int(height) < 1 or int(width) < 1:
        raise ValueError(f"[{op}] size is {size}, expected at least one pixel")
    return int(height), int(width)
