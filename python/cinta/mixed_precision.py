"""Automatic mixed precision: products in bfloat16, everything that needs range or digits in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from cinta._core import bfloat16, set_autocast


class autocast:
    """Inside, matrix products take bfloat16 arguments and sum in float32. Context manager and decorator; scopes nest.

    In `dtype`: matmul (also `@`), linear, einsum, tensordot, inner, dot, conv1d, conv2d, conv_transpose1d,
    conv_transpose2d, locally_connected1d, locally_connected2d.
    In float32: exp, exp2, expm1, log, log2, log10, log1p, rsqrt, reciprocal, sinh, cosh, tan, asin, acos,
    softplus, softmax, log_softmax, logsumexp, sum, mean, prod, var, std, cumsum, cumprod, layer_norm,
    group_norm, local_response_norm and the losses.
    All else takes what it is given; two dtypes that meet promote to float32. batch_norm keeps its input's dtype and
    computes in float32 inside, as every operation does on a half dtype. float64 stays float64.

    Parameters remain float32 masters: what is cast is an argument, each time it is used, so gradients are summed and
    arrive in float32, and an optimizer's small steps are not lost. (`model.to(dtype=ct.bfloat16)` has no masters: a
    step below 1/256 of a weight rounds to nothing, as in PyTorch.) Call `backward()` inside or outside.

    dtype: bfloat16, or float16, whose small range asks for a scaled loss. enabled: False switches off an outer scope.
    The scope holds for this thread. Errors: ValueError for another dtype.
    Source: P. Micikevicius et al., "Mixed precision training", 2018.

    >>> import cinta as ct
    >>> w = ct.ones((4, 4)).requires_grad_()
    >>> with ct.autocast(dtype=ct.bfloat16):
    ...     y = w @ w
    ...     loss = y.sum()
    >>> y.dtype, loss.dtype
    (cinta.bfloat16, cinta.float32)
    >>> loss.backward()
    >>> w.grad.dtype
    cinta.float32
    """

    __slots__ = ("_dtype", "_previous")

    def __init__(self, dtype: Any = bfloat16, enabled: bool = True) -> None:
        set_autocast(set_autocast(dtype))  # a wrong one is refused here
        self._dtype = dtype if enabled else None
        self._previous: list[Any] = []

    def __enter__(self) -> None:
        self._previous.append(set_autocast(self._dtype))

    def __exit__(self, *exception: object) -> None:
        set_autocast(self._previous.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        dtype = self._dtype

        @wraps(function)
        def cast(*args: Any, **kwargs: Any) -> Any:
            previous = set_autocast(dtype)
            try:
                return function(*args, **kwargs)
            finally:
                set_autocast(previous)

        return cast
