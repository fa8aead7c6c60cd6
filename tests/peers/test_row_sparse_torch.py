"""Embeddings with row-sparse gradients beside PyTorch's: gradients, SGD, and lazy Adam beside SparseAdam."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim

torch = pytest.importorskip("torch")

ROWS, WIDTH = 30, 6


def twins(padding_idx: int | None = None) -> tuple[Any, Any]:
    own = nn.Embedding(ROWS, WIDTH, padding_idx=padding_idx, sparse=True)
    other = torch.nn.Embedding(ROWS, WIDTH, padding_idx=padding_idx, sparse=True)
    other.load_state_dict({"weight": torch.tensor(own.weight.detach().numpy().copy())})
    return own, other


def test_gradients() -> None:
    own, other = twins(padding_idx=4)
    words, seed = (
        np.array([[4, 7, 7], [0, 29, 7]]),
        np.random.default_rng(0).normal(size=(2, 3, WIDTH)).astype("float32"),
    )
    own(ct.tensor(words)).backward(ct.tensor(seed))
    other(torch.tensor(words)).backward(torch.tensor(seed))
    theirs = other.weight.grad.coalesce()
    assert own.weight.grad.rows.tolist() == theirs.indices()[0].tolist() == [0, 7, 29]
    np.testing.assert_allclose(own.weight.grad.values.numpy(), theirs.values().numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        ("SGD", "SGD", {"lr": 0.1}),
        ("SGD", "SGD", {"lr": 0.1, "momentum": 0.9}),
        ("Adam", "SparseAdam", {"lr": 0.05, "eps": 1e-12}),
        ("Adam", "SparseAdam", {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-12}),
    ],
)
def test_training(ours: str, theirs: str, options: dict[str, Any]) -> None:
    """SparseAdam adds eps before it corrects the second moment and Adam after, hence one that does not count."""
    own, other = twins()
    opt = getattr(optim, ours)(own.parameters(), lazy=theirs == "SparseAdam", **options)
    peer, rng = getattr(torch.optim, theirs)(other.parameters(), **options), np.random.default_rng(1)
    for _ in range(20):
        words, seed = rng.integers(0, ROWS, 8), rng.normal(size=(8, WIDTH)).astype("float32")
        for optimizer, table, library in ((opt, own, ct), (peer, other, torch)):
            optimizer.zero_grad()
            table(library.tensor(words)).backward(library.tensor(seed))
            optimizer.step()
    np.testing.assert_allclose(own.weight.detach().numpy(), other.weight.detach().numpy(), rtol=2e-5, atol=2e-6)
