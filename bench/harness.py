"""Timing side by side: what is compared runs alternately in one process, pinned to its cores; medians are reported."""

from __future__ import annotations

import gc
import os
import statistics
from collections.abc import Callable, Sequence
from timeit import Timer
from typing import NamedTuple

import numpy as np

import cinta as ct

CORES = sorted(os.sched_getaffinity(0))
AMX = ct.config()["isa"] == "amx"
WITH_AMX = "" if AMX else "with AMX"  # what a goal lacks here that supposes a tile unit


class Error(NamedTuple):
    """Of a result against float64, relative to it: RMS to RMS, and the largest difference to the largest value."""

    rms: float
    largest: float

    def __str__(self) -> str:
        return f"{self.rms:.1e}, {self.largest:.1e}"


class Contestant(NamedTuple):
    """What is timed; `form` tells it from others of its side."""

    timer: Timer
    form: str = ""
    error: Error | None = None


def duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def mebibytes(count: float) -> str:
    return f"{count / 2**20:.3g} MiB"


class Row(NamedTuple):
    """One line of the table: seconds of ours and of the best peer, their ratio, and what was hoped for."""

    name: str
    ours: float
    theirs: float
    ratio: float
    interval: float  # of the ratio: McGill's of the median, 1.57 IQR / sqrt(repeats)
    goal: float = float("inf")  # the largest ratio that counts as met
    limit: float = float("inf")  # the most seconds that count as met
    lacking: str = ""  # what the goal supposes and this run does not have: then there is no verdict
    forms: str = ""  # which of ours and of theirs are compared, what the other ours take
    errors: str = ""  # ours / theirs
    written: Callable[[float], str] = duration  # a figure with its unit

    @property
    def met(self) -> bool | None:
        if self.lacking or not self.hoped_for:
            return None
        return self.ratio <= self.goal and self.ours <= self.limit

    @property
    def result(self) -> str:
        """What is held against the goal."""
        shown = [f"{self.ratio:.3f}"] * (self.goal < float("inf")) + [duration(self.ours)] * (self.limit < float("inf"))
        return ", ".join(shown)

    @property
    def hoped_for(self) -> str:
        goals = [f"{self.goal:g}"] * (self.goal < float("inf")) + [duration(self.limit)] * (self.limit < float("inf"))
        return f"<= {', '.join(goals)}{self.lacking and f' ({self.lacking})'}" if goals else ""

    def __str__(self) -> str:
        """The row in Markdown."""
        name = f"{self.name} ({self.forms})" if self.forms else self.name
        ratio = f"{self.ratio:.3f} ± {self.interval:.3f}"
        met = {True: "yes", False: "no", None: "-"}[self.met]
        figures = f"{self.written(self.ours)} | {self.written(self.theirs)} | {ratio}"
        return f"| {name} | {figures} | {self.hoped_for} | {met} | {self.errors} |"


def header(ours: str = "cinta", theirs: str = "PyTorch") -> str:
    return f"| what | {ours} | {theirs} | ratio | goal | met | errors: RMS, largest |\n|---|---|---|---|---|---|---|"


def pin(threads: int) -> None:
    """Give the process its first `threads` cores, and both libraries as many threads."""
    if threads > len(CORES):
        raise SystemExit(f"got --threads {threads}, expected at most the {len(CORES)} cores there are")
    os.sched_setaffinity(0, CORES[:threads])
    import torch

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


def ratio_of(own: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """The median of the repeats' ratios and McGill's interval of it."""
    ratios = [a / b for a, b in zip(own, others)]
    low, _, high = statistics.quantiles(ratios, n=4)
    return statistics.median(ratios), 1.57 * (high - low) / len(ratios) ** 0.5


def compare(
    name: str,
    goal: float,
    ours: Sequence[Contestant],
    theirs: Sequence[Contestant],
    limit: float = float("inf"),
    lacking: str = "",
    per: int = 1,
    **how,
) -> Row:
    """The fastest of ours beside the fastest of theirs; `per` divides the times (operations in one call)."""
    samples = alternate(*(contestant.timer for contestant in (*ours, *theirs)), **how)
    medians = [statistics.median(times) / per for times in samples]
    own = min(range(len(ours)), key=medians.__getitem__)
    best = min(range(len(ours), len(samples)), key=medians.__getitem__)
    one, other = ours[own], theirs[best - len(ours)]
    slower = [f"{c.form} {duration(medians[i])}" for i, c in enumerate(ours) if i != own]
    shown = [one.form, *slower, f"PyTorch {other.form}" if other.form else ""]
    forms = ", ".join(filter(None, shown))
    errors = f"{one.error} / {other.error}" if one.error and other.error else ""
    ratio, interval = ratio_of(samples[own], samples[best])
    row = Row(name, medians[own], medians[best], ratio, interval, goal, limit, lacking, forms, errors)
    print(row, flush=True)
    return row


def error_of(got: Sequence[np.ndarray], exact: Sequence[np.ndarray]) -> Error:
    """The worst of several results."""
    rms = largest = 0.0
    for a, b in zip(got, exact, strict=True):
        difference = a.astype(np.float64) - b
        rms = max(rms, float(np.linalg.norm(difference) / max(np.linalg.norm(b), 1e-300)))
        largest = max(largest, float(abs(difference).max() / max(abs(b).max(), 1e-300)))
    return Error(rms, largest)
