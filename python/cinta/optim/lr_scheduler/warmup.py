"""LinearLR and ConstantLR: rates that begin low and reach their full height, alone or before another schedule."""

from __future__ import annotations

from cinta.optim.lr_scheduler.checks import integer, number
from cinta.optim.lr_scheduler.scheduler import LRScheduler
from cinta.optim.optimizer import Optimizer


class LinearLR(LRScheduler):
    """Lets the learning rate grow, or fall, along a line for total_iters epochs: warm-up, with the defaults.

    lr_t = lr_0 (start_factor + (end_factor - start_factor) min(t, total_iters) / total_iters)

    Errors: ValueError for total_iters below 1, start_factor outside (0, 1] or end_factor outside [0, 1].

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.LinearLR(opt, start_factor=0.5, total_iters=4)
        >>> for epoch in range(2):
        ...     opt.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.75]
    """

    _options = ("start_factor", "end_factor", "total_iters")

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        number("LinearLR", "start_factor", self.start_factor, 0, 1)
        if self.start_factor == 0:
            raise ValueError("[LinearLR] start_factor got 0, expected a number > 0, by which the next one is scaled")
        number("LinearLR", "end_factor", self.end_factor, 0, 1)
        integer("LinearLR", "total_iters", self.total_iters, 1)

    def get_lr(self) -> list[float]:
        """The present rates, scaled to the next point of the line."""
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in self._rates()]
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._rates()
        rise = self.end_factor - self.start_factor
        factor = 1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)
        return [lr * factor for lr in self._rates()]


class ConstantLR(LRScheduler):
    """Scales the learning rate by a factor for the first total_iters epochs.

    lr_t = factor lr_0 for t < total_iters, lr_0 from then on

    Errors: ValueError for a factor outside (0, 1] or total_iters below 1.

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.ConstantLR(opt, factor=0.25, total_iters=2)
        >>> scheduler.get_last_lr()
        [0.25]
        >>> for epoch in range(2):
        ...     opt.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [1.0]
    """

    _options = ("factor", "total_iters")

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        number("ConstantLR", "factor", self.factor, 0, 1)
        if self.factor == 0:
            raise ValueError("[ConstantLR] factor got 0, expected a number > 0, by which the rate is divided again")
        integer("ConstantLR", "total_iters", self.total_iters, 1)

    def get_lr(self) -> list[float]:
        """The present rates, scaled at the beginning and back at the end."""
        if self.last_epoch == 0:
            return [lr * self.factor for lr in self._rates()]
        if self.last_epoch != self.total_iters:
            return self._rates()
        return [lr * (1.0 / self.factor) for lr in self._rates()]
