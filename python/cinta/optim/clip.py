"""Gradient clipping, between `backward` and `step`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from cinta import _core
from cinta._core import Tensor, clip_norm_, total_norm
from cinta.autodiff import no_grad
from cinta.row_sparse import RowSparse


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Any]:
    params = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [param.grad for param in params if param.grad is not None]


def _values(grads: list[Any]) -> list[Tensor]:
    """The memory of gradients of either kind."""
    return [grad._values if isinstance(grad, RowSparse) else grad for grad in grads]


def _norm(grads: list[Any], norm_type: float) -> Tensor:
    """Over all elements of all gradients, in float64."""
    if norm_type == 2:
        return total_norm(grads)
    grads = _values(grads)
    sizes = [abs(grad).astype(_core.float64) for grad in grads if grad.size]
    if math.isinf(norm_type):
        return _core.stack([size.max() for size in sizes]).max()
    return _core.stack([(size**norm_type).sum() for size in sizes]).sum() ** (1.0 / norm_type)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scales all gradients by one factor so that their norm, taken over all together, is at most max_norm.

    n = (sum |g|^norm_type)^(1/norm_type), infinity ("inf") meaning the maximum; g = g min(1, max_norm / (n + 1e-6))

    Returns the norm before clipping. Parameters without gradient are passed over. Inside ct.compile, where no value
    can be looked at, leave error_if_nonfinite off and look at the norm that the step returns.
    Errors: ValueError for a negative max_norm or a norm_type that is not positive; RuntimeError for a norm that is
    infinite or NaN, where asked.
    Source: Pascanu, Mikolov and Bengio, "On the difficulty of training Recurrent Neural Networks", 2012.

    Example:
        >>> p = nn.Parameter(ct.tensor([3.0, 4.0]))
        >>> (p * p / 2).sum().backward()
        >>> optim.clip_grad_norm_([p], 1.0).item()
        5.0
        >>> [round(g, 3) for g in p.grad.tolist()]
        [0.6, 0.8]
    """
    if not max_norm >= 0:
        raise ValueError(f"[clip_grad_norm_] max_norm got {max_norm}, expected >= 0")
    norm_type = float(norm_type)
    if not norm_type > 0:
        raise ValueError(f"[clip_grad_norm_] norm_type got {norm_type}, expected > 0")
    grads = _gradients(parameters)
    values = _values(grads)
    if not any(grad.size for grad in values):
        return _core.tensor(0.0)
    with no_grad():
        norm = _norm(grads, norm_type)
        if error_if_nonfinite and not math.isfinite(norm.item()):
            raise RuntimeError(f"[clip_grad_norm_] the gradients' norm is {norm.item()}, expected a finite one")
        clip_norm_(values, norm, max_norm)
    return norm.astype(values[0].dtype)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clips every element of every gradient.

    g = min(max(g, -clip_value), clip_value)

    Errors: ValueError for a negative clip_value.

    Example:
        >>> p = nn.Parameter(ct.tensor([3.0, -0.5]))
        >>> (p * p).sum().backward()
        >>> optim.clip_grad_value_([p], 2.0)
        >>> p.grad.tolist()
        [2.0, -1.0]
    """
    if not clip_value >= 0:
        raise ValueError(f"[clip_grad_value_] clip_value got {clip_value}, expected >= 0")
    with no_grad():
        for grad in _values(_gradients(parameters)):
            grad.copy_(_core.clip(grad, -clip_value, clip_value))
