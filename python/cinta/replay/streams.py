"""Streams that give something else each time: random numbers of Python and NumPy, iterators."""

from __future__ import annotations

import random
import sys
from operator import length_hint
from types import GeneratorType
from typing import Any

from cinta import _core

_PYTHON, _NUMPY = "Python's random numbers", "NumPy's random numbers"


class Streams:
    """Where streams stand when this is made: the two that everybody shares, and others, given with their names."""

    def __init__(self, others: list[tuple[str, Any]]) -> None:
        self._others = others
        self._before = self._positions()

    def moved(self) -> str | None:
        """The name of one that has moved on since."""
        now = self._positions()
        if self._before[_NUMPY] is None and now[_NUMPY] is not None:  # it was loaded meanwhile: has it moved?
            shared, fresh = sys.modules["numpy.random"].mtrand._rand, sys.modules["numpy.random"].MT19937()
            drawn = shared.get_state(legacy=False)["state"]["pos"] != fresh.state["state"]["pos"]
            self._before[_NUMPY] = None if drawn else now[_NUMPY]
        return next((name for name, position in now.items() if position != self._before[name]), None)

    def _positions(self) -> dict[str, Any]:
        twister = random.random.__self__  # type: ignore[attr-defined]
        positions: dict[str, Any] = {_PYTHON: (_core._own_bytes(twister), twister.gauss_next), _NUMPY: None}
        if numpy_random := sys.modules.get("numpy.random.mtrand"):
            shared = numpy_random._rand
            positions[_NUMPY] = (_core._own_bytes(shared), _core._own_bytes(shared._bit_generator))
        for name, stream in self._others:
            positions[repr(name)] = _position(stream)
        return positions


def _position(stream: Any) -> Any:
    if hasattr(stream, "bit_generator"):
        return repr(stream.bit_generator.state)
    if isinstance(stream, GeneratorType):
        return stream.gi_frame and stream.gi_frame.f_lasti
    if hasattr(stream, "getstate"):
        return stream.getstate()
    return length_hint(stream, -1), repr(stream)
