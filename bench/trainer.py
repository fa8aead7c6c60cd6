"""What the Trainer costs: its epochs beside those of the same loop written by hand, alternating in one run.

    python bench/trainer.py

Both go over the same list of batches; the loop takes `loss.item()` of every step, as one that reports a mean does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import cinta as ct
from cinta import nn, optim

ct.set_num_threads(1)


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def tiny() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


def loops(
    make: Callable[[], nn.Module], batches: list[Any], compiled: bool
) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """An epoch by hand and one by the Trainer."""
    ct.random.seed(0)
    model, other = make(), make()
    optimizer, loss = optim.SGD(model.parameters(), lr=0.01, momentum=0.9), nn.CrossEntropyLoss()
    trainer = ct.Trainer(other, optim.SGD(other.parameters(), lr=0.01, momentum=0.9), loss, compile=compiled)

    def step(x: ct.Tensor, y: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        value: ct.Tensor = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.detach()

    run: Callable[..., ct.Tensor] = ct.compile(step) if compiled else step

    def by_hand() -> float:
        total = 0.0
        for x, y in batches:
            total += run(x, y).item() * len(x)
        return total

    return by_hand, lambda: trainer.fit(batches)


def measure(name: str, make: Callable[[], nn.Module], shape: tuple[int, ...], classes: int, steps: int) -> None:
    batches = [(ct.random.normal(shape=shape), ct.random.integers(classes, shape=shape[:1])) for _ in range(steps)]
    for compiled in (False, True):
        by_hand, trainer = loops(make, batches, compiled)
        times: dict[str, list[float]] = {"hand": [], "trainer": []}
        for repeat in range(31):
            for key, run in (("hand", by_hand), ("trainer", trainer)):
                begun = time.perf_counter()
                run()
                if repeat:
                    times[key].append((time.perf_counter() - begun) / steps * 1e6)
        hand = statistics.median(times["hand"])
        more = statistics.median(ours - theirs for theirs, ours in zip(times["hand"], times["trainer"]))
        how = "compiled" if compiled else "eager"
        print(f"{name:24s} {how:9s} {hand:9.2f} us by hand  {more:6.2f} us more ({more / hand:+.1%})")


if __name__ == "__main__":
    measure("MLP 4-8-2, batch 16", tiny, (16, 4), 2, 3000)
    measure("LeNet-5, batch 128", lenet, (128, 1, 28, 28), 10, 20)
