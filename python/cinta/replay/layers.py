"""Which module is being called, while a recording lasts: the names of layers in a program."""

from __future__ import annotations

from threading import get_ident
from typing import Any

from cinta.nn.module import Module


class Layers:
    """A context in which calls of modules are followed; `path()` is the dotted path of the innermost one."""

    def __init__(self) -> None:
        self._stack: list[tuple[Module, str]] = []
        self._thread = get_ident()

    def path(self) -> str:
        return self._stack[-1][1] if self._stack else ""

    def _enter(self, module: Module) -> None:
        if not self._stack:
            self._stack.append((module, type(module).__name__))
            return
        parent, path = self._stack[-1]
        for name, below in parent.named_modules():
            if below is module and name:
                self._stack.append((module, f"{path}.{name}"))
                return
        self._stack.append((module, f"{path}.{type(module).__name__}"))

    def __enter__(self) -> Layers:
        plain = self._plain = Module.__call__
        layers = self

        def call(self: Module, *args: Any, **kwargs: Any) -> Any:
            if get_ident() != layers._thread:
                return plain(self, *args, **kwargs)
            layers._enter(self)
            try:
                return plain(self, *args, **kwargs)
            finally:
                layers._stack.pop()

        Module.__call__ = call  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Module.__call__ = self._plain  # type: ignore[method-assign]
