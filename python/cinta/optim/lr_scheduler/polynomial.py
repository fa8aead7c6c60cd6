"""PolynomialLR: a rate that falls to zero along a power of the time that is left."""

from __future__ import annotations

from cinta.optim.lr_scheduler.checks import integer, number
from cinta.optim.lr_scheduler.scheduler import LRScheduler
from cinta.optim.optimizer import Optimizer


class PolynomialLR(LRScheduler):
    """Lets the learning rate fall to zero in total_iters epochs.

    lr_t = lr_0 (1 - min(t, total_iters) / total_iters)^power

    Errors: ValueError for total_iters below 1 or a negative power.

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.PolynomialLR(opt, total_iters=4, power=2.0)
        >>> for epoch in range(2):
        ...     opt.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    _options = ("total_iters", "power")

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        integer("PolynomialLR", "total_iters", self.total_iters, 1)
        number("PolynomialLR", "power", self.power)

    def get_lr(self) -> list[float]:
        """The present rates times what the polynomial falls by in this epoch."""
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._rates()
        now, before = (1.0 - epoch / self.total_iters for epoch in (self.last_epoch, self.last_epoch - 1))
        factor = (now / before) ** self.power
        return [lr * factor for lr in self._rates()]
