"""Datasets: samples by their number, and whole batches at once where that is faster."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cinta._core import Tensor, asarray, concat, random, take
from cinta.data.collate import default_collate
from cinta.data.origin import annotate, described
from cinta.data.streams import mixed, seed_or_drawn, stream


class Dataset:
    """Samples by number: a class of one's own gives `__getitem__(index)` and `__len__()`.

    A `DataLoader` asks for whole batches, `gather(indices)`. Here that is `default_collate` of the samples one by one;
    a dataset that can do better replaces it, as `TensorDataset` does.

    Example:
        >>> class Squares(Dataset):
        ...     def __getitem__(self, index):
        ...         return index, float(index**2)
        ...
        ...     def __len__(self):
        ...         return 10
        >>> Squares().gather([2, 3])
        (tensor([2, 3]), tensor([4., 9.]))
    """

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"[Dataset] {type(self).__name__} has no __getitem__(index), expected it to give one")

    def __len__(self) -> int:
        raise NotImplementedError(f"[Dataset] {type(self).__name__} has no __len__(), expected it to give one")

    def gather(self, indices: Sequence[int] | np.ndarray) -> Any:
        """The batch of these samples, in this order."""
        return default_collate(samples_of(self, indices))


def samples_of(dataset: Any, indices: Iterable[int]) -> list[Any]:
    """The samples one by one; an error says which one it came from."""
    samples = []
    for index in indices:
        try:
            samples.append(dataset[int(index)])
        except Exception as error:
            annotate(error, f"sample {int(index)} of {described(dataset)}")
            raise
    return samples


class TensorDataset(Dataset):
    """Arrays or tensors [N, ...] in memory: sample i is the tuple of their i-th entries.

    Arrays are not copied: what is written into them later shows, and a memory-mapped one (`np.load(mmap_mode="r")`)
    stays where it is. A batch is one gather for each tensor: no Python runs for single samples. Gradients do not flow
    into a dataset.

    Errors: ValueError without tensors or where their first axes differ in length.

    Example:
        >>> dataset = TensorDataset(ct.arange(6).reshape(3, 2), ct.tensor([0, 1, 0]))
        >>> dataset[1]
        (tensor([2, 3]), tensor(1))
        >>> dataset.gather([2, 0])
        (tensor([[4, 5],
                [0, 1]]), tensor([0, 0]))
    """

    def __init__(self, *tensors: Any) -> None:
        if not tensors:
            raise ValueError("[TensorDataset] got no tensors, expected at least 1")
        self.tensors: tuple[Tensor, ...] = tuple(asarray(tensor).detach() for tensor in tensors)
        shapes = [tensor.shape for tensor in self.tensors]
        if not all(shape and shape[0] == shapes[0][0] for shape in shapes):
            got = ", ".join(str(tuple(shape)) for shape in shapes)
            raise ValueError(f"[TensorDataset] got tensors of shapes {got}, expected first axes of one length")

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])

    def gather(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, ...]:
        """The batch of these samples, in this order."""
        wanted = asarray(np.asarray(indices, np.int64))
        return tuple([take(tensor, wanted, 0) for tensor in self.tensors])


class Subset(Dataset):
    """The samples of a dataset that `indices` names, in that order.

    Errors: IndexError for an index that the dataset does not have.

    Example:
        >>> subset = Subset(TensorDataset(ct.arange(10)), [7, 3])
        >>> len(subset), subset[1], subset.gather([1, 0])
        (2, (tensor(3),), (tensor([3, 7]),))
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | np.ndarray) -> None:
        self.dataset = dataset
        self.indices = checked_indices("Subset", indices, len(dataset))

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def __len__(self) -> int:
        return len(self.indices)

    def gather(self, indices: Sequence[int] | np.ndarray) -> Any:
        """The batch of these samples, in this order."""
        wanted = self.indices[np.asarray(indices, np.int64)]
        if isinstance(self.dataset, Dataset):
            return self.dataset.gather(wanted)
        return default_collate(samples_of(self.dataset, wanted))


class ConcatDataset(Dataset):
    """Several datasets, whose samples are built alike, one after the other.

    Errors: ValueError without datasets, IndexError for an index beyond the last sample.

    Example:
        >>> both = ConcatDataset([TensorDataset(ct.arange(3)), TensorDataset(ct.arange(10, 14))])
        >>> len(both), both[3], both.gather([5, 0])
        (7, (tensor(10),), (tensor([12,  0]),))
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("[ConcatDataset] got no datasets, expected at least 1")
        self._ends = np.cumsum([len(dataset) for dataset in self.datasets]).tolist()

    def __getitem__(self, index: int) -> Any:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"[ConcatDataset] index {index} is out of bounds for {len(self)} samples")
        part = bisect_right(self._ends, position)
        return self.datasets[part][position - (self._ends[part - 1] if part else 0)]

    def __len__(self) -> int:
        return int(self._ends[-1])

    def gather(self, indices: Sequence[int] | np.ndarray) -> Any:
        """The batch of these samples, in this order."""
        if not _gives_tensors(self):
            return default_collate(samples_of(self, indices))
        wanted = checked_indices("ConcatDataset", indices, len(self))
        parts = np.searchsorted(self._ends, wanted, side="right")
        batches = []
        for part in np.unique(parts) if len(parts) else [0]:
            first = self._ends[part - 1] if part else 0
            batches.append(self.datasets[part].gather(wanted[parts == part] - first))
        if len(batches) == 1:
            return batches[0]
        back = asarray(np.argsort(np.argsort(parts, kind="stable"), kind="stable"))
        return tuple(take(concat(tensors), back, 0) for tensors in zip(*batches, strict=True))


def _gives_tensors(dataset: Any) -> bool:
    """Whether its batches are tuples of tensors, gathered whole."""
    if isinstance(dataset, Subset):
        return _gives_tensors(dataset.dataset)
    if isinstance(dataset, ConcatDataset):
        return all(_gives_tensors(part) for part in dataset.datasets)
    return type(dataset) is TensorDataset


def random_split(dataset: Any, lengths: Sequence[float], seed: int | None = None) -> list[Subset]:
    """Splits a dataset at random into `Subset`s that share no sample.

    lengths: numbers of samples that add up to all, or fractions that add up to 1 (each rounded down; what is left goes
    to the first ones, one each). seed: the same split for the same number; without one, it is drawn from `ct.random`.

    Errors: ValueError where the lengths do not add up.

    Example:
        >>> train, test = random_split(TensorDataset(ct.arange(10)), [0.8, 0.2], seed=0)
        >>> len(train), len(test)
        (8, 2)
    """
    n, total = len(dataset), sum(lengths)
    counts = [math.floor(length) for length in lengths]
    if total != n and math.isclose(total, 1):
        counts = [math.floor(n * length) for length in lengths]
        for i in range(n - sum(counts)):
            counts[i % len(counts)] += 1
    elif counts != list(lengths):
        counts = []
    if not counts or sum(counts) != n or min(counts) < 0:
        raise ValueError(f"[random_split] lengths got {list(lengths)}, expected them to add up to {n} samples or to 1")
    with stream(mixed(seed_or_drawn(seed))):
        order = random.permutation(n).numpy()
    return [Subset(dataset, part) for part in np.split(order, np.cumsum(counts)[:-1])]


def checked_indices(name: str, indices: Any, n: int) -> np.ndarray:
    """As int64 from 0 to n - 1; negative ones count from the end."""
    array = np.asarray(indices)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise TypeError(f"[{name}] indices got {array.dtype} of shape {array.shape}, expected integers [N]")
    array = array.astype(np.int64)
    if array.size and not -n <= int(array.min()) <= int(array.max()) < n:
        worst = int(array.min()) if array.min() < -n else int(array.max())
        raise IndexError(f"[{name}] index {worst} is out of bounds for {n} samples")
    return np.where(array < 0, array + n, array)
