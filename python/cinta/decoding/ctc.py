"""Decoding of networks trained by `nn.CTCLoss`: from a class for every frame, or none, to a sequence of labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cinta._core import Tensor
from cinta.decoding.beam import largest
from cinta.decoding.hypothesis import Hypothesis

# Labels so far -> what each next one adds to the score [C]; at the blank's place, what ending here adds.
Scorer = Callable[[list[int]], Any]


def ctc_greedy(log_probs: Any, lengths: Any = None, *, blank: int = 0) -> list[Hypothesis]:
    """Takes the most probable class of every frame, then repetitions and blanks out.

    a_t = argmax_c log_probs[t, n, c], of equal ones the first; tokens: the a_t other than a_{t-1} and the blank

    log_probs [T, N, C], or [T, C] for a batch of one; lengths [N]: the frames that count, all where left out. log_prob
    and score are those of the one alignment a: its labels are at least as probable. Nothing is recorded for gradients.

    Errors: ValueError for shapes, lengths or blank that do not fit, nan, inf, or a frame without a possible class.
    Source: Graves et al., "Connectionist Temporal Classification", 2006 (best path decoding).

    Example:
        >>> p = ct.tensor([[0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.9, 0.0, 0.1], [0.2, 0.6, 0.2], [0.3, 0.3, 0.4]])
        >>> ct.decoding.ctc_greedy(p.log())[0].tokens
        [1, 1, 2]
    """
    found = []
    for frames in _sequences("ctc_greedy", log_probs, lengths, blank):
        best = frames.argmax(axis=1)
        starts = np.diff(best, prepend=blank) != 0
        log_prob = float(frames.max(axis=1).sum())
        found.append(Hypothesis(best[starts & (best != blank)].tolist(), log_prob, log_prob, True))
    return found


def ctc_beam_search(
    log_probs: Any, lengths: Any = None, *, blank: int = 0, beam_size: int = 10, scorer: Scorer | None = None
) -> list[list[Hypothesis]]:
    """Keeps the `beam_size` most probable beginnings at every frame, each with all its alignments; best first.

    score = log p(w_1 ... w_S) + sum_s scorer([w_1 ... w_{s-1}])[w_s] + scorer([w_1 ... w_S])[blank]

    log_probs, lengths and blank as in `ctc_greedy`. log_prob: of the labels, summed over the alignments whose
    beginnings were kept; with a beam that holds all beginnings it is -`nn.functional.ctc_loss`. scorer: a language
    model, weighted by whoever gives it; called once for every beginning kept. Every sequence gives beam_size
    hypotheses, or fewer, even none, where no more are possible. Of equal candidates the first is kept.

    Errors: as `ctc_greedy`, and for a beam_size below 1 or scores of another shape, nan or inf (-inf forbids).
    Source: Graves and Jaitly, "Towards End-to-End Speech Recognition with Recurrent Neural Networks", 2014; Hannun et
    al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs", 2014.

    Example:
        >>> log_probs = ct.tensor([[0.6, 0.4], [0.6, 0.4]]).log()  # 36 % for two blanks, but 64 % for some label
        >>> ct.decoding.ctc_greedy(log_probs)[0].tokens
        []
        >>> best, second = ct.decoding.ctc_beam_search(log_probs, beam_size=2)[0]
        >>> best.tokens, round(float(np.exp(best.log_prob)), 2), second.tokens
        ([1], 0.64, [])
    """
    if beam_size < 1:
        raise ValueError(f"[ctc_beam_search] beam_size got {beam_size}, expected at least 1")
    found = []
    for frames in _sequences("ctc_beam_search", log_probs, lengths, blank):
        beam = _Beam(beam_size, blank, frames.shape[1], scorer)
        for row in frames:
            beam.advance(row)
        found.append(beam.results())
    return found


class _Beam:
    """The beginnings kept of one sequence: nodes of a tree of labels, best first."""

    def __init__(self, size: int, blank: int, classes: int, scorer: Scorer | None) -> None:
        self.size, self.blank, self.classes, self.scorer = size, blank, classes, scorer
        self.labels: list[list[int]] = [[]]  # of every node
        self.children: dict[tuple[int, int], int] = {}
        self.words: dict[int, np.ndarray] = {}  # of the scorer, by node
        self.node, self.parent, self.last = np.array([0]), np.array([-1]), np.array([blank])
        self.log_blank, self.log_label = np.zeros(1), np.full(1, -np.inf)  # alignments that end so
        self.prior = np.zeros(1)  # what the scorer says of the labels so far
        self.gains = self._gains([0])

    def advance(self, row: np.ndarray) -> None:
        """One frame, from its log-probabilities [C]."""
        total = np.logaddexp(self.log_blank, self.log_label)
        blank, label = total + row[self.blank], self.log_label + row[self.last]
        longer = total[:, None] + row
        every = np.arange(len(total))
        longer[every, self.last] = self.log_blank + row[self.last]  # the same label again, behind a blank
        longer[:, self.blank] = -np.inf
        # A beginning that is kept is also reached from the one before its last label.
        child, parent = np.nonzero(self.parent[:, None] == self.node)
        label[child] = np.logaddexp(label[child], longer[parent, self.last[child]])
        longer[parent, self.last[child]] = -np.inf
        scores = np.concatenate([np.logaddexp(blank, label) + self.prior, self._scored(longer).reshape(-1)])
        best = largest(scores, self.size)
        best = best[scores[best] > -np.inf]
        stays = best < len(total)
        source = np.where(stays, best, (best - len(total)) // self.classes)
        added = np.where(stays, self.blank, (best - len(total)) % self.classes)
        grown = [
            int(node) if stay else self._child(int(node), int(token))
            for node, stay, token in zip(self.node[source], stays, added)
        ]
        self.prior = self.prior[source] + np.where(stays, 0.0, self.gains[source, added])
        self.log_blank = np.where(stays, blank[source], -np.inf)
        self.log_label = np.where(stays, label[source], longer[source, added])
        self.parent = np.where(stays, self.parent[source], self.node[source])
        self.last = np.where(stays, self.last[source], added)
        gains = self.gains[source]
        fresh = np.flatnonzero(~stays)
        gains[fresh] = self._gains([grown[k] for k in fresh])
        self.node, self.gains = np.array(grown, np.int64), gains

    def _scored(self, longer: np.ndarray) -> np.ndarray:
        return longer if self.scorer is None else longer + (self.prior[:, None] + self.gains)

    def _child(self, node: int, token: int) -> int:
        if (node, token) not in self.children:
            self.children[node, token] = len(self.labels)
            self.labels.append([*self.labels[node], token])
        return self.children[node, token]

    def _gains(self, nodes: list[int]) -> np.ndarray:
        """The scorer's word on what may follow these nodes [nodes, C]."""
        gains = np.zeros((len(nodes), self.classes))
        if self.scorer is None:
            return gains
        for row, node in zip(gains, nodes):
            if node not in self.words:
                self.words[node] = _checked(self.scorer(list(self.labels[node])), self.labels[node], self.classes)
            row[:] = self.words[node]
        return gains

    def results(self) -> list[Hypothesis]:
        log_probs = np.logaddexp(self.log_blank, self.log_label)
        scores = log_probs + self.prior + self.gains[:, self.blank]
        order = np.argsort(-scores, kind="stable")
        return [
            Hypothesis(self.labels[self.node[k]], float(log_probs[k]), float(scores[k]), True)
            for k in order
            if scores[k] > -np.inf
        ]


def _checked(scores: Any, labels: list[int], classes: int) -> np.ndarray:
    values = np.asarray(scores.detach().astype("float64").numpy() if isinstance(scores, Tensor) else scores, np.float64)
    if values.shape != (classes,):
        got = f"scores of shape {list(values.shape)}"
        raise ValueError(f"[ctc_beam_search] scorer gave {got}, expected [{classes}], one for each class")
    if np.isnan(values).any() or np.isposinf(values).any():
        raise ValueError(f"[ctc_beam_search] scorer gave nan or inf after {labels}, expected numbers or -inf")
    return values


def _sequences(name: str, log_probs: Any, lengths: Any, blank: int) -> list[np.ndarray]:
    """The frames of every sequence [its length, C] in float64, checked."""
    given = np.asarray(log_probs.detach().astype("float64").numpy() if isinstance(log_probs, Tensor) else log_probs)
    values = given.astype(np.float64, copy=False)
    if values.ndim not in (2, 3):
        raise ValueError(f"[{name}] log_probs got shape {list(values.shape)}, expected [T, N, C] or [T, C]")
    values = values[:, None] if values.ndim == 2 else values
    frames, count, classes = values.shape
    if not 0 <= blank < classes:
        raise ValueError(f"[{name}] blank got {blank}, expected one of {classes} classes")
    ends = (
        np.full(count, frames)
        if lengths is None
        else np.asarray(lengths.numpy() if isinstance(lengths, Tensor) else lengths)
    )
    if ends.shape != (count,) or (ends.dtype.kind not in "iu" and count):
        got = f"shape {list(ends.shape)} of {ends.dtype}"
        raise ValueError(f"[{name}] lengths got {got}, expected integers [{count}], one for each sequence")
    if ((ends < 0) | (ends > frames)).any():
        raise ValueError(f"[{name}] lengths got {ends.tolist()}, expected 0 to {frames}, the frames of log_probs")
    sequences = [values[:end, number] for number, end in enumerate(ends)]
    for number, sequence in enumerate(sequences):
        possible = (sequence.max(axis=1) > -np.inf) & ~np.isposinf(sequence).any(axis=1)
        if not possible.all():
            frame = int(np.argmin(possible))
            row = sequence[frame]
            problem = "nan" if np.isnan(row).any() else "inf" if np.isposinf(row).any() else "no possible class"
            raise ValueError(f"[{name}] log_probs have {problem} at frame {frame} of sequence {number}")
    return sequences
