"""The CTC loss against PyTorch's: values, gradients behind log_softmax, and float32's errors beside its own."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from op_cases import BY_NAME
from op_row import map_arrays

torch = pytest.importorskip("torch")

REDUCTIONS = ["mean", "sum", "none"]


def batch(frames, count, classes, length, seed=0):
    """Logits, targets, and lengths that leave room for every repetition."""
    rng = np.random.default_rng(seed)
    input_lengths = rng.integers(2 * length + 1, frames + 1, count)
    lengths = rng.integers(0, length + 1, count)
    return rng.normal(size=(frames, count, classes)), rng.integers(1, classes, (count, length)), input_lengths, lengths


def run(library, x, targets, *lengths, **how):
    x = library.tensor(x, requires_grad=True)
    args = [library.tensor(a) for a in (targets, *lengths)]
    softmax = torch.log_softmax if library is torch else ct.log_softmax
    ctc_loss = torch.nn.functional.ctc_loss if library is torch else ct.nn.functional.ctc_loss
    loss = ctc_loss(softmax(x, -1), *args, **how)
    loss.sum().backward()
    return loss.detach().numpy().astype(np.float64), x.grad.numpy().astype(np.float64)


def test_rows_agree():
    for s in BY_NAME["ctc_loss"].draw():
        if not s.args[0].size:
            continue  # PyTorch refuses an empty batch
        args, kwargs = map_arrays(lambda x: torch.from_numpy(np.array(x)), (s.args, s.kwargs))
        theirs = torch.nn.functional.ctc_loss(*args, **kwargs)
        ours = ct.ctc_loss(*map_arrays(ct.tensor, s.args), **s.kwargs)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-10, atol=1e-12, err_msg=str(s))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_padded_and_concatenated(reduction):
    x, targets, frames, lengths = batch(30, 5, 7, 9)
    flat = np.concatenate([row[:n] for row, n in zip(targets, lengths)])
    for labels in (targets, flat):
        ours = run(ct, x, labels, frames, lengths, reduction=reduction)
        theirs = run(torch, x, labels, frames, lengths, reduction=reduction)
        for a, b in zip(ours, theirs):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_another_blank_and_one_sequence():
    x, targets, frames, lengths = batch(30, 5, 7, 9)
    for a, b in zip(*(run(library, x, targets - 1, frames, lengths, blank=6) for library in (ct, torch))):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    one = x[:, 0], targets[0, : lengths[0]], frames[0], lengths[0]
    for a, b in zip(*(run(library, *one) for library in (ct, torch))):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_zero_infinity(reduction):
    x = np.random.default_rng(0).normal(size=(4, 3, 3))
    args = x, np.array([[1, 1, 1], [1, 2, 2], [2, 1, 0]]), np.array([4, 3, 4]), np.array([3, 3, 2])
    for a, b in zip(*(run(library, *args, reduction=reduction, zero_infinity=True) for library in (ct, torch))):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
    infinite = [run(library, *args, reduction=reduction)[0] for library in (ct, torch)]
    np.testing.assert_array_equal(*np.isinf(infinite))


@pytest.mark.parametrize(("frames", "classes", "length"), [(50, 10, 5), (100, 40, 20), (400, 30, 60)])
def test_errors_in_float32(frames, classes, length):
    x, *rest = batch(frames, 8, classes, length)
    exact = run(torch, x.astype(np.float32).astype(np.float64), *rest, reduction="none")
    ours, theirs = (run(library, x.astype(np.float32), *rest, reduction="none") for library in (ct, torch))
    for got, other, wanted in zip(ours, theirs, exact):
        assert np.abs(got - wanted).max() <= np.abs(other - wanted).max()
        assert np.sqrt(np.mean((got - wanted) ** 2)) <= np.sqrt(np.mean((other - wanted) ** 2))


def test_module():
    x, *rest = batch(30, 5, 7, 9)
    ours = ct.nn.CTCLoss(reduction="sum")(ct.log_softmax(ct.tensor(x), -1), *map(ct.tensor, rest))
    theirs = torch.nn.CTCLoss(reduction="sum")(torch.tensor(x).log_softmax(-1), *map(torch.tensor, rest))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
