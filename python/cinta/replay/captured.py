"""What a function sees besides its arguments, as guards: whether it is still what it was."""

from __future__ import annotations

import sys
from typing import Any

from cinta.nn import module as nn_module
from cinta.nn.module import Module

from .reach import ABSENT, PLAIN, Reach

Guard = tuple[str, Any, Any, Any, bool]  # kind, container, key, expected, by value


class Captured:
    """The surroundings of a function, as guards that the core checks before each replay."""

    def __init__(self, f: Any, others: list[Any]) -> None:
        self._guards: list[Guard] = []
        self._labels: list[str] = []
        reach = Reach(self._add)
        for argument in others:
            reach.walk(argument, type(argument).__name__)
        reach.walk(f, getattr(f, "__name__", "the function"))
        self.tensors = list({id(tensor): tensor for tensor in reach.tensors}.values())
        self._modules = reach.modules
        self._optimizers = reach.optimizers
        self._changes = nn_module.changes[0]
        self._snapshot = self._photograph()
        self._options = self._read_options()
        self._streams = _random_streams()

    def _add(self, kind: str, container: Any, key: Any, expected: Any, label: str) -> None:
        by_value = isinstance(expected, PLAIN) and kind not in ("code", "defaults")
        bound = kind == "attribute" and hasattr(expected, "__self__")  # made anew at each look
        if not bound:
            self._guards.append((kind, container, key, expected, by_value))
            self._labels.append(label)

    def guards(self) -> list[Guard]:
        """For the core, with the count of changes to any module at the end."""
        return [*self._guards, ("item", nn_module.changes, 0, nn_module.changes[0], True)]

    # Modules

    def _photograph(self) -> list[tuple[str, Any]]:
        """Everything about the modules that a recording depends on."""
        picture: list[tuple[str, Any]] = []
        for label, root in self._modules:
            for path, module in root.named_modules():
                for name, value in module.__dict__.items():
                    plain = isinstance(value, PLAIN)
                    where = f"{label}.{path}.{name}" if path else f"{label}.{name}"
                    picture.append((where, (type(value), value) if plain else id(value)))
        return picture

    def changed(self, replay: Any) -> str | None:
        """What is not as it was when recorded, in words; None where all is."""
        number = replay.broken_guard()
        if number < 0:
            return None
        if number < len(self._guards):
            return _change(self._guards[number], self._labels[number]) + " as when it was recorded"
        now = self._photograph()
        for before, after in zip(self._snapshot, now):
            if before != after:
                return _difference(before, after)
        if len(now) != len(self._snapshot):
            return "a module has gained or lost an attribute"
        replay.set_guard(number, nn_module.changes[0])  # the change was elsewhere, or was taken back
        return self.changed(replay)

    # After the recording

    def check_unchanged(self, name: str) -> None:
        """RuntimeError where the function itself has changed what it captured."""
        for guard, label in zip(self._guards, self._labels):
            if not _holds(guard):
                raise RuntimeError(
                    f"[compile] {name} changes what it captured ({_change(guard, label)}), which a replay would not "
                    "do: pass it in and return it, as a tensor where it varies"
                )
        if nn_module.changes[0] != self._changes:
            for before, after in zip(self._snapshot, self._photograph()):
                if before != after:
                    raise RuntimeError(
                        f"[compile] {name} changes a module ({_difference(before, after)}), which a replay would not "
                        "do: keep state in buffers that are written in place, or return it"
                    )
        if self._options != self._read_options():
            raise RuntimeError(
                f"[compile] {name} changes an optimizer's options, which a replay would not do: set them before the "
                "call; they are read at every call"
            )
        if self._streams != _random_streams():
            raise RuntimeError(
                f"[compile] {name} draws random numbers from Python or NumPy, which a replay would not do again: "
                "draw from ct.random, or pass the numbers in"
            )

    def _read_options(self) -> list[dict[str, Any]]:
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        return [{key: value for key, value in group.items() if key != "params"} for group in groups]


def _random_streams() -> list[str]:
    """Where Python's and NumPy's own streams of random numbers stand, of those that somebody has loaded."""
    streams = []
    if (module := sys.modules.get("random")) is not None:
        streams.append(repr(module.getstate()))
    if (module := sys.modules.get("numpy.random")) is not None:
        _, keys, position, *rest = module.get_state()
        streams.append(repr((keys.tobytes(), position, rest)))
    return streams


def _current(kind: str, container: Any, key: Any) -> Any:
    if kind == "cell":
        return container.cell_contents
    if kind == "dict":
        return container.get(key, ABSENT)
    if kind == "item":
        return container[key] if key < len(container) else ABSENT
    if kind == "length":
        return len(container)
    if kind == "attribute":
        return getattr(container, key, ABSENT)
    if kind == "equal":
        return frozenset(container)
    value = container.__code__ if kind == "code" else container.__defaults__
    return ABSENT if value is None else value


def _holds(guard: Guard) -> bool:
    kind, container, key, expected, by_value = guard
    now = _current(kind, container, key)
    if now is expected or not (by_value or kind == "equal"):
        return now is expected
    return type(now) is type(expected) and (now == expected or now != now)  # the same NaN, too


def _change(guard: Guard, label: str) -> str:
    kind, container, key, expected, by_value = guard
    now = _current(kind, container, key)
    if now is ABSENT or expected is ABSENT:
        return f"{label!r} is {'gone' if now is ABSENT else 'new'}, expected it to be {'there' if now is ABSENT else 'absent'}"
    if by_value:
        return f"{label!r} is {now!r}, expected {expected!r}"
    return f"{label!r} is another object, expected the same"


def _difference(before: tuple[str, Any], after: tuple[str, Any]) -> str:
    if before[0] != after[0]:
        return f"{after[0]!r} is new"
    if isinstance(before[1], tuple) and isinstance(after[1], tuple):
        return f"{after[0]!r} is {after[1][1]!r}, expected {before[1][1]!r} as when it was recorded"
    return f"{after[0]!r} is another object than when it was recorded"
