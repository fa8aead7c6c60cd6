"""Principal components: fewer numbers, and numbers that are not correlated."""

from __future__ import annotations

import math

import numpy as np

import cinta as ct
from cinta._core import Tensor, is_recording
from cinta.preprocess.moments import pieces
from cinta.preprocess.preprocessor import Fitted, Options, Preprocessor, array_of, keys_of


def solved_components(
    owner: str, scatter: np.ndarray, samples: int, wanted: float | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Eigenvectors [K,D] and eigenvalues [K] of the covariance, the largest first, and the sum of all eigenvalues."""
    if samples < 2:
        raise ValueError(f"[{owner}] has seen {samples} sample, expected at least 2 to know a variance")
    values, vectors = np.linalg.eigh(scatter / (samples - 1))
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1].T
    most = min(samples, len(values))
    kept = most if wanted is None else int(wanted)
    if wanted is not None and wanted < 1:
        explained = np.cumsum(values) / max(values.sum(), np.finfo(float).tiny)
        kept = min(int(np.searchsorted(explained, wanted, side="right")) + 1, most)
    if kept > most:
        raise ValueError(
            f"[{owner}] n_components got {kept}, expected at most {most}: there are {samples} samples of {len(values)} "
            "features"
        )
    vectors = vectors[:kept]
    largest = vectors[np.arange(kept), np.abs(vectors).argmax(1)]
    vectors = vectors * np.where(largest < 0, -1.0, 1.0)[:, None]
    return np.ascontiguousarray(vectors), values[:kept].copy(), float(values.sum())


class PCA(Preprocessor):
    """Coordinates along the directions in which the training data varies most: y = (x - mean) V.

    The columns of V are eigenvectors of the covariance, the largest variance first, each with its largest entry
    positive. Samples [N,...] are taken as rows; results are [N,K].

    n_components: K; a number below 1: as many as explain this part of the variance; None: all there are,
    min(samples, features).
    After `fit`: `components_` [K,D], `explained_variance_` (of N - 1 degrees of freedom), `explained_variance_ratio_`,
    `mean_`, `n_samples_seen_`. A step that was loaded is fitted anew rather than further: the covariance is not saved.
    Errors: ValueError for more components than there are, fewer than two samples, NaN or infinities to learn from,
    another shape than was learnt. Source: Pearson 1901; scikit-learn's PCA.

    Example:
        >>> x = np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.0], [-2.0, -2.0]])
        >>> preprocess.PCA(1).fit_transform(x).round(3).ravel().tolist()
        [1.4140000343322754, -1.4140000343322754, 2.828000068664551, -2.828000068664551]
    """

    def __init__(self, n_components: float | None = None) -> None:
        n = n_components
        if n is not None and (isinstance(n, bool) or not (0 < n < 1 or (n >= 1 and n == int(n)))):
            raise ValueError(f"[{self.name}] n_components got {n}, expected a whole number, a part below 1, or None")
        self.n_components = n if n is None or n < 1 else int(n)
        self._count, self._shape = 0, ()
        self._scatter: np.ndarray | None = None
        self._mean: np.ndarray = np.zeros(0)
        self._solved: tuple[np.ndarray, np.ndarray, float] | None = None  # components, variances, the whole variance
        self._maps: tuple[Tensor, Tensor, Tensor] | None = None

    def options(self) -> Options:
        return {"n_components": self.n_components}

    def fitted(self) -> Fitted | None:
        if not self._count:
            return None
        components, variances, whole = self._solution()
        return {
            "count": self._count,
            "shape": list(self._shape),
            "mean": self._mean,
            "components": components,
            "variances": variances,
            "whole_variance": whole,
        }

    def restore(self, fitted: Fitted | None) -> None:
        if fitted is None:
            self._count, self._solved, self._scatter, self._maps = 0, None, None, None
            return
        keys_of(self.name, fitted, "count", "shape", "mean", "components", "variances", "whole_variance")
        mean, variances = array_of(self.name, fitted, "mean", 1), array_of(self.name, fitted, "variances", 1)
        components = array_of(self.name, fitted, "components", 2)
        count, shape, whole = fitted["count"], fitted["shape"], fitted["whole_variance"]
        sizes = isinstance(shape, (list, tuple)) and all(type(s) is int and s > 0 for s in shape)
        if (
            type(count) is not int
            or count < 2
            or not sizes
            or math.prod(shape) != mean.size
            or components.shape != (variances.size, mean.size)
            or (variances < 0).any()
            or not isinstance(whole, float)
        ):
            raise ValueError(
                f"[{self.name}] got a state with count {count!r}, shape {shape!r}, mean {mean.shape}, components "
                f"{components.shape} and variances {variances.shape}, expected [D], [K,D] and [K] that fit together"
            )
        self._count, self._shape, self._mean, self._scatter = count, tuple(shape), mean, None
        self._solved = components, variances, whole
        self._maps = self._matrices()

    def update(self, x: np.ndarray, fresh: bool) -> None:
        count, shape = 0, x.shape[1:]
        mean, scatter = np.zeros(math.prod(shape)), np.zeros((math.prod(shape),) * 2)
        if not fresh and self._count:
            if self._scatter is None:
                raise ValueError(f"[{self.name}] was loaded without its covariance, expected fit() with all data anew")
            self._check(x.shape)
            count, mean, scatter = self._count, self._mean, self._scatter.copy()
        for piece in pieces(self.name, x):
            rows = piece.reshape(len(piece), -1)
            own = rows.mean(0)
            rows = rows - own
            delta, total = own - mean, count + len(rows)
            scatter += rows.T @ rows + np.outer(delta, delta) * (count / total * len(rows))
            mean = mean + delta * (len(rows) / total)
            count = total
        if not np.isfinite(scatter).all():
            raise ValueError(f"[{self.name}] got numbers whose squares are infinite in float64, expected smaller ones")
        self._count, self._shape, self._mean, self._scatter = count, shape, mean, scatter
        self._solved = self._maps = None

    def settle(self) -> None:
        self._solved = self._solution()
        self._maps = self._matrices()

    def _solution(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Components [K,D], variances [K] and the sum of all variances; kept, but for what a recording would notice."""
        if self._solved is not None:
            return self._solved
        assert self._scatter is not None
        solved = solved_components(self.name, self._scatter, self._count, self.n_components)
        if not is_recording():
            self._solved = solved
        return solved

    def _check(self, shape: tuple[int, ...]) -> None:
        if tuple(shape[1:]) != tuple(self._shape) or not shape:
            raise ValueError(
                f"[{self.name}] got data of shape {tuple(shape)}, expected {['any', *self._shape]} as in the training "
                "data"
            )

    def _there_and_back(self) -> tuple[np.ndarray, np.ndarray]:
        """[D,K] that makes y of centred rows, and [K,D] that goes back."""
        components, _, _ = self._solution()
        return components.T, components

    def _matrices(self) -> tuple[Tensor, Tensor, Tensor]:
        """Those, and the mean, as a call computes with them; kept, but for what a recording would notice."""
        if self._maps is not None:
            return self._maps
        there, back = (ct.asarray(np.ascontiguousarray(m)) for m in self._there_and_back())
        maps = there, back, ct.asarray(self._mean)
        if not is_recording():
            self._maps = maps
        return maps

    def forward(self, x: Tensor) -> Tensor:
        self._check(x.shape)
        there, _, mean = self._matrices()
        return ct.matmul(x.reshape(x.shape[0], self._mean.size) - mean, there)

    def backward(self, y: Tensor) -> Tensor:
        _, back, mean = self._matrices()
        rows = y.reshape(y.shape[0], math.prod(y.shape[1:]))
        if rows.shape[1] != len(back):
            raise ValueError(
                f"[{self.name}] got data of shape {y.shape}, expected {['any', len(back)]} to go back from"
            )
        return (ct.matmul(rows, back) + mean).reshape(y.shape[0], *self._shape)

    @property
    def n_samples_seen_(self) -> int:
        return self._count

    @property
    def mean_(self) -> np.ndarray:
        self._known()
        return self._mean

    @property
    def components_(self) -> np.ndarray:
        return self._known()[0]

    @property
    def explained_variance_(self) -> np.ndarray:
        return self._known()[1]

    @property
    def explained_variance_ratio_(self) -> np.ndarray:
        _, variances, whole = self._known()
        return variances / max(whole, np.finfo(float).tiny)

    def _known(self) -> tuple[np.ndarray, np.ndarray, float]:
        if not self._count:
            raise AttributeError(f"[{self.name}] has seen no data yet, expected fit(training data) first")
        return self._solution()


class PCAWhitening(PCA):
    """Coordinates that are not correlated, each of unit variance: y = (x - mean) V (variance + eps)^(-1/2).

    zca: turned back by V^T, so that results are as much like the data as can be and have its shape ("zero-phase").
    eps: added to variances, so that directions in which nearly nothing varies are not blown up to noise. With eps 0,
    directions without any variance give 0.
    n_components, errors and what is known after `fit`: as `PCA`.
    Source: scikit-learn's PCA(whiten=True); zca: Bell and Sejnowski, "The 'Independent Components' of Natural Scenes
    are Edge Filters", 1997.

    Example:
        >>> x = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> preprocess.PCAWhitening(eps=0.0).fit_transform(x).var(0, ddof=1).round(5).tolist()
        [1.0, 1.0]
    """

    def __init__(self, n_components: float | None = None, eps: float = 1e-5, zca: bool = False) -> None:
        super().__init__(n_components)
        if not (math.isfinite(eps) and eps >= 0):
            raise ValueError(f"[{self.name}] eps got {eps}, expected 0 or more")
        self.eps, self.zca = float(eps), bool(zca)

    def options(self) -> Options:
        return {**super().options(), "eps": self.eps, "zca": self.zca}

    def _there_and_back(self) -> tuple[np.ndarray, np.ndarray]:
        components, variances, _ = self._solution()
        spread = np.sqrt(variances + self.eps)
        # Without eps, variances that are rounding errors of the largest count as none.
        alive = spread > (
            0 if self.eps else math.sqrt(len(self._mean) * np.finfo(float).eps * variances.max(initial=0))
        )
        inverse = np.divide(1, spread, out=np.zeros_like(spread), where=alive)
        there, back = components.T * inverse, components * (spread * alive)[:, None]
        return (there @ components, components.T @ back) if self.zca else (there, back)

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y.reshape(x.shape) if self.zca else y
