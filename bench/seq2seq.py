"""Training steps of an LSTM encoder and decoder with attention beside PyTorch's, both with Adam.

The text is the source of Python's own standard library, by word: pieces of it are read, what follows them is written.
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


class Network(NamedTuple):
    """What is trained, and the ratio hoped for, uncompiled and compiled."""

    goal: float  # supposes a tile unit: nine tenths of a step are products
    vocabulary: int
    hidden: int
    steps: int
    batch: int

    def batches(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Sources [B, T], targets as they are fed and as they are wanted."""
        tokens = recurrent.numbered(recurrent.standard_library(), self.vocabulary)
        size = 2 * self.steps + 1
        rows = tokens[: 16 * self.batch * size].reshape(16, self.batch, size)
        cuts = slice(0, self.steps), slice(self.steps, -1), slice(self.steps + 1, None)
        return [tuple(np.ascontiguousarray(batch[:, cut]) for cut in cuts) for batch in rows]  # type: ignore[misc]


NETWORKS = {
    "LSTM seq2seq with attention, 4000 words, 256 units, T=20, batch 32": Network(0.50, 4000, 256, 20, 32),
}


def training_step(library: Any, model: Any, **options: bool) -> Callable[..., Any]:
    optimizer = library.optim.Adam(model.parameters(), lr=1e-3, **options)

    def step(source: Any, target: Any, wanted: Any) -> Any:
        optimizer.zero_grad()
        scores = model(source, target)
        loss = library.nn.functional.cross_entropy(scores.reshape(-1, scores.shape[-1]), wanted.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss

    return step


def steps_of(network: Network) -> tuple[dict[str, Callable[[], Any]], list[Callable[[], Any]]]:
    """Ours, uncompiled and compiled, and PyTorch's with each form of its optimizer."""
    sizes = network.vocabulary, network.vocabulary, network.hidden, network.hidden
    batches, weights = network.batches(), training.weights_of(ct.models.Seq2Seq(*sizes))

    def made(library: Any, compiled: Callable[[Any], Any] = training.as_it_is, **options: bool) -> Callable[[], Any]:
        model = ct.models.Seq2Seq(*sizes) if library is ct else models.seq2seq(torch, *sizes)
        model.load_state_dict({name: library.asarray(value) for name, value in weights.items()})
        given = [tuple(map(library.asarray, batch)) for batch in batches]
        return training.on_batches(compiled(training_step(library, model, **options)), given)

    ours = {"": made(ct), "compiled": made(ct, ct.compile)}
    return ours, [made(torch), made(torch, fused=True), made(torch, foreach=True)]


def rows_of(name: str, network: Network) -> Iterator[harness.Row]:
    ours, theirs = steps_of(network)
    losses = [[float(step().item()) for _ in range(3)] for step in (*ours.values(), *theirs)]
    assert np.allclose(losses, losses[0], rtol=1e-4), f"not the same model, first losses {losses}"
    peers = [harness.Contestant(Timer(step)) for step in theirs]
    for form, step in ours.items():
        title = " ".join(filter(None, (form, "step of", name)))
        own = [harness.Contestant(Timer(step))]
        yield harness.compare(title, network.goal, own, peers, lacking=harness.WITH_AMX, seconds=0.05, repeats=11)


def main(threads: int = 1) -> list[harness.Row]:
    harness.pin(threads)
    return list(itertools.chain.from_iterable(rows_of(*item) for item in NETWORKS.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    main(parser.parse_args().threads)
