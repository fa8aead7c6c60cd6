"""ExponentialLR: a rate that falls by the same factor every epoch."""

from __future__ import annotations

from cinta.optim.lr_scheduler.checks import number
from cinta.optim.lr_scheduler.scheduler import LRScheduler
from cinta.optim.optimizer import Optimizer


class ExponentialLR(LRScheduler):
    """Multiplies the learning rate by gamma every epoch.

    lr_t = lr_0 gamma^t

    Errors: ValueError for a negative gamma.

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
        >>> opt.step(), scheduler.step()
        (None, None)
        >>> scheduler.get_last_lr()
        [0.5]
    """

    _options = ("gamma",)

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        number("ExponentialLR", "gamma", self.gamma)

    def get_lr(self) -> list[float]:
        """The present rates times gamma."""
        return self._rates() if self._is_initial else [lr * self.gamma for lr in self._rates()]
