"""Histograms of oriented gradients: what pictures were described by before networks learnt to do it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import cinta as ct
from cinta._core import Tensor, is_recording
from cinta.preprocess.preprocessor import Fitted, Options, Preprocessor

_EPS = 1e-5


class HOG(Preprocessor):
    """Which way brightness changes, and how much, in the cells of a picture: [N,H,W] or [N,C,H,W] becomes [N,D].

    gradient g = (x[r+1,c] - x[r-1,c], x[r,c+1] - x[r,c-1]), 0 at the border; of the channel with the longest one
    cell[k] = mean over its pixels of |g| where the angle of g, modulo 180 degrees, is in bin k of `orientations`
    y = for every block of cells, v / sqrt(|v|^2 + 1e-10) of the histograms v in it; "L2-Hys": cut at 0.2 and once more

    pixels_per_cell, cells_per_block: rows and columns; blocks overlap, they begin at every cell. Pixels beyond the last
    whole cell do not count. block_norm: "L2-Hys", "L2", "L1" (v / (|v|_1 + 1e-5)) or "L1-sqrt" (its root).
    transform_sqrt: takes the roots of brightnesses first. Nothing is learnt; gradients pass through.

    Errors: ValueError for pictures smaller than a block, options out of range, negative brightness with transform_sqrt.
    Source: Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", 2005; values as those of
    scikit-image's `hog`.

    Example:
        >>> hog = preprocess.HOG(orientations=4, pixels_per_cell=(4, 4), cells_per_block=(1, 1))
        >>> picture = np.tile(np.arange(4.0), (4, 1))  # brighter to the right: all in the first direction
        >>> hog(picture[None]).round(3).tolist()
        [[1.0, 0.0, 0.0, 0.0]]
    """

    learns = False

    def __init__(
        self,
        orientations: int = 9,
        pixels_per_cell: Sequence[int] = (8, 8),
        cells_per_block: Sequence[int] = (3, 3),
        block_norm: str = "L2-Hys",
        transform_sqrt: bool = False,
    ) -> None:
        if orientations < 1:
            raise ValueError(f"[HOG] orientations got {orientations}, expected at least 1")
        for name, pair in (("pixels_per_cell", pixels_per_cell), ("cells_per_block", cells_per_block)):
            if len(pair) != 2 or min(pair) < 1:
                raise ValueError(f"[HOG] {name} got {tuple(pair)}, expected two whole numbers from 1 on")
        if block_norm not in ("L2-Hys", "L2", "L1", "L1-sqrt"):
            raise ValueError(f"[HOG] block_norm got {block_norm!r}, expected 'L2-Hys', 'L2', 'L1' or 'L1-sqrt'")
        self.orientations, self.block_norm, self.transform_sqrt = int(orientations), block_norm, bool(transform_sqrt)
        self.pixels_per_cell = [int(size) for size in pixels_per_cell]
        self.cells_per_block = [int(size) for size in cells_per_block]

    def options(self) -> Options:
        return {
            "orientations": self.orientations,
            "pixels_per_cell": self.pixels_per_cell,
            "cells_per_block": self.cells_per_block,
            "block_norm": self.block_norm,
            "transform_sqrt": self.transform_sqrt,
        }

    def fitted(self) -> Fitted | None:
        return None

    def restore(self, fitted: Fitted | None) -> None:
        if fitted is not None:
            raise ValueError(f"[HOG] got a state that holds {sorted(map(str, fitted))}, expected nothing")

    def update(self, x: np.ndarray, fresh: bool) -> None:
        self(x)

    def cells(self, x: Any) -> Any:
        """The histograms of all cells before blocks are made of them: [N, rows, columns, orientations], float32."""
        return self._run(x, self._cells)

    def _cells(self, x: Tensor) -> Tensor:
        if x.ndim not in (3, 4):
            raise ValueError(f"[HOG] got data of shape {x.shape}, expected [N,H,W] or [N,C,H,W]")
        height, width = x.shape[-2:]
        sizes = zip((height, width), self.pixels_per_cell, self.cells_per_block)
        rows, columns = (size // pixels for size, pixels, _ in sizes)
        if rows < self.cells_per_block[0] or columns < self.cells_per_block[1]:
            least = [pixels * cells for pixels, cells in zip(self.pixels_per_cell, self.cells_per_block)]
            expected = f"at least {least[0]}x{least[1]}: one block"
            raise ValueError(f"[HOG] got pictures of {height}x{width}, expected {expected}")
        if self.transform_sqrt:
            if x.size and not is_recording() and (least := x.detach().min().item()) < 0:
                raise ValueError(f"[HOG] got {least}, expected brightness of 0 or more, or transform_sqrt=False")
            x = ct.sqrt(x)
        down, right = self._gradient(x)
        length = ct.hypot(right, down)
        if x.ndim == 4:
            steepest = ct.argmax(length, axis=1, keepdims=True)
            down, right, length = (ct.take_along_axis(part, steepest, 1)[:, 0] for part in (down, right, length))
        angle = ct.remainder(ct.arctan2(down, right) * (180 / math.pi), 180.0)
        borders = [180 / self.orientations * k for k in range(self.orientations + 1)]
        bins = [ct.where((angle >= a) & (angle < b), length, 0.0) for a, b in pairwise(borders)]
        a, b = self.pixels_per_cell
        whole = ct.stack(bins, 1)[:, :, : rows * a, : columns * b]
        return whole.reshape(len(x), self.orientations, rows, a, columns, b).mean((3, 5)).transpose(0, 2, 3, 1)

    def _gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Downwards and to the right, 0 where a neighbour is missing."""
        height, width = x.shape[-2:]
        row, column = ct.zeros_like(x[..., :1, :]), ct.zeros_like(x[..., :, :1])
        down = [row, x[..., 2:, :] - x[..., :-2, :], row] if height > 1 else [row]
        right = [column, x[..., :, 2:] - x[..., :, :-2], column] if width > 1 else [column]
        return ct.concat(down, axis=-2), ct.concat(right, axis=-1)

    def forward(self, x: Tensor) -> Tensor:
        cells = self._cells(x)
        a, b = self.cells_per_block
        rows, columns = cells.shape[1] - a + 1, cells.shape[2] - b + 1
        parts = [cells[:, i : i + rows, j : j + columns] for i in range(a) for j in range(b)]
        blocks = ct.stack(parts, 3).reshape(len(x), rows, columns, a * b * self.orientations)
        return self._normalized(blocks).flatten(1)

    def _normalized(self, v: Tensor) -> Tensor:
        if self.block_norm.startswith("L1"):
            y = v / (v.sum(-1, keepdims=True) + _EPS)  # histograms are not negative
            return ct.sqrt(y) if self.block_norm == "L1-sqrt" else y
        y = v / ct.sqrt(ct.square(v).sum(-1, keepdims=True) + _EPS**2)
        if self.block_norm == "L2":
            return y
        y = ct.minimum(y, 0.2)
        return y / ct.sqrt(ct.square(y).sum(-1, keepdims=True) + _EPS**2)
