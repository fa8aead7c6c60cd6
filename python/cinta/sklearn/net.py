"""What NetClassifier and NetRegressor share: parameters, checks, fitting and the way from rows to outputs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any, TypeVar

import numpy
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from cinta import _core, nn
from cinta._core import Tensor
from cinta.autodiff import no_grad
from cinta.sklearn.parameters import ACTIVATIONS, check_parameters
from cinta.sklearn.scaling import Scaling
from cinta.sklearn.training import Array, Training, make_optimizer

_ROWS_AT_ONCE = 4096  # in prediction
_stream_lock = RLock()  # the stream of random numbers is one for all threads
Self = TypeVar("Self", bound="Net")


@contextmanager
def _stream(state: tuple[int, int]) -> Iterator[None]:
    """Random numbers go on from `state` for a while, and then as if nothing had been."""
    with _stream_lock:
        before = _core.random.get_state()
        _core.random.set_state(state)
        try:
            yield
        finally:
            _core.random.set_state(before)


class Net(BaseEstimator):
    """An estimator by a network; what its targets mean is for its two kinds to say."""

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        module: Callable[[int, int], nn.Module] | None = None,
        dropout: float = 0.0,
        solver: Any = "adam",
        alpha: float = 1e-4,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 1e-3,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        standardize: bool = True,
        dtype: Any = None,
        compile: bool = True,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.module = module
        self.dropout = dropout
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.standardize = standardize
        self.dtype = dtype
        self.compile = compile
        self.verbose = verbose

    # What the two kinds define

    _numeric: bool  # whether targets are numbers
    _dtype: numpy.dtype[Any]  # of the fitted net

    def _encode(self, y: Array, first: bool, classes: Any = None) -> Array:
        """Targets as the loss takes them; `first`: what the classes or columns are is learned from them."""
        raise NotImplementedError

    def _scale_targets(self, targets: Array, weights: Array | None, first: bool) -> Array:
        return targets

    def _row_weights(self, y: Array, weights: Array | None) -> Array | None:
        return weights

    def _outputs(self) -> int:
        raise NotImplementedError

    def _stratify(self, targets: Array) -> Array | None:
        return None

    def _loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        raise NotImplementedError

    # Fitting

    def _check(self) -> None:
        """ValueError for a parameter out of range."""
        check_parameters(self)

    def fit(self: Self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains on rows X [N, n_features] and their targets; goes on where it is fitted and `warm_start` is set.

        Args:
            sample_weight: [N], how much each row counts; None: all alike.

        Errors: ValueError for parameters out of range, NaN or infinity in X or y, or a loss that becomes infinite.
        """
        self._check()
        again = self.warm_start and hasattr(self, "net_")
        x, targets, weights = self._data(X, y, sample_weight, first=not again)
        score = None
        if self.early_stopping:
            rng = check_random_state(self.random_state)
            parts = [x, targets, numpy.ones(len(x), x.dtype) if weights is None else weights]
            stratify = self._stratify(targets)
            split = train_test_split(*parts, test_size=self.validation_fraction, random_state=rng, stratify=stratify)
            x, held_x, targets, held_targets, rows, held_rows = split
            weights = None if weights is None else rows
            score = lambda: self._score_of(held_x, held_targets, held_rows)  # noqa: E731
        if not again:
            self._begin(x, targets, weights)
        training = self._training
        data = self._prepare(x, targets, weights, first=not again)
        with self._drawing():
            done = len(training.losses)
            converged = training.run(
                data,
                self._loss,
                batch_size=self._rows(len(x)),
                shuffle=self._shuffler if self.shuffle else None,
                epochs=self.max_iter,
                schedule=self.learning_rate,
                tol=self.tol,
                patience=int(self.n_iter_no_change),
                score=score,
                compiled=self.compile,
                verbose=self.verbose,
            )
        self._finish(len(training.losses) - done)
        if not converged and self.learning_rate != "cosine":
            warnings.warn(
                f"[{type(self).__name__}] max_iter={self.max_iter} epochs were run and the training still improves: "
                "raise max_iter or learning_rate_init, or set learning_rate='cosine', which is made to end there",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _partial_fit(self: Self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        self._check()
        again = hasattr(self, "net_")
        x, targets, weights = self._data(X, y, sample_weight, first=not again, classes=classes)
        if not again:
            self._begin(x, targets, weights)
        data = self._prepare(x, targets, weights, first=not again)
        order = self._shuffler.permutation(len(x)) if self.shuffle else None
        with self._drawing():
            self._training.epoch(data, self._rows(len(x)), order, self._training.step(self._loss))
        self._finish(1, self.n_iter_ if again else 0)
        return self

    def _data(
        self, X: Any, y: Any, sample_weight: Any, first: bool, classes: Any = None
    ) -> tuple[Array, Array, Array | None]:
        dtypes: Any = [numpy.float64, numpy.float32] if self.dtype is None else numpy.dtype(self.dtype)
        if not first:
            dtypes = self._dtype
        x, y = validate_data(
            self, X, y, reset=first, dtype=dtypes, order="C", multi_output=True, y_numeric=self._numeric
        )
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, x, dtype=x.dtype, ensure_non_negative=True)
        if first:
            self._dtype = x.dtype
        targets = self._encode(y, first, classes)
        weights = self._row_weights(y, weights)
        if weights is not None and not weights.sum() > 0:
            raise ValueError(f"[{type(self).__name__}] the weights of all rows are 0, expected some above")
        return x, targets, weights

    def _begin(self, x: Array, targets: Array, weights: Array | None) -> None:
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(numpy.iinfo(numpy.int32).max))
        self._shuffler = numpy.random.default_rng(seed)
        with _stream((seed, 0)):
            net = self._build(x.shape[1], self._outputs())
            self._stream_state = _core.random.get_state()
        # As MLPClassifier has it: the penalty of a batch is divided by its weight.
        mass = float(len(x) if weights is None else weights.sum()) * self._rows(len(x)) / len(x)
        decay = self.alpha / mass
        solver = make_optimizer(
            net, self.solver, self.learning_rate_init, decay, self.momentum, self.nesterovs_momentum
        )
        self.net_ = net
        self._training = Training(net, solver)

    def _build(self, features: int, outputs: int) -> nn.Module:
        if self.module is not None:
            net = self.module(features, outputs)
            if not isinstance(net, nn.Module):
                raise TypeError(
                    f"[{type(self).__name__}] module gave a {type(net).__name__}, expected an nn.Module (a function of "
                    "(n_features, n_outputs) that builds one)"
                )
            return net.to(dtype=self._dtype.name)
        layers: list[nn.Module] = []
        width = features
        for size in map(int, numpy.atleast_1d(self.hidden_layer_sizes)):
            layers += [nn.Linear(width, size, dtype=self._dtype.name), ACTIVATIONS[self.activation]()]
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
            width = size
        net = nn.Sequential(*layers, nn.Linear(width, outputs, dtype=self._dtype.name))
        for layer in net:
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
                last = layer is net[-1]
                if self.activation in ("relu", "gelu", "silu") and not last:
                    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
                else:
                    nn.init.xavier_uniform_(layer.weight)
        return net

    def _prepare(
        self, x: Array, targets: Array, weights: Array | None, first: bool
    ) -> tuple[Array, Array, Array | None]:
        if first:
            self._scaling = Scaling(x, weights) if self.standardize else None
        scaled = x if self._scaling is None else self._scaling(_core.asarray(x)).numpy()
        return scaled, self._scale_targets(targets, weights, first), weights

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """Around training: modules that draw take from this estimator's own stream."""
        if not self.dropout and self.module is None:
            yield
            return
        with _stream(self._stream_state):
            try:
                yield
            finally:
                self._stream_state = _core.random.get_state()

    def _rows(self, n: int) -> int:
        return min(200, n) if isinstance(self.batch_size, str) else min(int(self.batch_size), n)

    def _finish(self, epochs: int, before: int = 0) -> None:
        training = self._training
        self.net_.eval()
        self.n_iter_ = before + epochs
        self.loss_curve_ = list(training.losses)
        self.loss_ = training.losses[-1]
        self.best_loss_ = min(training.losses)
        self.validation_scores_ = list(training.scores) or None
        self.best_validation_score_ = max(training.scores, default=None)

    def _score_of(self, x: Array, targets: Array, weights: Array) -> float:
        raise NotImplementedError

    # From rows to outputs

    def _input(self, X: Any) -> Tensor:
        """Rows, checked as scikit-learn does; a clean array is asked the same questions in a microsecond."""
        known = self.__dict__
        if (
            type(X) is numpy.ndarray
            and X.ndim == 2
            and X.dtype is known.get("_dtype")
            and X.shape[0]
            and X.shape[1] == self.n_features_in_
            and "feature_names_in_" not in known
        ):
            x = _core.asarray(X)
            if math.isfinite(x.sum().item()):  # else it may be an overflow: look again
                return x
        check_is_fitted(self, "net_")
        return _core.asarray(validate_data(self, X, reset=False, dtype=self._dtype, order="C"))

    def _forward(self, x: Tensor) -> Tensor:
        """Outputs of the net in evaluation mode."""
        scaling, net = self._scaling, self.net_
        if x.shape[0] <= _ROWS_AT_ONCE:
            return net(x if scaling is None else scaling(x))
        starts = range(0, x.shape[0], _ROWS_AT_ONCE)
        return _core.concat([self._forward(x[i : i + _ROWS_AT_ONCE]) for i in starts], axis=0)

    def _run(self, X: Any) -> Tensor:
        with no_grad():
            return self._forward(self._input(X))
