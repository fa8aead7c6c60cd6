"""Which module is being called, while a recording lasts: the names of layers in a program."""

from __future__ import annotations

from cinta.nn.calls import Calls
from cinta.nn.module import Module

from .names import ModuleNames, join


class Layers(Calls):
    """A context in which calls of modules are followed; `path()` is the dotted path of the innermost one."""

    def __init__(self, names: ModuleNames) -> None:
        super().__init__()
        self._names = names
        self._stack: list[str] = []

    def path(self) -> str:
        return self._stack[-1] if self._stack else ""

    def entered(self, module: Module) -> None:
        known = self._names.paths.get(id(module))
        self._stack.append(join(self.path(), type(module).__name__) if known is None else known)

    def left(self) -> None:
        self._stack.pop()
