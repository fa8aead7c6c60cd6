"""Metrics: numbers that say how good predictions are, summed batch by batch so that unequal batches count right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from cinta._core import Tensor


class Metric:
    """A number over many batches: `update(outputs, targets)` for each, then `compute()`.

    Subclasses define the three methods; what they keep in `totals`, plain numbers, is in checkpoints too.

    Example:
        >>> metric = ct.training.Accuracy()
        >>> metric.update(ct.tensor([[2.0, 1.0], [0.0, 3.0]]), ct.tensor([0, 1]))
        >>> metric.update(ct.tensor([[2.0, 1.0]]), ct.tensor([1]))
        >>> round(metric.compute(), 4)
        0.6667
    """

    name = "metric"

    def __init__(self) -> None:
        self.totals: list[float] = []

    def reset(self) -> None:
        """Forgets the batches so far."""
        self.totals = []

    def update(self, outputs: Any, targets: Any) -> None:
        """Counts a batch in."""
        raise NotImplementedError(f"[{type(self).__name__}] has no update(), expected its class to give one")

    def compute(self) -> float:
        """The number for all batches since the last `reset`; NaN where there were none."""
        raise NotImplementedError(f"[{type(self).__name__}] has no compute(), expected its class to give one")

    def state_dict(self) -> dict[str, Any]:
        """The sums so far."""
        return {"totals": list(self.totals)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over the sums of a `state_dict`."""
        totals = state["totals"]
        if not isinstance(totals, list) or not all(isinstance(total, (int, float)) for total in totals):
            raise ValueError(f"[{type(self).__name__}] totals got {totals!r:.60}, expected a list of numbers")
        self.totals = list(totals)


class Mean(Metric):
    """The mean of a function of (outputs, targets) over all samples, each batch counting as often as it has samples.

    m = sum_b n_b f(outputs_b, targets_b) / sum_b n_b

    Args:
        function: gives a batch's mean, as a number or a tensor of one.
        name: of the metric; the function's own where none is given.

    Example:
        >>> metric = ct.training.Mean(lambda outputs, targets: (outputs - targets).mean(), "bias")
        >>> metric.update(ct.tensor([1.0, 1.0, 1.0]), ct.zeros(3))
        >>> metric.update(ct.tensor([5.0]), ct.zeros(1))
        >>> metric.compute()
        2.0
    """

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None = None) -> None:
        super().__init__()
        self._function = function
        self.name = name or str(getattr(function, "__name__", type(function).__name__))

    def update(self, outputs: Any, targets: Any) -> None:
        """Counts a batch in."""
        self.add(float(self._function(outputs, targets)), len(targets))

    def add(self, mean: float, weight: float) -> None:
        """Counts in `weight` samples of this mean."""
        if weight:
            self.totals = self.totals or [0.0, 0]
            self.totals[0] += mean * weight
            self.totals[1] += weight

    def compute(self) -> float:
        """The mean over all samples since the last `reset`; NaN where there were none."""
        return self.totals[0] / self.totals[1] if self.totals else float("nan")


class Accuracy(Mean):
    """The share of samples whose highest score is that of the right class.

    outputs [N, C] or [N, C, d1, ...] of scores; targets [N, d1, ...] of integers, or outputs' shape of probabilities

    Errors: ValueError for other shapes.

    Example:
        >>> metric = ct.training.Accuracy()
        >>> metric.update(ct.tensor([[2.0, 1.0], [0.0, 3.0]]), ct.tensor([0, 0]))
        >>> metric.compute()
        0.5
    """

    def __init__(self, name: str = "accuracy") -> None:
        super().__init__(self._share, name)

    def _share(self, outputs: Tensor, targets: Tensor) -> float:
        targets = _classes(type(self).__name__, outputs, targets)
        return (outputs.argmax(axis=1) == targets).astype("float64").mean().item()


class ErrorRate(Accuracy):
    """The share of samples whose highest score is that of a wrong class: 1 - accuracy.

    Shapes and errors as for `Accuracy`.

    Example:
        >>> metric = ct.training.ErrorRate()
        >>> metric.update(ct.tensor([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0], [5.0, 0.0]]), ct.tensor([0, 0, 0, 0]))
        >>> metric.compute()
        0.25
    """

    def __init__(self, name: str = "error") -> None:
        super().__init__(name)

    def _share(self, outputs: Tensor, targets: Tensor) -> float:
        return 1.0 - super()._share(outputs, targets)


class TopKAccuracy(Mean):
    """The share of samples whose right class is among the k highest scores.

    Shapes as for `Accuracy`. Errors: ValueError for other shapes, or k below 1 or above the number of classes.

    Example:
        >>> metric = ct.training.TopKAccuracy(k=2)
        >>> metric.update(ct.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]), ct.tensor([1, 2]))
        >>> metric.name, metric.compute()
        ('top2_accuracy', 0.5)
    """

    def __init__(self, k: int = 5, name: str | None = None) -> None:
        if k < 1:
            raise ValueError(f"[TopKAccuracy] k got {k}, expected at least 1")
        super().__init__(self._share, name or f"top{k}_accuracy")
        self.k = k

    def _share(self, outputs: Tensor, targets: Tensor) -> float:
        targets = _classes("TopKAccuracy", outputs, targets)
        if self.k > outputs.shape[1]:
            raise ValueError(f"[TopKAccuracy] k got {self.k}, expected at most the {outputs.shape[1]} classes")
        highest = outputs.topk(self.k, axis=1)[1]
        return (highest == targets.expand_dims(1)).any(axis=1).astype("float64").mean().item()


class BinaryAccuracy(Mean):
    """The share of outputs on the right side of a threshold: output > threshold where the target is > 1/2.

    outputs and targets of one shape; threshold 0 for scores (logits), 1/2 for probabilities

    Errors: ValueError where shapes differ.

    Example:
        >>> metric = ct.training.BinaryAccuracy()
        >>> metric.update(ct.tensor([0.3, -2.0, 1.5, 0.1]), ct.tensor([1, 0, 0, 1]))
        >>> metric.compute()
        0.75
    """

    def __init__(self, threshold: float = 0.0, name: str = "accuracy") -> None:
        super().__init__(self._share, name)
        self.threshold = threshold

    def _share(self, outputs: Tensor, targets: Tensor) -> float:
        _same_shape("BinaryAccuracy", outputs, targets)
        return ((outputs > self.threshold) == (targets > 0.5)).astype("float64").mean().item()


class MeanSquaredError(Mean):
    """The mean of (output - target)^2 over all elements, in float64.

    outputs and targets of one shape. Errors: ValueError where shapes differ.

    Example:
        >>> metric = ct.training.MeanSquaredError()
        >>> metric.update(ct.tensor([1.0, 4.0]), ct.tensor([1.0, 2.0]))
        >>> metric.compute()
        2.0
    """

    def __init__(self, name: str = "mse") -> None:
        super().__init__(self._error, name)

    def _error(self, outputs: Tensor, targets: Tensor) -> float:
        return ((_difference("MeanSquaredError", outputs, targets)) ** 2).mean().item()


class MeanAbsoluteError(Mean):
    """The mean of |output - target| over all elements, in float64.

    outputs and targets of one shape. Errors: ValueError where shapes differ.

    Example:
        >>> metric = ct.training.MeanAbsoluteError()
        >>> metric.update(ct.tensor([1.0, 4.0]), ct.tensor([1.0, 2.0]))
        >>> metric.compute()
        1.0
    """

    def __init__(self, name: str = "mae") -> None:
        super().__init__(self._error, name)

    def _error(self, outputs: Tensor, targets: Tensor) -> float:
        return abs(_difference("MeanAbsoluteError", outputs, targets)).mean().item()


class R2Score(Metric):
    """The share of the targets' variance that the outputs explain; 1 is perfect, 0 as good as the mean.

    R^2 = 1 - sum (t - y)^2 / sum (t - mean t)^2 for each column, then the mean over columns; for targets that do not
    vary, 1 where the outputs equal them and 0 elsewhere

    outputs and targets of one shape [N, ...]. Errors: ValueError where shapes differ.
    Source of the sum over batches: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
    Sample Variances", 1979.

    Example:
        >>> metric = ct.training.R2Score()
        >>> metric.update(ct.tensor([1.0, 2.0]), ct.tensor([1.0, 2.0]))
        >>> metric.update(ct.tensor([3.0, 3.0]), ct.tensor([3.0, 4.0]))
        >>> metric.compute()
        0.8
    """

    def __init__(self, name: str = "r2") -> None:
        super().__init__()
        self.name = name

    def update(self, outputs: Any, targets: Any) -> None:
        """Counts a batch in."""
        _same_shape("R2Score", outputs, targets)
        n = len(targets)
        if not n:
            return
        y, t = (np.asarray(each.detach().numpy(), np.float64).reshape(n, -1) for each in (outputs, targets))
        mean, spread, residual = t.mean(0), ((t - t.mean(0)) ** 2).sum(0), ((t - y) ** 2).sum(0)
        if self.totals:
            before, rows = self.totals[0], np.array(self.totals[1:]).reshape(3, -1)
            step = mean - rows[0]
            spread += rows[1] + step**2 * before * n / (before + n)
            residual += rows[2]
            mean, n = rows[0] + step * n / (before + n), n + int(before)
        self.totals = [n, *mean.tolist(), *spread.tolist(), *residual.tolist()]

    def compute(self) -> float:
        """R^2 for all batches since the last `reset`; NaN for fewer than two samples."""
        if not self.totals or self.totals[0] < 2:
            return float("nan")
        _, spread, residual = np.array(self.totals[1:]).reshape(3, -1)
        constant = np.where(residual == 0, 1.0, 0.0)
        return float(np.where(spread > 0, 1 - residual / np.where(spread > 0, spread, 1), constant).mean())


def as_metrics(metrics: Any) -> list[Metric]:
    """From what a Trainer is given, metrics and functions in a list or in a dict by name, to metrics."""
    named: Iterable[tuple[str | None, Any]]
    if isinstance(metrics, Mapping):
        named = metrics.items()
    else:
        named = [(None, metric) for metric in (metrics if isinstance(metrics, (list, tuple)) else [metrics])]
    found: list[Metric] = []
    for name, metric in named:
        if not isinstance(metric, Metric):
            if not callable(metric) or isinstance(metric, type):
                raise TypeError(
                    f"[Trainer] metrics got {metric!r:.60}, expected metrics or functions of (outputs, targets)"
                )
            metric = Mean(metric, name)
        metric.name = name or metric.name
        found.append(metric)
    names = [metric.name for metric in found]
    if twice := {name for name in names if names.count(name) > 1 or name in ("loss", "epoch", "step", "lr")}:
        raise ValueError(
            f"[Trainer] metrics got the names {names}, expected each of {sorted(twice)} once and not taken"
        )
    return found


def _classes(metric: str, outputs: Tensor, targets: Tensor) -> Tensor:
    if outputs.ndim >= 2 and outputs.shape[1] > 1:
        if targets.shape == outputs.shape[:1] + outputs.shape[2:] and not targets.dtype.is_floating:
            return targets
        if targets.shape == outputs.shape:
            return targets.argmax(axis=1)
    raise ValueError(
        f"[{metric}] got outputs of shape {list(outputs.shape)} and targets of {targets.dtype} and shape "
        f"{list(targets.shape)}, expected scores [N, C, ...] with C > 1 and classes [N, ...] (BinaryAccuracy takes one "
        "score for two classes)"
    )


def _same_shape(metric: str, outputs: Tensor, targets: Tensor) -> None:
    if outputs.shape != targets.shape:
        raise ValueError(
            f"[{metric}] got outputs of shape {list(outputs.shape)} and targets of shape {list(targets.shape)}, "
            "expected the same (reshape one: they would broadcast to something else)"
        )


def _difference(metric: str, outputs: Tensor, targets: Tensor) -> Tensor:
    _same_shape(metric, outputs, targets)
    return outputs.astype("float64") - targets.astype("float64")
