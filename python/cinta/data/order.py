"""Which batches of indices an epoch has: what a sampler gives, dealt to shards and cut into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from cinta.data.dataset import checked_indices
from cinta.data.samplers import (
    Batches,
    BucketSampler,
    OrderSampler,
    RandomSampler,
    SequentialSampler,
    number_of_batches,
)


class Order:
    """The batches of every epoch, from the arguments of a `DataLoader`."""

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        shuffle: bool,
        sampler: Iterable[int] | None,
        batch_sampler: Iterable[Sequence[int]] | None,
        bucket_by: Any,
        drop_last: bool,
        seed: int,
        shard: tuple[int, int],
    ) -> None:
        given = [
            name
            for name, is_given in (
                ("shuffle", shuffle and bucket_by is None),
                ("sampler", sampler is not None),
                ("batch_sampler", batch_sampler is not None),
                ("bucket_by", bucket_by is not None),
            )
            if is_given
        ]
        if len(given) > 1:
            raise ValueError(f"[DataLoader] got {' and '.join(given)}, expected one of them to say what the order is")
        if batch_sampler is not None and (batch_size != 1 or drop_last):
            raise ValueError(
                "[DataLoader] got batch_size or drop_last beside batch_sampler, expected it to decide on both"
            )
        index, count = shard
        if not 0 <= index < count:
            raise ValueError(f"[DataLoader] shard got {shard}, expected (index, count) with 0 <= index < count")
        if bucket_by is not None:
            batch_sampler = BucketSampler(lengths_of(bucket_by, dataset), batch_size, shuffle, seed, drop_last)
        elif sampler is None and batch_sampler is None:
            sampler = RandomSampler(dataset, seed=seed) if shuffle else SequentialSampler(dataset)
        self.sampler: Any = batch_sampler if sampler is None else sampler
        self.in_batches = sampler is None  # whether the sampler makes the batches
        if isinstance(self.sampler, Iterator):
            got = f"{given[0]} got a {type(self.sampler).__name__}, which is empty after one epoch"
            raise ValueError(f"[DataLoader] {got}, expected something to iterate over again and again")
        self.dataset, self.batch_size, self.drop_last = dataset, int(batch_size), bool(drop_last)
        self.shard = int(index), int(count)

    @property
    def repeatable(self) -> bool:
        """Whether any epoch's batches can be had again."""
        return hasattr(self.sampler, "set_epoch")

    def batches(self, epoch: int) -> Sequence[np.ndarray]:
        """The indices of every batch of this epoch and shard, int64."""
        if self.repeatable:
            self.sampler.set_epoch(epoch)
        if not self.in_batches:
            return Batches(self._shard_of(self._order()), self.batch_size, self.drop_last)
        batches = self.sampler.batches() if isinstance(self.sampler, BucketSampler) else list(self.sampler)
        return self._shard_of([self._checked(batch) for batch in batches])

    def __len__(self) -> int:
        n = len(self._shard_of(range(len(self.sampler))))
        return n if self.in_batches else number_of_batches(n, self.batch_size, self.drop_last)

    def _order(self) -> np.ndarray:
        if isinstance(self.sampler, OrderSampler):
            return self._checked(self.sampler.order())
        return self._checked(list(self.sampler))

    def _checked(self, indices: Any) -> np.ndarray:
        return checked_indices("DataLoader", indices, len(self.dataset))

    def _shard_of(self, items: Any) -> Any:
        """Every count-th; with `drop_last` as many in every shard."""
        index, count = self.shard
        return items[index : len(items) // count * count if self.drop_last else len(items) : count]


def lengths_of(bucket_by: Sequence[int] | np.ndarray | Callable[[Any], int], dataset: Any) -> np.ndarray:
    """One length for each sample: as given, or `bucket_by(sample)` of each."""
    lengths = [bucket_by(dataset[i]) for i in range(len(dataset))] if callable(bucket_by) else bucket_by
    array = np.asarray(lengths, np.int64 if not len(lengths) else None)
    if array.shape != (len(dataset),):
        raise ValueError(f"[DataLoader] bucket_by got shape {array.shape}, expected ({len(dataset)},), the lengths")
    return array
