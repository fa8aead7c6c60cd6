"""Rectifiers that learn."""

from __future__ import annotations

from cinta._core import Tensor, where


def prelu(x: Tensor, weight: Tensor) -> Tensor:
    """Rectified linear unit with a slope for negative values that is learnt, as `nn.PReLU` applies it.

    y = x for x > 0, weight x otherwise, x, y [N, C, ...], weight [1] or [C]

    Errors: ValueError for weights that are neither one nor as many as channels.

    Example:
        >>> nn.functional.prelu(ct.tensor([[-1.0, 2.0, -4.0]]), ct.tensor([0.5, 0.5, 0.25])).tolist()
        [[-0.5, 2.0, -1.0]]
    """
    channels = x.shape[1] if x.ndim > 1 else 1
    if weight.ndim != 1 or weight.shape[0] not in (1, channels):
        raise ValueError(f"[prelu] weight has shape {list(weight.shape)}, expected [1] or [{channels}], the channels")
    if weight.shape[0] > 1:
        weight = weight.reshape(-1, *(1,) * (x.ndim - 2))
    return where(x > 0, x, weight * x)
