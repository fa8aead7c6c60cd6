"""Orders of samples: from (seed, epoch) alone, every sample where it should be, similar lengths together."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from cinta.data import BucketSampler, DataLoader, RandomSampler, Sampler, SequentialSampler, WeightedRandomSampler
from cinta.data.streams import mixed, stream


def orders(sampler, epochs=3):
    found = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        found.append(list(sampler))
    return found


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: RandomSampler(range(50), seed=seed),
        lambda seed: RandomSampler(range(50), replacement=True, seed=seed),
        lambda seed: RandomSampler(range(50), num_samples=20, seed=seed),
        lambda seed: WeightedRandomSampler(np.arange(50), 70, seed=seed),
        lambda seed: WeightedRandomSampler(np.arange(50), 30, replacement=False, seed=seed),
        lambda seed: BucketSampler(np.arange(50) % 7, 4, seed=seed),
    ],
)
def test_seed_and_epoch_alone_decide(make):
    first = orders(make(1))
    ct.random.normal(shape=(5,))  # what others draw does not matter
    assert first == orders(make(1))
    assert first != orders(make(2))
    assert first[0] != first[1] != first[2]
    assert [len(order) for order in first] == [len(make(1))] * 3


def test_drawing_an_order_leaves_the_stream_of_the_process_alone():
    sampler = RandomSampler(range(50), seed=1)
    before = ct.random.get_state()
    list(sampler)
    assert ct.random.get_state() == before


def test_every_sample_once():
    for n in (0, 1, 2, 1000):
        assert sorted(RandomSampler(range(n), seed=0)) == list(range(n)) == list(SequentialSampler(range(n)))
    chosen = list(RandomSampler(range(100), num_samples=60, seed=0))
    assert len(set(chosen)) == 60


def test_all_orders_are_equally_likely():
    counts = np.zeros((4, 4))
    for seed in range(2000):
        counts[range(4), list(RandomSampler(range(4), seed=seed))] += 1
    assert abs(counts - 500).max() < 5 * np.sqrt(2000 * 3 / 16)  # five deviations


def test_weights_decide_how_often():
    weights = np.array([0, 1, 2, 5])
    drawn = np.bincount(list(WeightedRandomSampler(weights, 80000, seed=0)), minlength=4)
    assert drawn[0] == 0
    np.testing.assert_allclose(drawn[1:], [10000, 20000, 50000], rtol=0.03)


def test_weights_without_replacement():
    firsts = np.zeros(4)
    for seed in range(2000):
        order = list(WeightedRandomSampler([0, 1, 2, 5], 3, replacement=False, seed=seed))
        assert sorted(order) == [1, 2, 3]
        firsts[order[0]] += 1
    np.testing.assert_allclose(firsts / 2000, [0, 1 / 8, 2 / 8, 5 / 8], atol=0.04)


@pytest.mark.parametrize("weights", [[-1, 2], [np.nan, 1], [[1, 2]], [np.inf]])
def test_wrong_weights(weights):
    with pytest.raises(ValueError, match=r"weights got values of shape .* expected finite numbers \[N\], 0 or more"):
        WeightedRandomSampler(weights, 1)


def test_more_samples_than_there_are():
    with pytest.raises(ValueError, match=r"\[RandomSampler\] num_samples got 4, expected 0 to 3"):
        RandomSampler(range(3), num_samples=4)
    with pytest.raises(ValueError, match=r"num_samples got 2, expected 0 to 1"):
        WeightedRandomSampler([0, 1], 2, replacement=False)
    with pytest.raises(ValueError, match="num_samples got 1, expected 0 to 0"):
        WeightedRandomSampler([0, 0], 1)


def test_a_sampler_without_an_order():
    with pytest.raises(NotImplementedError, match=r"\[Sampler\] Sampler has no __iter__"):
        iter(Sampler())


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("n", [0, 1, 31, 32, 5000])
def test_buckets_hold_every_sample_once(n, shuffle):
    lengths = np.random.default_rng(0).integers(1, 200, n)
    sampler = BucketSampler(lengths, 32, shuffle=shuffle, seed=0)
    batches = list(sampler)
    assert sorted(i for batch in batches for i in batch) == list(range(n))
    assert sum(len(batch) != 32 for batch in batches) <= 1
    assert len(batches) == len(sampler)
    full = list(BucketSampler(lengths, 32, shuffle=shuffle, seed=0, drop_last=True))
    assert [len(batch) for batch in full] == [32] * (n // 32)


def test_buckets_waste_little_padding():
    lengths = np.random.default_rng(0).integers(1, 200, 10000)

    def padded(batches):
        return sum(len(batch) * lengths[batch].max() for batch in batches) / lengths.sum()

    order = np.random.default_rng(1).permutation(10000)
    at_random = padded([order[i : i + 32] for i in range(0, 10000, 32)])
    bucketed = padded([np.array(batch) for batch in BucketSampler(lengths, 32, seed=0)])
    assert at_random > 1.8
    assert bucketed < 1.03


def test_buckets_come_in_random_order():
    lengths = np.arange(3200)
    means = [np.mean(batch) for batch in BucketSampler(lengths, 32, seed=0)]
    assert abs(np.corrcoef(means, range(100))[0, 1]) < 0.3


@pytest.mark.parametrize(("lengths", "size"), [([[1]], 2), (["a"], 2), ([1], 0)])
def test_wrong_buckets(lengths, size):
    with pytest.raises(ValueError, match=r"\[BucketSampler\] (lengths|batch_size) got"):
        BucketSampler(lengths, size)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [0, 1, 20, 23])
def test_shards_share_nothing_and_lack_nothing(n, count, drop_last, shuffle):
    loaders = [DataLoader(range(n), 3, shuffle, seed=5, shard=(i, count), drop_last=drop_last) for i in range(count)]
    shards = [[i for batch in loader for i in batch.tolist()] for loader in loaders]
    for shard, loader in zip(shards, loaders):
        assert len(loader) == len(list(loader))
        assert len(shard) == sum(len(batch) for batch in loader)
    seen = sorted(i for shard in shards for i in shard)
    assert len(set(seen)) == len(seen)
    sizes = [len(shard) for shard in shards]
    if drop_last:
        assert set(sizes) == {n // count // 3 * 3}
    else:
        assert seen == list(range(n))
        assert max(sizes) - min(sizes) <= 1


def test_shards_together_make_the_batches_of_one():
    whole = [batch.tolist() for batch in DataLoader(range(24), 8, shuffle=True, seed=0)]
    halves = [DataLoader(range(24), 4, shuffle=True, seed=0, shard=(i, 2)) for i in range(2)]
    assert [sorted(a.tolist() + b.tolist()) for a, b in zip(*halves)] == [sorted(batch) for batch in whole]


def test_shards_of_buckets():
    lengths = np.random.default_rng(0).integers(1, 50, 100)
    shards = [DataLoader(range(100), 8, shuffle=True, bucket_by=lengths, seed=1, shard=(i, 3)) for i in range(3)]
    assert sorted(i for shard in shards for batch in shard for i in batch.tolist()) == list(range(100))
    assert [len(shard) for shard in shards] == [5, 4, 4]


def test_streams_are_apart():
    def drawn(key, number=0):
        with stream(key, number):
            return ct.random.uniform(shape=(1000,)).numpy()

    ct.random.seed(7)
    outside = ct.random.get_state()
    rows = np.stack([drawn(key, number) for key in (0, 1, mixed(0, 0), mixed(0, 1)) for number in (0, 1, 2)])
    assert ct.random.get_state() == outside
    assert (abs(np.corrcoef(rows) - np.eye(len(rows))) < 0.15).all()
    np.testing.assert_array_equal(drawn(3, 4), drawn(3, 4))
    with stream(1), stream(2):  # they nest
        inner = ct.random.uniform(shape=(4,)).numpy()
        state = ct.random.get_state()
    np.testing.assert_array_equal(inner, drawn(2)[:4])
    assert state != outside == ct.random.get_state()


def test_mixed_keys_differ():
    keys = {mixed(a, b) for a in range(-100, 100) for b in range(100)}
    assert len(keys) == 20000
    assert all(0 <= key < 1 << 64 for key in keys)


def test_a_stream_of_its_own_is_no_part_of_a_recording():
    @ct.compile
    def step(x):
        with stream(1):
            return x + ct.random.uniform(shape=(2,))

    with pytest.raises(RuntimeError, match=r"\[own_stream\] another stream .* is being recorded"):
        step(ct.ones(2))
    assert ct.random.own_stream(None) is None  # and none was left
