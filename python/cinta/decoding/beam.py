"""Beam search: the most probable sequences, as far as a few candidates kept at every step lead to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from cinta.autodiff import no_grad
from cinta.decoding.hypothesis import Decoder, Hypothesis, Step, select


@no_grad()
def beam_search(
    step: Step,
    state: Any,
    start: Any,
    *,
    eos: int,
    max_length: int,
    beam_size: int = 4,
    length_penalty: float = 1.0,
    state_axis: int = 0,
) -> list[list[Hypothesis]]:
    """Keeps the `beam_size` most probable beginnings at every step; returns the best ends, best first, per sequence.

    score = log p(w_1 ... w_T) / T^length_penalty, T counts `eos`

    step, state, start [B], eos and max_length as in `greedy`; the step function sees B beam_size sequences, the first
    one's candidates first, and B at the first step. Every tensor in the state has the sequences along `state_axis`: 0,
    or 1 for those of `nn.LSTM` [L, B, H]. length_penalty: 0 prefers short sequences, 1 compares means per token.

    A sequence is done when it has beam_size ends and no beginning that is still kept scores better than the worst of
    them. Where fewer have ended after max_length tokens, the best beginnings follow, unfinished. With beam_size 1 it is
    `greedy`. Of equal candidates the first is kept.

    Errors: as `greedy`, and for a beam_size below 1 or a negative length_penalty.
    Source: Graves, "Sequence Transduction with Recurrent Neural Networks", 2012; length normalization: Wu et al.,
    "Google's Neural Machine Translation System", 2016.

    Example:
        >>> p = ct.tensor([[0.0, 0.6, 0.4], [0.3, 0.35, 0.35], [0.9, 0.05, 0.05]])  # from a row to a column
        >>> def step(state, tokens):
        ...     return p[tokens].log(), state
        >>> best = ct.decoding.beam_search(step, None, [0], eos=0, max_length=5, beam_size=2, length_penalty=0)
        >>> best[0][0].tokens, round(float(np.exp(best[0][0].log_prob)), 2)  # 0.4 * 0.9, where greedy starts with 1
        ([2], 0.36)
    """
    decoder = Decoder("beam_search", step, start, eos, max_length)
    if beam_size < 1:
        raise ValueError(f"[beam_search] beam_size got {beam_size}, expected at least 1")
    if not 0 <= length_penalty < np.inf:
        raise ValueError(f"[beam_search] length_penalty got {length_penalty}, expected at least 0")
    count = len(decoder.start)
    beams = [_Beam(beam_size, length_penalty, eos) for _ in range(count)]
    last, width = decoder.start, 1
    for length in range(1, max_length + 1 if count else 1):
        log_probs, state = decoder(state, last)
        choices = [
            beam.advance(log_probs[number * width : (number + 1) * width], length) for number, beam in enumerate(beams)
        ]
        if all(beam.done for beam in beams):
            break
        rows = np.concatenate([number * width + parents for number, (parents, _) in enumerate(choices)])
        last = np.concatenate([tokens for _, tokens in choices])
        state, width = select(state, rows, state_axis), beam_size
    return [beam.results() for beam in beams]


class _Beam:
    """The candidates of one sequence."""

    def __init__(self, size: int, length_penalty: float, eos: int) -> None:
        self.size, self.length_penalty, self.eos = size, length_penalty, eos
        self.prefixes: list[list[int]] = [[]]
        self.log_probs = np.zeros(1)  # of the prefixes, best first; -inf: no candidate
        self.ended: list[Hypothesis] = []
        self.done = False

    def advance(self, log_probs: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """One step: which prefixes go on and with which tokens [size], from log-probabilities [prefixes, V]."""
        if self.done:
            return np.zeros(self.size, np.int64), np.full(self.size, self.eos)
        size, vocabulary = self.size, log_probs.shape[1]
        totals = (self.log_probs[:, None] + log_probs).reshape(-1)
        # At most `size` of them end, so that with twice as many `size` are left to go on.
        best = largest(totals, 2 * size)
        parents, tokens = best // vocabulary, best % vocabulary
        ends = tokens == self.eos
        for rank in np.flatnonzero(ends[:size]):
            if totals[best[rank]] > -np.inf:
                self._end(self.prefixes[parents[rank]], float(totals[best[rank]]), length, True)
        onward = np.flatnonzero(~ends)[:size]
        parents, tokens, kept = parents[onward], tokens[onward], totals[best[onward]]
        self.prefixes = [[*self.prefixes[parent], int(token)] for parent, token in zip(parents, tokens)]
        missing = size - len(onward)  # a small vocabulary has no more
        self.prefixes += [[] for _ in range(missing)]
        self.log_probs = np.concatenate([kept, np.full(missing, -np.inf)])
        best_onward = self._score(self.log_probs[0], length)
        full = len(self.ended) >= size
        self.done = (full and best_onward <= self.ended[size - 1].score) or best_onward == -np.inf
        fill = np.zeros(missing, np.int64)
        return np.concatenate([parents, fill]), np.concatenate([tokens, np.full(missing, self.eos)])

    def _score(self, log_prob: float, length: int) -> float:
        return float(log_prob / length**self.length_penalty)

    def _end(self, tokens: list[int], log_prob: float, length: int, finished: bool) -> None:
        self.ended.append(Hypothesis(tokens, log_prob, self._score(log_prob, length), finished))
        self.ended.sort(key=lambda hypothesis: -hypothesis.score)

    def results(self) -> list[Hypothesis]:
        """The best ends; what never ended comes after them."""
        found = self.ended[: self.size]
        for prefix, log_prob in zip(self.prefixes, self.log_probs.tolist()):
            if len(found) < self.size and log_prob > -np.inf and prefix:
                found.append(Hypothesis(prefix, log_prob, self._score(log_prob, len(prefix)), False))
        return found


def largest(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the largest, in falling order, of equal ones the first."""
    if count < len(values):
        limit = np.partition(values, len(values) - count)[len(values) - count]
        candidates = np.flatnonzero(values >= limit)
    else:
        candidates = np.arange(len(values))
    return candidates[np.argsort(-values[candidates], kind="stable")[:count]]
