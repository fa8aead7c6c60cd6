"""What `ct.Monitor` and `ct.debug` cost: a training step with them beside the same step without.

Steps are timed in turn, one with and one without, in the process's own time, so that a busy neighbour's share of the
core does not count. A ratio is of whole rounds of `every` steps, so that the Monitor's dearer steps count with their
share; each step of a round counts by its median over the rounds, ± by their two halves.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import cinta as ct
import harness
import models
from cinta import nn, optim

COLUMNS = ("with", "without")
NETWORKS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "LeNet-5, batch 128": (models.lenet, (128, 1, 32, 32)),
    "MLP 784-256-10, batch 128": (lambda nn: models.mlp(nn, 784, 256, 10), (128, 784)),
    "MLP 4-8-2, batch 16": (lambda nn: models.mlp(nn, 4, 8, 2), (16, 4)),
}
GOALS = {"Monitor": 1.03, "Monitor, compiled step": 1.03, "Monitor, closed": 1.01, "debug": 3.0}  # for LeNet-5
Work = Callable[[], Any]


class Training:
    """One network and its step, compiled or not."""

    def __init__(self, build: Callable[..., Any], shape: tuple[int, ...], compiled: bool = False) -> None:
        ct.random.seed(0)
        self.model = build(nn)
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        rng = np.random.default_rng(0)
        self.x = ct.tensor(rng.normal(size=shape).astype(np.float32))
        self.y = ct.tensor(rng.integers(0, 2, shape[0]))
        self.on_batch = ct.compile(self._on_batch) if compiled else self._on_batch

    def _on_batch(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss

    def plain(self) -> None:
        self.on_batch(self.x, self.y)

    def monitored(self, every: int) -> Work:
        monitor = ct.Monitor(self.model, self.optimizer, every=every)

        def step() -> None:
            monitor.step(self.on_batch(self.x, self.y))

        return step

    def monitored_before(self, every: int) -> Work:
        ct.Monitor(self.model, self.optimizer, every=every).close()
        return self.plain

    def debugged(self, every: int) -> Work:
        watched = ct.debug()

        def step() -> None:
            with watched:
                self.plain()

        return step


def compare(name: str, what: str, plain: Work, watched: Work, steps: int, repeats: int) -> harness.Row:
    clock = time.process_time
    times = np.zeros((2, repeats + 1, steps))
    for repeat in range(repeats + 1):
        for step in range(steps):
            # On the same model: no plain step may lie between the Monitor's getting ready, at the end, and its look.
            for side in (0, 1) if step == steps - 1 else (1, 0):
                start = clock()
                (plain, watched)[side]()
                times[side, repeat, step] = clock() - start

    def seconds(rounds: np.ndarray) -> np.ndarray:
        return np.asarray(np.median(rounds, axis=1).mean(axis=1))

    times = times[:, 1:]  # the first is for warming up
    without, with_ = seconds(times)
    halves = [b / a for a, b in (seconds(times[:, ::2]), seconds(times[:, 1::2]))]
    goal = GOALS[what] if name.startswith("LeNet") else float("inf")
    interval = abs(halves[0] - halves[1]) / 2
    row = harness.Row(f"{name}: {what}", with_, without, with_ / without, interval, goal)
    print(row, flush=True)
    return row


def main(only: str = "", every: int = 20, repeats: int = 41) -> list[harness.Row]:
    os.sched_setaffinity(0, harness.CORES[:1])
    ct.set_num_threads(1)
    rows = []
    for name, shape_of in NETWORKS.items():
        if only.lower() not in name.lower():
            continue
        for what, compiled, side in (
            ("Monitor", False, Training.monitored),
            ("Monitor, compiled step", True, Training.monitored),
            ("Monitor, closed", False, Training.monitored_before),
            ("debug", False, Training.debugged),
        ):
            training = Training(*shape_of, compiled)
            rows.append(compare(name, what, training.plain, side(training, every), every, repeats))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="networks whose name holds this")
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=41)
    args = parser.parse_args()
    print(harness.header(*COLUMNS))
    main(args.only, args.every, args.repeats)
