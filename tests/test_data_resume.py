"""An epoch that was left in the middle goes on with the very next batch, also where workers were ahead of it."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

import cinta as ct
from cinta.data import BucketSampler, DataLoader, RandomSampler, TensorDataset, WeightedRandomSampler

X = np.arange(50.0, dtype=np.float32)


def noise(batch):
    (x,) = batch
    return x, x + ct.random.normal(shape=tuple(x.shape))


class Restless:
    """Without `set_epoch`: nobody can have its order again."""

    def __init__(self):
        self.rng = np.random.default_rng()

    def __iter__(self):
        return iter(self.rng.permutation(50).tolist())

    def __len__(self):
        return 50


class RestlessBatches(Restless):
    def __iter__(self):
        return iter(np.split(self.rng.permutation(50), [3, 20, 20, 41]))

    def __len__(self):
        return 5


ORDERS = {
    "sequential": lambda: dict(batch_size=4),
    "shuffled": lambda: dict(batch_size=4, shuffle=True),
    "drop_last": lambda: dict(batch_size=4, shuffle=True, drop_last=True),
    "shard": lambda: dict(batch_size=4, shuffle=True, shard=(1, 2), seed=3),
    "buckets": lambda: dict(batch_size=4, shuffle=True, bucket_by=np.arange(50) % 9),
    "sampler": lambda: dict(batch_size=4, sampler=RandomSampler(X)),
    "weighted": lambda: dict(batch_size=4, sampler=WeightedRandomSampler(X, 30)),
    "batch sampler": lambda: dict(batch_sampler=BucketSampler(np.arange(50) % 9, 4)),
    "restless": lambda: dict(batch_size=4, sampler=Restless()),
    "restless batches": lambda: dict(batch_sampler=RestlessBatches()),
}


def make(order, workers):
    return DataLoader(TensorDataset(X), transform=noise, num_workers=workers, **ORDERS[order]())


def taken(batches, count=None):
    return [tuple(field.tolist() for field in batch) for batch in itertools.islice(batches, count)]


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("order", ORDERS)
def test_resuming_goes_on_with_the_very_next_batch(order, workers, tmp_path):
    ct.random.seed(1)
    repeatable = "restless" not in order
    whole = make(order, workers)
    n = len(whole)
    for epoch, position in [(0, 0), (0, 1), (1, n // 2), (1, n - 1), (2, n)]:
        whole.set_epoch(epoch + 10)
        whole.set_epoch(epoch)
        batches = iter(whole)
        before = taken(batches, position)
        ct.save(tmp_path / "state.safetensors", whole.state_dict())
        rest = taken(batches)
        after = taken(whole)
        ct.random.seed(99)
        resumed = make(order, (workers + 1) % 3)  # another seed, another number of workers
        resumed.load_state_dict(ct.load(tmp_path / "state.safetensors"))
        assert (resumed.epoch, len(before) + len(rest)) == (epoch, n)
        got = taken(resumed)
        if repeatable or position:
            assert got == rest
        assert resumed.epoch == epoch + 1
        if repeatable:
            assert taken(resumed) == after


def test_the_state_is_plain():
    loader = make("shuffled", 0)
    next(iter(loader))
    state = json.loads(json.dumps(loader.state_dict()))
    assert state == loader.state_dict()
    again = make("shuffled", 0)
    again.load_state_dict(state)
    assert again.state_dict() == state


def test_any_integer_is_a_seed():
    loaders = [DataLoader(TensorDataset(X), 4, shuffle=True, seed=seed) for seed in (-5, np.int64(-5), 1 << 70)]
    for loader in loaders:
        loader.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    first, again, other = (taken(loader) for loader in loaders)
    assert first == again != other
    with pytest.raises(TypeError):
        DataLoader(TensorDataset(X), 4, shuffle=True, seed=0.5)


def test_where_a_loader_stands():
    loader = DataLoader(TensorDataset(X), 25)
    where = []
    for _ in loader:
        where.append((loader.epoch, loader.state_dict()["position"]))
    assert where == [(0, 1), (0, 2)]
    assert (loader.epoch, loader.state_dict()["position"]) == (1, 0)
    next(iter(loader))
    assert (loader.epoch, loader.state_dict()["position"]) == (1, 1)
    next(iter(loader))  # the epoch that was broken off is over
    assert (loader.epoch, loader.state_dict()["position"]) == (2, 1)
    loader.set_epoch(2)  # begun before, so again from its beginning
    assert (loader.epoch, loader.state_dict()["position"]) == (2, 0)
    with pytest.raises(ValueError, match=r"\[DataLoader\] epoch got -1"):
        loader.set_epoch(-1)


def test_set_epoch_keeps_the_place_of_a_loaded_state():
    loader = make("shuffled", 0)
    batches = iter(loader)
    next(batches)
    state, rest = loader.state_dict(), taken(batches)
    loader.load_state_dict(state)
    loader.set_epoch(0)
    assert taken(loader) == rest
    loader.load_state_dict(state)
    loader.set_epoch(3)
    assert loader.state_dict()["position"] == 0


def test_an_old_iterator_does_not_move_the_loader():
    loader = make("shuffled", 0)
    old = iter(loader)
    next(old)
    state = loader.state_dict()
    list(old)
    loader.load_state_dict(state)
    next(iter(loader))
    older = loader.state_dict()
    assert list(old) == []
    assert loader.state_dict() == older


def test_what_a_worker_made_ahead_is_not_lost():
    loader = DataLoader(TensorDataset(X), 1, shuffle=True, seed=0, num_workers=4, prefetch_factor=8)
    batches = iter(loader)
    first = [next(batches)[0].item() for _ in range(5)]
    state = loader.state_dict()
    del batches  # with what was ahead
    loader.load_state_dict(state)
    assert sorted(first + [x.item() for (x,) in loader]) == X.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(batch_size=8), r"\[DataLoader\] state got batch_size 8, expected 4, as this loader has"),
        (dict(samples=51), "state got samples 51, expected 50"),
        (dict(shard=[0, 2]), r"state got shard \[0, 2\]"),
        (dict(order="SequentialSampler"), "state got order 'SequentialSampler', expected 'RandomSampler'"),
        (dict(drop_last=True), "state got drop_last True"),
        (dict(epoch=-1), "state got epoch -1, expected an integer, at least 0"),
        (dict(epoch="1"), "state got epoch '1'"),
        (dict(position=14), "state got position 14, expected at most 13, the number of batches"),
        (dict(position=True), "state got position True"),
        (dict(sampler_seed=None), "state got sampler_seed None"),
        (dict(seed=1.5), "state got seed 1.5"),
        (dict(extra=1), r"lacks \[\] and has unknown \['extra'\]"),
        (dict(batches=[np.arange(5), np.array([3])]), "state got 5 indices for batches of"),
        (dict(batches=[np.arange(60), np.array([60])]), "index 59 is out of bounds for 50"),
        (dict(batches=[1, 2, 3]), "state got batches"),
        (dict(batches="what"), "state got batches"),
    ],
)
def test_states_that_do_not_fit_change_nothing(change, message):
    loader = make("shuffled", 0)
    next(iter(loader))
    before = loader.state_dict()
    with pytest.raises(ValueError, match=message):
        loader.load_state_dict({**before, **change})
    with pytest.raises(ValueError, match=r"lacks \['epoch'\]"):
        loader.load_state_dict({key: value for key, value in before.items() if key != "epoch"})
    assert loader.state_dict() == before


def test_a_state_without_the_batches_that_only_the_sampler_knew():
    loader = make("restless", 0)
    next(iter(loader))
    with pytest.raises(ValueError, match="state got no batches, expected those of the epoch"):
        loader.load_state_dict({**loader.state_dict(), "batches": None})
