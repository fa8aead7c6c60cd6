"""How much members, or samples of dropout, differ: what an average can gain, and how unsure it is."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor, asarray, where
from cinta.autodiff import no_grad


def _probabilities(p: Any, where_: str) -> Tensor:
    p = asarray(p)
    if p.ndim < 3:
        raise ValueError(f"[{where_}] got shape {list(p.shape)}, expected [N, B, C, ...] (Ensemble.predictions)")
    return p


def disagreement(p: Any) -> float:
    """The share of examples on which two members name different classes, averaged over all pairs.

    d = 2 / (N (N - 1)) sum_{n<m} mean_b [argmax_c p[n,b,c] != argmax_c p[m,b,c]], p [N, B, C]

    Errors: ValueError for fewer than two members or another rank.
    Source: Kuncheva and Whitaker, "Measures of Diversity in Classifier Ensembles", 2003.

    Example:
        >>> ct.ensemble.disagreement([[[0.9, 0.1], [0.6, 0.4]], [[0.8, 0.2], [0.3, 0.7]]])
        0.5
    """
    p = _probabilities(p, "disagreement")
    count, classes = p.shape[0], p.shape[2]
    if count < 2:
        raise ValueError(f"[disagreement] got {count} member, expected at least 2")
    named = p.argmax(2)
    # Of N votes v_c for class c, sum_c v_c (v_c - 1) ordered pairs agree.
    agreeing = sum(_pairs((named == c).astype("float64").sum(0)) for c in range(classes))
    return float(1 - agreeing.mean() / (count * (count - 1)))  # type: ignore[union-attr]


def _pairs(votes: Tensor) -> Tensor:
    return votes * (votes - 1)


def _entropy(p: Tensor, axis: int) -> Tensor:
    positive = p > 0
    return -where(positive, p * where(positive, p, 1.0).log(), 0.0).sum(axis)


def predictive_entropy(p: Any) -> Tensor:
    """How unsure the average prediction is, in nats, for each example.

    H = -sum_c q log q, q = 1/N sum_n p[n], p [N, B, C], H [B]

    Example:
        >>> doubt = ct.ensemble.predictive_entropy([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> round(doubt[0].item(), 4)  # log 2: one says this, one says that
        0.6931
    """
    with no_grad():
        return _entropy(_probabilities(p, "predictive_entropy").mean(0), 1)


def mutual_information(p: Any) -> Tensor:
    """The part of `predictive_entropy` that comes from members contradicting each other, in nats.

    I = H(mean_n p[n]) - mean_n H(p[n]) >= 0, p [N, B, C], I [B]; the rest is doubt that all members share

    Source: Houlsby et al., "Bayesian Active Learning for Classification and Preference Learning", 2011.

    Example:
        >>> ct.ensemble.mutual_information([[[0.5, 0.5]], [[0.5, 0.5]]]).tolist()
        [0.0]
    """
    p = _probabilities(p, "mutual_information")
    with no_grad():
        return _entropy(p.mean(0), 1) - _entropy(p, 2).mean(0)
