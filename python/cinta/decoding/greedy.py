"""Greedy decoding: the most probable token at every step."""

from __future__ import annotations

from typing import Any

import numpy as np

from cinta.autodiff import no_grad
from cinta.decoding.hypothesis import Decoder, Hypothesis, Step


@no_grad()
def greedy(step: Step, state: Any, start: Any, *, eos: int | None, max_length: int) -> list[Hypothesis]:
    """Writes the most probable token at every step until `eos`.

    w_t = argmax_w log p(w | w_1 ... w_{t-1}); of equal ones the first

    step: (state, tokens [B]) -> (log-probabilities [B, V], next state), with states of any form. start [B]: the token
    that each sequence begins after, as "<bos>". eos: the token that ends one, None if none does. max_length: tokens
    that a sequence may have, `eos` included. Scores are log-probabilities. Nothing is recorded for gradients.

    Errors: ValueError for log-probabilities of another shape, nan or inf, or options out of range.

    Example:
        >>> after = ct.log_softmax(ct.tensor([[0.0, 1.0, 2.0], [0.0, 0.0, 3.0], [4.0, 0.0, 0.0]]), axis=1)
        >>> best = ct.decoding.greedy(lambda state, tokens: (after[tokens], state), None, [1], eos=0, max_length=10)
        >>> best[0].tokens, best[0].finished
        ([2], True)
    """
    decoder = Decoder("greedy", step, start, eos, max_length)
    count = len(decoder.start)
    tokens: list[list[int]] = [[] for _ in range(count)]
    total, finished, last = np.zeros(count), np.zeros(count, bool), decoder.start
    for _ in range(max_length if count else 0):
        log_probs, state = decoder(state, last)
        last = log_probs.argmax(axis=1)
        total = np.where(finished, total, total + log_probs[np.arange(count), last])
        add(tokens, last, finished, eos)
        if finished.all():
            break
    return [Hypothesis(row, float(sum_), float(sum_), bool(end)) for row, sum_, end in zip(tokens, total, finished)]


def add(tokens: list[list[int]], last: np.ndarray, finished: np.ndarray, eos: int | None) -> None:
    """Puts the last tokens behind the sequences that go on, and marks those that `eos` ends."""
    for number, token in enumerate(last.tolist()):
        if not finished[number]:
            if token == eos:
                finished[number] = True
            else:
                tokens[number].append(token)
