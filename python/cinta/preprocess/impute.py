"""Missing values, filled in from the training data."""

from __future__ import annotations

import numpy as np

import cinta as ct
from cinta._core import Tensor
from cinta.preprocess.preprocessor import Fitted, Options, Preprocessor, array_of, keys_of

_NAMES = ("fill", "count", "missing")


class Impute(Preprocessor):
    """Puts the feature's mean or median in the training data in the place of NaN: y = x, or that where x is NaN.

    strategy: "mean" or "median" of the values that are known, feature by feature, of data [N,...]. indicator: appends
    to [N,D] a column of 0 and 1 for every feature that had missing values in training, so that a network can tell a
    value that was filled in. `partial_fit` works with "mean" only: a median needs all data at once.

    After `fit`: `fill_` (float64, a value for every feature) and `missing_` (bool: which had missing values).
    Errors: ValueError for a feature without any known value, for infinities, for another shape than was learnt;
    TypeError for data that is not numbers. Source: scikit-learn's SimpleImputer and MissingIndicator.

    Example:
        >>> step = preprocess.Impute("mean", indicator=True).fit([[1.0, 5.0], [3.0, np.nan]])
        >>> step([[np.nan, np.nan]]).tolist()
        [[2.0, 5.0, 1.0]]
    """

    def __init__(self, strategy: str = "mean", indicator: bool = False) -> None:
        if strategy not in ("mean", "median"):
            raise ValueError(f"[Impute] strategy got {strategy!r}, expected 'mean' or 'median'")
        self.strategy, self.indicator = strategy, bool(indicator)
        self._learn(None)

    def _learn(self, learnt: tuple[np.ndarray, np.ndarray, np.ndarray] | None) -> None:
        self._learnt = learnt
        self._fill = None if learnt is None else ct.asarray(learnt[0])
        self._marked = None if learnt is None else ct.asarray(np.flatnonzero(learnt[2]))

    def options(self) -> Options:
        return {"strategy": self.strategy, "indicator": self.indicator}

    def fitted(self) -> Fitted | None:
        return None if self._learnt is None else dict(zip(_NAMES, self._learnt))

    def restore(self, fitted: Fitted | None) -> None:
        if fitted is None:
            return self._learn(None)
        keys_of(self.name, fitted, *_NAMES)
        fill, count = (array_of(self.name, fitted, name) for name in _NAMES[:2])
        missing = fitted["missing"]
        missing = np.array(missing.numpy() if isinstance(missing, Tensor) else missing)
        if not fill.shape == count.shape == missing.shape or missing.dtype != bool or (count < 1).any():
            raise ValueError(
                f"[Impute] got a state with fill {fill.shape}, count {count.shape} and missing {missing.shape} of "
                f"{missing.dtype}, expected the same shape, counts of at least 1 and bool"
            )
        self._learn((fill, count, missing))

    def update(self, x: np.ndarray, fresh: bool) -> None:
        if x.dtype.kind not in "fiub":
            raise TypeError(f"[Impute] got data of dtype {x.dtype}, expected numbers")
        before = None if fresh else self._learnt
        if before is not None:
            self._check(x.shape)
            if self.strategy == "median":
                raise ValueError(
                    "[Impute] got another batch with strategy 'median', expected all data at once, or 'mean'"
                )
        values = x.astype(np.float64)
        if np.isinf(values).any():
            place = np.argwhere(np.isinf(values))[0].tolist()
            raise ValueError(f"[Impute] got {values[tuple(place)]} at {place}, expected finite numbers, or NaN")
        missing = np.isnan(values)
        count = (~missing).sum(0).astype(np.float64)
        known = np.where(missing, 0.0, values)
        if before is None and not count.all():
            place = np.argwhere(count == 0)[0].tolist()
            raise ValueError(f"[Impute] got no known value of feature {place}, expected at least one to fill in from")
        if self.strategy == "median":
            fill = np.nanmedian(values, axis=0)
        else:
            old, seen = (np.zeros(count.shape), count * 0) if before is None else before[:2]
            count = count + seen
            fill = old + np.where(missing, 0.0, known - old).sum(0) / count
        marked = missing.any(0) if before is None else missing.any(0) | before[2]
        self._learn((np.asarray(fill), np.asarray(count), np.asarray(marked)))

    def _check(self, shape: tuple[int, ...]) -> None:
        known = (self._learnt or (np.zeros(()),))[0].shape
        if tuple(shape[1:]) != known or not shape:
            raise ValueError(f"[Impute] got data of shape {tuple(shape)}, expected {['any', *known]} as in training")

    @property
    def fill_(self) -> np.ndarray:
        return self._known()[0]

    @property
    def missing_(self) -> np.ndarray:
        return self._known()[2]

    def _known(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self._learnt is None:
            raise AttributeError("[Impute] has seen no data yet, expected fit(training data) first")
        return self._learnt

    def forward(self, x: Tensor) -> Tensor:
        self._check(x.shape)
        missing = ct.isnan(x)
        filled = ct.where(missing, self._fill, x)
        if not self.indicator:
            return filled
        if x.ndim != 2:
            raise ValueError(f"[Impute] got data of shape {x.shape}, expected [N,D] with indicator=True")
        return ct.concat([filled, missing.take(self._marked, 1).astype(filled.dtype)], axis=1)

    def backward(self, y: Tensor) -> Tensor:
        """The features, without their indicators: what was filled in stays."""
        count = len(self.fill_) if self.indicator else 0
        return y[:, :count] if self.indicator else y
