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


def training(build: Callable[..., Any], shape: tuple[int, ...]) -> tuple[Any, Any, Callable[[], Any]]:
    ct.random.seed(0)
    model = build(nn)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    rng = np.random.default_rng(0)
    x = ct.tensor(rng.normal(size=shape).astype(np.float32))
    y = ct.tensor(rng.integers(0, 2, shape[0]))

    def step() -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compared(name: str, what: str, plain: Callable[[], Any], looked_at: Callable[[], Any], repeats: int) -> float:
    """The median of the ratios of times, taken in turn."""
    plain(), looked_at()
    pairs = []
    for k in range(repeats):
        first = seconds(plain) if k % 2 else None
        second = seconds(looked_at)
        pairs.append((seconds(plain) if first is None else first, second))
    ratios = [b / a for a, b in pairs]
    low, middle, high = statistics.quantiles(ratios, n=4)
    interval = 1.57 * (high - low) / len(ratios) ** 0.5
    print(f"| {name} | {what} | {middle:.3f} ± {interval:.3f} |", flush=True)
    return middle


def monitored(build: Callable[..., Any], shape: tuple[int, ...], every: int, on: bool) -> Callable[[], None]:
    model, optimizer, step = training(build, shape)
    monitor = ct.Monitor(model, optimizer, every=every)
    if not on:
        monitor.close()

    def round_of_steps() -> None:
        for _ in range(every):
            loss = step()
            if on:
                monitor.step(loss)

    return round_of_steps


def debugged(step: Callable[[], Any]) -> Callable[[], None]:
    def watched() -> None:
        with ct.debug():
            for _ in range(10):
                step()

    return watched


def main(only: str = "", every: int = 25, repeats: int = 41) -> dict[str, float]:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    ct.set_num_threads(1)
    print("| network | with | step, with / without |\n|---|---|---|")
    ratios = {}
    for name, (build, shape) in NETWORKS.items():
        if only.lower() not in name.lower():
            continue
        plain = training(build, shape)[2]
        rounds: Callable[[], Any] = lambda step=plain: [step() for _ in range(every)]  # type: ignore[misc] # noqa: E731
        tens: Callable[[], Any] = lambda step=plain: [step() for _ in range(10)]  # type: ignore[misc] # noqa: E731
        for what, on in ((f"Monitor(every={every})", True), ("Monitor, closed", False)):
            ratios[f"{name}, {what}"] = compared(name, what, rounds, monitored(build, shape, every, on), repeats)
        ratios[f"{name}, debug"] = compared(name, "ct.debug()", tens, debugged(training(build, shape)[2]), repeats)
    return ratios


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="networks whose name holds this")
    parser.add_argument("--every", type=int, default=25)
    parser.add_argument("--repeats", type=int, default=41)
    args = parser.parse_args()
    main(args.only, args.every, args.repeats)
