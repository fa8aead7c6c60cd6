"""Which module is being called, while a recording lasts: the names of layers in a program."""

from __future__ import annotations

from cinta.nn.calls import Calls
from cinta.nn.module import Module

from .names import ModuleNames, join


class Layers(Calls):
    """A context in which calls of modules are followed; `stack` holds their dotted paths, the innermost last."""

    def __init__(self, names: ModuleNames) -> None:
        super().__init__()
        self._paths = names.paths
        self.stack: list[str] = []

    def entered(self, module: Module) -> None:
        stack = self.stack
        stack.append(self._paths.get(id(module)) or join(stack[-1] if stack else "", type(module).__name__))

    def left(self, module: Module) -> None:
        self.stack.pop()
