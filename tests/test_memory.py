"""The caching allocator: a steady training loop asks the system for nothing, and memory_stats tells what is held."""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim

MB = 1 << 20


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def vgg() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * 64, 10),
    )  # fmt: skip


def page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


@pytest.mark.parametrize("mixed", [False, True], ids=["float32", "autocast"])
@pytest.mark.parametrize(
    ("make", "shape", "optimizer"),
    [(lenet, (128, 1, 28, 28), optim.SGD), (mlp, (128, 784), optim.Adam), (vgg, (16, 3, 32, 32), optim.SGD)],
    ids=["lenet", "mlp", "vgg"],
)
def test_a_steady_loop_takes_no_new_pages(
    make: Callable[[], nn.Module], shape: tuple[int, ...], optimizer: type[optim.Optimizer], mixed: bool
) -> None:
    rng = np.random.default_rng(0)
    net, x = make(), ct.tensor(rng.normal(size=shape), dtype="float32")
    target = ct.tensor(rng.integers(0, 10, shape[0]))
    opt = optimizer(net.parameters(), lr=0.01)

    def steps(n: int) -> None:
        for _ in range(n):
            opt.zero_grad()
            with ct.autocast(enabled=mixed):
                loss = nn.functional.cross_entropy(net(x), target)
            loss.backward()
            opt.step()

    steps(4)
    gc.collect()
    before, faults = ct.memory_stats(), []
    for _ in range(4):  # the interpreter, and a thread that works for the first time, may take pages now and then
        start = page_faults()
        steps(10)
        faults.append(page_faults() - start)
    after = ct.memory_stats()
    assert after["fresh"] == before["fresh"]
    assert after["live"] == before["live"]
    assert after["allocations"] > before["allocations"]
    assert min(faults) <= 5, f"{faults} page faults, each in 10 steps"


def test_memory_stats() -> None:
    ct.empty_cache()
    ct.reset_peak_memory()
    before = ct.memory_stats()
    assert before["peak"] == before["live"]
    assert before["cached"] == 0
    x = ct.zeros(MB, dtype="uint8")
    held = ct.memory_stats()
    assert held["live"] - before["live"] == held["peak"] - before["peak"] == MB
    assert held["allocations"] - before["allocations"] == held["fresh"] - before["fresh"] == 1
    view = x[10:20]
    del x
    assert ct.memory_stats()["live"] == held["live"]  # a view keeps what it looks at
    del view
    freed = ct.memory_stats()
    assert (freed["live"], freed["cached"], freed["peak"]) == (before["live"], MB, held["peak"])
    again = ct.zeros(MB - 100, dtype="uint8")  # the same class of sizes
    assert ct.memory_stats()["fresh"] == held["fresh"]
    assert ct.memory_stats()["cached"] == 0
    del again
    ct.empty_cache()
    assert ct.memory_stats()["cached"] == 0


@pytest.mark.parametrize("size", [65, 1000, 4097, 100_000, MB + 1, 5 * MB + 1, 33 * MB])
def test_a_block_wastes_at_most_a_quarter(size: int) -> None:
    before = ct.memory_stats()["live"]
    x = ct.empty(size, dtype="uint8")
    held = ct.memory_stats()["live"] - before
    assert size <= held <= max(1.25 * size + 64, 128)
    assert x.numpy().ctypes.data % 64 == 0


def test_large_blocks_lie_on_huge_pages() -> None:
    enabled = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not enabled.exists() or "[never]" in enabled.read_text():
        pytest.skip("the system gives no huge pages")
    ct.empty_cache()
    x = ct.ones(16 * MB, dtype="uint8")
    address = x.numpy().ctypes.data
    assert address % (2 * MB) == 0
    ct.empty_cache()
    faults = page_faults()
    y = ct.ones(64 * MB, dtype="uint8")
    assert page_faults() - faults < 64 * MB // 4096 // 8
    del y
