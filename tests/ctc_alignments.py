"""Every alignment there is: what CTC adds up, for sequences short enough to write them all down."""

from __future__ import annotations

import itertools

import numpy as np


def collapsed(alignment: tuple[int, ...], blank: int) -> tuple[int, ...]:
    """What is left without repetitions, then without blanks."""
    return tuple(label for label, _ in itertools.groupby(alignment) if label != blank)


def probabilities(log_probs: np.ndarray, blank: int) -> dict[tuple[int, ...], float]:
    """p of every sequence of labels that the frames [T, C] may hold."""
    frames, classes = log_probs.shape
    found: dict[tuple[int, ...], float] = {}
    for alignment in itertools.product(range(classes), repeat=frames):
        p = float(np.exp(log_probs[range(frames), alignment].sum()))
        labels = collapsed(alignment, blank)
        found[labels] = found.get(labels, 0.0) + p
    return found


def occupancies(log_probs: np.ndarray, target: tuple[int, ...], blank: int) -> np.ndarray:
    """The share of the target's alignments, by probability, that have class c at frame t [T, C]."""
    frames, classes = log_probs.shape
    share, total = np.zeros((frames, classes)), 0.0
    for alignment in itertools.product(range(classes), repeat=frames):
        if collapsed(alignment, blank) == target:
            p = float(np.exp(log_probs[range(frames), alignment].sum()))
            share[range(frames), alignment] += p
            total += p
    return share / total
