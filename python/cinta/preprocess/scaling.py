"""Zero mean and unit variance."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

import cinta as ct
from cinta._core import Tensor
from cinta.preprocess.moments import Moments, pieces
from cinta.preprocess.preprocessor import Fitted, Options, Preprocessor, array_of, keys_of


class Center(Preprocessor):
    """Subtracts the mean of the training data: y = x - mean.

    axis: what the mean is taken over, always with the samples, axis 0. 0: a mean for every feature; (0, 2, 3): one for
    every channel of [N,C,H,W]; None: one number for everything. Data may differ from the training data along `axis`.

    After `fit`: `mean_` (float64, with the axes of the data) and `n_samples_seen_`.
    Errors: ValueError for an axis without the samples, no data, NaN or infinities to learn from, another shape than
    was learnt. NaN elsewhere stays NaN.

    Example:
        >>> preprocess.Center().fit_transform(np.array([[1.0, 10.0], [3.0, 10.0]])).tolist()
        [[-1.0, 0.0], [1.0, 0.0]]
    """

    _names: ClassVar[tuple[str, ...]] = ("count", "mean", "m2")

    def __init__(self, axis: Any = 0) -> None:
        self.axis = None if axis is None else tuple(int(a) for a in np.ravel(axis))
        if self.axis is not None and (0 not in self.axis or min(self.axis) < 0 or len(set(self.axis)) < len(self.axis)):
            raise ValueError(
                f"[{self.name}] axis got {axis}, expected None, or axes from 0 on with 0 among them: statistics are "
                "taken over the samples"
            )
        self._learn(Moments(self.axis))

    def _learn(self, moments: Moments) -> None:
        self._moments = moments
        self._constants = [ct.asarray(c) for c in self._of_calls()] if moments.count else []

    def _of_calls(self) -> list[np.ndarray]:
        """What a call computes with."""
        return [self.mean_]

    def options(self) -> Options:
        return {"axis": None if self.axis is None else list(self.axis)}

    def fitted(self) -> Fitted | None:
        m = self._moments
        return {"count": m.count, "mean": m.mean, "m2": m.m2} if m.count else None

    def restore(self, fitted: Fitted | None) -> None:
        moments = Moments(self.axis)
        if fitted is not None:
            keys_of(self.name, fitted, *self._names)
            count, mean, m2 = fitted["count"], *(array_of(self.name, fitted, n) for n in self._names[1:])
            if type(count) is not int or count < 1 or mean.shape != m2.shape or (m2 < 0).any():
                raise ValueError(
                    f"[{self.name}] got a state with count {count!r}, mean {mean.shape} and m2 {m2.shape}, expected at "
                    "least 1, and squares of the mean's shape"
                )
            if any(mean.shape[a] != 1 if a < mean.ndim else True for a in self.axis or ()):
                raise ValueError(f"[{self.name}] got a state with a mean of shape {mean.shape} for axis {self.axis}")
            moments.merge(count, mean, m2)
        self._learn(moments)

    def update(self, x: np.ndarray, fresh: bool) -> None:
        if self.axis is not None and max(self.axis) >= x.ndim:
            raise ValueError(f"[{self.name}] got data of shape {x.shape}, expected at least {max(self.axis) + 1} axes")
        moments = Moments(self.axis)
        if not fresh and self._moments.count:
            self._check(x.shape)
            moments.merge(self._moments.count, self._moments.mean, self._moments.m2)
        for piece in pieces(self.name, x):
            moments.add(piece)
        if not (np.isfinite(moments.mean).all() and np.isfinite(moments.m2).all()):
            raise ValueError(f"[{self.name}] got numbers whose squares are infinite in float64, expected smaller ones")
        self._learn(moments)

    def _check(self, shape: tuple[int, ...]) -> None:
        known = self._moments.mean.shape
        if self.axis is None:
            return
        if len(shape) != len(known) or any(s != k for i, (s, k) in enumerate(zip(shape, known)) if i not in self.axis):
            expected = ["any" if i in self.axis else k for i, k in enumerate(known)]
            raise ValueError(f"[{self.name}] got data of shape {shape}, expected {expected} as in the training data")

    @property
    def mean_(self) -> np.ndarray:
        return self._known(self._moments.mean)

    @property
    def n_samples_seen_(self) -> int:
        return self._moments.count

    def _known(self, value: np.ndarray) -> np.ndarray:
        if not self._moments.count:
            raise AttributeError(f"[{self.name}] has seen no data yet, expected fit(training data) first")
        return value

    def forward(self, x: Tensor) -> Tensor:
        self._check(x.shape)
        return x - self._constants[0]

    def backward(self, y: Tensor) -> Tensor:
        self._check(y.shape)
        return y + self._constants[0]


class Standardize(Center):
    """Zero mean and unit variance, as the training data has them: y = (x - mean) / std.

    std is the square root of the mean squared deviation. What is constant in the training data, up to rounding, is only
    centred. axis, errors: as `Center`: 0 for every feature, (0, 2, 3) for every channel, None for everything.

    After `fit`: `mean_`, `var_`, `scale_` (float64, with the axes of the data) and `n_samples_seen_`.
    Source: scikit-learn's StandardScaler; why: LeCun et al., "Efficient BackProp", 1998.

    Example:
        >>> step = preprocess.Standardize().fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
        >>> step(ct.tensor([[5.0, 6.0]])).tolist()
        [[3.0, 1.0]]
        >>> step.inverse(np.array([[3.0, 1.0]])).tolist()
        [[5.0, 6.0]]
    """

    @property
    def var_(self) -> np.ndarray:
        return self._known(self._moments.m2 / max(self._moments.count, 1))

    @property
    def scale_(self) -> np.ndarray:
        n, mean, var, eps = self._moments.count, self.mean_, self.var_, np.finfo(np.float64).eps
        constant = var <= n * eps * var + np.square(n * eps * mean)  # as far as rounding lets us tell
        return np.where(constant, 1.0, np.sqrt(var))

    def _of_calls(self) -> list[np.ndarray]:
        return [self.mean_, self.scale_]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / self._constants[1]

    def backward(self, y: Tensor) -> Tensor:
        return super().backward(y * self._constants[1])
