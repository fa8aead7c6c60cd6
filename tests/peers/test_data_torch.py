"""Datasets and loaders beside PyTorch's: the same batches where the order is given; either takes the other's data."""

from __future__ import annotations

import numpy as np
import pytest

from cinta import data

torch = pytest.importorskip("torch")
peer = torch.utils.data

X, Y = np.random.default_rng(0).normal(size=(23, 3)).astype(np.float32), np.arange(23) % 4


def arrays(batches):
    return [[np.asarray(field) for field in batch] for batch in batches]


def check_same(ours, theirs):
    ours, theirs = arrays(ours), arrays(theirs)
    assert len(ours) == len(theirs)
    for batch, other in zip(ours, theirs):
        assert [field.dtype for field in batch] == [field.dtype for field in other]
        for field, expected in zip(batch, other, strict=True):
            np.testing.assert_array_equal(field, expected)


def both():
    return data.TensorDataset(X, Y), peer.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "arguments",
    [
        dict(),
        dict(batch_size=5),
        dict(batch_size=5, drop_last=True),
        dict(batch_size=100),
        dict(batch_size=100, drop_last=True),
        dict(batch_size=4, sampler=[5, 3, 3, 20, 0]),
        dict(batch_sampler=[[1, 2], [22], [5, 4, 3]]),
    ],
)
def test_the_same_batches(arguments, workers):
    ours, theirs = both()
    loader, other = data.DataLoader(ours, num_workers=workers, **arguments), peer.DataLoader(theirs, **arguments)
    assert len(loader) == len(other)
    check_same(loader, other)


def test_subsets_and_concatenations():
    ours, theirs = both()
    check_same(
        data.DataLoader(data.ConcatDataset([data.Subset(ours, [4, 1]), ours]), 6),
        peer.DataLoader(peer.ConcatDataset([peer.Subset(theirs, [4, 1]), theirs]), 6),
    )


def test_either_loader_takes_the_others_dataset():
    class Rows(peer.Dataset):
        def __getitem__(self, index):
            return X[index], int(Y[index])

        def __len__(self):
            return len(X)

    class OurRows(data.Dataset):
        __getitem__, __len__ = Rows.__getitem__, Rows.__len__

    expected = list(peer.DataLoader(Rows(), 4))
    check_same(data.DataLoader(Rows(), 4, num_workers=2), expected)
    check_same(peer.DataLoader(OurRows(), 4), expected)
    check_same(data.DataLoader(data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), 4), expected)


def test_their_distributed_sampler_is_told_the_epoch():
    ours, theirs = both()
    kinds = [peer.DistributedSampler(theirs, num_replicas=2, rank=1, seed=7) for _ in range(2)]
    loader, other = data.DataLoader(ours, 4, sampler=kinds[0]), peer.DataLoader(theirs, 4, sampler=kinds[1])
    for epoch in range(3):
        kinds[1].set_epoch(epoch)
        check_same(loader, other)


def test_collate():
    samples = [
        {"x": X[i], "pair": (int(Y[i]), [True, np.float64(i)]), "name": str(i), "t": torch.arange(3)} for i in range(4)
    ]
    ours = data.default_collate([{**sample, "t": sample["t"].numpy()} for sample in samples])
    theirs = peer.default_collate(samples)
    assert ours["name"] == theirs["name"]
    for got, expected in (
        (ours["x"], theirs["x"]),
        (ours["pair"][0], theirs["pair"][0]),
        (ours["pair"][1][0], theirs["pair"][1][0]),
        (ours["pair"][1][1], theirs["pair"][1][1]),
        (ours["t"], theirs["t"]),
    ):
        check_same([[got]], [[expected]])


@pytest.mark.parametrize("lengths", [[0.5, 0.5], [0.3, 0.3, 0.4], [20, 3], [0.9, 0.1]])
def test_splits_of_the_same_sizes(lengths):
    ours, theirs = both()
    assert [len(part) for part in data.random_split(ours, lengths)] == [
        len(part) for part in peer.random_split(theirs, lengths)
    ]


def test_padding():
    sequences = [np.arange(n, dtype=np.float32) for n in (3, 1, 5)]
    values, lengths = data.pad_collate(sequences, padding_value=-1)
    expected = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(s) for s in sequences], True, -1)
    np.testing.assert_array_equal(values.numpy(), expected.numpy())
    assert lengths.tolist() == [3, 1, 5]
