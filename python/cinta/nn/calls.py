"""Following calls: which module is being called, for recordings and `ct.debug`."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from cinta.nn.error_path import add_path

if TYPE_CHECKING:
    from cinta.nn.module import Module

Self = TypeVar("Self", bound="Calls")

following: list[Calls] = []  # all that last; calls of modules look whether there are any, and pay no more than that


class Calls:
    """A context in which every call of a module in this thread is told to `entered` and `left`."""

    def __init__(self) -> None:
        self._thread = get_ident()

    def entered(self, module: Module) -> None:
        raise NotImplementedError

    def left(self, module: Module) -> None:
        raise NotImplementedError

    def __enter__(self: Self) -> Self:
        following.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        following.remove(self)


def followed(module: Module, *args: Any, **kwargs: Any) -> Any:
    """What `Module.__call__` does, told to those who follow it."""
    thread = get_ident()
    for calls in following:
        if calls._thread == thread:
            calls.entered(module)
    try:
        return module.forward(*args, **kwargs)
    except Exception as error:
        add_path(module, error)
        raise
    finally:
        for calls in reversed(following):
            if calls._thread == thread:
                calls.left(module)
