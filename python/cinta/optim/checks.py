"""Ranges of an optimizer's options."""

from __future__ import annotations

from typing import Any


def at_least_zero(optimizer: str, group: dict[str, Any], *options: str) -> None:
    """Raises ValueError unless every named option is a number >= 0."""
    for option in options:
        if not group[option] >= 0:
            raise ValueError(f"[{optimizer}] {option} got {group[option]}, expected >= 0")


def below_one(optimizer: str, option: str, value: float) -> None:
    """Raises ValueError unless the value is in [0, 1), as the rate of a running mean must be."""
    if not 0 <= value < 1:
        raise ValueError(f"[{optimizer}] {option} got {value}, expected a rate in [0, 1)")
