"""The loop: batches in shuffled order, a step recorded once, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from cinta import _core, nn, optim
from cinta._core import Tensor
from cinta.replay import compile

SOLVERS = ("adam", "adamw", "rmsprop", "sgd")
SCHEDULES = ("constant", "adaptive", "cosine")
_LEAST_RATE = 1e-6  # of an adaptive schedule, which then stops

Array = numpy.ndarray[Any, Any]
Loss = Callable[[Tensor, Tensor, Any], Tensor]


def make_optimizer(net: nn.Module, solver: Any, lr: float, decay: float, momentum: float, nesterov: bool) -> Any:
    """By name, or by a function of parameter groups. Biases and norms (vectors) are not decayed."""
    parameters = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if solver == "sgd":
        return optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov and momentum > 0)
    named = {"adam": optim.Adam, "adamw": optim.AdamW, "rmsprop": optim.RMSprop}
    return named[solver](groups, lr=lr) if solver in named else solver(groups)


class Training:
    """A net with its optimizer, and as much of either's history as a next epoch needs."""

    def __init__(self, net: nn.Module, optimizer: Any) -> None:
        self.net, self.optimizer = net, optimizer
        self.losses: list[float] = []  # by epoch
        self.scores: list[float] = []  # on validation data, by epoch
        self.rates = [group["lr"] for group in optimizer.param_groups]  # at the start
        self._start_over()

    def _start_over(self) -> None:
        self.best = math.inf  # loss, or score with its sign turned
        self._stalled = 0
        self._best_state: dict[str, Tensor] | None = None

    def step(self, loss: Loss) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
        """A step of training by this loss of outputs, targets and row weights."""

        def step(x: Tensor, y: Tensor, weights: Tensor | None) -> Tensor:
            self.optimizer.zero_grad()
            value = loss(self.net(x), y, weights)
            value.backward()
            self.optimizer.step()
            return value

        return step

    def epoch(
        self, data: tuple[Array, Array, Array | None], batch_size: int, order: Array | None, step: Callable[..., Tensor]
    ) -> float:
        """All rows once; the mean loss."""
        x, y, weights = (part if part is None or order is None else part[order] for part in data)
        assert x is not None
        assert y is not None
        self.net.train()
        total = weight = 0.0
        for rows in batches(len(x), batch_size):
            own = None if weights is None else weights[rows]
            mass = float(rows.stop - rows.start if own is None else own.sum())
            if mass == 0:
                continue
            given = None if own is None else _core.asarray(own)
            total += mass * step(_core.asarray(x[rows]), _core.asarray(y[rows]), given).item()
            weight += mass
        self.losses.append(total / weight)
        return self.losses[-1]

    def run(
        self,
        data: tuple[Array, Array, Array | None],
        loss: Loss,
        *,
        batch_size: int,
        shuffle: numpy.random.Generator | None,
        epochs: int,
        schedule: str,
        tol: float,
        patience: int,
        score: Callable[[], float] | None,
        compiled: bool,
        verbose: bool,
    ) -> bool:
        """Epoch after epoch until nothing improves any more (True) or there were enough (False).

        With a `score` the net ends with the weights that had the best one.
        """
        step = compile(self.step(loss)) if compiled else self.step(loss)
        self._start_over()
        for epoch in range(epochs):
            if schedule == "cosine":
                self._scale_rates((1 + math.cos(math.pi * epoch / epochs)) / 2)
            order = None if shuffle is None else shuffle.permutation(len(data[0]))
            mean = self.epoch(data, batch_size, order, step)
            if not math.isfinite(mean):
                raise ValueError(
                    f"[fit] the loss became {mean} in epoch {len(self.losses)}, expected a finite number: lower "
                    "learning_rate_init, or scale inputs and targets"
                )
            if score is not None:
                self.net.eval()
                self.scores.append(score())
            if verbose:
                told = f", validation score = {self.scores[-1]:.6f}" if score is not None else ""
                print(f"Iteration {len(self.losses)}, loss = {mean:.8f}{told}")
            if self._stop(mean if score is None else -self.scores[-1], tol, patience, schedule, score is not None):
                break
        else:
            epochs = 0  # nobody stopped it
        if self._best_state is not None:
            self.net.load_state_dict(self._best_state)
        return epochs > 0

    def _stop(self, value: float, tol: float, patience: int, schedule: str, keep: bool) -> bool:
        self._stalled = 0 if value < self.best - tol else self._stalled + 1
        if value < self.best:
            self.best = value
            if keep:
                self._best_state = {name: tensor.clone() for name, tensor in self.net.state_dict().items()}
        if self._stalled <= patience:
            return False
        if schedule != "adaptive":
            return True
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if max(rates) <= _LEAST_RATE:
            return True
        for group in self.optimizer.param_groups:
            group["lr"] /= 5
        self._stalled = 0
        return False

    def _scale_rates(self, factor: float) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.rates):
            group["lr"] = rate * factor


def batches(n: int, size: int) -> Iterator[slice]:
    """Rows from 0 to n; a single one left over joins the batch before it, which norms over a batch need.

    >>> list(batches(7, 3))
    [slice(0, 3, None), slice(3, 7, None)]
    """
    begin = 0
    while begin < n:
        end = min(begin + size, n)
        if n - end == 1:
            end = n
        yield slice(begin, end)
        begin = end
