"""Which module is being called, while a recording lasts: the names of layers in a program."""

from __future__ import annotations

from threading import get_ident
from typing import Any

from cinta.nn.containers import Sequential
from cinta.nn.error_path import add_input
from cinta.nn.module import Module

from .names import ModuleNames, join


class Layers:
    """A context in which calls of modules are followed; `stack` holds their dotted paths, the innermost last."""

    def __init__(self, names: ModuleNames) -> None:
        self._names = names
        self.stack: list[str] = []
        self._thread = get_ident()

    def _path_of(self, module: Module) -> str:
        known = self._names.paths.get(id(module))
        return join(self.stack[-1] if self.stack else "", type(module).__name__) if known is None else known

    def __enter__(self) -> Layers:
        plain_call, plain_forward = self._plain = Module.__call__, Sequential.forward
        layers = self

        def call(self: Module, *args: Any, **kwargs: Any) -> Any:
            if get_ident() != layers._thread:
                return plain_call(self, *args, **kwargs)
            layers.stack.append(layers._path_of(self))
            try:
                return plain_call(self, *args, **kwargs)
            finally:
                layers.stack.pop()

        def forward(self: Sequential, x: Any) -> Any:
            if get_ident() != layers._thread:
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
