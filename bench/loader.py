"""A shuffled epoch of a DataLoader beside PyTorch's: arrays in memory, and samples made one by one in Python.

PyTorch's loader collates single samples; told to index whole batches (a `BatchSampler` as its sampler, no batching of
its own) it is much faster, so that form has rows of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from timeit import Timer
from typing import Any

import numpy as np
import torch
from torch.utils.data import BatchSampler, RandomSampler
from torch.utils.data import DataLoader as TorchLoader
from torch.utils.data import TensorDataset as TorchDataset

import harness
from cinta.data import DataLoader, Dataset, TensorDataset


class Squares(Dataset):
    """Samples that Python makes; PyTorch's loader takes it as it is."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.full(20, index * index, np.float32), index

    def __len__(self) -> int:
        return 5000


def epoch(loader: Iterable[Any], count: int) -> Callable[[], None]:
    """One pass over all batches, which are counted and whose labels are added up once, before the clock starts."""
    labels = np.concatenate([np.asarray(y) for _, y in loader])
    assert (len(labels), sorted(labels)) == (count, list(range(count))), "some samples are missing"

    def run() -> None:
        for _ in loader:
            pass

    return run


def contestant(loader: Iterable[Any], count: int, form: str = "") -> harness.Contestant:
    return harness.Contestant(Timer(epoch(loader, count)), form)


def in_memory(x: np.ndarray, size: int, goals: tuple[float, float], limit: float = float("inf")) -> list[harness.Row]:
    """Ours beside PyTorch's usual loader, and beside one that indexes whole batches."""
    n, labels = len(x), np.arange(len(x))
    dataset, peer = TensorDataset(x, labels), TorchDataset(torch.from_numpy(x), torch.from_numpy(labels))
    usual = TorchLoader(peer, size, shuffle=True)
    whole = TorchLoader(peer, batch_size=None, sampler=BatchSampler(RandomSampler(peer), size, drop_last=False))
    rows = []
    for loader, form, goal in zip((usual, whole), ("", "indexing whole batches"), goals):
        ours = contestant(DataLoader(dataset, size, shuffle=True, seed=0), n)
        name = f"epoch of {list(x.shape)} {x.dtype}, batch {size}"
        rows.append(harness.compare(name, goal, [ours], [contestant(loader, n, form)], limit=limit, repeats=15))
    return rows


def one_by_one() -> list[harness.Row]:
    """Samples from `__getitem__`, collated."""
    dataset: Any = Squares()
    ours = contestant(DataLoader(dataset, 256, shuffle=True, seed=0), len(dataset))
    theirs = contestant(TorchLoader(dataset, 256, shuffle=True), len(dataset))
    return [harness.compare("epoch of 5000 samples made in Python, batch 256", 1, [ours], [theirs], repeats=15)]


def main(threads: int = 1) -> list[harness.Row]:
    harness.pin(threads)
    rng = np.random.default_rng(0)
    table = rng.normal(size=(20_000, 20)).astype(np.float32)
    images = rng.integers(0, 256, (20_000, 1, 28, 28)).astype(np.uint8)
    return [
        *in_memory(table, 256, (2 / 60, 1), limit=2e-3),
        *in_memory(images, 128, (0.1, 1)),
        *one_by_one(),
    ]


if __name__ == "__main__":
    print(harness.header())
    main()
