"""Threads: none at import, several callers at once, and a pool that survives a fork."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import timeit
from collections.abc import Callable

import numpy as np
import pytest

import cinta as ct
from isa_levels import run_python

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc and fork are Linux's")


@linux
def test_import_starts_no_thread() -> None:
    count = "len(os.listdir('/proc/self/task'))"
    run = run_python(["-c", f"import os, numpy; before = {count}; import cinta; print({count} - before)"])
    assert run.stdout.strip() == "0", run.stderr


@linux
def test_the_pool_works_after_a_fork() -> None:
    program = """
import os, warnings
warnings.simplefilter("ignore")
import cinta as ct
ct.set_num_threads(3)
x = ct.ones((700, 700))
expected = float((x @ x).sum())
children = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if float((x @ x).sum()) == expected else 1)
    children.append(pid)
print([os.waitpid(pid, 0)[1] for pid in children], float((x @ x).sum()) == expected)
"""
    run = run_python(["-c", program])
    assert run.stdout.strip() == "[0, 0, 0] True", run.stderr


def in_threads(work: Callable[[int], object], threads: int = 4) -> dict[int, object]:
    results: dict[int, object] = {}
    failures: list[BaseException] = []

    def run(k: int) -> None:
        try:
            results[k] = work(k)
        except BaseException as error:
            failures.append(error)

    pool = [threading.Thread(target=run, args=(k,)) for k in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    assert failures == []
    return results


@pytest.mark.parametrize("threads", [1, 3])
def test_several_python_threads_at_once(threads: int, rng: np.random.Generator) -> None:
    """Products long enough for the interpreter to go on meanwhile, on weights that all of them share."""
    ct.set_num_threads(threads)
    weights = ct.tensor(rng.normal(size=(400, 400)) / 20, dtype="float32")
    inputs = ct.tensor(rng.normal(size=(4, 300, 400)), dtype="float32")

    def work(k: int) -> bytes:
        for _ in range(5):
            w = weights.detach().requires_grad_()
            loss = ct.tanh(ct.tanh(inputs[k] @ w) @ w).sum()
            loss.backward()
        return loss.detach().numpy().tobytes() + w.grad.numpy().tobytes()

    alone = {k: work(k) for k in range(4)}
    assert in_threads(work) == alone


def test_a_graph_made_in_one_thread_is_walked_in_another() -> None:
    x = ct.tensor([1.0, 2.0, 3.0], requires_grad=True)
    loss = in_threads(lambda _: (x * x).sum(), threads=1)[0]
    loss.backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]


def test_graphs_released_by_other_threads() -> None:
    before = ct.memory_stats()["live"]
    x = ct.tensor(np.ones(1000), requires_grad=True)
    graphs = [ct.exp(x * k).sum() for k in range(50)]
    in_threads(lambda k: [graphs.pop() for _ in range(12)])
    graphs.clear()
    del x
    assert ct.memory_stats()["live"] == before


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
def test_long_kernels_let_other_python_threads_run(rng: np.random.Generator) -> None:
    ct.set_num_threads(1)
    x = ct.tensor(rng.normal(size=(1200, 1200)), dtype="float32")
    done = threading.Event()
    ticks = 0

    def multiply() -> None:
        for _ in range(6):
            x @ x
        done.set()

    thread = threading.Thread(target=multiply)
    thread.start()
    while not done.wait(0.001):
        ticks += 1
    thread.join()
    assert ticks > 3


@linux
def test_a_busy_neighbour_does_not_hold_two_threads_up(rng: np.random.Generator) -> None:
    """A pool that waited until every thread has come would wait for one that is off its core: three times as long."""
    *others, core = sorted(os.sched_getaffinity(0))
    if not others:
        pytest.skip("one core")
    x = ct.tensor(rng.normal(size=(200, 200)), dtype="float32")
    spin = f"import os; os.sched_setaffinity(0, [{core}])\nprint(flush=True)\nwhile True: pass"
    neighbour = subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE)
    assert neighbour.stdout is not None
    try:
        neighbour.stdout.readline()  # it spins from here on
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for threads in [1, 2] * 9:
            ct.set_num_threads(threads)
            seconds[threads].append(timeit.timeit(lambda: x @ x, number=400))
    finally:
        neighbour.kill()
        neighbour.communicate()
    assert statistics.median(seconds[2]) < 2 * statistics.median(seconds[1])
