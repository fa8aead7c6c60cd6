"""Means and variances of data that comes in pieces, in float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_PIECE = 1 << 20  # elements at a time: what a copy in float64 may take


def pieces(owner: str, x: np.ndarray) -> Iterator[np.ndarray]:
    """x in float64, some samples at a time; ValueError where a value is NaN or infinite."""
    if x.dtype.kind not in "fiub":
        raise TypeError(f"[{owner}] got data of dtype {x.dtype}, expected numbers")
    size = max(1, _PIECE // max(1, x[0].size))
    for begin in range(0, len(x), size):
        piece = x[begin : begin + size].astype(np.float64)
        if not np.isfinite(piece).all():
            bad = np.argwhere(~np.isfinite(piece))
            place = (int(bad[0][0]) + begin, *map(int, bad[0][1:]))
            raise ValueError(
                f"[{owner}] got {piece[tuple(bad[0])]} at {list(place)}, expected finite numbers to learn from: leave "
                "such samples out, or fill them in"
            )
        yield piece


class Moments:
    """Count, mean and sum of squared deviations over some axes, one batch after the other.

    Batches are merged as Chan, Golub and LeVeque do ("Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances", 1979), so that nothing cancels however large the mean is.
    """

    def __init__(self, axis: tuple[int, ...] | None) -> None:
        self.axis, self.count = axis, 0
        self.mean: np.ndarray = np.zeros(())
        self.m2: np.ndarray = np.zeros(())

    def add(self, x: np.ndarray) -> None:
        """x in float64; kept axes as before."""
        mean = x.mean(self.axis, keepdims=self.axis is not None)
        deviation = x - mean
        mean = mean + deviation.mean(self.axis, keepdims=self.axis is not None)  # what rounding left
        with np.errstate(over="ignore"):  # whoever asks for them refuses infinite squares
            m2 = np.square(x - mean).sum(self.axis, keepdims=self.axis is not None)
        self.merge(x.size // max(1, mean.size), mean, m2)

    def merge(self, count: int, mean: np.ndarray, m2: np.ndarray) -> None:
        total = self.count + count
        if self.count == 0:
            self.count, self.mean, self.m2 = count, np.asarray(mean), np.asarray(m2)
            return
        delta = mean - self.mean
        self.mean = self.mean + delta * (count / total)
        self.m2 = self.m2 + m2 + np.square(delta) * (self.count / total * count)
        self.count = total
