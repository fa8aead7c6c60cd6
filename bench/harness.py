"""Timing side by side: what is compared runs alternately in one process, pinned to its cores; medians are reported."""

from __future__ import annotations

import gc
import os
import statistics
from timeit import Timer
from typing import NamedTuple

CORES = sorted(os.sched_getaffinity(0))


class Row(NamedTuple):
    """One line of the table: seconds of ours and of the best peer, their ratio, and what was hoped for."""

    name: str
    ours: float
    theirs: float
    ratio: float
    error: float  # of the ratio: McGill's interval of the median, 1.57 IQR / sqrt(repeats)
    goal: float  # the largest ratio that counts as met
    limit: float = float("inf")  # the most seconds that count as met

    @property
    def met(self) -> bool:
        return self.ratio <= self.goal and self.ours <= self.limit


def pin(threads: int) -> None:
    """Give the process its first `threads` cores, and both libraries as many threads."""
    if threads > len(CORES):
        raise SystemExit(f"got --threads {threads}, expected at most the {len(CORES)} cores there are")
    os.sched_setaffinity(0, CORES[:threads])
    import torch

    import cinta as ct

    torch.set_num_threads(threads)
    ct.set_num_threads(threads)


def alternate(*timers: Timer, repeats: int = 31, seconds: float = 0.02) -> list[list[float]]:
    """Seconds per call of each timer, `repeats` times, taken in turn; a repeat lasts about `seconds`."""
    counts = [max(1, round(seconds * n / max(t, 1e-9))) for n, t in (timer.autorange() for timer in timers)]
    samples: list[list[float]] = [[] for _ in timers]
    gc.collect()
    for repeat in range(repeats):
        order = range(len(timers)) if repeat % 2 == 0 else reversed(range(len(timers)))
        for i in order:
            samples[i].append(timers[i].timeit(counts[i]) / counts[i])
    return samples


def compare(
    name: str, goal: float, ours: Timer, *peers: Timer, limit: float = float("inf"), per: int = 1, **how
) -> Row:
    """Ours beside the fastest of the peers; `per` divides the times (operations in one call)."""
    own, *others = alternate(ours, *peers, **how)
    best = min(others, key=statistics.median)
    ratios = [a / b for a, b in zip(own, best)]
    low, _, high = statistics.quantiles(ratios, n=4)
    error = 1.57 * (high - low) / len(ratios) ** 0.5
    row = Row(
        name, statistics.median(own) / per, statistics.median(best) / per, statistics.median(ratios), error, goal, limit
    )
    print(line(row), flush=True)
    return row


HEADER = "| what | cinta | PyTorch | ratio | goal | met |\n|---|---|---|---|---|---|"


def line(row: Row) -> str:
    """The row in Markdown."""
    limit = "" if row.limit == float("inf") else f", {duration(row.limit)}"
    figures = f"{duration(row.ours)} | {duration(row.theirs)} | {row.ratio:.3f} ± {row.error:.3f}"
    return f"| {row.name} | {figures} | <= {row.goal:g}{limit} | {'yes' if row.met else 'no'} |"


def duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
