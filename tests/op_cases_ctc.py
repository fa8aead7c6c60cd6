"""The row of the CTC loss. The reference adds probabilities over the labels with a blank around each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from op_row import FLOATS, Op, Sample, sample


def log_likelihood(log_probs: Any, labels: Any, blank: int) -> float:
    """log p of the labels given log_probs [frames, C]."""
    with_blanks = np.full(2 * len(labels) + 1, blank)
    with_blanks[1::2] = labels
    alpha = np.full(len(with_blanks), -np.inf)
    alpha[0] = 0.0  # before the first frame
    for row in log_probs:
        before = alpha
        alpha = np.empty_like(before)
        for s, label in enumerate(with_blanks):
            ways = [before[s], *before[max(s - 1, 0) : s]]
            if s > 1 and label != blank and label != with_blanks[s - 2]:
                ways.append(before[s - 2])
            alpha[s] = row[label] + np.logaddexp.reduce(ways)
    return float(np.logaddexp.reduce(alpha[-2:]))


def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:  # fmt: skip
    batched = log_probs.ndim == 3
    if not batched:
        log_probs, targets = log_probs[:, None], targets[None]
        input_lengths, target_lengths = np.reshape(input_lengths, 1), np.reshape(target_lengths, 1)
    ends = np.cumsum(target_lengths)
    losses = np.zeros(log_probs.shape[1])
    for n, (frames, length) in enumerate(zip(input_lengths, target_lengths)):
        labels = targets[n, :length] if targets.ndim == 2 else targets[ends[n] - length : ends[n]]
        losses[n] = 0 - log_likelihood(log_probs[:frames, n], labels, blank)
    if zero_infinity:
        losses[np.isinf(losses)] = 0
    if reduction == "mean":
        return (losses / np.maximum(target_lengths, 1)).mean()
    return losses.sum() if reduction == "sum" else losses if batched else losses[0]


def samples(rng: np.random.Generator) -> Iterable[Sample]:
    def log_probs(*shape: int) -> Any:
        x = rng.normal(size=shape)
        return x - np.log(np.exp(x).sum(-1, keepdims=True))

    targets = np.array([[1, 2, 2], [3, 1, 3], [2, 2, 2]])
    for reduction in ("mean", "sum", "none"):
        yield sample(log_probs(6, 3, 4), targets, np.array([6, 5, 4]), np.array([3, 2, 1]), reduction=reduction)
    yield sample(log_probs(5, 2, 3), np.array([[1], [2]], np.int32), np.array([5, 0]), np.array([1, 0]))
    yield sample(log_probs(5, 2, 3), np.array([1, 0, 0]), np.array([4, 5]), np.array([1, 2]), blank=2)
    yield sample(log_probs(4, 3), np.array([1, 2]), np.array(4), np.array(2))
    yield sample(log_probs(4, 3), np.array([1, 1]), np.array([4]), np.array([2]), reduction="none")
    yield sample(
        log_probs(3, 3, 3), np.array([[1, 1], [1, 2], [2, 1]]), np.array([2, 1, 3]), np.array([2, 2, 2]),
        reduction="sum", zero_infinity=True,
    )  # fmt: skip
    yield sample(rng.normal(size=(40, 2, 5)) * 3, rng.integers(1, 5, (2, 17)), np.array([40, 37]), np.array([17, 11]))
    yield sample(log_probs(3, 2, 2), np.zeros((2, 0), np.int64), np.array([3, 2]), np.array([0, 0]))
    yield sample(np.zeros((3, 0, 4)), np.zeros((0, 2), np.int64), *[np.zeros(0, np.int64)] * 2, reduction="none")


ROWS = [Op("ctc_loss", ctc_loss, samples, dtypes=FLOATS, tolerance=16, method=False)]
