"""What code can reach besides its arguments: closures, globals, attributes, containers, and what those hold."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, lru_cache, partial
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor
from cinta.nn.module import Module
from cinta.optim.optimizer import Optimizer

PLAIN = (bool, int, float, complex, str, bytes, type(None))
_PLAIN = frozenset(PLAIN)  # most values are of one of these and no subclass
_SMALL = 4096  # bytes of arrays whose entries may be read as numbers; tensors read them anew at each call
ABSENT = ...  # what a guard expects where there is nothing
_LIBRARIES = {"cinta", "numpy", "scipy", *sys.stdlib_module_names}  # whose own globals do not change


@cache
def _is_library(module: str | None) -> bool:
    return (module or "").partition(".")[0] in _LIBRARIES


@lru_cache(1024)
def _names_in(code: CodeType) -> tuple[str, ...]:
    """Names that the code, or a function defined in it, looks up, in order; strings too, for `getattr`."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names.update(_names_in(constant))
        elif isinstance(constant, str) and constant.isidentifier():
            names.add(constant)
    return tuple(sorted(names))


class Reach:
    """Goes from a function to all it may look at; `guard(kind, container, key, now, label)` is told of each look."""

    def __init__(self, guard: Callable[[str, Any, Any, Any, str], None]) -> None:
        self._guard = guard
        self._seen: dict[int, Any] = {}
        self._names: set[str] = set()  # that any of the code looks up
        self._owners: list[tuple[Any, str, set[str]]] = []  # with attributes: those of which names were looked at
        self._waiting: list[tuple[Any, str]] = []
        self.tensors: list[Tensor] = []
        self.modules: list[tuple[str, list[tuple[str, Module]]]] = []  # with all below them, by path
        self.attributes: list[tuple[str, Module, dict[str, Any]]] = []  # of those, copied
        self.optimizers: list[Optimizer] = []
        self.streams: list[tuple[str, Any]] = []  # that give something else each time

    def walk(self, value: Any, label: str) -> None:
        self._waiting.append((value, label))
        while self._waiting:
            while self._waiting:
                self._visit(*self._waiting.pop())
            for owner, name, done in self._owners:
                for attribute in sorted(self._wanted(owner) - done):
                    done.add(attribute)
                    self._look_up(owner, attribute, f"{name}.{attribute}")

    def _visit(self, value: Any, label: str) -> None:
        kind = type(value)
        if kind in _PLAIN or id(value) in self._seen or isinstance(value, PLAIN):
            return
        self._seen[id(value)] = value
        visit = _VISITS.get(kind) or next((v for base, v in _VISITS.items() if isinstance(value, base)), None)
        if visit is not None:
            visit(self, value, label)
        elif getattr(kind, "_watched", False):  # of the library, with attributes that decide what is computed
            self._waiting.append((vars(value), label))
            if not _is_library(kind.__module__):
                self._owners.append((value, label, set()))
        elif _gives_anew(value):
            self.streams.append((label, value))
        elif (kind.__module__ or "").split(".")[0] not in ("cinta", "numpy"):
            self._owners.append((value, label, set()))

    def _visit_tensor(self, value: Tensor, label: str) -> None:
        self.tensors.append(value)

    def _visit_optimizer(self, value: Optimizer, label: str) -> None:
        self.optimizers.append(value)  # its options are read at each call

    def _visit_method(self, value: MethodType, label: str) -> None:
        self._waiting.append((value.__func__, label))
        self._waiting.append((value.__self__, f"{label}.__self__"))

    def _visit_partial(self, value: partial[Any], label: str) -> None:
        self._waiting.append(((value.func, value.args, value.keywords), label))

    def _visit_wrapper(self, value: Any, label: str) -> None:
        compiled = isinstance(value, _core.CompiledFunction)
        inner = value._f if compiled else value.fget if isinstance(value, property) else value.__func__
        self._waiting.append((inner, label))

    def _visit_array(self, value: numpy.ndarray[Any, Any], label: str) -> None:
        if value.flags.c_contiguous and value.dtype.kind in "biufc" and value.nbytes <= _SMALL:
            self._guard("bytes", value, None, value.tobytes(), label)

    def _visit_namespace(self, value: Any, label: str) -> None:
        if not _is_library(value.__name__ if isinstance(value, ModuleType) else value.__module__):
            self._owners.append((value, label, set()))

    def _visit_container(self, value: Any, label: str) -> None:
        if isinstance(value, set):
            self._guard("equal", value, None, frozenset(value), label)
        elif isinstance(value, (dict, list)):
            self._guard("length", value, None, len(value), f"len({label})")
        kind = "dict" if isinstance(value, dict) else "item" if isinstance(value, list) else None
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            if kind is None and type(entry) in _PLAIN:
                continue
            name = f"{label}[{key!r}]"
            if kind is not None:
                self._guard(kind, value, key, entry, name)
            self._waiting.append((entry, name))

    def _visit_function(self, f: FunctionType, label: str) -> None:
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
            try:
                content = cell.cell_contents
            except ValueError:  # not filled yet
                continue
            self._guard("cell", cell, None, content, name)
            self._waiting.append((content, name))
        if _is_library(f.__module__):
            return
        self._guard("code", f, None, f.__code__, f"{label}.__code__")
        self._guard("defaults", f, None, ABSENT if f.__defaults__ is None else f.__defaults__, f"{label}.__defaults__")
        self._waiting.append((f.__defaults__, label))
        self._waiting.append((f.__kwdefaults__, label))
        names, known = _names_in(f.__code__), f.__globals__
        self._names.update(names)
        for name in names:
            if name not in known:
                continue
            content = known[name]
            if not isinstance(content, ModuleType):
                self._guard("dict", known, name, content, name)
            self._waiting.append((content, name))

    def _visit_module(self, root: Module, label: str) -> None:
        """A module's attributes are watched by its count of changes; what they hold and its code are looked at."""
        walk, attributes, tensors, further = _core._walk_modules(root, label, self._seen)
        self.modules.append((label, walk))
        self.attributes += attributes
        self.tensors += tensors
        self._waiting += further
        for name, module, _ in attributes:
            if not _is_library(type(module).__module__):
                self._owners.append((module, name, set()))

    # Attributes

    def _wanted(self, owner: Any) -> set[str]:
        special = {"forward"} if isinstance(owner, Module) else set()
        for kind in _owner(owner).__mro__ if not isinstance(owner, ModuleType) else ():
            if not _is_library(kind.__module__):
                special |= {name for name, value in vars(kind).items() if _runs_unnamed(name, value)}
        every = {"__dict__", "vars"} & self._names and isinstance(getattr(owner, "__dict__", None), dict)
        return self._names | special | (set(vars(owner)) if every else set())

    def _look_up(self, owner: Any, name: str, label: str) -> None:
        own = getattr(owner, "__dict__", None)
        if isinstance(own, dict) and not isinstance(owner, Module):
            if name in own:
                self._guard("dict", own, name, own[name], label)
                self._waiting.append((own[name], label))
                return
        elif isinstance(owner, Module) and name in owner.__dict__:
            return
        if isinstance(owner, ModuleType):
            return
        kind = next((kind for kind in _owner(owner).__mro__ if name in vars(kind)), None)
        if kind is None or _is_library(kind.__module__):
            if isinstance(own, dict) and {"getattr", "hasattr"} & self._names:
                self._guard("dict", own, name, ABSENT, label)
            return
        found = vars(kind)[name]
        if isinstance(found, MemberDescriptorType):  # a slot
            found = getattr(owner, name, ABSENT)
            self._guard("attribute", owner, name, found, label)
        else:
            if isinstance(own, dict) and not isinstance(owner, Module):
                self._guard("dict", own, name, ABSENT, label)
            self._guard("attribute", kind, name, getattr(kind, name), label)
        self._waiting.append((found, label))


_Visit = Callable[[Reach, Any, str], None]
_VISITS: dict[type, _Visit] = {
    Tensor: Reach._visit_tensor,
    FunctionType: Reach._visit_function,
    Module: Reach._visit_module,
    Optimizer: Reach._visit_optimizer,
    MethodType: Reach._visit_method,
    ModuleType: Reach._visit_namespace,
    type: Reach._visit_namespace,
    **dict.fromkeys((dict, list, tuple, set, frozenset), Reach._visit_container),
    numpy.ndarray: Reach._visit_array,
    partial: Reach._visit_partial,
    **dict.fromkeys((staticmethod, classmethod, property, _core.CompiledFunction), Reach._visit_wrapper),
}


def _owner(value: Any) -> type:
    """The class whose attributes a look at `value` finds: itself, where it is one."""
    return value if isinstance(value, type) else type(value)


def _gives_anew(value: Any) -> bool:
    """Whether it is an iterator of Python's own, or a generator of random numbers."""
    iterates = hasattr(type(value), "__next__") and _is_library(type(value).__module__)
    return iterates or hasattr(value, "bit_generator") or hasattr(value, "getrandbits")


def _runs_unnamed(name: str, value: Any) -> bool:
    """Whether it is a method that no name in the code says is called: `__call__`, `__getitem__`, `__iter__` ..."""
    special = name.startswith("__") and name.endswith("__") and name not in ("__init__", "__new__", "__repr__")
    return special and isinstance(value, FunctionType)
