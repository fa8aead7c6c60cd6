"""Numbers for every sample of a batch, and the arguments that say from where they are drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import cinta as ct
from cinta._core import Tensor


def draw(samples: int, numbers: int) -> Tensor:
    """So many numbers in [0, 1) for every sample, float64: those of a sample do not depend on how many follow it."""
    return ct.random.uniform(shape=(samples, numbers), dtype="float64")


def between(interval: tuple[float, float], u: Tensor) -> Tensor:
    low, high = interval
    return low + (high - low) * u


def interval(owner: str, name: str, value: Any, around: bool = False) -> tuple[float, float]:
    """(low, high) from a pair or one number d, which stands for itself, or for (-d, d) where `around`."""
    numbers = tuple(float(v) for v in value) if np.ndim(value) else (float(value),)
    if len(numbers) == 1:
        if around and numbers[0] < 0:
            raise ValueError(f"[{owner}] {name} got {value}, expected a number that is not negative, or a pair")
        numbers = (-numbers[0], numbers[0]) if around else (numbers[0], numbers[0])
    if len(numbers) != 2 or not all(map(math.isfinite, numbers)) or numbers[0] > numbers[1]:
        raise ValueError(f"[{owner}] {name} got {value}, expected one finite number or a pair (low, high)")
    return numbers[0], numbers[1]


def probability(owner: str, p: float) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"[{owner}] p got {p}, expected 0 to 1")
    return float(p)


def checked_padding_mode(owner: str, padding_mode: str) -> str:
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(
            f"[{owner}] padding_mode got {padding_mode!r}, expected 'constant', 'edge', 'reflect' or 'symmetric'"
        )
    return padding_mode
