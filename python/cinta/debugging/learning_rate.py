"""`ct.find_lr`: the learning rate from a short run that raises it step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from cinta.nn.module import Module
from cinta.optim.optimizer import Optimizer

from .restored import restored


@dataclass(frozen=True)
class LearningRates:
    """What `ct.find_lr` saw: the rates, the losses at them, smoothed losses, and the suggestion.

    Example:
        >>> from cinta.debugging import LearningRates
        >>> LearningRates([0.1, 1.0], [2.0, 1.0], [2.0, 1.5], 0.3)
        LearningRates(0.1 .. 1, suggestion 0.3)
    """

    lrs: list[float]
    losses: list[float]
    smoothed: list[float]
    suggestion: float

    def __repr__(self) -> str:
        return f"LearningRates({self.lrs[0]:.3g} .. {self.lrs[-1]:.3g}, suggestion {self.suggestion:.3g})"

    def plot(self, path: str | Path | None = None, ax: Any = None) -> Any:
        """Draws losses over rates with the suggestion, into `ax` or a new figure; saves it where a path is given.

        Returns the figure of `ct.plot.learning_rate_search`. Errors: ImportError where matplotlib is missing.
        """
        from cinta.plot import learning_rate_search

        figure = learning_rate_search(self.lrs, self.losses, smoothed=self.smoothed, suggestion=self.suggestion, ax=ax)
        if path is not None:
            figure.savefig(path)
        return figure


def find_lr(
    model: Module,
    optimizer: Optimizer,
    loss: Callable[[Any, Any], Any],
    loader: Iterable[Any],
    *,
    lr_min: float = 1e-6,
    lr_max: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
    diverged: float = 4.0,
) -> LearningRates:
    """Raises the learning rate from step to step and watches the loss: a rate for `optimizer` to begin with.

    lr_k = lr_min (lr_max / lr_min)^(k / (steps - 1)); groups with other rates keep their ratio to the first. The
    suggestion is where the smoothed loss falls fastest per factor of lr, and at most a tenth of where it is lowest, for
    it lags behind: large enough to learn, and well below where the loss turns up. The run ends early where the smoothed
    loss passes `diverged` times its minimum. Everything is afterwards as it was: model, optimizer, random numbers,
    and a loader that has a state_dict.

    Args:
        model, optimizer, loss: as in training; the loss takes output and target.
        loader: batches (x, y) or (x1, .., y), begun again as often as it takes.
        lr_min, lr_max, steps: the range, and how many steps it is divided into.
        smoothing: of the running mean of losses, in [0, 1).
        diverged: what ends the run.

    Errors: ValueError for an empty loader or an argument out of range.
    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017 (2015 as a preprint), section 3.3.

    Example:
        >>> net = nn.Linear(3, 1)
        >>> x = ct.random.normal(shape=(32, 3))
        >>> found = ct.find_lr(net, optim.SGD(net.parameters(), lr=0.1), nn.functional.mse_loss, [(x, x[:, :1])])
        >>> 1e-3 < found.suggestion < 10
        True
    """
    if not 0 < lr_min < lr_max:
        raise ValueError(f"[find_lr] lr_min and lr_max got {lr_min} and {lr_max}, expected 0 < lr_min < lr_max")
    if steps < 10:
        raise ValueError(f"[find_lr] steps got {steps}, expected 10 or more")
    if not 0 <= smoothing < 1:
        raise ValueError(f"[find_lr] smoothing got {smoothing}, expected a number in [0, 1)")
    with restored(model, optimizer, loader):
        model.train()
        first = optimizer.param_groups[0]["lr"]
        shares = [group["lr"] / first if first else 1.0 for group in optimizer.param_groups]
        batches = _for_ever(loader)
        lrs: list[float] = []
        losses: list[float] = []
        smoothed: list[float] = []
        mean = 0.0
        for k in range(steps):
            lr = lr_min * (lr_max / lr_min) ** (k / (steps - 1))
            for group, share in zip(optimizer.param_groups, shares):
                group["lr"] = lr * share
            *inputs, target = next(batches)
            optimizer.zero_grad()
            value = loss(model(*inputs), target)
            value.backward()
            optimizer.step()
            now = value.item()
            mean = smoothing * mean + (1 - smoothing) * now
            corrected = mean / (1 - smoothing ** (k + 1))
            if not math.isfinite(corrected) or (k > steps // 10 and corrected > diverged * min(smoothed)):
                break
            lrs.append(lr)
            losses.append(now)
            smoothed.append(corrected)
    if len(lrs) < 2:
        raise ValueError(f"[find_lr] the loss is {now} at lr {lr:.3g} already, expected it to be finite: see ct.debug")
    return LearningRates(lrs, losses, smoothed, _suggestion(lrs, smoothed))


def _for_ever(loader: Iterable[Any]) -> Any:
    while True:
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty:
            raise ValueError("[find_lr] loader got no batches, expected at least one (a generator is used up)")


def _suggestion(lrs: list[float], smoothed: list[float]) -> float:
    """Where the curve falls fastest over log lr, at most a tenth of where it is lowest."""
    lowest = max(2, int(numpy.argmin(smoothed)) + 1)
    slope = numpy.gradient(numpy.array(smoothed[:lowest]), numpy.log(lrs[:lowest]))
    return min(lrs[int(numpy.argmin(slope))], lrs[lowest - 1] / 10)
