"""Logarithms, for features that vary over orders of magnitude."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import cinta as ct
from cinta._core import Tensor, is_recording
from cinta.preprocess.preprocessor import Fitted, Options, Preprocessor


class Log1p(Preprocessor):
    """y = ln(1 + x) for all features, or for some columns; the others stay as they are.

    columns: indices along axis 1 of [N,D,...], from the end where negative; None: all. Nothing is learnt: `fit` only
    looks whether the logarithm exists.
    Errors: ValueError where a value is -1 or below, which has no logarithm (inside `ct.compile`, where no value can be
    looked at, it gives -inf or NaN as NumPy does); IndexError for a column that is not there. NaN stays NaN.

    Example:
        >>> preprocess.Log1p(columns=[1])(np.array([[3.0, 0.0], [3.0, np.e - 1]])).tolist()
        [[3.0, 0.0], [3.0, 1.0]]
    """

    learns = False

    def __init__(self, columns: Iterable[int] | None = None) -> None:
        self.columns = None if columns is None else [int(c) for c in columns]

    def options(self) -> Options:
        return {"columns": self.columns}

    def fitted(self) -> Fitted | None:
        return None

    def restore(self, fitted: Fitted | None) -> None:
        if fitted is not None:
            raise ValueError(f"[Log1p] got a state that holds {sorted(map(str, fitted))}, expected nothing")

    def update(self, x: np.ndarray, fresh: bool) -> None:
        self(x)

    def _chosen(self, shape: tuple[int, ...]) -> Any:
        """A mask of the columns that broadcasts to the data, or None for all."""
        if self.columns is None:
            return None
        if len(shape) < 2:
            raise ValueError(f"[Log1p] got data of shape {shape}, expected [N,D,...] to choose columns of")
        mask = np.zeros(shape[1], bool)
        for c in self.columns:
            if not -shape[1] <= c < shape[1]:
                raise IndexError(f"[Log1p] columns got {c}, expected one of the {shape[1]} that the data has")
            mask[c] = True
        return ct.asarray(mask.reshape(-1, *(1,) * (len(shape) - 2)))

    def forward(self, x: Tensor) -> Tensor:
        mask = self._chosen(x.shape)
        seen = x if mask is None else ct.where(mask, x, 0.0)
        if not is_recording() and bool(ct.any(seen.detach() <= -1).item()):
            at = np.argwhere(seen.detach().numpy() <= -1)[0]
            raise ValueError(
                f"[Log1p] got {x.detach().numpy()[tuple(at)]} at {at.tolist()}, expected values above -1: choose other "
                "columns"
            )
        y = ct.log1p(seen)
        return y if mask is None else ct.where(mask, y, x)

    def backward(self, y: Tensor) -> Tensor:
        mask = self._chosen(y.shape)
        x = ct.expm1(y if mask is None else ct.where(mask, y, 0.0))
        return x if mask is None else ct.where(mask, x, y)
