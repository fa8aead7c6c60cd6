"""DataLoader: batches of a dataset, epoch after epoch, in an order that can be had again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from cinta._core import set_autocast, set_grad_enabled
from cinta.data.collate import default_collate
from cinta.data.dataset import Dataset, samples_of
from cinta.data.order import Order
from cinta.data.origin import annotate, described, shortened
from cinta.data.position import check_state, flattened, order_state, restored_batches
from cinta.data.streams import mixed, seed_or_drawn, stream
from cinta.data.workers import Prefetched


class DataLoader:
    """Batches of a dataset, epoch after epoch: `for batch in loader` is one epoch.

    dataset: a `Dataset`, or anything with `[index]` and `len()`.
    batch_size: samples in a batch; the last one may have fewer, or is left out with `drop_last`.
    shuffle: a new random order for every epoch, drawn from (seed, epoch) alone. seed: drawn from `ct.random` if None.
    sampler: a finite iterable of indices instead; batch_sampler: of batches of indices. Both may have `set_epoch(n)`.
    bucket_by: the length of every sample, or a function that gives a sample's: batches of similar length
        (`BucketSampler`), to be padded with `collate_fn=pad_collate`.
    collate_fn: makes a batch from a list of samples; unless given, the dataset gathers whole batches itself.
    transform: applied to every batch, with draws of its own: a function of the batch, or a tuple with a function or
        None for every field of it, as in `(augment, None)` for images and labels.
    num_workers: threads that make batches ahead, `prefetch_factor` each; 0 makes them when they are asked for. They
        help where a dataset waits (files) or computes without the interpreter's lock (Pillow, NumPy, `cinta`).
        timeout: seconds to wait for a batch; 0: any time.
    shard: (index, count): every count-th sample of the common order, for `count` loaders of the same seed that share
        the work. Every sample is in exactly one shard. Shards differ by at most one sample, so the last batch may be
        missing in some; with `drop_last` all have the same number of batches, and what is left over is in none. Of
        batches made by `batch_sampler` or `bucket_by`, every count-th.

    The same (seed, epoch) gives the same batches and the same draws of `ct.random` in dataset and transform, with any
    number of workers, also after `load_state_dict`. Errors in a worker are raised where their batch was due, with the
    worker's traceback and a note that names batch, sample and dataset. No batch is recorded for gradients.

    Every `iter(loader)` begins an epoch: number 0, then 1, ... An epoch that was broken off is over.

    Errors: ValueError for arguments out of range or at odds with each other.

    Example:
        >>> x, y = ct.arange(6).reshape(6, 1), ct.tensor([0, 1, 0, 1, 0, 1])
        >>> loader = DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True, seed=0)
        >>> [images.shape for images, labels in loader]
        [(4, 1), (2, 1)]
        >>> batches = iter(loader)
        >>> first = next(batches)
        >>> state = loader.state_dict()
        >>> state["epoch"], state["position"]
        (1, 1)
        >>> rest = list(batches)
        >>> loader.load_state_dict(state)  # in mid-epoch: goes on with the very next batch
        >>> bool((next(iter(loader))[0] == rest[0][0]).all())
        True
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        bucket_by: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        transform: Any = None,
        drop_last: bool = False,
        timeout: float = 0,
        prefetch_factor: int = 2,
        seed: int | None = None,
        shard: tuple[int, int] = (0, 1),
    ) -> None:
        _at_least("batch_size", batch_size, 1)
        _at_least("num_workers", num_workers, 0)
        _at_least("prefetch_factor", prefetch_factor, 1)
        if not timeout >= 0:
            raise ValueError(f"[DataLoader] timeout got {timeout}, expected at least 0 seconds")
        if seed is None and shuffle and shard[1] > 1:
            raise ValueError("[DataLoader] got shards of a shuffled order without seed, expected the same seed for all")
        if seed is None and not shuffle and transform is None:
            seed = 0
        self.seed = seed_or_drawn(seed)
        self.order = Order(dataset, batch_size, shuffle, sampler, batch_sampler, bucket_by, drop_last, self.seed, shard)
        self.dataset, self.collate_fn, self.transform = dataset, collate_fn, transform
        self.batch_size, self.drop_last, self.sampler = batch_size, drop_last, self.order.sampler
        self.num_workers, self.prefetch_factor, self.timeout = num_workers, prefetch_factor, timeout
        self._stand(0, 0)

    def _stand(self, epoch: int, position: int, batches: Sequence[np.ndarray] | None = None) -> None:
        """The next `iter` begins here; an iterator that is still around says no more where the loader stands."""
        self._epoch, self._position, self._batches = epoch, position, batches
        self._iterator: object = None  # the token of the iterator that took this epoch up

    @property
    def epoch(self) -> int:
        """The epoch that is under way or, after the last batch of one, comes next."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """The next `iter` begins this epoch; the one that a loaded state stands in keeps its place."""
        _at_least("epoch", epoch, 0)
        if self._iterator or epoch != self._epoch:
            self._stand(epoch, 0)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return len(self.order)

    def __iter__(self) -> Iterator[Any]:
        if self._iterator:
            self._stand(self._epoch + 1, 0)
        batches = self.order.batches(self._epoch) if self._batches is None else self._batches
        if not self.order.repeatable:
            self._batches = batches
        epoch = _Epoch(self, batches, self._position)
        self._iterator = epoch.token
        return epoch

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, in mid-epoch too: what workers made ahead counts as not yet seen."""
        return {
            **order_state(self.order),
            "seed": self.seed,
            "epoch": self._epoch,
            "position": self._position,
            "batches": None if self._batches is None else flattened(self._batches),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where the loader of that state stood: the next `iter` begins with the very next batch.

        Errors: ValueError naming what does not fit this loader, which then stays as it was.
        """
        check_state(state, self.state_dict())
        batches = restored_batches(state, self.order)
        self.seed = state["seed"]
        if state["sampler_seed"] is not None:
            self.order.sampler.seed = state["sampler_seed"]
        self._stand(state["epoch"], state["position"], batches)

    def _maker(self, batches: Sequence[np.ndarray]) -> Callable[[int], Any]:
        """A function that makes batch `number` of the epoch; workers hold on to it, and so not to the iterator."""
        epoch, key, (index, count) = self._epoch, mixed(self.seed, self._epoch), self.order.shard
        dataset, collate_fn, transform = self.dataset, self.collate_fn, self.transform

        def make(number: int) -> Any:
            indices = batches[number]
            recorded, cast = set_grad_enabled(False), set_autocast(None)
            try:
                with stream(key, 1 + number * count + index):  # 0 is the sampler's
                    if collate_fn is not None:
                        batch = collate_fn(samples_of(dataset, indices))
                    elif isinstance(dataset, Dataset):
                        batch = dataset.gather(indices)
                    else:
                        batch = default_collate(samples_of(dataset, indices))
                    return batch if transform is None else _transformed(batch, transform)
            except Exception as error:
                where = f"batch {number} of epoch {epoch}, samples {shortened(indices)} of {described(dataset)}"
                text = f"[DataLoader] {where}, in thread {threading.current_thread().name}"
                if isinstance(error, StopIteration):  # would end the epoch in silence
                    raise RuntimeError(f"{text}: got StopIteration") from error
                annotate(error, text)
                raise
            finally:
                set_grad_enabled(recorded)
                set_autocast(cast)

        return make


class _Epoch(Iterator[Any]):
    """The batches of one epoch from a position on; tells its loader how far it came."""

    def __init__(self, loader: DataLoader, batches: Sequence[np.ndarray], position: int) -> None:
        make, stop, workers = loader._maker(batches), len(batches), loader.num_workers
        self._loader, self._position, self._stop = loader, position, stop
        self.token = object()
        self._batches: Iterator[Any] = map(make, range(position, stop))
        if workers:
            ahead = workers * loader.prefetch_factor
            self._batches = Prefetched(make, position, stop, workers, ahead, loader.timeout)

    def __next__(self) -> Any:
        loader = self._loader
        current = loader._iterator is self.token
        try:
            batch = next(self._batches)
        except StopIteration:
            if current and self._position == self._stop:
                loader._stand(loader._epoch + 1, 0)
            raise
        except BaseException:
            self._batches = iter(())  # an epoch with an error is over; the loader stands at the batch that failed
            raise
        self._position += 1
        if current:
            loader._position = self._position
        return batch


def _transformed(batch: Any, transform: Any) -> Any:
    if callable(transform):
        return transform(batch)
    if not isinstance(batch, tuple) or len(batch) != len(transform):
        got = f"a batch of {len(batch)} fields" if isinstance(batch, tuple) else f"a {type(batch).__name__}"
        raise ValueError(f"[DataLoader] transform got {got}, expected a tuple of {len(transform)}, as transform has")
    fields = [field if f is None else f(field) for f, field in zip(transform, batch)]
    return type(batch)(*fields) if hasattr(batch, "_fields") else tuple(fields)


def _at_least(name: str, got: Any, least: int) -> None:
    if isinstance(got, bool) or not isinstance(got, (int, np.integer)) or got < least:
        raise ValueError(f"[DataLoader] {name} got {got!r}, expected an integer, at least {least}")
