"""Decoding of CTC outputs, against every alignment there is."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from cinta import decoding, nn
from ctc_alignments import collapsed, probabilities


def drawn(*shape, seed=0, scale=1.5):
    x = np.random.default_rng(seed).normal(size=shape) * scale
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


class TestGreedy:
    @pytest.mark.parametrize("blank", [0, 2])
    def test_the_best_alignment(self, blank):
        log_probs, lengths = drawn(6, 8, 3), [6, 5, 4, 3, 2, 1, 0, 6]
        for n, found in enumerate(decoding.ctc_greedy(ct.tensor(log_probs), lengths, blank=blank)):
            rows = log_probs[: lengths[n], n]
            assert found.tokens == list(collapsed(tuple(rows.argmax(1).tolist()), blank))
            assert found.log_prob == found.score == pytest.approx(rows.max(1).sum())
            assert found.finished

    def test_half_precision_and_one_sequence(self):
        log_probs = drawn(6, 3)
        (found,) = decoding.ctc_greedy(ct.tensor(log_probs, dtype="bfloat16", requires_grad=True))
        assert found.tokens == decoding.ctc_greedy(log_probs)[0].tokens


class TestBeamSearch:
    @pytest.mark.parametrize("blank", [0, 2])
    @pytest.mark.parametrize("frames", [0, 1, 2, 4, 5])
    def test_a_wide_beam_finds_everything(self, frames, blank):
        log_probs = drawn(frames, 3, 3, seed=frames)
        for n, found in enumerate(decoding.ctc_beam_search(log_probs, blank=blank, beam_size=200)):
            every = probabilities(log_probs[:, n], blank)
            assert {tuple(h.tokens) for h in found} == set(every)
            scores = [h.score for h in found]
            assert scores == sorted(scores, reverse=True)
            for h in found:
                assert h.log_prob == h.score == pytest.approx(np.log(every[tuple(h.tokens)]), abs=1e-12)
                loss = nn.functional.ctc_loss(
                    ct.tensor(log_probs[:, n]), h.tokens, frames, len(h.tokens), blank, reduction="sum"
                )
                assert h.log_prob == pytest.approx(-loss.item(), abs=1e-12)

    def test_impossible_sequences_are_not_there(self):
        log_probs = np.full((3, 3), -np.inf)
        log_probs[:, 0], log_probs[1, 0], log_probs[1, 2] = 0, np.log(0.25), np.log(0.75)
        (found,) = decoding.ctc_beam_search(log_probs)
        assert [(h.tokens, round(np.exp(h.score), 9)) for h in found] == [([2], 0.75), ([], 0.25)]

    def test_a_narrow_beam_is_a_lower_bound(self):
        log_probs, best = drawn(6, 20, 3, scale=2.5), []
        for n, found in enumerate(decoding.ctc_beam_search(log_probs, beam_size=3)):
            every = probabilities(log_probs[:, n], 0)
            assert len(found) == 3
            assert all(h.log_prob <= np.log(every[tuple(h.tokens)]) + 1e-12 for h in found)
            best.append(every[tuple(found[0].tokens)] == max(every.values()))
        assert np.mean(best) > 0.7

    def test_better_than_greedy(self):
        log_probs = drawn(30, 40, 6, scale=1.0)
        greedy = decoding.ctc_greedy(log_probs)
        beams = decoding.ctc_beam_search(log_probs, beam_size=20)

        def loss(found):
            lengths = [len(h.tokens) for h in found]
            labels = np.concatenate([h.tokens for h in found]).astype(int)
            return nn.functional.ctc_loss(ct.tensor(log_probs), labels, [30] * 40, lengths, reduction="none").numpy()

        assert (loss([found[0] for found in beams]) <= loss(greedy) + 1e-9).mean() > 0.95
        assert loss([found[0] for found in beams]).mean() < loss(greedy).mean() - 0.1

    def test_a_batch_decodes_as_each_alone(self):
        log_probs, lengths = drawn(7, 4, 4), np.array([7, 3, 5, 0])
        together = decoding.ctc_beam_search(ct.tensor(log_probs), ct.tensor(lengths), beam_size=4)
        for n, length in enumerate(lengths):
            assert decoding.ctc_beam_search(log_probs[:length, n], beam_size=4) == [together[n]]
        assert [h.tokens for h in together[3]] == [[]]

    @pytest.mark.parametrize("seed", range(4))
    def test_a_language_model(self, seed):
        """Scores of pairs of labels, and of the last one."""
        log_probs, pairs = drawn(5, 3, seed=seed), np.random.default_rng(seed).normal(size=(3, 3)) * 2
        pairs[1, 2] = -np.inf  # never a 2 after a 1
        asked = []

        def scorer(labels):
            asked.append(tuple(labels))
            return ct.tensor(pairs[labels[-1] if labels else 0])

        def prior(labels):
            return sum(pairs[a, b] for a, b in zip((0, *labels), (*labels, 0)))

        (found,) = decoding.ctc_beam_search(log_probs, beam_size=200, scorer=scorer)
        every = {labels: np.log(p) + prior(labels) for labels, p in probabilities(log_probs, 0).items()}
        possible = sorted((labels for labels in every if every[labels] > -np.inf), key=lambda labels: -every[labels])
        assert [tuple(h.tokens) for h in found] == possible
        np.testing.assert_allclose([h.score for h in found], [every[labels] for labels in possible])
        assert len(set(asked)) == len(asked)

    def test_the_scorer_is_asked_once_and_may_forbid_everything(self):
        asked = []

        def scorer(labels):
            asked.append(tuple(labels))
            return np.full(4, -0.5 * len(labels))

        decoding.ctc_beam_search(drawn(40, 4, scale=0.5), beam_size=3, scorer=scorer)
        assert len(set(asked)) == len(asked) > 3
        assert decoding.ctc_beam_search(drawn(5, 3), scorer=lambda labels: np.full(3, -np.inf)) == [[]]

    def test_a_scorer_of_nothing_changes_nothing(self):
        log_probs = drawn(8, 5, 4)
        assert decoding.ctc_beam_search(log_probs, scorer=lambda labels: np.zeros(4)) == decoding.ctc_beam_search(
            log_probs
        )


@pytest.mark.parametrize("decode", [decoding.ctc_greedy, decoding.ctc_beam_search])
@pytest.mark.parametrize(("log_probs", "how", "message"), [
    (np.zeros(3), {}, r"log_probs got shape \[3\], expected \[T, N, C\] or \[T, C\]"),
    (np.zeros((2, 3)), {"blank": 3}, "blank got 3, expected one of 3 classes"),
    (np.zeros((2, 3)), {"blank": -1}, "blank got -1"),
    (np.zeros((2, 2, 3)), {"lengths": [2]}, r"lengths got shape \[1\] of int64, expected integers \[2\]"),
    (np.zeros((2, 1, 3)), {"lengths": [1.0]}, "of float64, expected integers"),
    (np.zeros((2, 1, 3)), {"lengths": [3]}, r"lengths got \[3\], expected 0 to 2"),
    (np.array([[0.0, 0.0], [0.0, np.nan]]), {}, "nan at frame 1 of sequence 0"),
    (np.array([[0.0, np.inf]]), {}, "inf at frame 0 of sequence 0"),
    (np.full((1, 2), -np.inf), {}, "no possible class at frame 0 of sequence 0"),
])  # fmt: skip
def test_errors(decode, log_probs, how, message):
    with pytest.raises(ValueError, match=message):
        decode(log_probs, **how)


def test_errors_of_the_beam():
    with pytest.raises(ValueError, match="beam_size got 0"):
        decoding.ctc_beam_search(np.zeros((2, 3)), beam_size=0)
    for scores, message in ((np.zeros(2), r"shape \[2\], expected \[3\]"), ([0, 0, np.nan], r"nan or inf after \[\]")):
        with pytest.raises(ValueError, match=message):
            decoding.ctc_beam_search(np.zeros((2, 3)), scorer=lambda labels, scores=scores: scores)
