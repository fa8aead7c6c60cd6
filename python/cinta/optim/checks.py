"""Ranges of an optimizer's options."""

from __future__ import annotations

from typing import Any

from cinta._core import is_recording


def at_least_zero(optimizer: str, group: dict[str, Any], *options: str) -> None:
    """Raises ValueError unless every named option is a number >= 0."""
    for option in options:
        if not group[option] >= 0:
            raise ValueError(f"[{optimizer}] {option} got {group[option]}, expected >= 0")


def below_one(optimizer: str, option: str, value: float) -> None:
    """Raises ValueError unless the value is in [0, 1), as the rate of a running mean must be."""
    if not 0 <= value < 1:
        raise ValueError(f"[{optimizer}] {option} got {value}, expected a rate in [0, 1)")


def share(optimizer: str, option: str, value: float) -> None:
    """Raises ValueError unless the value is in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"[{optimizer}] {option} got {value}, expected a share in [0, 1]")


def pair(optimizer: str, option: str, value: Any) -> tuple[float, float]:
    """The two numbers; ValueError for anything else."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"[{optimizer}] {option} got {value!r}, expected a pair of numbers")
    return value[0], value[1]


def rates(optimizer: str, betas: Any) -> None:
    """Raises ValueError unless it is a pair (beta1, beta2) of rates of running means."""
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise ValueError(f"[{optimizer}] betas got {betas!r}, expected a pair (beta1, beta2)")
    for position, beta in enumerate(betas):
        below_one(optimizer, f"betas[{position}]", beta)


def outside_recording(call: str) -> None:
    """Raises RuntimeError inside a function that `ct.compile` records, whose replays would not make this call."""
    if is_recording():
        raise RuntimeError(f"{call} got called inside ct.compile, expected outside: a replay would not do it again")
