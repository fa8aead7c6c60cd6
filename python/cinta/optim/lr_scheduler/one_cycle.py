"""OneCycleLR: a rate that climbs far up and comes down once, while the momentum does the opposite."""

from __future__ import annotations

from math import cos, pi
from typing import Any

from cinta.optim.lr_scheduler.checks import integer, number, one_of, per_group
from cinta.optim.lr_scheduler.scheduler import LRScheduler
from cinta.optim.optimizer import Optimizer


class OneCycleLR(LRScheduler):
    """Lets the learning rate rise to max_lr and fall to nearly nothing; a step after every batch.

    from max_lr / div_factor to max_lr in pct_start of total_steps, from there to max_lr / div_factor / final_div_factor
    cycle_momentum: momentum, or the first of `betas`, goes from max_momentum to base_momentum and back meanwhile
    three_phase: the way down takes as long as the way up and ends where that began; the rest goes on down from there

    `total_steps` is given, or `epochs` and `steps_per_epoch`.
    Errors: ValueError for options out of range, an optimizer without momentum, or a step after the last one.
    Source: Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
    2017.

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=0.1, momentum=0.9)
        >>> scheduler = optim.lr_scheduler.OneCycleLR(opt, max_lr=1.0, total_steps=10)
        >>> for step in range(2):
        ...     opt.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr(), opt.param_groups[0]["momentum"]
        ([1.0], 0.85)
    """

    _options = ("total_steps", "_schedule_phases", "_anneal_func_type", "cycle_momentum")

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"[OneCycleLR] optimizer got a {type(optimizer).__name__}, expected an Optimizer")
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("[OneCycleLR] total_steps got None, expected it, or epochs and steps_per_epoch")
            integer("OneCycleLR", "epochs", epochs, 1)
            integer("OneCycleLR", "steps_per_epoch", steps_per_epoch, 1)
            total_steps = epochs * steps_per_epoch
        integer("OneCycleLR", "total_steps", total_steps, 1)
        number("OneCycleLR", "pct_start", pct_start, 0, 1)
        for option, value in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
            number("OneCycleLR", option, value)
            if value == 0:
                raise ValueError(f"[OneCycleLR] {option} got 0, expected a number > 0")
        groups = optimizer.param_groups
        peaks = per_group("OneCycleLR", "max_lr", max_lr, len(groups))
        high = per_group("OneCycleLR", "max_momentum", max_momentum, len(groups))
        low = per_group("OneCycleLR", "base_momentum", base_momentum, len(groups))
        for peak, most, least in zip(peaks, high, low):
            number("OneCycleLR", "max_lr", peak)
            number("OneCycleLR", "max_momentum", most, 0, 1)
            number("OneCycleLR", "base_momentum", least, 0, 1)
        if cycle_momentum and "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError(
                f"[OneCycleLR] cycle_momentum got True, but {type(optimizer).__name__} has no momentum and no betas; "
                "pass cycle_momentum=False"
            )
        integer("OneCycleLR", "last_epoch", last_epoch, -1)
        one_of("OneCycleLR", "anneal_strategy", anneal_strategy, ("cos", "linear"))
        self.total_steps = total_steps
        self._schedule_phases = _phases(total_steps, float(pct_start), three_phase)
        self._anneal_func_type = anneal_strategy
        self.cycle_momentum = bool(cycle_momentum)
        if last_epoch == -1:
            for group, peak, most, least in zip(groups, peaks, high, low):
                first = peak / div_factor
                group.update(initial_lr=first, max_lr=peak, min_lr=first / final_div_factor)
                if cycle_momentum:
                    group.update(max_momentum=most, base_momentum=least)
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        one_of("OneCycleLR", "anneal_strategy", self._anneal_func_type, ("cos", "linear"))
        integer("OneCycleLR", "total_steps", self.total_steps, 1)

    def state_dict(self) -> dict[str, Any]:
        """Options and position; the heights of the cycle are in the optimizer's groups."""
        phases = [dict(phase) for phase in self._schedule_phases]
        use_beta1 = {"use_beta1": "betas" in self.optimizer.defaults} if self.cycle_momentum else {}
        return {**super().state_dict(), "_schedule_phases": phases, **use_beta1}

    def _ready(self, metric: Any) -> None:
        super()._ready(metric)
        if self.last_epoch + 1 > self.total_steps:
            raise ValueError(
                f"[OneCycleLR] step() got called {self.last_epoch + 1} times, expected at most total_steps = "
                f"{self.total_steps}"
            )
        if not all("max_lr" in group for group in self.optimizer.param_groups):
            raise ValueError("[OneCycleLR] optimizer has a group without 'max_lr', expected none added to it since")

    def _advance(self) -> None:
        super()._advance()
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                momentum = self._value(group, "start_momentum", "end_momentum")
                if "betas" in self.optimizer.defaults:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum

    def get_lr(self) -> list[float]:
        """The rates at this step of the cycle."""
        return [self._value(group, "start_lr", "end_lr") for group in self.optimizer.param_groups]

    def _value(self, group: dict[str, Any], start: str, end: str) -> float:
        """What lies between the ends of the present phase, which are named in the group."""
        first = 0.0
        for phase in self._schedule_phases:
            last = phase["end_step"]
            if self.last_epoch <= last:
                break
            if phase is not self._schedule_phases[-1]:
                first = last
        share = (self.last_epoch - first) / (last - first) if last != first else 1.0
        a, b = group[phase[start]], group[phase[end]]
        if self._anneal_func_type == "linear":
            return float((b - a) * share + a)
        return float(b + (a - b) / 2.0 * (cos(pi * share) + 1))


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    """Where each phase ends, and the names of the options that it runs between."""
    heights = ["initial_lr", "max_lr", *(["initial_lr"] if three_phase else []), "min_lr"]
    momenta = ["max_momentum", "base_momentum", "max_momentum", "max_momentum"]
    ends = [pct_start * total_steps - 1, *([2 * pct_start * total_steps - 2] if three_phase else []), total_steps - 1]
    return [
        {
            "end_step": end,
            "start_lr": heights[i],
            "end_lr": heights[i + 1],
            "start_momentum": momenta[i],
            "end_momentum": momenta[i + 1],
        }
        for i, end in enumerate(ends)
    ]
