"""What a program's values and layers are called: arguments, the parameters of captured modules, optimizer state."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cinta._core import Tensor
from cinta.autodiff import tree
from cinta.nn.module import Module

if TYPE_CHECKING:
    from .captured import Captured
    from .hosts import Hosts

Walk = list[tuple[str, Module]]  # a module and all below it, with their paths


class ModuleNames:
    """Dotted paths of modules, as seen from the one that a function uses.

    Where it uses several, each path begins with the name that the function has for its module.
    """

    def __init__(self, modules: list[tuple[str, Walk]]) -> None:
        roots = modules
        if len(modules) > 1:
            below = {id(module) for _, walk in modules for path, module in walk if path}
            roots = [(label, walk) for label, walk in modules if id(walk[0][1]) not in below]
        self._roots = [("" if len(roots) == 1 else label, walk) for label, walk in roots]
        self.paths: dict[int, str] = {}  # by identity
        for label, walk in self._roots:
            self.paths.update((id(module), join(label, path) or type(module).__name__) for path, module in walk)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """By path: the module's type."""
        return {self.paths[id(module)]: type(module).__name__ for _, walk in self._roots for _, module in walk}

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        for label, walk in self._roots:
            root = walk[0][1]
            for path, tensor in (*root.named_parameters(), *root.named_buffers()):
                yield join(label, path), tensor


def join(outer: str, inner: str) -> str:
    return f"{outer}.{inner}" if outer and inner else outer or inner


class Names:
    """Names in one recording; worked out when somebody asks for them."""

    def __init__(
        self,
        f: Callable[..., Any],
        call: Any,
        positions: list[int],
        modules: ModuleNames,
        captured: Captured,
        hosts: Hosts,
    ) -> None:
        self._f, self._call, self._positions = f, call, positions
        self.modules = modules
        self._captured = captured
        self._hosts = hosts

    @cached_property
    def inputs(self) -> list[str]:
        return argument_names(self._f, self._call, self._positions)

    def given(self, inputs: int, returned: int) -> list[str]:
        """What goes in; a gradient's program takes saved values and the gradients of what was returned, too."""
        own = self.inputs
        more = inputs - len(own)
        if not more:
            return own
        return own + [f"saved{n}" for n in range(more - returned)] + [f"{r}.grad" for r in self.results(returned)]

    @staticmethod
    def results(returned: int, saved: int = 0) -> list[str]:
        own = ["result"] if returned == 1 else [f"result{n}" for n in range(returned)]
        return own + [f"saved{n}" for n in range(saved)]

    def gradients(self, leaves: list[Tensor | int]) -> list[str]:
        """Of tensors, and of inputs by number."""
        known = {id(tensor): name for name, tensor in (*self._captured.named_tensors(), *self.modules.tensors())}
        names = [self.inputs[x] if isinstance(x, int) else known.get(id(x), "") for x in leaves]
        return [name and f"{name}.grad" for name in names]

    def state(self, value_of: Callable[[Tensor], int]) -> dict[int, str]:
        """Names of values that are memory from before; `value_of` tells which a tensor is, or -1."""
        names: dict[int, str] = {}
        for name, tensor in (*self.modules.tensors(), *self._captured.named_tensors()):
            names.setdefault(value_of(tensor), name)
        for param, state, tensor in self._hosts.state():
            if owner := names.get(value_of(param)):
                names.setdefault(value_of(tensor), f"{owner}.{state}")
        names.pop(-1, None)
        return names


def argument_names(f: Callable[..., Any], call: Any, positions: Iterable[int]) -> list[str]:
    """How Python would write the leaves at these positions of a call `(args, kwargs)`: `x`, `batch['images']`, ..."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a builtin
        parameters = []
    plain = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "args")
    args, kwargs = call
    first = [leaf_name for k, arg in enumerate(args) for leaf_name in _leaves_of(plain, rest, k, arg)]
    named = [key + tree.path(arg, n) for key, arg in kwargs.items() for n in range(len(tree.leaves(arg)))]
    names = first + named
    return [names[position] for position in positions]


def _leaves_of(plain: list[str], rest: str, k: int, arg: Any) -> list[str]:
    name = plain[k] if k < len(plain) else f"{rest}[{k - len(plain)}]"
    return [name + tree.path(arg, n) for n in range(len(tree.leaves(arg)))]
