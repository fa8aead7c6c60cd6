"""In which order an epoch visits samples: from (seed, epoch) alone, so that any epoch can be had again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cinta._core import random
from cinta.data.streams import mixed, seed_or_drawn, stream

_POOL = 100  # batches that are sorted by length together: random enough, and hardly any padding


class Sampler:
    """An order of samples. A class of one's own gives `__iter__` and, best, `__len__` and `set_epoch(epoch)`.

    The samplers here draw from a stream of their own, which begins anew for every (seed, epoch): the order of an epoch
    depends on nothing that was drawn before. Without a seed, one is drawn from `ct.random`.

    Example:
        >>> sampler = RandomSampler(range(4), seed=0)
        >>> first = list(sampler)
        >>> sampler.set_epoch(1)
        >>> second = list(sampler)
        >>> sampler.set_epoch(0)
        >>> list(sampler) == first != second
        True
    """

    epoch = 0
    seed = 0

    def set_epoch(self, epoch: int) -> None:
        """What `__iter__` gives from here on is the order of this epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"[Sampler] {type(self).__name__} has no __iter__(), expected it to give one")

    def _stream(self) -> stream:
        return stream(mixed(self.seed, self.epoch))


class OrderSampler(Sampler):
    """Gives the whole order of an epoch as one array."""

    def order(self) -> np.ndarray:
        """All indices of the epoch at once, int64."""
        raise NotImplementedError(f"[{type(self).__name__}] has no order(), expected its class to give one")

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())


class SequentialSampler(OrderSampler):
    """0, 1, 2, ...

    Example:
        >>> list(SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def order(self) -> np.ndarray:
        """All indices of the epoch at once, int64."""
        return np.arange(len(self.dataset), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.dataset)


class RandomSampler(OrderSampler):
    """Every sample once, in an order drawn anew for every epoch; with `replacement`, each drawn from all.

    num_samples: how many, all of them unless given.
    Errors: ValueError for a number of samples below 0, or above what there is without replacement.

    Example:
        >>> sorted(RandomSampler("abc", seed=0))
        [0, 1, 2]
        >>> len(RandomSampler("abc", replacement=True, num_samples=5, seed=0))
        5
    """

    def __init__(
        self, dataset: Any, replacement: bool = False, num_samples: int | None = None, seed: int | None = None
    ) -> None:
        _check_count("RandomSampler", num_samples, float("inf") if replacement else len(dataset))
        self.dataset, self.replacement, self.num_samples = dataset, replacement, num_samples
        self.seed = seed_or_drawn(seed)

    def order(self) -> np.ndarray:
        """All indices of the epoch at once, int64."""
        n = len(self.dataset)
        with self._stream():
            if self.replacement:
                return random.integers(n, shape=(len(self),)).numpy()
            return random.permutation(n).numpy()[: len(self)]

    def __len__(self) -> int:
        return len(self.dataset) if self.num_samples is None else self.num_samples


class WeightedRandomSampler(OrderSampler):
    """Samples drawn with a probability proportional to their weights, to see rare classes as often as common ones.

    weights [N]: 0 or more, not all 0. Without `replacement` no sample comes twice: the `num_samples` largest of
    u_i^(1/w_i), u_i uniform.
    Errors: ValueError for other weights, or for more samples than have a weight, without replacement.
    Source of drawing without replacement: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.

    Example:
        >>> labels = np.array([0] * 90 + [1] * 10)
        >>> sampler = WeightedRandomSampler(1 / np.bincount(labels)[labels], 1000, seed=0)
        >>> bool(450 < labels[list(sampler)].sum() < 550)
        True
    """

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, seed: int | None = None) -> None:
        self.weights = np.asarray(weights, np.float64)
        if self.weights.ndim != 1 or not np.isfinite(self.weights).all() or (self.weights < 0).any():
            got = f"values of shape {self.weights.shape}"
            raise ValueError(f"[WeightedRandomSampler] weights got {got}, expected finite numbers [N], 0 or more")
        positive = int(np.count_nonzero(self.weights))
        _check_count("WeightedRandomSampler", num_samples, float("inf") if replacement and positive else positive)
        self.num_samples, self.replacement = num_samples, replacement
        self.seed = seed_or_drawn(seed)

    def order(self) -> np.ndarray:
        """All indices of the epoch at once, int64."""
        with self._stream():
            if self.replacement:
                ends = np.cumsum(self.weights)
                drawn = random.uniform(shape=(self.num_samples,), dtype="float64").numpy()
                last = int(np.flatnonzero(self.weights)[-1])  # u below 1 may still round to the whole sum
                return np.minimum(np.searchsorted(ends, drawn * ends[-1], side="right"), last)
            drawn = random.uniform(shape=self.weights.shape, dtype="float64").numpy()
        with np.errstate(divide="ignore"):
            keys = np.where(self.weights > 0, np.log(drawn) / self.weights, -np.inf)
        return np.argsort(-keys, kind="stable")[: self.num_samples]

    def __len__(self) -> int:
        return self.num_samples


class BucketSampler(Sampler):
    """Batches of samples of similar length, so that padding them wastes little: a `batch_sampler`.

    lengths [N]: of every sample. Shuffled, each epoch cuts a new random order into pools of 100 batches, sorts each
    pool by length, cuts it into batches and shuffles all batches; otherwise all samples are sorted by length once.
    Every sample is in exactly one batch; one batch may be shorter, or is left out with `drop_last`.

    Errors: ValueError for a batch size below 1 or lengths that are not [N].

    Example:
        >>> sorted(sorted(batch) for batch in BucketSampler([5, 1, 5, 1], batch_size=2, seed=0))
        [[0, 2], [1, 3]]
    """

    def __init__(
        self, lengths: Any, batch_size: int, shuffle: bool = True, seed: int | None = None, drop_last: bool = False
    ) -> None:
        self.lengths = np.asarray(lengths)
        if self.lengths.ndim != 1 or self.lengths.dtype.kind not in "iuf":
            got = f"{self.lengths.dtype} of shape {self.lengths.shape}"
            raise ValueError(f"[BucketSampler] lengths got {got}, expected numbers [N]")
        if batch_size < 1:
            raise ValueError(f"[BucketSampler] batch_size got {batch_size}, expected at least 1")
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.seed = seed_or_drawn(seed if shuffle or seed is not None else 0)

    def batches(self) -> list[np.ndarray]:
        """The indices of every batch of the epoch, int64."""
        n = len(self.lengths)
        if not self.shuffle:
            return list(Batches(np.argsort(self.lengths, kind="stable"), self.batch_size, self.drop_last))
        with self._stream():
            order = random.permutation(n).numpy()
            batches: list[np.ndarray] = []
            for pool in Batches(order, self.batch_size * _POOL):
                by_length = pool[np.argsort(self.lengths[pool], kind="stable")]
                batches += Batches(by_length, self.batch_size, self.drop_last)
            return [batches[i] for i in random.permutation(len(batches)).numpy()]

    def __iter__(self) -> Iterator[list[int]]:
        return iter([batch.tolist() for batch in self.batches()])

    def __len__(self) -> int:
        return number_of_batches(len(self.lengths), self.batch_size, self.drop_last)


def _check_count(name: str, count: int | None, limit: float) -> None:
    if count is not None and not 0 <= count <= limit:
        raise ValueError(f"[{name}] num_samples got {count}, expected 0 to {limit}")


class Batches(Sequence[np.ndarray]):
    """An order cut into batches, one at a time when it is asked for."""

    def __init__(self, order: np.ndarray, size: int, drop_last: bool = False) -> None:
        self.order, self.size, self._count = order, size, number_of_batches(len(order), size, drop_last)

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < self._count:
            raise IndexError(f"[Batches] number {number} is out of bounds for {len(self)} batches")
        return self.order[number * self.size : (number + 1) * self.size]

    def __len__(self) -> int:
        return self._count


def number_of_batches(n: int, size: int, drop_last: bool) -> int:
    return n // size if drop_last else -(-n // size)
