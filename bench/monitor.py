"""What `ct.Monitor` and `ct.debug` cost: a training step with and without them, alternated.

The Monitor is timed over whole rounds of `every` steps, so that its dearer steps count with their share.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import cinta as ct
import models
from cinta import nn, optim

NETWORKS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "LeNet-5, batch 128": (models.lenet, (128, 1, 32, 32)),
    "MLP 784-256-10, batch 128": (lambda nn: models.mlp(nn, 784, 256, 10), (128, 784)),
    "MLP 4-8-2, batch 16": (lambda nn: models.mlp(nn, 4, 8, 2), (16, 4)),
}
GOALS = {("LeNet-5, batch 128", "Monitor"): 1.03, ("LeNet-5, batch 128", "debug"): 3.0}
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

    def plain(self, steps: int) -> Work:
        def run() -> None:
            for _ in range(steps):
                self.on_batch(self.x, self.y)

        return run

    def monitored(self, steps: int) -> Work:
        monitor = ct.Monitor(self.model, self.optimizer, every=steps)

        def run() -> None:
            for _ in range(steps):
                monitor.step(self.on_batch(self.x, self.y))

        return run

    def monitored_before(self, steps: int) -> Work:
        ct.Monitor(self.model, self.optimizer).close()
        return self.plain(steps)

    def debugged(self, steps: int) -> Work:
        plain = self.plain(steps)

        def run() -> None:
            with ct.debug():
                plain()

        return run


def seconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(name: str, what: str, plain: Work, watched: Work, repeats: int) -> float:
    """Prints and returns the median of the ratios of times, taken in turn."""
    plain()
    watched()
    ratios = []
    for k in range(repeats):
        if k % 2:
            a, b = seconds(plain), seconds(watched)
        else:
            b, a = seconds(watched), seconds(plain)
        ratios.append(b / a)
    low, ratio, high = statistics.quantiles(ratios, n=4)
    goal = next((limit for (network, word), limit in GOALS.items() if network == name and word in what), None)
    verdict = "-" if goal is None else f"<= {goal:g} | {'yes' if ratio <= goal else 'no'}"
    print(f"| {name} | {what} | {ratio:.3f} ± {1.57 * (high - low) / repeats**0.5:.3f} | {verdict} |", flush=True)
    return ratio


def main(only: str = "", every: int = 20, repeats: int = 41, threads: int = 1) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    ct.set_num_threads(threads)
    print("| network | with | step, with / without | goal | met |\n|---|---|---|---|---|")
    for name, shape_of in NETWORKS.items():
        if only.lower() not in name.lower():
            continue
        for what, plain, watched in (
            (f"Monitor(every={every})", Training(*shape_of), Training(*shape_of).monitored),
            (f"Monitor(every={every}), compiled step", Training(*shape_of, True), Training(*shape_of, True).monitored),
            ("Monitor, closed", Training(*shape_of), Training(*shape_of).monitored_before),
            ("debug", Training(*shape_of), Training(*shape_of).debugged),
        ):
            compare(name, what, plain.plain(every), watched(every), repeats)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="networks whose name holds this")
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=41)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    main(args.only, args.every, args.repeats, args.threads)
