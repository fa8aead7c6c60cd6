"""Modules that hold modules: in a chain, a list or a dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import index
from typing import Any, overload

from cinta.nn.calls import following
from cinta.nn.error_path import add_input, add_path
from cinta.nn.module import Module


class _Indexed(Module):
    """Submodules under the names "0", "1", ..., reachable by position."""

    def _fill(self, modules: Iterable[Module]) -> None:
        modules = list(modules)
        for module in modules:
            if not isinstance(module, Module):
                raise TypeError(f"[{type(self).__name__}] got a {type(module).__name__}, expected a Module")
        for name in list(self._module_names):
            delattr(self, name)
        for position, module in enumerate(modules):
            setattr(self, str(position), module)

    def _name_at(self, position: Any) -> str:
        count, at = len(self._module_names), index(position)
        if not -count <= at < count:
            raise IndexError(f"[{type(self).__name__}] index got {at}, expected one of {count} modules")
        return list(self._module_names)[at]

    def __len__(self) -> int:
        return len(self._module_names)

    def __iter__(self) -> Iterator[Module]:
        return iter([self.__dict__[name] for name in self._module_names])

    @overload
    def __getitem__(self, position: int) -> Module: ...
    @overload
    def __getitem__(self, position: slice) -> _Indexed: ...
    def __getitem__(self, position: int | slice) -> Module:
        if isinstance(position, slice):
            part = type(self)()
            part._fill(list(self)[position])
            return part
        module: Module = self.__dict__[self._name_at(position)]
        return module

    def __setitem__(self, position: int, module: Module) -> None:
        setattr(self, self._name_at(position), module)

    def __delitem__(self, position: int | slice) -> None:
        modules = list(self)
        del modules[position]
        self._fill(modules)

    def append(self, module: Module) -> _Indexed:
        """Adds a module at the end and returns self."""
        self._fill([*self, module])
        return self

    def extend(self, modules: Iterable[Module]) -> _Indexed:
        """Adds modules at the end and returns self."""
        self._fill([*self, *modules])
        return self

    def insert(self, position: int, module: Module) -> _Indexed:
        """Puts a module before the given position and returns self."""
        modules = list(self)
        modules.insert(position, module)
        self._fill(modules)
        return self


class Sequential(_Indexed):
    """Modules in a chain, each one's output the next one's input.

    y = f_n(... f_2(f_1(x)))

    Takes modules, or one dict of modules that gives them names. Indexes, slices and iterates like a list.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        >>> net(ct.ones((16, 4))).shape
        (16, 2)
        >>> net[-1]
        Linear(8 -> 2)
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            self._fill(modules)  # type: ignore[arg-type]

    def forward(self, x: Any) -> Any:
        # Straight to the layers' forward, and their __call__'s part in an error done here: 100 ns less a layer.
        attributes = self.__dict__
        layer = before = None
        try:
            for name in self._module_names:
                before, layer = layer, attributes[name]
                x = layer(x) if following else layer.forward(x)
        except Exception as error:
            if layer is not None:
                if not following:
                    add_path(layer, error)
                add_input(error, layer, before, x)
            raise
        return x


class ModuleList(_Indexed):
    """A list of modules whose parameters belong to the module that holds it; it has no forward of its own.

    Example:
        >>> layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        >>> len(layers), len(list(layers.parameters()))
        (3, 6)
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self._fill(modules or ())


class ModuleDict(Module):
    """A dictionary of modules whose parameters belong to the module that holds it; it has no forward of its own.

    Example:
        >>> heads = nn.ModuleDict({"digit": nn.Linear(8, 10), "parity": nn.Linear(8, 2)})
        >>> heads["parity"](ct.ones((1, 8))).shape
        (1, 2)
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Adds modules from a mapping or from pairs, replacing those of the same name."""
        for name, module in dict(modules).items():
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        if name not in self._module_names:
            raise KeyError(name)
        module: Module = self.__dict__[name]
        return module

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        if name not in self._module_names:
            raise KeyError(name)
        delattr(self, name)

    def __len__(self) -> int:
        return len(self._module_names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._module_names)

    def __contains__(self, name: object) -> bool:
        return name in self._module_names

    def keys(self) -> Iterable[str]:
        """Names, in the order of insertion."""
        return self._module_names.keys()

    def values(self) -> list[Module]:
        """Modules, in the order of insertion."""
        return [self.__dict__[name] for name in self._module_names]

    def items(self) -> list[tuple[str, Module]]:
        """Pairs of name and module, in the order of insertion."""
        return [(name, self.__dict__[name]) for name in self._module_names]
