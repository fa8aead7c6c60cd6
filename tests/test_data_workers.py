"""Worker threads: the same order for any number of them, errors with their origin, and none left behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback

import numpy as np
import pytest

import cinta as ct
from cinta.data import DataLoader, Dataset, TensorDataset
from cinta.data.workers import Prefetched


def workers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("cinta-loader")]


@pytest.fixture(autouse=True)
def none_left_behind():
    assert not workers()
    yield
    gc.collect()
    assert not workers()


class Slow(Dataset):
    """The later samples are there first."""

    def __init__(self, n=12):
        self.n, self.asked = n, []

    def __getitem__(self, index):
        self.asked.append(index)
        time.sleep(0.004 * ((self.n - index) % 4))
        return index

    def __len__(self):
        return self.n


class Failing(Slow):
    def __init__(self, error=None, n=12, at=7):
        super().__init__(n)
        self.error, self.at = error, at

    def __getitem__(self, index):
        return self.fail() if index == self.at else super().__getitem__(index)

    def fail(self):
        raise self.error or KeyError("no such picture")


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_the_order_is_that_of_no_workers(count):
    loader = DataLoader(Slow(), 2, shuffle=True, seed=1, num_workers=count)
    plain = DataLoader(Slow(), 2, shuffle=True, seed=1)
    for _ in range(2):
        assert [batch.tolist() for batch in loader] == [batch.tolist() for batch in plain]
        assert not workers()  # they end with the last batch


def test_they_work_at_the_same_time():
    class Meeting(Dataset):
        barrier = threading.Barrier(3, timeout=20)

        def __getitem__(self, index):
            self.barrier.wait()  # goes on when three samples are being loaded
            return index

        def __len__(self):
            return 6

    assert [batch.item() for batch in DataLoader(Meeting(), 1, num_workers=3)] == list(range(6))


@pytest.mark.parametrize(("count", "factor"), [(1, 1), (2, 2), (3, 1)])
def test_they_run_ahead_so_far_and_no_farther(count, factor):
    dataset = Slow(40)
    batches = iter(DataLoader(dataset, 1, num_workers=count, prefetch_factor=factor))
    for taken in range(3):
        deadline = time.monotonic() + 10
        while len(dataset.asked) < taken + count * factor and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.03)
        assert len(dataset.asked) == taken + count * factor
        next(batches)


def test_breaking_out_ends_them():
    for batch in DataLoader(Slow(1000), 1, num_workers=3):
        if batch.item() == 4:
            assert len(workers()) == 3
            break
    assert not workers()


def test_dropping_or_losing_the_iterator_ends_them():
    batches = iter(DataLoader(Slow(1000), 1, num_workers=2))
    next(batches)
    del batches
    assert not workers()
    cycle = [iter(DataLoader(Slow(1000), 1, num_workers=2))]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert not workers()


def test_an_error_in_the_loop_ends_them():
    def loop():
        for _ in DataLoader(Slow(1000), 1, num_workers=2):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_errors_are_raised_where_their_batch_was_due(count):
    loader = DataLoader(Failing(), 2, num_workers=count)
    batches = iter(loader)
    assert [next(batches).tolist() for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(KeyError, match="no such picture") as error:
        next(batches)
    shown = "".join(traceback.format_exception(error.type, error.value, error.tb))
    assert "in fail" in shown  # the worker's own traceback
    assert "sample 7 of Failing with 12 samples" in shown
    if sys.version_info >= (3, 11):
        thread = "cinta-loader-" if count else "MainThread"
        assert f"batch 3 of epoch 0, samples [6, 7] of Failing with 12 samples, in thread {thread}" in shown
    assert not workers()
    assert list(batches) == []
    assert (loader.epoch, loader.state_dict()["position"]) == (0, 3)  # at the batch that failed
    del error, shown


@pytest.mark.parametrize("count", [0, 2])
def test_stop_iteration_does_not_end_an_epoch_in_silence(count):
    with pytest.raises(RuntimeError, match=r"batch 3 of epoch 0.*: got StopIteration"):
        list(DataLoader(Failing(StopIteration()), 2, num_workers=count))


@pytest.mark.parametrize("count", [0, 2])
def test_errors_of_collate_and_transform(count):
    def refuse(batch):
        raise OverflowError("too much")

    for arguments in (dict(collate_fn=refuse), dict(transform=refuse)):
        with pytest.raises(OverflowError, match="too much"):
            list(DataLoader(TensorDataset(np.zeros(4)), 2, num_workers=count, **arguments))


def test_an_error_leaves_nothing_alive():
    class Token:
        pass

    import weakref

    dataset = Failing()
    dataset.token = Token()
    alive = weakref.ref(dataset.token)
    gc.disable()
    try:
        with pytest.raises(KeyError) as error:
            list(DataLoader(dataset, 2, num_workers=2))
        del error, dataset
        assert alive() is None
    finally:
        gc.enable()


def test_workers_do_not_outlive_a_system_exit_in_one():
    with pytest.raises(SystemExit):
        list(DataLoader(Failing(SystemExit(3)), 2, num_workers=2))


def test_a_timeout():
    stuck = threading.Event()

    class Stuck(Dataset):
        def __getitem__(self, index):
            if index == 1:
                stuck.wait(30)
            return index

        def __len__(self):
            return 3

    batches = iter(DataLoader(Stuck(), 1, num_workers=1, timeout=0.8))
    assert next(batches).item() == 0
    threading.Timer(1.5, stuck.set).start()
    with pytest.raises(RuntimeError, match=r"\[DataLoader\] batch 1 was not there after timeout=0.8 seconds"):
        next(batches)
    assert list(batches) == []


def test_many_results_and_many_threads():
    made = []

    def make(number):
        made.append(number)
        return number * number

    assert list(Prefetched(make, 5, 3000, 8, 16)) == [n * n for n in range(5, 3000)]
    assert sorted(made) == list(range(5, 3000))
    assert list(Prefetched(make, 3, 3, 8, 16)) == []


def test_several_at_a_time():
    loader = DataLoader(Slow(), 3, shuffle=True, seed=0, num_workers=2)
    pairs = [(a.tolist(), b.tolist()) for a, b in zip(loader, loader)]
    first = DataLoader(Slow(), 3, shuffle=True, seed=0)
    expected = [[batch.tolist() for batch in first] for _ in range(2)]
    assert pairs == list(zip(*expected))  # two epochs, side by side


SCRIPT = """
import sys, time
from cinta.data import DataLoader, Dataset

class Slow(Dataset):
    def __getitem__(self, index):
        time.sleep({pause})
        return index

    def __len__(self):
        return 100000

batches = iter(DataLoader(Slow(), 1, num_workers=3))
next(batches)
print("begun", flush=True)
{then}
"""


def script(pause, then):
    code = textwrap.dedent(SCRIPT.format(pause=pause, then=then))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("pause", [0.001, 1])
def test_ctrl_c(pause):
    process = script(pause if pause < 1 else f"{pause} if index else 0", "for _ in batches: pass")
    time.sleep(0.3)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert process.returncode == -signal.SIGINT
    assert time.monotonic() - start < 15


def test_a_program_may_end_with_an_iterator_open():
    process = script(0.001, "")
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out, errors) == (0, "", "")


def test_kernels_of_many_threads_at_a_time():
    """Workers transform with the pool's threads while the consumer computes: the same bits as one after the other."""
    x = np.random.default_rng(0).normal(size=(64, 300, 300)).astype(np.float32)
    w = ct.asarray(x[0])

    def transform(batch):
        y = ct.tanh(batch[0] @ w)
        return (y + ct.random.normal(shape=tuple(y.shape)),)

    def run(count):
        loader = DataLoader(TensorDataset(x), 2, shuffle=True, seed=0, transform=transform, num_workers=count)
        return [float((y @ w).sum().item()) for (y,) in loader]

    threads = ct.get_num_threads()
    try:
        ct.set_num_threads(2)
        assert run(3) == run(0)
    finally:
        ct.set_num_threads(threads)
