"""CosineAnnealingLR and CosineAnnealingWarmRestarts: rates that fall along half a cosine, once or again and again."""

from __future__ import annotations

from math import cos, pi

from cinta.optim.lr_scheduler.checks import integer, number
from cinta.optim.lr_scheduler.scheduler import LRScheduler
from cinta.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """Lets the learning rate fall to eta_min along half a cosine in T_max epochs, and rise again the same way.

    lr_t = eta_min + (lr_0 - eta_min) (1 + cos(pi t / T_max)) / 2

    Errors: ValueError for T_max below 1 or a negative eta_min.
    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016.

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.CosineAnnealingLR(opt, T_max=10)
        >>> for epoch in range(5):
        ...     opt.step()
        ...     scheduler.step()
        >>> round(scheduler.get_last_lr()[0], 6)
        0.5
    """

    _options = ("T_max", "eta_min")

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        integer("CosineAnnealingLR", "T_max", self.T_max, 1)
        number("CosineAnnealingLR", "eta_min", self.eta_min)

    def get_lr(self) -> list[float]:
        """The present rates, a step further along the cosine; from its foot, where they say nothing, the first ones."""
        if self._is_initial:
            return self._rates()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            rise = (1 - cos(pi / self.T_max)) / 2
            return [lr + (base - self.eta_min) * rise for lr, base in zip(self._rates(), self.base_lrs)]
        now, before = (1 + cos(pi * epoch / self.T_max) for epoch in (self.last_epoch, self.last_epoch - 1))
        return [now / before * (lr - self.eta_min) + self.eta_min for lr in self._rates()]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Lets the learning rate fall to eta_min along half a cosine and starts over, each time for T_mult times as long.

    lr = eta_min + (lr_0 - eta_min) (1 + cos(pi T_cur / T_i)) / 2
    T_cur epochs since the last start, T_i = T_0 T_mult^i epochs to the next one

    Errors: ValueError for T_0 or T_mult below 1 or a negative eta_min.
    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016.

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=4, T_mult=2)
        >>> for epoch in range(8):  # the second start was at 4, the next one is at 12
        ...     opt.step()
        ...     scheduler.step()
        >>> round(scheduler.get_last_lr()[0], 6)
        0.5
    """

    _options = ("T_0", "T_i", "T_mult", "eta_min", "T_cur")

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_0 = self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        for option in ("T_0", "T_i", "T_mult"):
            integer("CosineAnnealingWarmRestarts", option, getattr(self, option), 1)
        number("CosineAnnealingWarmRestarts", "eta_min", self.eta_min)

    def _start(self, last_epoch: int = -1) -> None:
        self.T_i, self.T_cur = self.T_0, last_epoch
        super()._start(last_epoch)

    def _advance(self) -> None:
        self.T_cur += 1
        while self.T_cur >= self.T_i:
            self.T_cur -= self.T_i
            self.T_i *= self.T_mult
        super()._advance()

    def get_lr(self) -> list[float]:
        """The rates at the place within the present cosine."""
        share = (1 + cos(pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]
