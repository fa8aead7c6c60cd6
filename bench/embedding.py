"""Training steps of a large embedding whose gradient is row-sparse, beside PyTorch's and beside dense gradients."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator
from timeit import Timer
from typing import Any

import numpy as np
import torch

import cinta as ct
import harness

ROWS, WIDTH, BATCH = 100_000, 256, (32, 20)
COLUMNS = ("row-sparse", "peer")


def step_of(library: Any, optimizer: str, sparse: bool, **options: Any) -> Callable[[], Any]:
    """A step with one of 64 batches of random rows; the gradient of y is random too."""
    rng = np.random.default_rng(0)
    table = library.nn.Embedding(ROWS, WIDTH, sparse=sparse)
    opt = getattr(library.optim, optimizer)(table.parameters(), lr=1e-3, **options)
    seed = library.asarray(rng.normal(size=(*BATCH, WIDTH)).astype(np.float32))
    batches = itertools.cycle([library.asarray(rng.integers(0, ROWS, BATCH)) for _ in range(64)])

    def step() -> None:
        opt.zero_grad()
        table(next(batches)).backward(seed)
        opt.step()

    return step


def compared(name: str, goal: float, ours: Callable[[], Any], theirs: Callable[[], Any]) -> harness.Row:
    own, peer = ([harness.Contestant(Timer(side))] for side in (ours, theirs))
    return harness.compare(name, goal, own, peer, repeats=15, seconds=0.05)


def rows() -> Iterator[harness.Row]:
    sgd, adam = step_of(ct, "SGD", True), step_of(ct, "Adam", True, lazy=True)
    table = f"embedding of {ROWS:,} x {WIDTH}, {BATCH[0]}x{BATCH[1]} indices"
    yield compared(f"{table}: SGD beside PyTorch's sparse", 1.0, sgd, step_of(torch, "SGD", True))
    yield compared("lazy Adam beside PyTorch's SparseAdam", 1.0, adam, step_of(torch, "SparseAdam", True))
    yield compared("SGD beside dense", 0.2, sgd, step_of(ct, "SGD", False))
    dense = step_of(ct, "Adam", False)
    yield compared("lazy Adam beside dense Adam", 0.2, adam, dense)
    # The other way to the same bits; where every row has moved before, as here, it costs what dense costs.
    yield compared("Adam with the bits of dense beside dense Adam", 1.15, step_of(ct, "Adam", True), dense)
    momentum = {"momentum": 0.9}
    yield compared(
        "SGD with momentum and the bits of dense beside dense",
        1.15,
        step_of(ct, "SGD", True, **momentum),
        step_of(ct, "SGD", False, **momentum),
    )


def main(threads: int = 1) -> list[harness.Row]:
    harness.pin(threads)
    return list(rows())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    print(harness.header(*COLUMNS))
    main(parser.parse_args().threads)
