"""models.Seq2Seq: padding that has no part, decoding that agrees with teacher forcing, learning, and the errors."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.models import Seq2Seq

PAD, BOS, EOS = 0, 1, 2
KINDS = ("dot", "general", "additive")


def network(attention="general", **options):
    ct.random.seed(3)
    return Seq2Seq(11, 13, 6, 8, attention=attention, **options)


def batch(lengths, width, high, seed=0):
    rng = np.random.default_rng(seed)
    rows = np.full((len(lengths), width), PAD)
    for row, length in zip(rows, lengths):
        row[:length] = rng.integers(3, high, length)
    return rows


@pytest.mark.parametrize("attention", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
class TestForward:
    def test_padding_has_no_part(self, attention, layers):
        net = network(attention, num_layers=layers)
        lengths, target_lengths = [3, 5, 1], [2, 4, 4]
        source, target = batch(lengths, 7, 11), batch(target_lengths, 6, 13)
        scores, weights = net(source, target, lengths=lengths, target_lengths=target_lengths, need_weights=True)
        assert scores.shape == (3, 6, 13)
        assert weights.shape == (3, 6, 7)
        for row, (s, t) in enumerate(zip(lengths, target_lengths)):
            alone, seen = net(source[row : row + 1, :s], target[row : row + 1, :t], need_weights=True)
            np.testing.assert_allclose(scores[row, :t].detach().numpy(), alone[0].detach().numpy(), atol=2e-6)
            np.testing.assert_allclose(weights[row, :t, :s].detach().numpy(), seen[0].detach().numpy(), atol=2e-6)
            assert (weights[row, :, s:] == 0).all()

    def test_steps_give_what_teacher_forcing_gives(self, attention, layers):
        net, lengths = network(attention, num_layers=layers), [4, 2]
        source, target = batch(lengths, 4, 11), batch([5, 5], 5, 13)
        expected = ct.log_softmax(net(source, target, lengths=lengths), axis=2).detach().numpy()
        state = net.encode(source, lengths=lengths)
        for t in range(5):
            log_probs, state = net.step(state, ct.tensor(target[:, t]))
            np.testing.assert_allclose(log_probs.detach().numpy(), expected[:, t], atol=2e-6)


def test_beam_search_keeps_sequences_apart():
    net, lengths = network(), [4, 1, 2]
    source = batch(lengths, 4, 11)
    options = {"eos": EOS, "max_length": 6, "beam_size": 3}
    together = ct.decoding.beam_search(net.step, net.encode(source, lengths=lengths), [BOS] * 3, **options)
    for row, length in enumerate(lengths):
        state = net.encode(source[row : row + 1, :length])
        (alone,) = ct.decoding.beam_search(net.step, state, [BOS], **options)
        assert [h.tokens for h in alone] == [h.tokens for h in together[row]]
        np.testing.assert_allclose([h.score for h in alone], [h.score for h in together[row]], atol=1e-5)


def test_generate_is_greedy_or_the_best_of_a_beam():
    net, lengths = network(dropout=0.5), [4, 1]
    source = batch(lengths, 4, 11)
    options = {"eos": EOS, "max_length": 6}
    found = net.generate(source, lengths=lengths, bos=BOS, **options)
    best = net.generate(source, lengths=lengths, bos=BOS, beam_size=3, length_penalty=0.5, **options)
    assert net.training
    net.eval()
    state = net.encode(source, lengths=lengths)
    assert found == ct.decoding.greedy(net.step, state, [BOS] * 2, **options)
    beams = ct.decoding.beam_search(net.step, state, [BOS] * 2, beam_size=3, length_penalty=0.5, **options)
    assert best == [beam[0] for beam in beams]


def test_gradients_reach_every_parameter_and_float64_agrees():
    net, exact = network(num_layers=2), network(num_layers=2, dtype="float64")
    exact.load_state_dict({name: value.astype("float64") for name, value in net.state_dict().items()})
    source, target = batch([3, 2], 3, 11), batch([4, 4], 4, 13)
    for each in (net, exact):
        each(source, target, lengths=[3, 2])[:, 1:].sum().backward()
    for (name, one), other in zip(net.named_parameters(), exact.parameters()):
        assert one.grad is not None, name
        np.testing.assert_allclose(one.grad.numpy(), other.grad.numpy(), rtol=1e-3, atol=1e-4)


def test_dropout_acts_in_training_only():
    net = network(dropout=0.5)
    source, target = batch([3], 3, 11), batch([3], 3, 13)
    assert (net(source, target) != net(source, target)).any()
    net.eval()
    assert (net(source, target) == net(source, target)).all()


def test_learns_to_write_backwards_until_the_end():
    """Compiled, with lengths that change; three words or four, in the other order."""
    ct.random.seed(0)
    rng, net = np.random.default_rng(0), Seq2Seq(9, 9, 16, 32, attention="general", padding_idx=PAD)
    optimizer = optim.Adam(net.parameters(), lr=0.01)

    def draw(count):
        lengths = rng.integers(2, 5, count)
        source = np.full((count, 4), PAD)
        target = np.full((count, 6), PAD)
        for row, n in enumerate(lengths):
            source[row, :n] = rng.integers(3, 9, n)
            target[row, : n + 2] = [BOS, *source[row, :n][::-1], EOS]
        return source, lengths, target

    @ct.compile
    def step(source, lengths, target):
        optimizer.zero_grad()
        scores = net(source, target[:, :-1], lengths=lengths)
        loss = nn.functional.sequence_cross_entropy(scores, target[:, 1:], ignore_index=PAD)
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(*map(ct.tensor, draw(64))).item() for _ in range(250)]
    assert losses[-1] < 0.1 * losses[0]
    source, lengths, target = draw(50)
    found = ct.decoding.greedy(net.step, net.encode(source, lengths=lengths), [BOS] * 50, eos=EOS, max_length=8)
    right = [h.finished and h.tokens == row[1 : n + 1].tolist() for h, row, n in zip(found, target, lengths)]
    assert np.mean(right) > 0.9


def test_parameters():
    net = Seq2Seq(4000, 5000, 100, 256)
    expected = 4000 * 100 + 5000 * 100 + 2 * 512 * (100 + 128 + 2) + 1024 * (100 + 256 + 2)
    assert sum(p.size for p in net.parameters()) == expected + 256 * 256 + 512 * 256 + 5001 * 0 + 257 * 5000


def test_empty_batch():
    net = network()
    assert net(np.zeros((0, 3), np.int64), np.zeros((0, 2), np.int64)).shape == (0, 2, 13)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 7}, "hidden_size got 7, expected an even one"),
        ({"attention": "soft"}, r"attention got 'soft', expected one of \('dot', 'general', 'additive'\)"),
        ({"embedding_dim": 0}, "embedding_dim got 0"),
        ({"dropout": 2.0}, "p got 2.0"),
    ],
)
def test_refused_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        Seq2Seq(5, 5, **options)


def test_refused_tokens():
    net = network()
    with pytest.raises(ValueError, match=r"\[Seq2Seq\] source got shape \[3\] of int64"):
        net(np.zeros(3, np.int64), np.zeros((1, 2), np.int64))
    with pytest.raises(ValueError, match=r"\[Seq2Seq\] target got shape \[1, 2\] of float32"):
        net(np.zeros((1, 3), np.int64), ct.zeros((1, 2)))
    with pytest.raises(ValueError, match="2 sources and 1 targets, expected as many of each"):
        net(np.zeros((2, 3), np.int64), np.zeros((1, 2), np.int64))
