"""DataLoader: what its batches are, in which order, and how it says no."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

import cinta as ct
from cinta.data import DataLoader, Dataset, RandomSampler, TensorDataset, pad_collate

X, Y = np.arange(46.0, dtype=np.float32).reshape(23, 2), np.arange(23)


def indices_of(loader):
    return [batch[1].tolist() for batch in loader]


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("size", [1, 5, 23, 100])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_in_order(size, drop_last, workers):
    loader = DataLoader(TensorDataset(X, Y), size, drop_last=drop_last, num_workers=workers)
    batches = list(loader)
    expected = [Y[i : i + size] for i in range(0, 23, size)]
    if drop_last:
        expected = [batch for batch in expected if len(batch) == size]
    assert len(batches) == len(loader) == len(expected)
    for (x, y), want in zip(batches, expected):
        np.testing.assert_array_equal(y.numpy(), want)
        np.testing.assert_array_equal(x.numpy(), X[want])


def test_shuffled_epochs_differ_and_repeat():
    loader = DataLoader(TensorDataset(X, Y), 4, shuffle=True, seed=3)
    first, second = indices_of(loader), indices_of(loader)
    assert first != second
    for epoch in (first, second):
        assert sorted(i for batch in epoch for i in batch) == list(range(23))
    other = DataLoader(TensorDataset(X, Y), 4, shuffle=True, seed=3, num_workers=3)
    assert (indices_of(other), indices_of(other)) == (first, second)
    loader.set_epoch(0)
    assert indices_of(loader) == first
    assert indices_of(DataLoader(TensorDataset(X, Y), 4, shuffle=True, seed=4)) != first


def test_without_a_seed_ct_random_decides():
    def order(seed):
        ct.random.seed(seed)
        return indices_of(DataLoader(TensorDataset(X, Y), 4, shuffle=True))

    assert order(0) == order(0) != order(1)


def test_a_loader_that_draws_nothing_takes_nothing_from_ct_random():
    before = ct.random.get_state()
    list(DataLoader(TensorDataset(X, Y), 4))
    assert ct.random.get_state() == before


def test_anything_with_an_index_and_a_length():
    assert [batch.tolist() for batch in DataLoader([1, 2, 3], 2)] == [[1, 2], [3]]
    assert list(DataLoader("abc", 2)) == [["a", "b"], ["c"]]
    assert list(DataLoader([], 2)) == []


def test_collate_fn_gets_samples():
    loader = DataLoader(TensorDataset(X, Y), 4, collate_fn=lambda samples: [y.item() for _, y in samples])
    assert next(iter(loader)) == [0, 1, 2, 3]


def test_samplers_of_ones_own():
    assert indices_of(DataLoader(TensorDataset(X, Y), 2, sampler=[4, 2, -1])) == [[4, 2], [22]]
    assert indices_of(DataLoader(TensorDataset(X, Y), batch_sampler=[[1], [5, 3]])) == [[1], [5, 3]]
    loader = DataLoader(TensorDataset(X, Y), 6, sampler=RandomSampler(X, num_samples=12, seed=1))
    assert len(loader) == 2
    first, second = indices_of(loader), indices_of(loader)
    assert first != second  # the loader tells the sampler which epoch it is


def test_buckets_are_padded_with_little():
    sentences = [[i] * (1 + i * 7 % 50) for i in range(200)]
    for bucket_by in ([len(sentence) for sentence in sentences], len):
        loader = DataLoader(sentences, 8, shuffle=True, bucket_by=bucket_by, collate_fn=pad_collate, seed=0)
        batches = list(loader)
        assert len(batches) == len(loader) == 25
        assert sorted(int(row[0]) for batch in batches for row in batch.values) == list(range(200))
        for values, lengths in batches:
            assert values.shape == (8, int(lengths.max().item()))
            assert (lengths.max() - lengths.min()).item() <= 4
            np.testing.assert_array_equal((values != 0).sum(axis=1).numpy()[values[:, 0].numpy() != 0],
                                          lengths.numpy()[values[:, 0].numpy() != 0])  # fmt: skip


class Pair(NamedTuple):
    x: ct.Tensor
    y: ct.Tensor


@pytest.mark.parametrize("workers", [0, 2])
def test_transforms_of_whole_batches(workers):
    def run(transform, collate_fn=None):
        return next(
            iter(DataLoader(TensorDataset(X, Y), 4, transform=transform, collate_fn=collate_fn, num_workers=workers))
        )

    x, y = run(lambda batch: (batch[0] * 2, batch[1]))
    np.testing.assert_array_equal(x.numpy(), 2 * X[:4])
    x, y = run((lambda x: x + 1, None))
    np.testing.assert_array_equal(x.numpy(), X[:4] + 1)
    assert y.tolist() == [0, 1, 2, 3]
    pair = run((None, lambda y: -y), lambda samples: Pair(*(ct.stack(list(column)) for column in zip(*samples))))
    assert isinstance(pair, Pair)
    assert pair.y.tolist() == [0, -1, -2, -3]
    with pytest.raises(ValueError, match="transform got a batch of 2 fields, expected a tuple of 3"):
        run((None, None, None))
    with pytest.raises(ValueError, match="transform got a dict, expected a tuple of 1"):
        run((None,), lambda samples: {})


class Noisy(Dataset):
    def __getitem__(self, index):
        return ct.random.normal(shape=(2,))

    def __len__(self):
        return 30


@pytest.mark.parametrize("dataset", [Noisy(), TensorDataset(X)])
def test_draws_depend_on_seed_epoch_and_batch_alone(dataset):
    def noise(batch):
        (x,) = batch if isinstance(batch, tuple) else (batch,)
        return x + ct.random.normal(shape=tuple(x.shape))

    def epochs(workers, disturb=False):
        loader = DataLoader(dataset, 4, shuffle=True, seed=9, transform=noise, num_workers=workers)
        found = []
        for _ in range(2):
            for batch in loader:
                found.append(batch.numpy())
                if disturb:
                    ct.random.normal(shape=(3,))
        return np.concatenate(found)

    ct.random.seed(0)
    state = ct.random.get_state()
    expected = epochs(0)
    assert ct.random.get_state() == state
    for workers in (0, 1, 4):
        np.testing.assert_array_equal(epochs(workers, disturb=True), expected)


def test_nothing_is_recorded_or_cast():
    w = ct.ones((2, 2)).requires_grad_()
    (x,) = next(iter(DataLoader(TensorDataset(X), 4, transform=lambda batch: (batch[0] @ w,))))
    assert not x.requires_grad
    assert (w * 2).requires_grad  # and the mode is back
    with ct.autocast(dtype=ct.bfloat16):
        (x,) = next(iter(DataLoader(TensorDataset(X), 4, transform=lambda batch: (batch[0] @ w,))))
        assert x.dtype == ct.float32
        assert (ct.ones((2, 2)) @ w).dtype == ct.bfloat16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(batch_size=0), r"\[DataLoader\] batch_size got 0, expected an integer, at least 1"),
        (dict(batch_size=None), "batch_size got None"),
        (dict(batch_size=2.5), "batch_size got 2.5"),
        (dict(num_workers=-1), "num_workers got -1, expected an integer, at least 0"),
        (dict(prefetch_factor=0), "prefetch_factor got 0"),
        (dict(timeout=-1), "timeout got -1"),
        (dict(shard=(2, 2)), r"shard got \(2, 2\), expected \(index, count\)"),
        (dict(shard=(0, 2), shuffle=True), "shards of a shuffled order without seed"),
        (dict(shuffle=True, sampler=[1]), "got shuffle and sampler, expected one"),
        (dict(sampler=[1], batch_sampler=[[1]]), "got sampler and batch_sampler"),
        (dict(sampler=[1], bucket_by=len), "got sampler and bucket_by"),
        (dict(batch_sampler=[[1]], batch_size=2), "batch_size or drop_last beside batch_sampler"),
        (dict(batch_sampler=[[1]], drop_last=True), "batch_size or drop_last beside batch_sampler"),
        (dict(sampler=iter([1])), "sampler got a list_iterator, which is empty after one epoch"),
        (dict(bucket_by=[1, 2]), r"bucket_by got shape \(2,\), expected \(23,\)"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(TensorDataset(X, Y), **arguments)


@pytest.mark.parametrize("arguments", [dict(sampler=[23]), dict(batch_sampler=[[0], [23]])])
def test_a_sampler_that_gives_what_is_not_there(arguments):
    with pytest.raises(IndexError, match=r"\[DataLoader\] index 23 is out of bounds for 23 samples"):
        iter(DataLoader(TensorDataset(X, Y), **arguments))


def test_compiled_steps_take_batches():
    w = ct.zeros((2,)).requires_grad_()

    @ct.compile
    def loss(x, y):
        return ((x @ w - y) ** 2).mean()

    for x, y in DataLoader(TensorDataset(X, Y.astype(np.float32)), 4, shuffle=True, seed=0):
        assert loss(x, y).item() == pytest.approx(float((y.numpy() ** 2).mean()))
