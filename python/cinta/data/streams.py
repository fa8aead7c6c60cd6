"""Streams of random numbers apart from the training's: the same order and the same draws for (seed, epoch, batch)."""

from __future__ import annotations

import operator
from typing import Any

from cinta._core import random

_WORD = (1 << 64) - 1
_PER_STREAM = 40  # bits of the counter that one stream may use up: 2^40 numbers


def mixed(*numbers: int) -> int:
    """A 64-bit key in which every bit of every number counts.

    Source: the finalizer of SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    key = 0
    for number in numbers:
        key = (key + number + 0x9E3779B97F4A7C15) & _WORD
        key = ((key ^ key >> 30) * 0xBF58476D1CE4E5B9) & _WORD
        key = ((key ^ key >> 27) * 0x94D049BB133111EB) & _WORD
        key ^= key >> 31
    return key


class stream:
    """Inside, this thread's `ct.random` draws from stream `number` of a key; what other threads draw is left alone."""

    __slots__ = ("_before", "_state")

    def __init__(self, key: int, number: int = 0) -> None:
        self._state = (key, number << _PER_STREAM & _WORD)

    def __enter__(self) -> None:
        self._before: Any = random.own_stream(self._state)

    def __exit__(self, *exception: object) -> None:
        random.own_stream(self._before)


def seed_or_drawn(seed: int | None) -> int:
    """The seed as given, or one from `ct.random`."""
    return int(random.integers(1 << 62).item()) if seed is None else operator.index(seed)
