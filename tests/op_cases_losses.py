"""Rows of softmax and the losses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy import special

from op_row import FLOATS, Op, Sample, sample

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def reduced(loss: np.ndarray, reduction: str, weight: Any = None) -> Any:
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.mean() if weight is None else loss.sum() / weight.sum()


def softmax_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for shape, axis in [
        ((7,), -1),
        ((3, 4), 1),
        ((3, 4), 0),
        ((2, 3, 5), -2),
        ((5, 211), -1),
        ((0, 3), -1),
        ((1, 1), 0),
    ]:
        yield sample(rng.normal(size=shape) * 3, axis)
    yield sample(rng.normal(size=(3, 4)) + 200.0)


def nll_loss(x: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    keep = target != ignore_index
    index = np.where(keep, target, 0)
    scale = keep * (np.ones(x.shape[1])[index] if weight is None else weight[index])
    loss = -np.take_along_axis(x, np.expand_dims(index, 1), 1).squeeze(1) * scale
    return reduced(loss, reduction, scale)


def cross_entropy(x: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Any:  # fmt: skip
    """PyTorch's: a mean is over the weights of the targets (class indices) or over the rows (probabilities)."""
    classes = x.shape[1]
    log_p = special.log_softmax(x, axis=1)
    shape = (1, classes) + (1,) * (x.ndim - 2)
    w = np.ones(classes) if weight is None else weight
    if np.asarray(target).dtype.kind == "f":
        smooth = target * (1 - label_smoothing) + label_smoothing / classes
        loss = -(smooth * log_p * w.reshape(shape)).sum(1)
        return loss.sum() / (loss.size) if reduction == "mean" else reduced(loss, reduction)
    keep = target != ignore_index
    index = np.where(keep, target, 0)
    hard = -np.take_along_axis(log_p, np.expand_dims(index, 1), 1).squeeze(1) * w[index]
    soft = -(log_p * w.reshape(shape)).sum(1) / classes
    return reduced(((1 - label_smoothing) * hard + label_smoothing * soft) * keep, reduction, w[index] * keep)


REDUCTIONS = ("mean", "sum", "none")


def nll_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for reduction in REDUCTIONS:
        yield sample(rng.normal(size=(5, 4)), rng.integers(0, 4, 5), reduction=reduction)
    yield sample(rng.normal(size=(5, 4)), rng.integers(0, 4, 5), weight=rng.uniform(0.5, 2, 4))
    yield sample(rng.normal(size=(5, 4)), np.array([0, -100, 3, 1, -100]))
    yield sample(rng.normal(size=(5, 4)), np.array([0, 2, 3, 1, 2]), ignore_index=2)
    yield sample(rng.normal(size=(2, 4, 3)), rng.integers(0, 4, (2, 3)))


def cross_entropy_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield from nll_samples(rng)
    x, targets = rng.normal(size=(5, 4)), rng.integers(0, 4, 5)
    yield sample(x, targets, label_smoothing=0.1)
    yield sample(x, np.array([0, -100, 3, 1, 2]), label_smoothing=0.2, weight=rng.uniform(0.5, 2, 4))
    yield sample(x, np.array([0, -100, 3, 1, 2]), label_smoothing=0.2, reduction="none")
    yield sample(rng.normal(size=(2, 4, 3, 2)), rng.integers(0, 4, (2, 3, 2)), label_smoothing=0.1)
    yield sample(rng.normal(size=(37, 211)) * 5, rng.integers(0, 211, 37))
    yield sample(rng.normal(size=(4, 3)) + 500.0, rng.integers(0, 3, 4))
    for reduction in REDUCTIONS:
        yield sample(x, special.softmax(rng.normal(size=(5, 4)), axis=1), reduction=reduction)
    yield sample(
        x, special.softmax(rng.normal(size=(5, 4)), axis=1), label_smoothing=0.1, weight=rng.uniform(0.5, 2, 4)
    )
    yield sample(rng.normal(size=(2, 4, 3)), special.softmax(rng.normal(size=(2, 4, 3)), axis=1))


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(rng.normal(size=shape))


def inside(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(rng.uniform(0.05, 0.95, shape))


def pairwise(draw_x: Draw, draw_target: Draw, *options: dict[str, Any]) -> Callable[..., Iterable[Sample]]:
    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        for shape in [(7,), (3, 4), (5, 211), ()]:
            for reduction in REDUCTIONS:
                yield sample(draw_x(rng, shape), draw_target(rng, shape), reduction=reduction)
        for option in options:
            yield sample(draw_x(rng, (3, 4)), draw_target(rng, (3, 4)), **option)

    return samples


def elementwise_loss(formula: Callable[..., Any]) -> Callable[..., Any]:
    def loss(x: Any, target: Any, reduction: str = "mean", **options: Any) -> Any:
        return reduced(np.asarray(formula(x, target, **options)), reduction)

    return loss


def huber(x: Any, target: Any, delta: float = 1.0) -> Any:
    return special.huber(delta, x - target)


def smooth_l1(x: Any, target: Any, beta: float = 1.0) -> Any:
    return special.huber(beta, x - target) / beta


def cross_entropy_of_probability(x: Any, target: Any, weight: Any = 1.0) -> Any:
    return -weight * (target * np.log(x) + (1 - target) * np.log1p(-x))


def cross_entropy_of_logit(x: Any, target: Any, weight: Any = 1.0, pos_weight: Any = 1.0) -> Any:
    return weight * (pos_weight * target * np.logaddexp(0, -x) + (1 - target) * np.logaddexp(0, x))


def kl_div(x: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    loss = np.exp(target) * (target - x) if log_target else special.xlogy(target, target) - target * x
    return loss.sum() / x.shape[0] if reduction == "batchmean" else reduced(np.asarray(loss), reduction)


def hinge_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for reduction in REDUCTIONS:
        yield sample(rng.normal(size=(3, 4)), rng.choice([-1, 1], (3, 4)), reduction=reduction)
    yield sample(rng.normal(size=(3, 4)), rng.choice([-1, 1], (3, 4)), margin=0.3)


def multi_margin_loss(x: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None,
                      reduction: str = "mean") -> Any:  # fmt: skip
    loss = np.maximum(0, margin - np.take_along_axis(x, target[:, None], 1) + x) ** p
    loss[np.arange(len(x)), target] = 0
    return reduced((loss if weight is None else weight[target][:, None] * loss).sum(1) / x.shape[1], reduction)


def multi_margin_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for reduction in REDUCTIONS:
        yield sample(rng.normal(size=(5, 4)), rng.integers(0, 4, 5), reduction=reduction)
    yield sample(rng.normal(size=(5, 4)), rng.integers(0, 4, 5), p=2, margin=0.7, weight=rng.uniform(0.5, 2, 4))


WEIGHTS = np.array([0.5, 1.0, 2.0, 1.5])
ROWS = [
    Op("softmax", lambda x, axis=-1: special.softmax(x, axis), softmax_samples, dtypes=FLOATS, tolerance=16),
    Op("log_softmax", lambda x, axis=-1: special.log_softmax(x, axis), softmax_samples, dtypes=FLOATS, tolerance=16),
    Op("cross_entropy", cross_entropy, cross_entropy_samples, dtypes=FLOATS, constants=("weight",), tolerance=16,
       method=False),
    Op("nll_loss", nll_loss, nll_samples, dtypes=FLOATS, constants=("weight",), tolerance=16, method=False),
    Op("mse_loss", elementwise_loss(lambda x, t: (x - t) ** 2), pairwise(normal, normal), dtypes=FLOATS, method=False),
    Op("l1_loss", elementwise_loss(lambda x, t: np.abs(x - t)), pairwise(normal, normal), dtypes=FLOATS, method=False),
    Op("huber_loss", elementwise_loss(huber), pairwise(normal, normal, {"delta": 0.5}), dtypes=FLOATS, method=False),
    Op("smooth_l1_loss", elementwise_loss(smooth_l1), pairwise(normal, normal, {"beta": 0.5}), dtypes=FLOATS,
       method=False),
    Op("binary_cross_entropy", elementwise_loss(cross_entropy_of_probability),
       pairwise(inside, inside, {"weight": WEIGHTS}),
       dtypes=FLOATS, constants=("weight",), method=False),
    Op("binary_cross_entropy_with_logits", elementwise_loss(cross_entropy_of_logit),
       pairwise(normal, inside, {"weight": WEIGHTS}, {"pos_weight": WEIGHTS}), dtypes=FLOATS,
       constants=("weight", "pos_weight"), method=False),
    Op("kl_div", kl_div, pairwise(normal, inside, {"reduction": "batchmean"}, {"log_target": True}), dtypes=FLOATS,
       tolerance=16,
       method=False),
    Op("hinge_loss", elementwise_loss(lambda x, t, margin=1.0: np.maximum(0, margin - t * x)), hinge_samples,
       dtypes=FLOATS,
       method=False),
    Op("multi_margin_loss", multi_margin_loss, multi_margin_samples, dtypes=FLOATS, constants=("weight",), tolerance=16,
       method=False, call=lambda ct: ct.nn.functional.multi_margin_loss),
]  # fmt: skip
