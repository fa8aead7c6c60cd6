"""The arguments of a call, as recordings look at them: tensors, and what is none."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff import tree


class Call:
    """Arguments, taken apart: `leaves` left to right, `tensors` among them, and the containers, `skeleton`."""

    __slots__ = ("args", "flat", "kwargs", "leaves", "skeleton", "tensors")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs
        self.flat = not kwargs and all(isinstance(arg, Tensor) for arg in args)
        self.leaves: list[Any] = list(args)
        self.skeleton: Any = ((0,) * len(args), {})
        if not self.flat:
            leaves = tree.leaves((args, kwargs))
            self.leaves = [_core.asarray(leaf) if isinstance(leaf, numpy.ndarray) else leaf for leaf in leaves]
            self.skeleton = tree.skeleton((args, kwargs))
        self.tensors = [leaf for leaf in self.leaves if isinstance(leaf, Tensor)]

    def others(self) -> list[Any]:
        return [leaf for leaf in self.leaves if not isinstance(leaf, Tensor)]

    def positions(self) -> list[int]:
        return [position for position, leaf in enumerate(self.leaves) if isinstance(leaf, Tensor)]

    def with_tensors(self, tensors: list[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments as these are, with other tensors."""
        if self.flat:
            return tuple(tensors), {}
        supply = iter(tensors)
        given = [next(supply) if isinstance(leaf, Tensor) else leaf for leaf in self.leaves]
        args, kwargs = tree.rebuild((self.args, self.kwargs), given)
        return args, kwargs

    def positional(self) -> list[Any] | None:
        """The arguments, where a call that has them one by one can be compared with this one in the core."""
        plain = self.flat or (
            not self.kwargs
            and len(self.leaves) == len(self.args)
            and all(leaf is arg for leaf, arg in zip(self.leaves, self.args))
        )
        apart = not any(_core._overlap(a, b) for a, b in combinations(self.tensors, 2))
        return list(self.args) if plain and apart else None
