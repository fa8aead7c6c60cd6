"""Following calls: which module is being called, for recordings and `ct.debug`."""

from __future__ import annotations

from threading import get_ident
from typing import Any, TypeVar

from cinta.nn.containers import Sequential
from cinta.nn.error_path import add_input
from cinta.nn.module import Module

Self = TypeVar("Self", bound="Calls")


class Calls:
    """A context in which every call of a module in this thread is told to `entered` and `left`."""

    def __init__(self) -> None:
        self._thread = get_ident()

    def entered(self, module: Module) -> None:
        raise NotImplementedError

    def left(self) -> None:
        raise NotImplementedError

    def __enter__(self: Self) -> Self:
        plain_call, plain_forward = self._plain = Module.__call__, Sequential.forward
        thread, entered, left = self._thread, self.entered, self.left

        def call(self: Module, *args: Any, **kwargs: Any) -> Any:
            if get_ident() != thread:
                return plain_call(self, *args, **kwargs)
            entered(self)
            try:
                return plain_call(self, *args, **kwargs)
            finally:
                left()

        def forward(self: Sequential, x: Any) -> Any:
            if get_ident() != thread:
                return plain_forward(self, x)
            layer = before = None
            try:  # as ever, but by way of the layers' __call__
                for below in self:
                    before, layer = layer, below
                    x = below(x)
            except Exception as error:
                if layer is not None:
                    add_input(error, layer, before, x)
                raise
            return x

        Module.__call__, Sequential.forward = call, forward  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Module.__call__, Sequential.forward = self._plain  # type: ignore[method-assign]
