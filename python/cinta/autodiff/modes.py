"""Switching recording off and on: `no_grad` and `enable_grad`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from cinta._core import set_grad_enabled


class _GradMode:
    """A grad mode for a `with` block or a function; blocks nest, one object may be entered again."""

    __slots__ = ("_previous",)
    _enabled: ClassVar[bool]
    _previous: list[bool]

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        mode = super().__new__(cls)
        mode._previous = []
        return mode if function is None else mode(function)

    def __enter__(self) -> None:
        self._previous.append(set_grad_enabled(self._enabled))

    def __exit__(self, *exception: object) -> None:
        set_grad_enabled(self._previous.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        enabled = self._enabled

        @wraps(function)
        def in_mode(*args: Any, **kwargs: Any) -> Any:
            previous = set_grad_enabled(enabled)
            try:
                return function(*args, **kwargs)
            finally:
                set_grad_enabled(previous)

        return in_mode


class no_grad(_GradMode):
    """Records nothing inside: results do not require gradients. Context manager and decorator.

    >>> import cinta as ct
    >>> w = ct.ones(3).requires_grad_()
    >>> with ct.no_grad():
    ...     (w * 2).requires_grad
    False
    """

    __slots__ = ()
    _enabled = False


class enable_grad(_GradMode):
    """Records inside, also within `no_grad`. Context manager and decorator.

    >>> import cinta as ct
    >>> w = ct.ones(3).requires_grad_()
    >>> with ct.no_grad(), ct.enable_grad():
    ...     (w * 2).requires_grad
    True
    """

    __slots__ = ()
    _enabled = True
