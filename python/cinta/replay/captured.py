"""What a function sees besides its arguments, as guards: whether it is still what it was."""

from __future__ import annotations

from itertools import zip_longest
from operator import length_hint
from types import GeneratorType
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor
from cinta.nn import module as nn_module

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
        self._aliases = [tensor.detach() for tensor in self.tensors]
        self.modules = reach.modules
        self._optimizers = reach.optimizers
        self._changes = nn_module.changes[0]
        self._snapshot = self._photograph()
        self._options = self._read_options()
        self._streams = reach.streams
        self._positions = self._read_positions()

    def _add(self, kind: str, container: Any, key: Any, expected: Any, label: str) -> None:
        by_value = isinstance(expected, PLAIN) and kind not in ("code", "defaults")
        bound = kind == "attribute" and hasattr(expected, "__self__")  # made anew at each look
        if not bound:
            self._guards.append((kind, container, key, expected, by_value))
            self._labels.append(label)

    def guards(self) -> list[Guard]:
        """For the core, with the count of changes to any module at the end."""
        return [*self._guards, ("item", nn_module.changes, 0, nn_module.changes[0], True)]

    def named_tensors(self) -> list[tuple[str, Tensor]]:
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
            return _change(self._guards[number], self._labels[number])
        if change := _difference(self._snapshot, self._photograph()):
            return change
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
            change = _difference(self._snapshot, self._photograph())
            if change:
                raise RuntimeError(
                    f"[compile] {name} changes a module ({change}), which a replay would not do: keep state in buffers "
                    "that are written in place, or return it"
                )
        for tensor, alias in zip(self.tensors, self._aliases):
            if tensor.size and _core._overlap(tensor, alias) != 0:
                raise RuntimeError(
                    f"[compile] {name} exchanges the memory of a tensor of shape {list(tensor.shape)} (.data = ...), "
                    "which a replay would not do: write into it (.copy_) instead"
                )
        if self._options != self._read_options():
            raise RuntimeError(
                f"[compile] {name} changes an optimizer's options, which a replay would not do: set them before the "
                "call; they are read at every call"
            )
        for label, before, after in zip(self._positions, self._positions.values(), self._read_positions().values()):
            if before != after:
                raise RuntimeError(
                    f"[compile] {name} takes from {label}, which a replay would not do again: pass what it takes in as "
                    "an argument, and draw random numbers from ct.random"
                )

    def _read_options(self) -> list[dict[str, Any]]:
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        return [{key: value for key, value in group.items() if key != "params"} for group in groups]

    def _read_positions(self) -> dict[str, Any]:
        """Where streams stand that give something else each time: Python's and NumPy's random numbers, iterators."""
        import random

        twister: dict[str, Any] = numpy.random.get_state(legacy=False)["state"]  # noqa: NPY002
        positions: dict[str, Any] = {
            "Python's random numbers": random.getstate(),
            "NumPy's random numbers": (twister["key"].tobytes(), twister["pos"]),
        }
        return positions | {repr(label): _position(stream) for label, stream in self._streams}


def _position(stream: Any) -> Any:
    if hasattr(stream, "bit_generator"):
        return repr(stream.bit_generator.state)
    if isinstance(stream, GeneratorType):
        return stream.gi_frame and stream.gi_frame.f_lasti
    if hasattr(stream, "getstate"):
        return stream.getstate()
    return length_hint(stream, -1), repr(stream)


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
    if kind == "bytes":
        return container.tobytes()
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
        return f"{label!r} is gone" if now is ABSENT else f"{label!r} is new"
    if kind == "bytes":
        return f"the array {label!r} has other entries than before"
    if by_value:
        return f"{label!r} is {now!r}, expected {expected!r} as before"
    return f"{label!r} is another object than before"


def _difference(before: list[tuple[str, Any]], after: list[tuple[str, Any]]) -> str | None:
    """The first attribute in which two photographs differ, in words."""
    for (name, old), (now, new) in zip_longest(before, after, fillvalue=("", None)):
        if name != now:
            return f"{now!r} is new" if now else f"{name!r} is gone"
        if old != new and isinstance(old, tuple) and isinstance(new, tuple):
            return f"{name!r} is {new[1]!r}, expected {old[1]!r} as before"
        if old != new:
            return f"{name!r} is another object than before"
    return None
