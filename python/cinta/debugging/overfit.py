"""`ct.overfit_one_batch`: whether a network can learn at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cinta.monitor import Advice, Monitor
from cinta.nn.layers.dropout import Dropout
from cinta.nn.module import Module
from cinta.optim import Adam
from cinta.optim.optimizer import Optimizer

from .restored import restored


@dataclass(frozen=True)
class Overfit:
    """The outcome: `ok`, the loss of every step, and the Monitor's advice where the loss did not go down.

    Example:
        >>> from cinta.debugging import Overfit
        >>> print(Overfit(True, [2.3, 0.001]))
        the batch was learnt by heart: the loss went from 2.3 to 0.001 in 2 steps
    """

    ok: bool
    losses: list[float]
    advice: list[Advice] = field(default_factory=list)

    def __str__(self) -> str:
        first, last, steps = self.losses[0], self.losses[-1], len(self.losses)
        if self.ok:
            return f"the batch was learnt by heart: the loss went from {first:.3g} to {last:.3g} in {steps} steps"
        lines = [
            f"the batch was not learnt by heart: the loss went from {first:.3g} to {last:.3g} in {steps} steps, "
            "expected nearly 0 (look for targets that do not belong to their inputs, a loss that does not fit the "
            "last layer, gradients that are cut off)"
        ]
        return "\n".join([*lines, *(f"- {advice}" for advice in self.advice)])


def overfit_one_batch(
    model: Module,
    loss: Callable[[Any, Any], Any],
    batch: Sequence[Any],
    optimizer: Optimizer | None = None,
    steps: int = 300,
    *,
    tolerance: float = 0.05,
) -> Overfit:
    """Trains on one batch alone: a network that is wired right brings the loss down to nearly zero.

    Runs at most `steps` of `loss(model(x), y)` in training mode, dropout off, until the loss is at most `tolerance`
    times what it was at first. The model, its gradients and modes, the optimizer and the stream of random numbers are
    afterwards as they were.

    Args:
        model: maps x to what the loss takes.
        loss: of output and target, one number.
        batch: (x, y), or (x1, x2, .., y) for a model of several inputs.
        optimizer: of the model's parameters; Adam with lr 0.003 where none is given.
        steps: how many are tried.
        tolerance: how much of the loss at first counts as nearly zero.

    Errors: ValueError for a batch without target, steps below 1, or a loss that is no single number.
    Source: Karpathy, "A Recipe for Training Neural Networks", 2019.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
        >>> x, y = ct.tensor([[0.0, 1.0], [1.0, 0.0]]), ct.tensor([0, 1])
        >>> ct.overfit_one_batch(net, nn.functional.cross_entropy, (x, y)).ok
        True
    """
    if steps < 1:
        raise ValueError(f"[overfit_one_batch] steps got {steps}, expected 1 or more")
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise ValueError(f"[overfit_one_batch] batch got {_kind(batch)}, expected inputs and a target: (x, y)")
    *inputs, target = batch
    with restored(model, optimizer):
        training = Adam(model.parameters(), lr=3e-3) if optimizer is None else optimizer
        model.train()
        for module in model.modules():
            if isinstance(module, Dropout):
                module.training = False
        losses: list[float] = []
        with Monitor(model, training, every=max(1, steps // 20)) as monitor:
            for _ in range(steps):
                training.zero_grad()
                value = loss(model(*inputs), target)
                if value.size != 1:
                    raise ValueError(
                        f"[overfit_one_batch] loss gave shape {list(value.shape)}, expected one number: take its mean"
                    )
                value.backward()
                training.step()
                monitor.step(value)
                losses.append(value.item())
                if not math.isfinite(losses[-1]) or losses[-1] <= tolerance * losses[0]:
                    break
            ok = losses[-1] <= tolerance * losses[0]
            advice = [] if ok else [one for one in monitor.advice() if one.what != "dropout off in training"]
            return Overfit(ok, losses, advice)


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, (tuple, list)) else "")
