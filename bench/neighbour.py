"""Training steps while another process keeps a core busy: two threads may then take at most 1.25 times what one takes.

The process may use two cores; on one of them the neighbour spins. Without the neighbour two threads may not be slower
than one: what other processes used meanwhile is shown, and above a tenth of a core that row has no verdict. PyTorch
runs beside with two threads, a few steps only: its threads wait for each other at every operation.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from timeit import Timer
from typing import Any

import cinta as ct
import harness
import training

SPIN = "import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"
ALONE, BUSY = "alone", "busy neighbour"
LIMIT = {ALONE: 1.0, BUSY: 1.25}
QUIET = 0.1  # cores
COLUMNS = ("2 threads", "1 thread")


@contextlib.contextmanager
def neighbour(core: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that spins on this core whenever it is not stopped, as it is at first."""
    process = subprocess.Popen([sys.executable, "-c", SPIN.format(core=core)])
    process.send_signal(signal.SIGSTOP)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def seconds_of_others() -> float:
    """Time that the cores have spent on other processes."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _iowait, *interrupts = map(int, stat.readline().split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK") - time.process_time()


def with_threads(step: Callable[[], Any], threads: int) -> Timer:
    """Times the step with so many threads of ours; they are set outside what is timed."""
    return Timer(step, setup=functools.partial(ct.set_num_threads, threads))


def race(name: str, state: str, ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int) -> harness.Row:
    """Two threads of ours beside one."""
    started, others = time.perf_counter(), seconds_of_others()
    one, two = harness.alternate(with_threads(ours, 1), with_threads(ours, 2), repeats=repeats, seconds=0.1)
    others = (seconds_of_others() - others) / (time.perf_counter() - started)
    [peer] = harness.alternate(Timer(theirs), repeats=3, seconds=0.1)
    ratio, interval = harness.ratio_of(two, one)
    beside = f"others used {others:.2f} cores; PyTorch {harness.duration(statistics.median(peer))}"
    row = harness.Row(
        f"step of {name}, {state} ({beside})",
        statistics.median(two), statistics.median(one), ratio, interval, LIMIT[state],
        lacking="on a quiet machine" if state == ALONE and others > QUIET else "",
    )  # fmt: skip
    print(row, flush=True)
    return row


def main(only: str = "", repeats: int = 15) -> list[harness.Row]:
    harness.pin(2)
    rows = []
    for name in ("MLP 784-256-10, batch 128", "LeNet-5, batch 128", "ResNet-18 on 32x32, batch 32"):
        if only.lower() in name.lower():
            ours, (theirs, *_) = training.steps(training.NETWORKS[name])
            with neighbour(harness.CORES[1]) as process:
                rows.append(race(name, ALONE, ours, theirs, repeats))
                process.send_signal(signal.SIGCONT)
                rows.append(race(name, BUSY, ours, theirs, repeats))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="networks whose name holds this")
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    print(harness.header(*COLUMNS))
    sys.exit(any(row.met is False for row in main(args.only, args.repeats)))
