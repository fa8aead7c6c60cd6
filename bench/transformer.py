"""Attention by itself (forward and backward) and transformers (training steps) beside PyTorch's.

The text is the source of Python's own standard library; attention gets normal random inputs.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator
from timeit import Timer
from typing import Any, NamedTuple

import numpy as np
import torch

import cinta as ct
import harness
import models
import recurrent
import training


class Attention(NamedTuple):
    """One call, and the ratio hoped for."""

    goal: float
    shape: tuple[int, int, int, int]  # batch, heads, steps, features of a head
    is_causal: bool = False


ATTENTIONS = {
    "attention, T=128, batch 8, 4 heads of 64": Attention(0.50, (8, 4, 128, 64)),
    "attention, T=1024, 4 heads of 64": Attention(0.50, (1, 4, 1024, 64)),
    "causal attention, T=1024, 4 heads of 64": Attention(0.50, (1, 4, 1024, 64), True),
}


def attention_run(library: Any, row: Attention, arrays: list[np.ndarray], seed: np.ndarray) -> Callable[[], list[Any]]:
    """y and the gradients, in the dtype of the arrays."""
    inputs = [library.asarray(x).requires_grad_() for x in arrays]
    gradient, attend = library.asarray(seed), library.nn.functional.scaled_dot_product_attention

    def run() -> list[Any]:
        for x in inputs:
            x.grad = None
        y = attend(*inputs, is_causal=row.is_causal)
        y.backward(gradient)
        return [y.detach(), *(x.grad for x in inputs)]

    return run


def attention_row(name: str, row: Attention) -> harness.Row:
    rng = np.random.default_rng(0)
    *arrays, seed = (rng.normal(size=row.shape).astype(np.float32) for _ in range(4))
    double = [x.astype(np.float64) for x in arrays]
    exact = [v.numpy() for v in attention_run(torch, row, double, seed.astype(np.float64))()]
    sides: list[list[harness.Contestant]] = []
    for library in (ct, torch):
        run = attention_run(library, row, arrays, seed)
        error = harness.error_of([np.asarray(v) for v in run()], exact)
        sides.append([harness.Contestant(Timer(run), error=error)])
    ours, theirs = sides
    return harness.compare(name, row.goal, ours, theirs, lacking=harness.WITH_AMX, repeats=21)


class Transformer(NamedTuple):
    """A causal language model by character, and the ratio hoped for."""

    goal: float
    width: int
    heads: int
    layers: int
    steps: int
    batch: int
    dropout: float = 0.0
    vocabulary: int = 100

    def build(self, nn: Any) -> Any:
        return models.transformer(nn, self.vocabulary, self.width, self.heads, self.layers, self.steps, self.dropout)

    def batches(self) -> list[tuple[np.ndarray, np.ndarray]]:
        text = recurrent.LanguageModel(0, False, "", self.vocabulary, 0, 0, self.steps, self.batch)
        return [(x.T.copy(), y.reshape(x.shape).T.copy().reshape(-1)) for x, y in itertools.islice(text.batches(), 16)]


TRANSFORMERS = {
    "transformer of 2 layers, d=256, 4 heads, T=128, batch 8": Transformer(0.50, 256, 4, 2, 128, 8),
    "transformer of 2 layers, d=256, 4 heads, T=128, batch 8, dropout": Transformer(0.50, 256, 4, 2, 128, 8, 0.1),
    "transformer of 2 layers, d=64, 4 heads, T=32, batch 4": Transformer(0.50, 64, 4, 2, 32, 4),
}


def training_step(library: Any, model: Any, **options: bool) -> Callable[..., Any]:
    optimizer = library.optim.Adam(model.parameters(), lr=1e-4, **options)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = library.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def transformer_rows(name: str, row: Transformer) -> Iterator[harness.Row]:
    batches, weights = row.batches(), training.weights_of(row.build(ct.nn))

    def made(library: Any, compiled: Callable[[Any], Any] = training.as_it_is, **options: bool) -> Callable[[], Any]:
        model = row.build(library.nn)
        model.load_state_dict({name: library.asarray(value) for name, value in weights.items()})
        pairs = [(library.asarray(x), library.asarray(y)) for x, y in batches]
        return training.on_batches(compiled(training_step(library, model, **options)), pairs)

    ours = {"": made(ct), "compiled": made(ct, ct.compile)}
    theirs = [made(torch), made(torch, fused=True), made(torch, foreach=True)]
    losses = [float(step().item()) for step in (*ours.values(), *theirs)]
    assert row.dropout or np.allclose(losses, losses[0], rtol=1e-5), f"not the same model, first losses {losses}"
    peers = [harness.Contestant(Timer(step)) for step in theirs]
    for form, step in ours.items():
        title = " ".join(filter(None, (form, "step of", name)))
        own = [harness.Contestant(Timer(step))]
        yield harness.compare(title, row.goal, own, peers, lacking=harness.WITH_AMX, seconds=0.05, repeats=11)


def main(threads: int = 1, only: str = "") -> list[harness.Row]:
    harness.pin(threads)

    def wanted(table: dict[str, Any]) -> list[tuple[str, Any]]:
        return [(name, row) for name, row in table.items() if only.lower() in name.lower()]

    rows = [attention_row(name, row) for name, row in wanted(ATTENTIONS)]
    return rows + list(itertools.chain.from_iterable(transformer_rows(*item) for item in wanted(TRANSFORMERS)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    args = parser.parse_args()
    main(args.threads, args.only)
