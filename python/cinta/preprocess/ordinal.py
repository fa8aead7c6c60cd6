"""Categories as numbers, for embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

import cinta as ct
from cinta._core import Tensor
from cinta.preprocess.one_hot import OneHot


class Ordinal(OneHot):
    """Columns of categories as int64 codes, 1 and up in sorted order: what `nn.Embedding` takes; [N] or [N,K] stays so.

    handle_unknown: what a category that was not there gives: "error", or "ignore", the code 0, which no category has:
    an embedding of len(categories) + 1 rows keeps its first for them. Inside `ct.compile` it must be "ignore".
    After `fit`: `categories_`, an array for every column.
    Errors: as `OneHot`. Source: scikit-learn's OrdinalEncoder.

    Example:
        >>> step = preprocess.Ordinal(handle_unknown="ignore").fit(["cat", "dog", "cat"])
        >>> step(["dog", "cat", "cow"]).tolist()
        [2, 1, 0]
    """

    def __call__(self, x: Any) -> Any:
        given = x if isinstance(x, Tensor) else np.asarray(x)
        if isinstance(given, Tensor):
            hits = super().__call__(given)
            borders = np.cumsum([len(known) for known in self.categories_])[:-1].tolist()
            places = [(part * ct.arange(1, part.shape[1] + 1)).sum(1) for part in ct.split(hits, borders, 1)]
            return ct.stack(places, 1).astype("int64").reshape(given.shape)
        self._check_fitted()
        self._check(given.shape)
        columns = self._columns(given)
        nearest = [np.searchsorted(known, c).clip(0, len(known) - 1) for c, known in zip(columns, self.categories_)]
        found = [known[at] == c for c, known, at in zip(columns, self.categories_, nearest)]
        self._check_known([known[:, None] for known in found], columns)
        codes = [np.where(known, at + 1, 0) for known, at in zip(found, nearest)]
        return np.stack(codes, 1).astype(np.int64).reshape(given.shape)

    def inverse(self, y: Any) -> np.ndarray:
        """The categories of codes [N] or [N,K], as an array; ValueError for the code 0, which stands for none."""
        codes = y.detach().numpy() if isinstance(y, Tensor) else np.asarray(y)
        self._check(codes.shape)
        table = codes.reshape(len(codes), -1)
        sizes = np.array([len(known) for known in self.categories_])
        if table.dtype.kind not in "iu" or ((table < 1) | (table > sizes)).any():
            raise ValueError(
                f"[Ordinal] got codes from {table.min()} to {table.max()}, expected integers from 1 to "
                f"{sizes.tolist()!r:.80}"
            )
        return np.stack([known[table[:, i] - 1] for i, known in enumerate(self.categories_)], 1).reshape(codes.shape)
