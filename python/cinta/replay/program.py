"""A program to look at: printed, counted, timed, drawn."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff import tree

from . import instructions, listing, profile, stats
from .names import Names
from .units import bytes_text

_HEAD = 8  # lines that a repr shows


class Program:
    """What a compiled function runs, as its `program()` gives it.

    `print(program)` lists every instruction, `stats()` counts, `profile()` times, `to_svg()` draws; notebooks show
    the drawing by themselves.

    Example:
        >>> model = nn.Linear(3, 2)
        >>> @ct.compile
        ... def predict(x):
        ...     with ct.no_grad():
        ...         return model(x).argmax(axis=1)
        >>> y = predict(ct.ones((5, 3)))
        >>> print(predict.program())
        predict(x): 2 of 2 recorded instructions (2 forward), 64 B arena for 64 B of temporaries
        <BLANKLINE>
        #  layer   FLOP  life    arena  instruction
        <BLANKLINE>
        forward:
        0  Linear    60  0..1  0 +40 B  t0[5,2] = matmul(x[5,3], weight[3,2], bias[2])
        1                               result:int64[5] = argmax(t0[5,2])
    """

    def __init__(
        self,
        function: str,
        replay: Any,
        names: Names,
        inputs: list[tuple[Any, Any, str]],
        returned: int,
        gradient: Program | None = None,
        leaves: list[Tensor | int] | None = None,
    ) -> None:
        self._function = function
        self._replay = replay
        self._names = names
        self._inputs = inputs  # shapes, strides and dtypes
        self._returned = returned
        self._leaves = leaves  # of a gradient's program: what it is taken by, tensors or numbers of inputs
        self.gradient = gradient
        """Of results that can be differentiated: what their `backward` runs, from what this program saves for it."""

    @property
    def name(self) -> str:
        """The function with its tensors: `step(images, labels)`."""
        name = f"{self._function}({', '.join(self._names.inputs)})"
        return name if self._leaves is None else f"gradient of {name}"

    @cached_property
    def _description(self) -> instructions.Description:
        raw, names = self._replay.describe(), self._names
        if self._leaves is None:
            given, results = names.inputs, names.results(self._returned, len(raw["results"]) - self._returned)
        else:
            given, results = names.given(raw["inputs"], self._returned), names.gradients(self._leaves)
        return instructions.read(raw, names.state(self._replay.state_of), given, results, names.modules.kinds)

    # Text

    def _summary(self) -> str:
        d = self._description
        return (
            f"{self.name}: {len(d.instructions)} of {d.instructions_before} recorded instructions "
            f"({listing.phase_counts(d)}), {bytes_text(d.arena)} arena for {bytes_text(d.bytes_before)} of temporaries"
        )

    def __str__(self) -> str:
        return "\n".join([self._summary(), "", *listing.lines(self._description)])

    def __repr__(self) -> str:
        lines = listing.lines(self._description)
        left = len(lines) - _HEAD
        more = [f"... {left} more lines: print(program) shows them all"] if left > 1 else lines[_HEAD:]
        return "\n".join([self._summary(), "", *lines[:_HEAD], *more])

    # Numbers

    def stats(self) -> stats.Stats:
        """Counts: instructions before and after passes, fused groups, bytes before and after planning, FLOPs.

        Example:
            >>> step = ct.compile(lambda x, w: (x @ w).exp())
            >>> y = step(ct.ones((4, 3)), ct.ones((3, 2)))
            >>> step.program().stats().flops
            48.0
        """
        return stats.count(self._description)

    def profile(self, *args: Any, runs: int = 20, **kwargs: Any) -> profile.Profile:
        """Times each instruction over `runs` runs: seconds, FLOP/s and bytes per second, by instruction and layer.

        The program runs on copies of its inputs and of all that it writes: parameters, gradients, the optimizer with
        its step counts and the random numbers stay as they are. Without arguments it takes what the latest call was
        given (as it lies in memory now), with the options that optimizers had then.

        Args:
            args, kwargs: as a call of the function; shapes, strides and dtypes as this program has them.
            runs: each begins where the one before it ended, as steps of a training do; one more goes before them.

        Errors: ValueError for arguments that are not this program's, or fewer runs than 1.

        Example:
            >>> step = ct.compile(lambda x: (x @ x).sum())
            >>> y = step(ct.ones((64, 64)))
            >>> profile = step.program().profile(runs=5)
            >>> [row.name for row in profile.rows]
            ['matmul', 'sum']
            >>> profile.chrome_trace("trace.json")
        """
        if not isinstance(runs, int) or runs < 1:
            raise ValueError(f"[profile] runs got {runs!r}, expected an int of 1 or more")
        tensors = self._tensors(args, kwargs) if args or kwargs else None
        return profile.summarize(self.name, self._description, self._replay.profile(tensors, runs))

    def _tensors(self, args: Any, kwargs: Any) -> list[Tensor]:
        if self._leaves is not None:
            raise ValueError("[profile] a gradient's program got arguments, expected none: it takes the latest call's")
        leaves = [_core.asarray(x) if isinstance(x, numpy.ndarray) else x for x in tree.leaves((args, kwargs))]
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        got = [(x.shape, x.strides, x.dtype.name) for x in tensors]
        if got != self._inputs:
            raise ValueError(
                f"[profile] {self._function} got tensors {_list(got)}, expected {_list(self._inputs)} as this program "
                "was recorded for: call the function with yours, and profile the program that it has then"
            )
        return tensors

    # Pictures

    def to_svg(self) -> str:
        """The program as a picture: instructions from left to right, and below them where temporaries lie in memory.

        Each rectangle is a temporary, as wide as its life and as high as its bytes; marks on it show where it is
        written and read. Its colour tells whether forward, backward or an update makes it.
        """
        from . import picture  # and with it cinta.drawing: whoever compiles need not wait for it

        return picture.render(self.name, self._description)

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def save_svg(self, path: str | os.PathLike[str]) -> None:
        """Writes the picture to an .svg file, which appears whole or not at all.

        Errors: ValueError for another suffix, OSError where the file cannot be written.

        Example:
            >>> step = ct.compile(lambda x: (x @ x).sum())
            >>> y = step(ct.ones((64, 64)))
            >>> step.program().save_svg("step.svg")
        """
        from cinta.drawing.file import save_svg

        save_svg(self.to_svg(), path, "[program] save_svg")


def _list(specs: list[tuple[Any, Any, str]]) -> str:
    return ", ".join(f"{dtype}{list(shape)} with strides {list(strides)}" for shape, strides, dtype in specs) or "none"
