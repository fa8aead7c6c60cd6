"""Decoding: against every sequence there is, against probabilities drawn often, and the errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import cinta as ct
from cinta import decoding, nn

V, EOS, LONGEST = 4, 0, 4


class Network:
    """A random recurrent network whose state is a dict with a batch axis 1, as a step function; counts its steps."""

    def __init__(self, seed, sharpness=3.0):
        rng = np.random.default_rng(seed)
        self.e, self.w = rng.normal(size=(V, 5)), rng.normal(size=(5, 5))
        self.v, self.steps = sharpness * rng.normal(size=(5, V)), 0

    def state(self, batch=1):
        return {"h": (ct.zeros((1, batch, 5), dtype="float64"), None), "time": ct.tensor(0)}

    def __call__(self, state, tokens):
        self.steps += 1
        h = ct.tanh(ct.tensor(self.e)[tokens] + state["h"][0][0] @ ct.tensor(self.w))
        return ct.log_softmax(h @ ct.tensor(self.v), axis=1), {"h": (h[None], None), "time": state["time"] + 1}

    def log_prob(self, tokens, start):
        """Of a whole sequence, in NumPy."""
        h, total = np.zeros(5), 0.0
        for before, token in zip([start, *tokens], tokens):
            h = np.tanh(self.e[before] + h @ self.w)
            scores = h @ self.v
            total += scores[token] - np.log(np.exp(scores).sum())
        return total

    def every(self, start):
        """All sequences of at most LONGEST tokens that end, by log-probability."""
        for length in range(LONGEST):
            for tokens in itertools.product(range(1, V), repeat=length):
                yield list(tokens), self.log_prob([*tokens, EOS], start)


def options(**more):
    return {"eos": EOS, "max_length": LONGEST, **more}


class TestGreedy:
    def test_step_by_step(self):
        for seed in range(10):
            net = Network(seed)
            for start, found in zip([1, 2, 3], decoding.greedy(net, net.state(3), [1, 2, 3], **options())):
                tokens = []
                while len(tokens) < LONGEST and EOS not in tokens:
                    tokens.append(max(range(V), key=lambda w: net.log_prob([*tokens, w], start)))
                assert found.finished == (tokens[-1] == EOS)
                assert found.tokens == [token for token in tokens if token != EOS]
                assert found.log_prob == pytest.approx(net.log_prob(tokens, start), abs=1e-9)
                assert found.score == found.log_prob

    def test_ends_when_all_have_ended(self):
        def step(state, tokens):
            return np.log([[0.9, 0.1]] * len(tokens)), state

        (found,) = decoding.greedy(step, None, [1], eos=EOS, max_length=10**9)
        assert found == decoding.Hypothesis([], pytest.approx(np.log(0.9)), pytest.approx(np.log(0.9)), True)

    def test_without_an_end(self):
        net = Network(1)
        (found,) = decoding.greedy(net, net.state(), [1], eos=None, max_length=7)
        assert (len(found.tokens), found.finished, net.steps) == (7, False, 7)

    def test_ties_and_no_sequences(self):
        (found,) = decoding.greedy(lambda s, t: (ct.zeros((1, 3)), s), None, [0], eos=2, max_length=2)
        assert found.tokens == [0, 0]
        for decode in (decoding.greedy, decoding.beam_search, decoding.sample):
            assert decode(Network(0), None, np.zeros(0, np.int64), **options()) == []

    def test_records_nothing(self):
        weight = ct.tensor(np.zeros((3, 3)), requires_grad=True)
        seen = []

        def step(state, tokens):
            y = ct.log_softmax(weight[tokens], axis=1)
            seen.append(y.requires_grad)
            return y, state

        decoding.greedy(step, None, [0], eos=2, max_length=2)
        assert seen == [False, False]


class TestBeamSearch:
    @pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0])
    def test_a_wide_beam_finds_the_best_of_all(self, penalty):
        for seed in range(8):
            net = Network(seed)
            found = decoding.beam_search(
                net, net.state(2), [1, 3], **options(beam_size=120, length_penalty=penalty, state_axis=1)
            )
            for start, hypotheses in zip([1, 3], found):
                every = sorted(net.every(start), key=lambda e: -e[1] / (len(e[0]) + 1) ** penalty)
                ended = [h for h in hypotheses if h.finished]
                assert [h.tokens for h in ended] == [tokens for tokens, _ in every][: len(ended)]
                assert len(ended) == len(every)
                scores = [log_prob / (len(tokens) + 1) ** penalty for tokens, log_prob in every]
                np.testing.assert_allclose([h.score for h in ended], scores, rtol=1e-9)
                np.testing.assert_allclose([h.log_prob for h in ended], [e[1] for e in every], rtol=1e-9)

    def test_a_beam_of_one_is_greedy(self):
        for seed, penalty in itertools.product(range(20), (0.0, 1.0)):
            net = Network(seed, sharpness=1.0)
            greedy = decoding.greedy(net, net.state(3), [1, 2, 3], **options())
            beams = decoding.beam_search(
                net, net.state(3), [1, 2, 3], **options(beam_size=1, length_penalty=penalty, state_axis=1)
            )
            for one, (best,) in zip(greedy, beams):
                assert best.tokens == one.tokens
                assert best.finished == one.finished
                assert best.log_prob == pytest.approx(one.log_prob, abs=1e-9)

    def test_a_batch_decodes_as_each_alone(self):
        for seed in range(10):
            net = Network(seed)
            together = decoding.beam_search(net, net.state(3), [1, 2, 3], **options(beam_size=3, state_axis=1))
            for start, several in zip([1, 2, 3], together):
                (alone,) = decoding.beam_search(net, net.state(1), [start], **options(beam_size=3, state_axis=1))
                assert [h.tokens for h in alone] == [h.tokens for h in several]
                np.testing.assert_allclose([h.score for h in alone], [h.score for h in several], rtol=1e-12)

    @pytest.mark.parametrize("size", [2, 3, 5])
    def test_narrow_beams_find_sequences_with_their_scores(self, size):
        best = []
        for seed in range(20):
            net = Network(seed, sharpness=1.5)
            every = {tuple(tokens): log_prob for tokens, log_prob in net.every(1)}
            how = options(beam_size=size, length_penalty=0, state_axis=1)
            found = [h for h in decoding.beam_search(net, net.state(), [1], **how)[0] if h.finished]
            for hypothesis in found:
                assert hypothesis.log_prob == pytest.approx(every[tuple(hypothesis.tokens)], abs=1e-9)
            best.append(bool(found) and found[0].log_prob == pytest.approx(max(every.values()), abs=1e-9))
        assert np.mean(best) > 0.7

    def test_unfinished_ones_come_last(self):
        def step(state, tokens):  # the end is improbable, but possible
            return np.log([[1e-6, 0.6, 0.4 - 1e-6]] * len(tokens)), state

        (found,) = decoding.beam_search(step, None, [1], eos=0, max_length=3, beam_size=2)
        assert [h.finished for h in found] == [False] * 2
        assert found[0].tokens == [1, 1, 1]
        assert found[0].score == pytest.approx(np.log(0.6))

    def test_impossible_tokens_are_never_written(self):
        def step(state, tokens):
            with np.errstate(divide="ignore"):
                return np.log([[0.5, 0.5, 0.0]] * len(tokens)), state

        (found,) = decoding.beam_search(step, None, [1], eos=0, max_length=3, beam_size=8, length_penalty=0)
        assert [h.tokens for h in found] == [[], [1], [1, 1], [1, 1, 1]]
        assert [h.finished for h in found] == [True, True, True, False]

    def test_stops_early(self):
        calls = []

        def step(state, tokens):
            calls.append(len(tokens))
            return np.log([[0.98, 0.01, 0.01]] * len(tokens)), state

        decoding.beam_search(step, None, [1, 2], eos=0, max_length=1000, beam_size=2)
        assert calls == [2, 4]

    def test_states_of_layers(self):
        ct.random.seed(0)
        lstm, embedding, out = nn.LSTM(4, 6, num_layers=2), nn.Embedding(V, 4), nn.Linear(6, V)

        def step(states, tokens):
            y, states = lstm(embedding(tokens)[None], states)
            return ct.log_softmax(out(y[0]), axis=1), states

        for tokens, log_prob, _, finished in decoding.beam_search(step, None, [1], **options(state_axis=1))[0]:
            whole = [*tokens, EOS] if finished else tokens
            y, _ = lstm(embedding(ct.tensor([1, *whole[:-1]])))
            rows = ct.log_softmax(out(y), axis=1).detach().numpy()
            assert log_prob == pytest.approx(rows[np.arange(len(whole)), whole].sum(), abs=1e-5)


class TestSampling:
    P = np.array([0.4, 0.3, 0.2, 0.1])

    @pytest.mark.parametrize(
        ("how", "expected"),
        [
            ({}, [0.4, 0.3, 0.2, 0.1]),
            ({"temperature": 0.5}, [16 / 30, 9 / 30, 4 / 30, 1 / 30]),
            ({"temperature": 0}, [1, 0, 0, 0]),
            ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0]),
            ({"top_k": 99}, [0.4, 0.3, 0.2, 0.1]),
            ({"top_p": 0.39}, [1, 0, 0, 0]),
            ({"top_p": 0.65}, [4 / 7, 3 / 7, 0, 0]),
            ({"top_p": 1.0}, [0.4, 0.3, 0.2, 0.1]),
            ({"top_k": 3, "top_p": 0.5}, [4 / 7, 3 / 7, 0, 0]),
            ({"temperature": 0.5, "top_p": 0.6}, [16 / 25, 9 / 25, 0, 0]),
        ],
    )
    def test_probabilities(self, how, expected):
        shuffled = [2, 0, 3, 1]
        p = decoding.sampling_probabilities(np.log(np.stack([self.P, self.P[shuffled]])) + 7, **how)
        np.testing.assert_allclose(p, [expected, np.array(expected)[shuffled]], atol=1e-12)

    def test_extreme_scores(self):
        p = decoding.sampling_probabilities(ct.tensor([[1e4, 0.0, -np.inf]]), temperature=1e-3, top_p=0.9)
        np.testing.assert_array_equal(p, [[1, 0, 0]])

    @pytest.mark.parametrize("how", [{}, {"temperature": 2.0}, {"top_k": 2}, {"top_p": 0.8}])
    def test_frequencies(self, how):
        rows = np.log(np.broadcast_to(self.P, (20_000, 4)))
        start = np.zeros(len(rows), int)
        found = decoding.sample(lambda s, t: (rows, s), None, start, eos=None, max_length=1, seed=5, **how)
        counts = np.bincount([h.tokens[0] for h in found], minlength=4) / len(found)
        expected = decoding.sampling_probabilities(rows[:1], **how)[0]
        np.testing.assert_allclose(counts, expected, atol=0.015)
        assert (counts[expected == 0] == 0).all()

    def test_the_same_seed_gives_the_same_text(self):
        net = Network(3, sharpness=0.5)
        ct.random.seed(1)
        state = ct.random.get_state()
        texts = [decoding.sample(net, net.state(4), [1, 2, 3, 1], eos=None, max_length=20, seed=s) for s in (7, 7, 8)]
        assert texts[0] == texts[1] != texts[2]
        assert ct.random.get_state() == state
        drawn = [decoding.sample(net, net.state(), [1], eos=None, max_length=20) for _ in range(2)]
        assert drawn[0] != drawn[1]
        ct.random.seed(1)
        assert decoding.sample(net, net.state(), [1], eos=None, max_length=20) == drawn[0]

    def test_log_probabilities_are_the_networks_own(self):
        net = Network(4)
        for start, found in zip([1, 2], decoding.sample(net, net.state(2), [1, 2], **options(temperature=2.0, seed=0))):
            whole = [*found.tokens, EOS] if found.finished else found.tokens
            assert found.log_prob == pytest.approx(net.log_prob(whole, start), abs=1e-9)

    def test_temperature_zero_is_greedy(self):
        net = Network(5)
        sampled = decoding.sample(net, net.state(3), [1, 2, 3], **options(temperature=0))
        greedy = decoding.greedy(net, net.state(3), [1, 2, 3], **options())
        assert [h.tokens for h in sampled] == [h.tokens for h in greedy]

    @pytest.mark.parametrize(("how", "message"), [
        ({"temperature": -1}, "temperature got -1"), ({"temperature": np.nan}, "temperature got nan"),
        ({"top_k": 0}, "top_k got 0"), ({"top_p": 0}, "top_p got 0"), ({"top_p": 1.5}, "top_p got 1.5"),
    ])  # fmt: skip
    def test_errors(self, how, message):
        with pytest.raises(ValueError, match=message):
            decoding.sample(Network(0), None, [1], **options(**how))


@pytest.mark.parametrize("decode", [decoding.greedy, decoding.beam_search, decoding.sample])
class TestErrors:
    def test_start(self, decode):
        for start in (3, [[1]], [0.5]):
            with pytest.raises(ValueError, match="start got"):
                decode(Network(0), None, start, **options())

    def test_options(self, decode):
        net = Network(0)
        with pytest.raises(ValueError, match="max_length got 0"):
            decode(net, net.state(), [1], eos=0, max_length=0)
        with pytest.raises(ValueError, match="eos got 9, expected one of 4 tokens"):
            decode(net, net.state(), [1], eos=9, max_length=3)

    @pytest.mark.parametrize(("result", "error", "message"), [
        (np.zeros((1, 4)), TypeError, r"expected \(log-probabilities, state\)"),
        ((np.zeros(4), None), ValueError, r"shape \[4\], expected \[1, V\]"),
        ((np.zeros((2, 4)), None), ValueError, r"shape \[2,? ?4\], expected \[1, V\]"),
        ((np.array([[0, np.nan, 0, 0]]), None), ValueError, "nan at position 0"),
        ((np.array([[0, np.inf, 0, 0]]), None), ValueError, "inf at position 0"),
        ((np.full((1, 4), -np.inf), None), ValueError, "no possible token at position 0"),
    ])  # fmt: skip
    def test_steps(self, decode, result, error, message):
        with pytest.raises(error, match=message):
            decode(lambda state, tokens: result, None, [1], **options())


def test_beam_options():
    for how, message in (({"beam_size": 0}, "beam_size got 0"), ({"length_penalty": -1}, "length_penalty got -1")):
        with pytest.raises(ValueError, match=message):
            decoding.beam_search(Network(0), None, [1], **options(**how))
