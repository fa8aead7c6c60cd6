"""StepLR and MultiStepLR: rates that fall at once, from time to time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from cinta.optim.lr_scheduler.checks import integer, number
from cinta.optim.lr_scheduler.scheduler import LRScheduler
from cinta.optim.optimizer import Optimizer


class StepLR(LRScheduler):
    """Multiplies the learning rate by gamma every step_size epochs.

    lr_t = lr_0 gamma^floor(t / step_size)

    Errors: ValueError for a step_size below 1 or a negative gamma.

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.StepLR(opt, step_size=2, gamma=0.5)
        >>> for epoch in range(5):
        ...     opt.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    _options = ("step_size", "gamma")

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        integer("StepLR", "step_size", self.step_size, 1)
        number("StepLR", "gamma", self.gamma)

    def get_lr(self) -> list[float]:
        """The present rates, times gamma at every step_size-th epoch."""
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self._rates()
        return [lr * self.gamma for lr in self._rates()]


class MultiStepLR(LRScheduler):
    """Multiplies the learning rate by gamma at each milestone.

    lr_t = lr_0 gamma^(number of milestones <= t)

    Errors: ValueError for a milestone that is no integer >= 0 or a negative gamma.

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.MultiStepLR(opt, milestones=[3, 5], gamma=0.5)
        >>> for epoch in range(4):
        ...     opt.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    _options = ("gamma",)

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        for milestone in self.milestones:
            integer("MultiStepLR", "milestones", milestone, 0)
        number("MultiStepLR", "gamma", self.gamma)

    def get_lr(self) -> list[float]:
        """The present rates, times gamma for each milestone that is now."""
        if self.last_epoch not in self.milestones:
            return self._rates()
        return [lr * self.gamma ** self.milestones[self.last_epoch] for lr in self._rates()]

    def state_dict(self) -> dict[str, Any]:
        """Options and position; `milestones` says how often each of them counts."""
        return {"milestones": dict(self.milestones), **super().state_dict()}

    def _loaded(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        loaded, given = super()._loaded(state_dict), state_dict["milestones"]
        try:  # files keep the keys of dictionaries as text
            counts = Counter({int(milestone): int(count) for milestone, count in given.items()})
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"[MultiStepLR] state 'milestones' got {given!r:.60}, expected counts by epoch") from None
        return {**loaded, "milestones": counts}
