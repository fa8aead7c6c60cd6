"""Ranges of a schedule's options, and whether a saved state has the shape of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any


def integer(schedule: str, option: str, value: Any, least: int) -> None:
    """Raises ValueError unless the value is an integer of at least `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"[{schedule}] {option} got {value!r}, expected an integer of at least {least}")


def number(schedule: str, option: str, value: Any, least: float = 0.0, most: float = float("inf")) -> None:
    """Raises ValueError unless the value is a number from `least` to `most`."""
    if not isinstance(value, Real) or isinstance(value, bool) or not least <= float(value) <= most:
        bounds = f"in [{least:g}, {most:g}]" if most < float("inf") else f"of at least {least:g}"
        raise ValueError(f"[{schedule}] {option} got {value!r}, expected a number {bounds}")


def one_of(schedule: str, option: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raises ValueError unless the value is one of the choices."""
    if value not in choices:
        raise ValueError(f"[{schedule}] {option} got {value!r}, expected one of {choices}")


def per_group(schedule: str, option: str, value: Any, groups: int) -> list[Any]:
    """One value for each parameter group, from a list or from one number for all."""
    if not isinstance(value, (list, tuple)):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(f"[{schedule}] {option} got {len(value)} values, expected {groups}, one for each group")
    return list(value)


def fitted(schedule: str, key: str, given: Any, mine: Any) -> Any:
    """What was saved under `key`, copied; ValueError where its structure is not that of `mine`."""
    if isinstance(mine, Mapping) and isinstance(given, Mapping) and mine.keys() == given.keys():
        return {name: fitted(schedule, f"{key}.{name}", given[name], mine[name]) for name in mine}
    if isinstance(mine, (list, tuple)) and isinstance(given, (list, tuple)):
        if len(given) != len(mine):
            raise ValueError(f"[{schedule}] state {key!r} has {len(given)} values, expected {len(mine)}")
        return [fitted(schedule, key, a, b) for a, b in zip(given, mine)]
    if isinstance(mine, (bool, str)) or isinstance(given, bool):
        fits = type(given) is type(mine)
    else:
        fits = given is None if mine is None else isinstance(given, Real) and isinstance(mine, Real)
    if not fits:
        raise ValueError(f"[{schedule}] state {key!r} got {given!r:.60}, expected something like {mine!r:.60}")
    return given
