"""NetRegressor: a network that foretells numbers."""

from __future__ import annotations

from typing import Any

import numpy
from sklearn.base import MultiOutputMixin, RegressorMixin

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff import no_grad
from cinta.nn import functional
from cinta.sklearn.net import Net
from cinta.sklearn.scaling import Scaling
from cinta.sklearn.training import Array

LOSSES = {
    "squared_error": functional.mse_loss,
    "absolute_error": functional.l1_loss,
    "huber": functional.huber_loss,
}


class NetRegressor(MultiOutputMixin, RegressorMixin, Net):
    """A regressor by a neural network, with the arguments of scikit-learn's MLPRegressor.

    y = mean_y + scale_y net((x - mean) / scale), X [N, n_features], y [N] or [N, n_outputs]

    Inputs and targets are standardised with the training rows' means and deviations, so that targets may be of any
    size; `loss_curve_` is of the standardised targets. All other arguments as of `NetClassifier`.

    Args:
        loss: 'squared_error', 'absolute_error' or 'huber' (squared within one deviation of y, absolute beyond).

    Attributes: net_ (the cinta module), n_outputs_, n_iter_, loss_, best_loss_, loss_curve_, validation_scores_ (R^2),
    best_validation_score_, n_features_in_, feature_names_in_.

    Errors: ValueError for parameters out of range and for data that scikit-learn's own estimators refuse.

    Example:
        >>> import numpy as np
        >>> from cinta.sklearn import NetRegressor
        >>> X = np.linspace(-3, 3, 200)[:, None]
        >>> y = 1000 + 5 * np.sin(X[:, 0])
        >>> net = NetRegressor((32, 32), "tanh", batch_size=32, learning_rate_init=0.01, random_state=0)
        >>> bool(net.fit(X, y).score(X, y) > 0.99)
        True
    """

    _numeric = True

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        loss: str = "squared_error",
        module: Any = None,
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
        super().__init__(
            hidden_layer_sizes,
            activation,
            module=module,
            dropout=dropout,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            warm_start=warm_start,
            standardize=standardize,
            dtype=dtype,
            compile=compile,
            verbose=verbose,
        )
        self.loss = loss

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetRegressor:
        """One epoch over these rows. The first call sets how inputs and targets are standardised."""
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """Numbers [N], or [N, n_outputs] where y had columns."""
        with no_grad():
            outputs = self._forward(self._input(X))
            if self._target_scaling is not None:
                outputs = self._target_scaling.inverse(outputs)
        values = outputs.numpy()
        return values[:, 0] if self._flat else values

    def _check(self) -> None:
        super()._check()
        if self.loss not in LOSSES:
            raise ValueError(f"[NetRegressor] loss got {self.loss!r}, expected one of {list(LOSSES)}")

    def _encode(self, y: Array, first: bool, classes: Any = None) -> Array:
        columns = numpy.asarray(y, dtype=self._dtype).reshape(len(y), -1)
        if first:
            self._flat, self.n_outputs_ = y.ndim == 1, columns.shape[1]
        elif columns.shape[1] != self.n_outputs_:
            raise ValueError(f"[NetRegressor] y got {columns.shape[1]} columns, expected {self.n_outputs_}: fit anew")
        return columns

    def _scale_targets(self, targets: Array, weights: Array | None, first: bool) -> Array:
        if first:
            self._target_scaling = Scaling(targets, weights) if self.standardize else None
        return targets if self._target_scaling is None else self._target_scaling(_core.asarray(targets)).numpy()

    def _outputs(self) -> int:
        return self.n_outputs_

    def _loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        if weights is None:
            return LOSSES[self.loss](outputs, targets)
        losses = LOSSES[self.loss](outputs, targets, reduction="none").mean(axis=1)
        return (losses * weights).sum() / weights.sum()

    def _score_of(self, x: Array, targets: Array, weights: Array) -> float:
        from sklearn.metrics import r2_score

        with no_grad():
            outputs = self._forward(_core.asarray(x))
            if self._target_scaling is not None:
                outputs = self._target_scaling.inverse(outputs)
        return float(r2_score(targets, outputs.numpy(), sample_weight=weights))
