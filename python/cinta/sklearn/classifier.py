"""NetClassifier: a network that tells classes apart."""

from __future__ import annotations

from typing import Any

import numpy
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff import no_grad
from cinta.nn import functional
from cinta.sklearn.net import Net
from cinta.sklearn.training import Array


class NetClassifier(ClassifierMixin, Net):
    """A classifier by a neural network, with the arguments of scikit-learn's MLPClassifier.

    p(class | x) = softmax(net((x - mean) / scale)), X [N, n_features], y [N] of any labels; trained by cross-entropy.
    Where y is an indicator matrix [N, L] of 0 and 1, each label has a sigmoid of its own.

    Inputs are standardised with the training rows' means and deviations, which belong to the model; a float64 X is
    trained on and predicted in float64, a float32 X in float32, which is faster. The same `random_state` gives the same
    bits on any number of threads; the stream of `ct.random` is left as it was.

    Args:
        hidden_layer_sizes: widths of the layers between input and output.
        activation: 'relu', 'tanh', 'logistic', 'identity', 'gelu' or 'silu'.
        module: a function of (n_features, n_outputs) that builds the net instead: any cinta module from [N, n_features]
            to logits [N, n_outputs].
        dropout: probability of zeroing a hidden unit in training.
        solver: 'adam', 'adamw', 'rmsprop', 'sgd', or a function from parameter groups to an optimizer.
        alpha: weight of the L2 penalty on weights, per batch as in MLPClassifier.
        batch_size: rows in a step; 'auto': min(200, N).
        learning_rate: 'constant'; 'adaptive': divided by 5 whenever nothing improves; 'cosine': down to 0 at max_iter.
        learning_rate_init: at the start; not for a solver that is a function.
        momentum, nesterovs_momentum: of 'sgd'.
        max_iter: most epochs.
        shuffle: whether rows are drawn in a new order in every epoch.
        random_state: an int, a RandomState or None.
        tol, n_iter_no_change: stop when more than so many epochs in a row improved by less than tol.
        early_stopping: look for that at the score on held-out rows, and end with the weights that had the best one.
        validation_fraction: how many rows are held out.
        warm_start: `fit` goes on where it stopped.
        standardize: whether inputs are centred and scaled.
        dtype: 'float32' or 'float64'; None: that of X.
        compile: record the training step with ct.compile; False where `module` reads values on the host.
        verbose: print a line for every epoch.
        class_weight: {class: weight}, 'balanced' or None.

    Attributes: classes_, net_ (the cinta module), n_iter_, loss_, best_loss_, loss_curve_ (without the penalty),
    validation_scores_, best_validation_score_ (None without early stopping), n_features_in_, feature_names_in_.

    Errors: ValueError for parameters out of range and for data that scikit-learn's own estimators refuse.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.model_selection import cross_val_score
        >>> from cinta.sklearn import NetClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> net = NetClassifier((16,), batch_size=16, max_iter=30, learning_rate_init=0.01, random_state=0)
        >>> scores = cross_val_score(net, X, y)
        >>> bool(scores.mean() > 0.9)
        True
    """

    _numeric = False

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
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
        class_weight: Any = None,
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
        self.class_weight = class_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> NetClassifier:
        """One epoch over these rows. The first call tells all `classes` and sets how inputs are standardised."""
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X: Any) -> Array:
        """The likeliest class of each row [N], or an indicator matrix [N, L]."""
        outputs = self._run(X)
        if self._multilabel:
            return (outputs.numpy() > 0).astype(self.classes_.dtype)
        return self.classes_[outputs.argmax(1).numpy()]

    def predict_proba(self, X: Any) -> Array:
        """Probabilities [N, classes] in the order of `classes_`, each row's sum 1; of each label by itself [N, L]."""
        outputs = self._run(X)
        return (_core.sigmoid(outputs) if self._multilabel else _core.softmax(outputs, 1)).numpy()

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities, exact where those are too small to be told from 0."""
        outputs = self._run(X)
        return (-_core.softplus(-outputs) if self._multilabel else _core.log_softmax(outputs, 1)).numpy()

    def _encode(self, y: Array, first: bool, classes: Any = None) -> Array:
        check_classification_targets(y)
        multilabel = type_of_target(y) == "multilabel-indicator"
        if y.ndim == 2 and not multilabel:
            if y.shape[1] != 1:
                raise ValueError(
                    f"[NetClassifier] y got shape {list(y.shape)} with other values than 0 and 1, expected [N] or an "
                    "indicator matrix"
                )
            from sklearn.utils.validation import column_or_1d

            y = column_or_1d(y, warn=True)
        if first:
            self._multilabel = multilabel
            if multilabel:
                self.classes_ = numpy.arange(y.shape[1])
            else:
                self.classes_ = unique_labels(y) if classes is None else unique_labels(classes)
        if multilabel != self._multilabel or (multilabel and y.shape[1] != len(self.classes_)):
            raise ValueError("[NetClassifier] y is of another kind than the net was made for: fit it anew")
        if multilabel:
            return numpy.asarray(y, dtype=self._dtype)
        unknown = numpy.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"[NetClassifier] y has the classes {unknown.tolist()}, expected some of {self.classes_.tolist()} (the "
                "first partial_fit tells all classes)"
            )
        return numpy.searchsorted(self.classes_, y).astype(numpy.int64)

    def _row_weights(self, y: Array, weights: Array | None) -> Array | None:
        if self.class_weight is None:
            return weights
        by_class = compute_sample_weight(self.class_weight, y).astype(self._dtype)
        return by_class if weights is None else by_class * weights

    def _outputs(self) -> int:
        return len(self.classes_)

    def _stratify(self, targets: Array) -> Array | None:
        return None if self._multilabel else targets

    def _loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        if self._multilabel:
            if weights is None:
                return functional.binary_cross_entropy_with_logits(outputs, targets)
            losses = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(axis=1)
        else:
            if weights is None:
                return functional.cross_entropy(outputs, targets)
            losses = functional.cross_entropy(outputs, targets, reduction="none")
        return (losses * weights).sum() / weights.sum()

    def _score_of(self, x: Array, targets: Array, weights: Array) -> float:
        with no_grad():
            outputs = self._forward(_core.asarray(x)).numpy()
        right = ((outputs > 0) == targets).all(axis=1) if self._multilabel else outputs.argmax(axis=1) == targets
        return float(numpy.average(right, weights=weights))
