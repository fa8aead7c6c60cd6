"""The CTC loss of normal logits through log_softmax, forward and backward, beside PyTorch's."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from timeit import Timer
from typing import Any, NamedTuple

import numpy as np
import torch

import cinta as ct
import harness

GOAL = 0.5


class Batch(NamedTuple):
    frames: int
    sequences: int
    classes: int
    labels: int


BATCHES = (Batch(100, 32, 40, 20), Batch(500, 16, 1000, 50))


def loss_run(library: Any, batch: Batch, x: np.ndarray) -> Callable[[], list[Any]]:
    """Forward and backward in the dtype of x: the losses' mean and the gradient of x."""
    rng, given = np.random.default_rng(1), library.asarray(x)
    targets = library.asarray(rng.integers(1, batch.classes, (batch.sequences, batch.labels)))
    frames, labels = (library.asarray(np.full(batch.sequences, n)) for n in (batch.frames, batch.labels))
    given.requires_grad_()
    functional = library.nn.functional
    last = {"axis": 2} if library is ct else {"dim": 2}

    def run() -> list[Any]:
        given.grad = None
        loss = functional.ctc_loss(functional.log_softmax(given, **last), targets, frames, labels)
        loss.backward()
        return [loss.detach(), given.grad]

    return run


def batch_row(batch: Batch) -> harness.Row:
    shape = batch.frames, batch.sequences, batch.classes
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    exact = [np.asarray(v) for v in loss_run(torch, batch, x.astype(np.float64))()]
    sides: list[list[harness.Contestant]] = []
    for library in (ct, torch):
        run = loss_run(library, batch, x)
        error = harness.error_of([np.asarray(v) for v in run()], exact)
        sides.append([harness.Contestant(Timer(run), error=error)])
    ours, theirs = sides
    name = f"CTC loss, T={batch.frames}, N={batch.sequences}, C={batch.classes}, S={batch.labels}"
    return harness.compare(name, GOAL, ours, theirs, repeats=15)


def main(threads: int = 1) -> list[harness.Row]:
    harness.pin(threads)
    return [batch_row(batch) for batch in BATCHES]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    main(parser.parse_args().threads)
