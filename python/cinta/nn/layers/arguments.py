"""Constructor arguments that several families of layers share."""

from __future__ import annotations

from operator import index
from typing import Any


def int_tuple(layer: str, name: str, value: Any, dims: int, minimum: int) -> tuple[int, ...]:
    """One number, or one per dimension, as a tuple of `dims` numbers, none below `minimum`."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * dims
    try:
        numbers = tuple(map(index, values))
    except TypeError:
        numbers = ()
    if len(numbers) != dims or min(numbers) < minimum:
        raise ValueError(f"[{layer}] {name} got {value!r}, expected an int >= {minimum} or {dims} of them")
    return numbers


def positive(layer: str, **sizes: int) -> None:
    """Checks that sizes are integers above zero."""
    for name, size in sizes.items():
        if not hasattr(size, "__index__") or index(size) < 1:
            raise ValueError(f"[{layer}] {name} got {size!r}, expected an int >= 1")


def brief(values: tuple[int, ...]) -> str:
    """A tuple for a repr: one number where all are the same."""
    return str(values[0]) if len(set(values)) == 1 else str(values)
