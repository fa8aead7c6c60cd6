"""Datasets and how samples become batches, against NumPy."""

from __future__ import annotations

from collections import namedtuple
from fractions import Fraction

import numpy as np
import pytest

import cinta as ct
from cinta.data import ConcatDataset, Dataset, Padded, Subset, TensorDataset, default_collate, pad_collate, random_split


class Squares(Dataset):
    def __init__(self, n):
        self.n = n

    def __getitem__(self, index):
        if not 0 <= index < self.n:
            raise IndexError(f"no square {index}")
        return index, float(index**2)

    def __len__(self):
        return self.n


def columns(batch):
    return [np.asarray(field).tolist() for field in batch]


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "uint8", "bool", "bfloat16"])
@pytest.mark.parametrize("shape", [(7,), (7, 3), (7, 2, 3, 4), (7, 0)])
def test_a_gather_is_numpys(kind, shape):
    x = ct.asarray(np.random.default_rng(0).integers(0, 2, shape)).astype(kind)
    indices = [6, 0, 0, 3]
    (batch,) = TensorDataset(x).gather(indices)
    assert batch.dtype == x.dtype
    np.testing.assert_array_equal(batch.astype("float64").numpy(), x.astype("float64").numpy()[indices])


def test_tensor_datasets_see_arrays_and_keep_their_dtypes():
    x, y = np.zeros((3, 2), np.float64), np.arange(3, dtype=np.uint8)
    dataset = TensorDataset(x, y)
    x[1] = 5
    assert [field.dtype for field in dataset.gather([1])] == [ct.float64, ct.uint8]
    assert columns(dataset[1]) == [[5, 5], 1]
    assert columns(dataset[-2:]) == [[[5, 5], [0, 0]], [1, 2]]
    assert len(dataset) == 3


def test_memory_mapped_and_read_only_arrays(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(6, 2))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert columns(TensorDataset(mapped).gather([5, 0])) == [[[10, 11], [0, 1]]]
    assert columns(TensorDataset(mapped[::-2]).gather([0])) == [[[10, 11]]]
    writable = np.load(tmp_path / "x.npy", mmap_mode="r+")
    dataset = TensorDataset(writable)
    writable[3] = 7
    assert columns(dataset.gather([3])) == [[[7, 7]]]


def test_no_gradient_flows_into_a_dataset():
    x = ct.ones((3, 2)).requires_grad_()
    assert not TensorDataset(x).gather([0])[0].requires_grad


def test_an_empty_batch_and_an_empty_dataset():
    assert TensorDataset(np.zeros((3, 2))).gather([])[0].shape == (0, 2)
    assert len(TensorDataset(np.zeros((0, 2)))) == 0


@pytest.mark.parametrize("arrays", [(np.zeros(3), np.zeros(4)), (np.zeros(3), np.float64(1))])
def test_tensors_of_other_lengths(arrays):
    with pytest.raises(
        ValueError, match=r"\[TensorDataset\] got tensors of shapes \(3,\), .* first axes of one length"
    ):
        TensorDataset(*arrays)


def test_no_tensors():
    with pytest.raises(ValueError, match="got no tensors, expected at least 1"):
        TensorDataset()


def test_an_index_out_of_bounds():
    with pytest.raises(IndexError):
        TensorDataset(np.zeros(3)).gather([3])


def test_samples_one_by_one_say_which_failed():
    with pytest.raises(IndexError, match="no square 12") as error:
        Squares(10).gather([3, 12])
    assert any("sample 12 of Squares with 10 samples" in note for note in getattr(error.value, "__notes__", [])) or (
        "sample 12 of Squares with 10 samples" in str(error.value.__cause__)
    )


def test_a_dataset_without_its_methods():
    with pytest.raises(NotImplementedError, match=r"Dataset has no __len__"):
        len(Dataset())
    with pytest.raises(NotImplementedError, match=r"has no __getitem__"):
        Dataset()[0]


@pytest.mark.parametrize("whole", [TensorDataset(np.arange(10), np.arange(10.0) ** 2), Squares(10), list(range(10))])
def test_subsets(whole):
    subset = Subset(Subset(whole, [9, -2, 3, 0]), np.array([3, 1, 0]))  # 0, 8, 9
    assert len(subset) == 3
    batch = subset.gather([2, 2, 0])
    first = batch if isinstance(whole, list) else batch[0]
    assert first.tolist() == [9, 9, 0]
    assert np.asarray(subset[1] if isinstance(whole, list) else subset[1][0]) == 8


def test_subset_of_what_is_not_there():
    with pytest.raises(IndexError, match=r"\[Subset\] index 10 is out of bounds for 10 samples"):
        Subset(Squares(10), [0, 10])
    with pytest.raises(IndexError, match="index -11 is out"):
        Subset(Squares(10), [-11, 0])
    with pytest.raises(TypeError, match=r"got float64 of shape \(1,\), expected integers \[N\]"):
        Subset(Squares(10), [0.5])


@pytest.mark.parametrize("whole_batches", [True, False])
def test_concatenated(whole_batches):
    parts = [np.arange(3), np.arange(0), np.arange(10, 14), np.arange(20, 21)]
    both = ConcatDataset(
        [TensorDataset(part, part * 2.0) if whole_batches else Subset(part, range(len(part))) for part in parts]
    )
    flat = np.concatenate(parts)
    assert len(both) == 8
    order = np.random.default_rng(0).permutation(8)
    for indices in (order, order[:1], [7, 7, 0], [-1, -8], []):
        if not whole_batches and not len(indices):
            continue
        batch = both.gather(indices)
        got = batch[0] if whole_batches else batch
        np.testing.assert_array_equal(got.numpy(), flat[np.asarray(indices, int)])
    assert np.asarray(both[-1][0] if whole_batches else both[-1]) == 20
    with pytest.raises(IndexError, match="index 8 is out of bounds for 8 samples"):
        both[8]


def test_nothing_to_concatenate():
    with pytest.raises(ValueError, match="got no datasets"):
        ConcatDataset([])


def test_random_splits_share_nothing():
    parts = random_split(Squares(103), [0.5, 0.3, 0.2], seed=3)
    assert [len(part) for part in parts] == [52, 31, 20]  # rounded down, what is left over to the first
    assert sorted(i for part in parts for i in part.indices) == list(range(103))
    again = random_split(Squares(103), [0.5, 0.3, 0.2], seed=3)
    assert [part.indices.tolist() for part in parts] == [part.indices.tolist() for part in again]
    assert parts[0].indices.tolist() != random_split(Squares(103), [52, 51], seed=4)[0].indices.tolist()


def test_a_split_without_a_seed_follows_ct_random():
    ct.random.seed(5)
    first = random_split(Squares(20), [15, 5])[0].indices.tolist()
    other = random_split(Squares(20), [15, 5])[0].indices.tolist()
    ct.random.seed(5)
    assert first == random_split(Squares(20), [15, 5])[0].indices.tolist() != other


@pytest.mark.parametrize("lengths", [[5, 6], [0.5, 0.6], [-1, 11], [2.5, 7.5], []])
def test_lengths_that_do_not_add_up(lengths):
    with pytest.raises(ValueError, match=r"\[random_split\] lengths got"):
        random_split(Squares(10), lengths, seed=0)


def test_fractions_and_whole_numbers():
    assert [len(part) for part in random_split(Squares(10), [0.1] * 10, seed=0)] == [1] * 10
    assert [len(part) for part in random_split(Squares(3), [Fraction(1, 3), Fraction(2, 3)], seed=0)] == [1, 2]
    assert [len(part) for part in random_split(Squares(1), [1], seed=0)] == [1]
    assert [len(part) for part in random_split(Squares(4), [4, 0], seed=0)] == [4, 0]


Point = namedtuple("Point", "x y")


def test_collate_goes_into_every_structure():
    samples = [
        {"point": Point(np.float32([1, 2]), 3), "name": "a", "list": [1.5, True], "t": ct.ones(2), "s": np.float16(2)},
        {"point": Point(np.float32([4, 5]), 6), "name": "b", "list": [2, False], "t": ct.zeros(2), "s": np.float16(3)},
    ]
    batch = default_collate(samples)
    assert isinstance(batch["point"], Point)
    assert batch["point"].x.dtype == ct.float32
    assert batch["point"].y.dtype == ct.int64
    assert columns(batch["point"]) == [[[1, 2], [4, 5]], [3, 6]]
    assert batch["name"] == ["a", "b"]
    assert [str(field.dtype) for field in batch["list"]] == ["float32", "bool"]
    assert batch["t"].tolist() == [[1, 1], [0, 0]]
    assert batch["s"].dtype == ct.float16


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        ([], ValueError, "got no samples"),
        ([(np.zeros(2), 1), (np.zeros(3), 1)], ValueError, r"sample\[0\] 1 of the batch has shape \(3,\), sample 0"),
        ([{"a": 1}, {"b": 1}], ValueError, r"1 of the batch is a dict with keys \['b'\], sample 0 a dict with keys"),
        ([(1, 2), (1,)], ValueError, "tuple with fields 1, sample 0 a tuple with fields 2"),
        ([None, None], TypeError, "got a NoneType, expected tensors"),
        ([(1, object())], TypeError, r"sample\[1\] got a object"),
    ],
)  # fmt: skip
def test_what_cannot_be_collated(samples, error, message):
    with pytest.raises(error, match=message):
        default_collate(samples)


def test_padding_gives_lengths():
    sequences = [np.ones((2, 3), np.float32), np.ones((0, 3), np.float32), 2 * np.ones((4, 3), np.float32)]
    padded, labels = pad_collate([(sequence, i) for i, sequence in enumerate(sequences)], padding_value=-1)
    assert isinstance(padded, Padded)
    assert padded.lengths.tolist() == [2, 0, 4]
    assert padded.values.shape == (3, 4, 3)
    for i, sequence in enumerate(sequences):
        np.testing.assert_array_equal(padded.values[i, : len(sequence)].numpy(), sequence)
        assert (padded.values[i, len(sequence) :].numpy() == -1).all()
    assert labels.tolist() == [0, 1, 2]


def test_lists_of_numbers_are_sequences_to_pad():
    (words, tags), names = pad_collate([(([1, 2, 3], [0.5]), "x"), (([4], [1.0, 2.0]), "y")])
    assert words.values.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert words.values.dtype == ct.int64
    assert tags.values.tolist() == [[0.5, 0], [1, 2]]
    assert tags.values.dtype == ct.float32
    assert names == ["x", "y"]


def test_padding_to_a_multiple():
    (values, lengths) = pad_collate([[1, 2, 3, 4, 5], [6]], padding_value=9, pad_to_multiple_of=4)
    assert values.tolist() == [[1, 2, 3, 4, 5, 9, 9, 9], [6, 9, 9, 9, 9, 9, 9, 9]]
    assert lengths.tolist() == [5, 1]
    assert pad_collate([[1, 2], [3]], pad_to_multiple_of=2).values.shape == (2, 2)
    assert pad_collate([np.zeros((0, 3))], pad_to_multiple_of=2).values.shape == (1, 0, 3)
    with pytest.raises(ValueError, match="pad_to_multiple_of got 0, expected at least 1"):
        pad_collate([[1]], pad_to_multiple_of=0)


def test_padding_of_half_dtypes_and_of_other_shapes():
    half = pad_collate([ct.ones(2, dtype="bfloat16"), ct.ones(1, dtype="bfloat16")])
    assert half.values.dtype == ct.bfloat16
    with pytest.raises(
        ValueError, match=r"\[pad_collate\] sample 1 of the batch has shape \(2, 4\), sample 0 \(2, 3\)"
    ):
        pad_collate([np.ones((2, 3)), np.ones((2, 4))])
