"""Categories as one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np

import cinta as ct
from cinta._core import Tensor, is_recording
from cinta.preprocess.preprocessor import Fitted, Options, Preprocessor


class OneHot(Preprocessor):
    """Columns of categories as rows with a 1 in the place of each: [N] or [N,K] becomes [N, all categories].

    The categories of every column are those of the training data, sorted: numbers, or texts (arrays only).
    handle_unknown: what a category that was not there gives: "error", or "ignore", a row without a 1. Inside
    `ct.compile`, where no value can be looked at, it must be "ignore".
    After `fit`: `categories_`, an array for every column.
    Errors: ValueError for unknown categories, NaN, another number of columns. Source: scikit-learn's OneHotEncoder.

    Example:
        >>> preprocess.OneHot().fit(["cat", "dog", "cat"])(["dog"]).tolist()
        [[0.0, 1.0]]
    """

    def __init__(self, handle_unknown: str = "error") -> None:
        if handle_unknown not in ("error", "ignore"):
            raise ValueError(f"[{self.name}] handle_unknown got {handle_unknown!r}, expected 'error' or 'ignore'")
        self.handle_unknown = handle_unknown
        self.categories_: list[np.ndarray] = []

    def options(self) -> Options:
        return {"handle_unknown": self.handle_unknown}

    def fitted(self) -> Fitted | None:
        if not self.categories_:
            return None
        return {"categories": [c.tolist() if c.dtype.kind == "U" else c for c in self.categories_]}

    def restore(self, fitted: Fitted | None) -> None:
        found: list[np.ndarray] = []
        if fitted is not None:
            columns = fitted.get("categories")
            if set(fitted) != {"categories"} or not isinstance(columns, (list, tuple)) or not columns:
                raise ValueError(
                    f"[{self.name}] got a state that holds {sorted(map(str, fitted))}, expected categories"
                )
            found = [np.array(c.numpy() if isinstance(c, Tensor) else c) for c in columns]
            for c in found:
                if c.ndim != 1 or not c.size or c.dtype.kind not in "biufU" or not np.array_equal(np.unique(c), c):
                    raise ValueError(
                        f"[{self.name}] got categories {c!r:.80}, expected different ones in ascending order"
                    )
        self.categories_ = found

    def update(self, x: np.ndarray, fresh: bool) -> None:
        columns = self._columns(x)
        if not fresh and self.categories_:
            self._check(x.shape)
            columns = [np.concatenate([old, new]) for old, new in zip(self.categories_, columns)]
        for c in columns:
            if c.dtype.kind == "f" and not np.isfinite(c).all():
                raise ValueError(
                    f"[{self.name}] got NaN or infinity among the categories, expected finite numbers or texts"
                )
        self.categories_ = [np.unique(c) for c in columns]

    def _columns(self, x: np.ndarray) -> list[np.ndarray]:
        if x.ndim not in (1, 2):
            raise ValueError(f"[{self.name}] got data of shape {x.shape}, expected [N] or [N,K]")
        if x.dtype.kind == "O":
            x = np.array([str(v) if isinstance(v, str) else v for v in x.ravel()]).reshape(x.shape)
        if x.dtype.kind not in "biufU":
            raise TypeError(f"[{self.name}] got data of dtype {x.dtype}, expected numbers or texts")
        return list(x.T) if x.ndim == 2 else [x]

    def _check_fitted(self) -> None:
        if not self.categories_:
            raise ValueError(f"[{self.name}] has seen no data yet, expected fit(training data) before it is used")

    def _check(self, shape: tuple[int, ...]) -> None:
        got = shape[1] if len(shape) == 2 else 1
        if len(shape) not in (1, 2) or got != len(self.categories_):
            expected = ["any", len(self.categories_)]
            raise ValueError(
                f"[{self.name}] got data of shape {tuple(shape)}, expected {expected} as in the training data"
            )

    def __call__(self, x: Any) -> Any:
        self._check_fitted()
        given = x if isinstance(x, Tensor) else np.asarray(x)
        self._check(given.shape)
        if isinstance(given, Tensor):
            return self._of_tensor(given)
        columns = self._columns(given)
        parts: list[np.ndarray] = [np.equal(c[:, None], known) for c, known in zip(columns, self.categories_)]
        self._check_known(parts, columns)
        return np.concatenate(parts, 1).astype(np.float32)

    def _of_tensor(self, x: Tensor) -> Tensor:
        if any(known.dtype.kind == "U" for known in self.categories_):
            raise TypeError(
                f"[{self.name}] got a tensor of {x.dtype}, expected an array of texts as in the training data"
            )
        table = x.reshape(x.shape[0], len(self.categories_))
        parts = [table[:, i : i + 1] == ct.asarray(known) for i, known in enumerate(self.categories_)]
        if self.handle_unknown == "error":
            if is_recording():
                raise RuntimeError(
                    f"[{self.name}] got handle_unknown='error' inside ct.compile, where no value can be looked at: use "
                    "'ignore', or encode outside of the compiled function"
                )
            self._check_known([p.numpy() for p in parts], self._columns(x.detach().numpy()))
        return ct.concat(parts, axis=1).astype("float32")

    def _check_known(self, known: list[np.ndarray], columns: list[np.ndarray]) -> None:
        if self.handle_unknown == "ignore":
            return
        for i, (hits, column) in enumerate(zip(known, columns)):
            if not hits.any(1).all():
                row = int(np.argmin(hits.any(1)))
                raise ValueError(
                    f"[{self.name}] got the unknown category {column[row].item()!r} in row {row}, column {i}, expected "
                    f"one of {self.categories_[i].tolist()!r:.80}, or handle_unknown='ignore'"
                )

    def inverse(self, y: Any) -> np.ndarray:
        """The categories [N,K] with the largest entries, as an array."""
        table = y.detach().numpy() if isinstance(y, Tensor) else np.asarray(y)
        borders = np.cumsum([0, *map(len, self.categories_)])
        if table.ndim != 2 or table.shape[1] != borders[-1]:
            raise ValueError(f"[{self.name}] got data of shape {table.shape}, expected {['any', int(borders[-1])]}")
        parts = [known[table[:, a:b].argmax(1)] for known, a, b in zip(self.categories_, borders, borders[1:])]
        return np.stack(parts, 1)
