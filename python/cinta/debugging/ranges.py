"""The range of a tensor's numbers, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from cinta._core import Tensor


@dataclass(frozen=True)
class Range:
    """What the numbers of a tensor are like; `low` and `high` are of the finite ones, None where there are none.

    Example:
        >>> from cinta.debugging.ranges import Range
        >>> print(Range.of(ct.tensor([[0.5, -2.0, float("nan")]]), "x"))
        x: float32 [1, 3] in [-2, 0.5], 1 NaN
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    low: float | None
    high: float | None
    nan: int
    inf: int
    negative_inf: int

    @classmethod
    def of(cls, x: Tensor, name: str = "") -> Range:
        """The range of x."""
        values = x.detach().astype("float64").numpy()
        finite = values[numpy.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (None, None)
        counts = (numpy.isnan(values), numpy.isposinf(values), numpy.isneginf(values))
        return cls(name, x.dtype.name, tuple(x.shape), low, high, *(int(numpy.count_nonzero(c)) for c in counts))

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return int(numpy.prod(self.shape))

    @property
    def faults(self) -> list[str]:
        """What is not finite, counted: ["2 NaN", "1 inf"]."""
        counts = ((self.nan, "NaN"), (self.inf, "inf"), (self.negative_inf, "-inf"))
        return [f"{count} {what}" for count, what in counts if count]

    def __str__(self) -> str:
        within = [] if self.low is None else [f"in [{self.low:.6g}, {self.high:.6g}]"]
        text = f"{self.dtype} {list(self.shape)} " + ", ".join(within + self.faults)
        return f"{self.name}: {text}" if self.name else text.rstrip()
