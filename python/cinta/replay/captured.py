"""What a function sees besides its arguments: closures, globals, modules; and whether it is still what it was."""

from __future__ import annotations

from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from cinta import _core
from cinta._core import Tensor
from cinta.nn import module as nn_module
from cinta.nn.module import Module
from cinta.optim.optimizer import Optimizer

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_DEPTH = 6  # of containers and objects within each other


def _names_in(code: CodeType) -> set[str]:
    """Names of globals and attributes that the code, or a function defined in it, uses."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names


class Captured:
    """The surroundings of a function, as guards that the core checks before each replay."""

    def __init__(self, f: Any, others: list[Any]) -> None:
        self._guards: list[tuple[str, Any, Any, Any, bool]] = []  # kind, container, key, expected, by value
        self._labels: list[str] = []
        self._seen: dict[int, Any] = {}
        self.modules: list[tuple[str, Module]] = []
        self._walk(f, getattr(f, "__name__", "the function"), set(), 0)
        for other in others:
            self._walk(other, type(other).__name__, set(), 0)
        self._changes = nn_module.changes[0]
        self._snapshot = self._photograph()

    # Guards

    def _guard(self, kind: str, container: Any, key: Any, value: Any, label: str) -> None:
        self._guards.append((kind, container, key, value, isinstance(value, _PLAIN)))
        self._labels.append(label)

    def _walk(self, value: Any, label: str, names: set[str], depth: int) -> None:
        if isinstance(value, (*_PLAIN, Tensor, ModuleType, type)) or id(value) in self._seen or depth > _DEPTH:
            return
        self._seen[id(value)] = value
        if isinstance(value, FunctionType):
            self._walk_function(value, label, depth)
        elif isinstance(value, MethodType):
            if isinstance(value.__func__, FunctionType):
                self._walk_function(value.__func__, label, depth)
            self._walk(value.__self__, f"{label}.__self__", _names_in(value.__func__.__code__), depth)
        elif isinstance(value, partial):
            for part in (value.func, value.args, value.keywords):
                self._walk(part, label, names, depth + 1)
        elif isinstance(value, _core.CompiledFunction):
            self._walk(value._f, label, names, depth)
        elif isinstance(value, Module):
            self.modules.append((label, value))
            self._walk_module_code(value, label, depth)
        elif isinstance(value, Optimizer):
            pass  # its options are read at each call, its plan is checked there
        elif isinstance(value, dict):
            for key, entry in value.items():
                self._guard("dict", value, key, entry, f"{label}[{key!r}]")
                self._walk(entry, f"{label}[{key!r}]", names, depth + 1)
        elif isinstance(value, (list, tuple)):
            for position, entry in enumerate(value):
                if isinstance(value, list):
                    self._guard("item", value, position, entry, f"{label}[{position}]")
                self._walk(entry, f"{label}[{position}]", names, depth + 1)
        elif isinstance(attributes := getattr(value, "__dict__", None), dict):
            for name, entry in list(attributes.items()):
                if name in names:
                    self._guard("dict", attributes, name, entry, f"{label}.{name}")
                    self._walk(entry, f"{label}.{name}", names, depth + 1)

    def _walk_function(self, f: FunctionType, label: str, depth: int) -> None:
        own = (f.__module__ or "").split(".")[0] == "cinta"  # the library's globals do not change
        names = _names_in(f.__code__)
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
            try:
                content = cell.cell_contents
            except ValueError:  # not filled yet
                continue
            self._guard("cell", cell, None, content, name)
            self._walk(content, name, names, depth + 1)
        for name in names:
            if not own and name in f.__globals__:
                content = f.__globals__[name]
                if isinstance(content, ModuleType):
                    continue
                self._guard("dict", f.__globals__, name, content, name)
                self._walk(content, name, names, depth + 1)
        for content in f.__defaults__ or ():
            self._walk(content, label, names, depth + 1)

    def _walk_module_code(self, module: Module, label: str, depth: int) -> None:
        """The globals that the modules' own `forward`s use."""
        for below in module.modules():
            forward = type(below).forward
            if isinstance(forward, FunctionType) and (forward.__module__ or "").split(".")[0] != "cinta":
                self._walk(forward, f"{label}.forward", set(), depth + 1)

    def guards(self) -> list[tuple[str, Any, Any, Any, bool]]:
        """For the core, with the count of changes to any module at the end."""
        return [*self._guards, ("item", nn_module.changes, 0, nn_module.changes[0], True)]

    def tensors(self) -> list[tuple[str, Tensor]]:
        """Those among what is guarded, by the names that the function has for them."""
        found = [(label, guard[3]) for guard, label in zip(self._guards, self._labels)]
        return [(label, value) for label, value in found if isinstance(value, Tensor)]

    # Modules

    def _photograph(self) -> list[tuple[str, Any]]:
        """Everything about the modules that a recording depends on."""
        picture: list[tuple[str, Any]] = []
        for label, root in self.modules:
            for path, module in root.named_modules():
                for name, value in module.__dict__.items():
                    plain = isinstance(value, _PLAIN)
                    where = f"{label}.{path}.{name}" if path else f"{label}.{name}"
                    picture.append((where, (type(value), value) if plain else id(value)))
        return picture

    def changed(self, replay: Any) -> str | None:
        """What is not as it was when recorded, in words; None where all is."""
        number = replay.broken_guard()
        if number < 0:
            return None
        if number < len(self._guards):
            kind, container, key, expected, plain = self._guards[number]
            now = _current(kind, container, key)
            if plain:
                return f"{self._labels[number]!r} is {now!r}, expected {expected!r} as when it was recorded"
            return f"{self._labels[number]!r} is another object than when it was recorded"
        now = self._photograph()
        for before, after in zip(self._snapshot, now):
            if before != after:
                return _difference(before, after)
        if len(now) != len(self._snapshot):
            return "a module has gained or lost an attribute"
        replay.set_guard(number, nn_module.changes[0])  # the change was elsewhere, or was taken back
        return self.changed(replay)

    def check_unchanged(self, name: str) -> None:
        """After the recording: RuntimeError where the function itself has changed what it captured."""
        for (kind, container, key, expected, plain), label in zip(self._guards, self._labels):
            now = _current(kind, container, key)
            if now is expected or (plain and type(now) is type(expected) and now == expected):
                continue
            change = f" from {expected!r} to {now!r}" if plain else ""
            raise RuntimeError(
                f"[compile] {name} changes {label!r}{change}, which a replay would not do: pass it in and return it, "
                "as a tensor where it varies"
            )
        if nn_module.changes[0] != self._changes:
            for before, after in zip(self._snapshot, self._photograph()):
                if before != after:
                    raise RuntimeError(
                        f"[compile] {name} changes a module ({_difference(before, after)}), which a replay would not "
                        "do: keep state in buffers that are written in place, or return it"
                    )


def _current(kind: str, container: Any, key: Any) -> Any:
    if kind == "cell":
        return container.cell_contents
    if kind == "dict":
        return container.get(key)
    return container[key] if key < len(container) else None


def _difference(before: tuple[str, Any], after: tuple[str, Any]) -> str:
    if before[0] != after[0]:
        return f"{after[0]!r} is new"
    if isinstance(before[1], tuple) and isinstance(after[1], tuple):
        return f"{after[0]!r} is {after[1][1]!r}, expected {before[1][1]!r} as when it was recorded"
    return f"{after[0]!r} is another object than when it was recorded"
