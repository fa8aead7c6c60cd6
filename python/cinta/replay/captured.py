"""What a function sees besides its arguments, as guards: whether it is still what it was."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from cinta import _core
from cinta._core import Tensor
from cinta.nn import module as nn_module

from .reach import ABSENT, PLAIN, Reach
from .streams import Streams

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
        self.tensors = reach.tensors
        self._aliases = [tensor.detach() for tensor in self.tensors]
        self.modules = reach.modules
        self._optimizers = reach.optimizers
        self._changes = nn_module.changes[0]
        self._attributes = reach.attributes
        self._options = self._read_options()
        self._streams = Streams(reach.streams)

    def _add(self, kind: str, container: Any, key: Any, expected: Any, label: str) -> None:
        if kind == "attribute" and hasattr(expected, "__self__"):  # a bound method, made anew at each look
            return
        self._guards.append((kind, container, key, expected, isinstance(expected, PLAIN)))
        self._labels.append(label)

    def named_tensors(self) -> list[tuple[str, Tensor]]:
        """Those among what is guarded, by the names that the function has for them."""
        found = [(label, guard[3]) for guard, label in zip(self._guards, self._labels)]
        return [(label, value) for label, value in found if isinstance(value, Tensor)]

    def changed(self, replay: Any) -> str | None:
        """What is not as it was when recorded, in words; None where all is."""
        number = replay.broken_guard()
        if number < 0:
            return None
        if number < len(self._guards):
            return _change(self._guards[number], self._labels[number])
        if change := self._change_of_a_module():
            return change
        replay.set_guard(number, nn_module.changes[0])  # the change was elsewhere, or was taken back
        return self.changed(replay)

    def _change_of_a_module(self) -> str | None:
        """The first attribute of a module that is not as it was, in words."""
        for where, module, before in self._attributes:
            for (name, old), (now, new) in zip_longest(before.items(), module.__dict__.items(), fillvalue=("", None)):
                if name != now:
                    return f"'{where}.{now}' is new" if now else f"'{where}.{name}' is gone"
                if old is new:
                    continue
                if not (isinstance(old, PLAIN) and isinstance(new, PLAIN)):
                    return f"'{where}.{name}' is another object than before"
                if type(old) is not type(new) or old != new:
                    return f"'{where}.{name}' is {new!r}, expected {old!r} as before"
        return None

    # After the recording

    def checked_guards(self, name: str) -> Any:
        """The guards for the core, with the count of changes to any module at the end.

        Errors: RuntimeError where the function itself has changed what it captured.
        """
        changes = nn_module.changes
        guards = _core._Guards([*self._guards, ("item", changes, 0, changes[0], True)])
        if guards.broken() >= 0:
            self._check_guards(name)
        if changes[0] != self._changes and (change := self._change_of_a_module()):
            raise RuntimeError(
                f"[compile] {name} changes a module ({change}), which a replay would not do: keep state in buffers "
                "that are written in place, or return it"
            )
        if (number := _core._moved(self.tensors, self._aliases)) >= 0:
            raise RuntimeError(
                f"[compile] {name} exchanges the memory of a tensor of shape {list(self.tensors[number].shape)} "
                "(.data = ...), which a replay would not do: write into it (.copy_) instead"
            )
        if self._options != self._read_options():
            raise RuntimeError(
                f"[compile] {name} changes an optimizer's options, which a replay would not do: set them before the "
                "call; they are read at every call"
            )
        if stream := self._streams.moved():
            raise RuntimeError(
                f"[compile] {name} takes from {stream}, which a replay would not do again: pass what it takes in as "
                "an argument, and draw random numbers from ct.random"
            )
        return guards

    def _check_guards(self, name: str) -> None:
        for guard, label in zip(self._guards, self._labels):
            if not _holds(guard):
                raise RuntimeError(
                    f"[compile] {name} changes what it captured ({_change(guard, label)}), which a replay would not "
                    "do: pass it in and return it, as a tensor where it varies"
                )

    def _read_options(self) -> list[dict[str, Any]]:
        groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        return [{key: value for key, value in group.items() if key != "params"} for group in groups]


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
