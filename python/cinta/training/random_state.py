"""Streams of random numbers, as parts of a checkpoint: each has `state_dict` and `load_state_dict`."""

from __future__ import annotations

import random as python_random
from collections.abc import Mapping
from typing import Any

import numpy as np

from cinta._core import Tensor, random

_MAX = (1 << 64) - 1


class CintaStream:
    """`ct.random`: its seed and how many numbers it has drawn."""

    def state_dict(self) -> dict[str, int]:
        seed, counter = random.get_state()
        return {"seed": seed, "counter": counter}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        seed, counter = state["seed"], state["counter"]
        if not all(type(number) is int and 0 <= number <= _MAX for number in (seed, counter)):
            raise ValueError(f"state of ct.random got {seed!r:.30} and {counter!r:.30}, expected two uint64")
        random.set_state((seed, counter))


class NumpyStream:
    """A NumPy Generator, or NumPy's global stream where none is given."""

    def __init__(self, generator: np.random.Generator | None = None) -> None:
        self._generator = generator

    def state_dict(self) -> dict[str, Any]:
        if self._generator is not None:
            return dict(self._generator.bit_generator.state)
        return dict(np.random.get_state(legacy=False))  # noqa: NPY002

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        whole = _arrays(state)
        _check_positions(whole)
        if self._generator is not None:
            self._generator.bit_generator.state = whole
        else:
            np.random.set_state(whole)  # noqa: NPY002


class PythonStream:
    """A `random.Random`, or the global one of the module `random` where none is given."""

    def __init__(self, generator: python_random.Random | None = None) -> None:
        self._generator: Any = generator or python_random

    def state_dict(self) -> dict[str, Any]:
        version, words, gauss = self._generator.getstate()
        return {"version": version, "words": np.array(words, np.uint32), "gauss": gauss}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        words = tuple(int(word) for word in np.asarray(state["words"]).ravel())
        gauss = state["gauss"]
        if state["version"] != 3 or len(words) != 625 or words[-1] > 624 or not (gauss is None or type(gauss) is float):
            raise ValueError("state of random.Random does not fit, expected version 3, 625 words and a float or None")
        self._generator.setstate((3, words, gauss))


# By the names that `random=` of `save_checkpoint` takes.
GLOBAL: dict[str, Any] = {"cinta": CintaStream, "numpy": NumpyStream, "python": PythonStream}


def _arrays(state: Any) -> Any:
    """The state as NumPy had given it: a file gives tensors."""
    if isinstance(state, Mapping):
        return {key: _arrays(value) for key, value in state.items()}
    return state.numpy() if isinstance(state, Tensor) else state


def _check_positions(state: Any) -> None:
    """NumPy takes any position and would read beyond the words of its generator."""
    for key, value in state.items():
        last = {"pos": 624, "buffer_pos": 4}.get(key)
        if last is not None and not (type(value) is int and 0 <= value <= last):
            raise ValueError(f"state of a NumPy stream has {key} {value!r:.20}, expected 0 to {last}")
        if isinstance(value, dict):
            _check_positions(value)
