"""Masks of sequences and losses over them, against loops; positional encodings."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn

F = nn.functional
LENGTHS = [4, 1, 0, 3]


def test_sequence_mask():
    mask = F.sequence_mask(LENGTHS, 5)
    assert str(mask.dtype) == "bool"
    assert mask.numpy().sum(1).tolist() == LENGTHS
    assert F.sequence_mask(ct.tensor([[1], [2]])).tolist() == [[[True, False]], [[True, True]]]
    assert F.sequence_mask(ct.zeros((0,), dtype=ct.int64)).shape == (0, 0)
    with pytest.raises(TypeError, match="expected an integer one"):
        F.sequence_mask([1.0])


@pytest.mark.parametrize(
    ("reduction", "power"),
    [("mean", 0.0), ("sum", 0.0), ("none", 0.0), ("sequence", 0.0), ("sequence", 0.6), ("sequence", 1.0)],
)
@pytest.mark.parametrize("masked", [False, True])
def test_sequence_cross_entropy(reduction, power, masked):
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(4, 5, 7)), rng.integers(0, 7, (4, 5))
    target[0, 1] = -100
    counts = np.arange(5) < np.array(LENGTHS)[:, None] if masked else np.ones((4, 5), bool)
    counts = counts & (target != -100)
    losses = np.zeros((4, 5))
    for b, t in zip(*np.nonzero(counts)):
        losses[b, t] = np.log(np.exp(x[b, t]).sum()) - x[b, t, target[b, t]]
    expected = {
        "mean": losses.sum() / counts.sum(),
        "sum": losses.sum(),
        "none": losses,
        "sequence": (losses.sum(1) / np.maximum(counts.sum(1), 1) ** power).mean(),
    }[reduction]
    mask = F.sequence_mask(LENGTHS, 5) if masked else None
    given = ct.tensor(x, requires_grad=True)
    loss = F.sequence_cross_entropy(given, ct.tensor(target), mask, reduction=reduction, length_power=power)
    np.testing.assert_allclose(loss.detach().numpy(), expected, rtol=1e-12, atol=1e-12)
    loss.sum().backward()
    assert not given.grad.numpy()[~counts].any()
    assert given.grad.numpy()[counts].all()


def test_masked_mean_and_softmax_read_no_padding():
    x = np.random.default_rng(0).normal(size=(4, 5))
    mask = F.sequence_mask(LENGTHS, 5)
    poisoned = ct.tensor(np.where(mask.numpy(), x, np.nan), requires_grad=True)
    rows = [x[b, :n].mean() if n else 0.0 for b, n in enumerate(LENGTHS)]
    np.testing.assert_allclose(F.masked_mean(poisoned, mask, axis=1).detach().numpy(), rows)
    np.testing.assert_allclose(F.masked_mean(poisoned, mask).item(), x[mask.numpy()].mean())
    (F.masked_softmax(poisoned, mask) ** 2).sum().backward()
    assert np.isfinite(poisoned.grad.numpy()[[0, 1, 3]]).all()
    weights = F.masked_softmax(ct.tensor(x), mask).numpy()
    for b, n in enumerate(LENGTHS):
        expected = np.exp(x[b, :n]) / np.exp(x[b, :n]).sum()
        np.testing.assert_allclose(weights[b], np.concatenate([expected, np.zeros(5 - n)]))


def test_masked_softmax_along_another_axis():
    x, mask = ct.random.normal(shape=(3, 4)), ct.tensor([True, False, True])[:, None]
    found = F.masked_softmax(x, mask, axis=0).numpy()
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-6)
    assert not found[1].any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.sequence_cross_entropy(ct.zeros((2, 3)), ct.zeros((2,), dtype=ct.int64)), r"expected \[B,T,V\]"),
        (lambda: F.sequence_cross_entropy(ct.zeros((2, 3, 4)), ct.zeros((2, 3), dtype=ct.int64), reduction="all"),
         "reduction got 'all'"),
        (lambda: F.sequence_cross_entropy(ct.zeros((2, 3, 4)), ct.zeros((2, 3), dtype=ct.int64), length_power=1.0),
         "length_power got 1.0 with reduction 'mean'"),
        (lambda: F.sequence_cross_entropy(ct.zeros((2, 3, 4)), ct.zeros((2, 3), dtype=ct.int64),
                                          F.sequence_mask([1, 2])), r"mask has shape \[2, 2\], expected \[2, 3\]"),
        (lambda: nn.PositionalEncoding(4, 6)(ct.zeros((7, 1, 4))), "expected at most max_len = 6"),
        (lambda: nn.PositionalEncoding(4, 6)(ct.zeros((2, 1, 4)), offset=5), "2 steps from 5 on"),
        (lambda: nn.PositionalEncoding(4)(ct.zeros((2, 1, 5))), "D=4"),
    ],
)  # fmt: skip
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("width", [1, 6, 7])
def test_sinusoidal_positions(width):
    table = F.sinusoidal_positions(40, width).numpy()
    for t in (0, 1, 39):
        for j in range(width):
            angle = t / 10000 ** (j // 2 * 2 / width)
            assert abs(table[t, j] - (np.cos(angle) if j % 2 else np.sin(angle))) < 2e-6


def test_positions_and_layouts():
    x = ct.random.normal(shape=(5, 2, 6))
    encoding = nn.PositionalEncoding(6, max_len=8)
    assert encoding.state_dict() == {}
    y = encoding(x)
    np.testing.assert_array_equal(
        nn.PositionalEncoding(6, batch_first=True)(x.swapaxes(0, 1)).swapaxes(0, 1).numpy(), y.numpy()
    )
    np.testing.assert_array_equal(encoding(x[:, 0]).numpy(), y[:, 0].numpy())
    np.testing.assert_array_equal(encoding(x[2:], offset=2).numpy(), y[2:].numpy())
    learned = nn.LearnedPositionalEncoding(6, max_len=8, dropout=0.5)
    assert list(learned.state_dict()) == ["weight"]
    learned(x).sum().backward()
    assert not learned.weight.grad.numpy()[5:].any()
