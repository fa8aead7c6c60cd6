"""Sampling: tokens by chance, as the network's probabilities say or sharpened."""

from __future__ import annotations

from typing import Any

import numpy as np

from cinta._core import Tensor, random
from cinta.autodiff import no_grad
from cinta.decoding.greedy import add
from cinta.decoding.hypothesis import Decoder, Hypothesis, Step


@no_grad()
def sample(
    step: Step,
    state: Any,
    start: Any,
    *,
    eos: int | None,
    max_length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
) -> list[Hypothesis]:
    """Draws every token from the probabilities of the next one until `eos`.

    w_t ~ `sampling_probabilities`(log p(w | w_1 ... w_{t-1}), temperature, top_k, top_p)

    step, state, start [B], eos and max_length as in `greedy`. seed: the same seed gives the same sequences, and
    `ct.random` stays where it was; None draws on from there. log_prob is by the network's own probabilities.

    Errors: as `greedy` and `sampling_probabilities`.

    Example:
        >>> coin = ct.log_softmax(ct.tensor([[0.0, 1.0, 1.0]] * 3), axis=1)
        >>> a, b = ct.decoding.sample(lambda s, tokens: (coin[tokens], s), None, [1, 1], eos=0, max_length=5, seed=3)
        >>> len(a.tokens) <= 5, set(a.tokens + b.tokens) <= {1, 2}
        (True, True)
    """
    decoder = Decoder("sample", step, start, eos, max_length)
    sharpness = (temperature, top_k, top_p)
    _check(*sharpness)
    count = len(decoder.start)
    tokens: list[list[int]] = [[] for _ in range(count)]
    total, finished, last = np.zeros(count), np.zeros(count, bool), decoder.start
    before = random.get_state()
    try:
        if seed is not None:
            random.seed(seed)
        for _ in range(max_length if count else 0):
            log_probs, state = decoder(state, last)
            last = _drawn(sampling_probabilities(log_probs, *sharpness))
            own = log_probs[np.arange(count), last] - np.logaddexp.reduce(log_probs, axis=1)
            total = np.where(finished, total, total + own)
            add(tokens, last, finished, eos)
            if finished.all():
                break
    finally:
        if seed is not None:
            random.set_state(before)
    return [Hypothesis(row, float(sum_), float(sum_), bool(end)) for row, sum_, end in zip(tokens, total, finished)]


def sampling_probabilities(
    log_probs: Any, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> np.ndarray:
    """Probabilities [B, V] sharpened by a temperature, then cut to the likeliest tokens.

    p = softmax(log_probs / temperature), temperature 0: all on the most probable; top_k: 0 but for the k largest;
    top_p: 0 but for the fewest that have at least top_p together (the nucleus); then scaled to a sum of 1

    log_probs [B, V] may be scores before a softmax as well. Of equal tokens the first are kept.

    Errors: ValueError for a temperature below 0, top_k below 1, or top_p outside (0, 1].
    Source: Fan, Lewis and Dauphin, "Hierarchical Neural Story Generation", 2018 (top k); Holtzman et al., "The Curious
    Case of Neural Text Degeneration", 2020 (top p).

    Example:
        >>> ct.decoding.sampling_probabilities(np.log([[0.5, 0.25, 0.15, 0.1]]), top_k=2).round(3)
        array([[0.667, 0.333, 0.   , 0.   ]])
        >>> ct.decoding.sampling_probabilities(np.log([[0.5, 0.3, 0.1, 0.1]]), top_p=0.7).round(3)
        array([[0.625, 0.375, 0.   , 0.   ]])
    """
    _check(temperature, top_k, top_p)
    values = log_probs.detach().astype("float64").numpy() if isinstance(log_probs, Tensor) else log_probs
    values = np.asarray(values, np.float64)
    if values.ndim != 2:
        raise ValueError(f"[sampling_probabilities] log_probs got shape {list(values.shape)}, expected [B, V]")
    if temperature == 0:
        return np.eye(values.shape[1])[values.argmax(axis=1)]
    scaled = (values - values.max(axis=1, keepdims=True)) / temperature
    p = np.exp(scaled)
    p /= p.sum(axis=1, keepdims=True)
    if top_k is not None or top_p is not None:
        order = np.argsort(-p, axis=1, kind="stable")
        ranked = np.take_along_axis(p, order, axis=1)
        if top_k is not None:
            ranked[:, top_k:] = 0
        if top_p is not None:
            before = np.cumsum(ranked, axis=1) - ranked
            ranked[before >= top_p * ranked.sum(axis=1, keepdims=True)] = 0
        np.put_along_axis(p, order, ranked, axis=1)
        p /= p.sum(axis=1, keepdims=True)
    return p


def _drawn(p: np.ndarray) -> np.ndarray:
    """A token for each row: where its share of 1 in the order of the tokens holds a uniform number."""
    sums = np.cumsum(p, axis=1)
    u = random.uniform(shape=(len(p), 1), dtype="float64").numpy() * sums[:, -1:]
    return np.asarray((sums <= u).sum(axis=1).clip(max=p.shape[1] - 1))


def _check(temperature: float, top_k: int | None, top_p: float | None) -> None:
    if not 0 <= temperature < np.inf:
        raise ValueError(f"[sample] temperature got {temperature}, expected at least 0")
    if top_k is not None and top_k < 1:
        raise ValueError(f"[sample] top_k got {top_k}, expected at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"[sample] top_p got {top_p}, expected above 0 and at most 1")
