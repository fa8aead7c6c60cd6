"""SequentialLR and ChainedScheduler: schedules one after the other, and schedules together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from cinta.optim.checks import outside_recording
from cinta.optim.lr_scheduler.checks import fitted, integer
from cinta.optim.lr_scheduler.scheduler import LRScheduler
from cinta.optim.optimizer import Optimizer


class _Composed(LRScheduler):
    """Schedules of one optimizer, with their states inside its own."""

    _schedulers: list[LRScheduler]
    _options: tuple[str, ...] = ()

    def _take(self, optimizer: Optimizer | None, schedulers: Sequence[LRScheduler]) -> None:
        schedulers = list(schedulers)
        if not schedulers:
            raise ValueError(f"[{self._name}] schedulers got none, expected at least one")
        for number, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, LRScheduler):
                raise TypeError(
                    f"[{self._name}] schedulers[{number}] got a {type(scheduler).__name__}, expected a schedule"
                )
        self.optimizer = schedulers[0].optimizer if optimizer is None else optimizer
        for number, scheduler in enumerate(schedulers):
            if scheduler.optimizer is not self.optimizer:
                raise ValueError(
                    f"[{self._name}] schedulers[{number}] belongs to another optimizer, expected the same for all"
                )
            if scheduler in schedulers[:number]:
                raise ValueError(f"[{self._name}] schedulers[{number}] is there twice, expected it once")
        self._schedulers = schedulers

    def _follow(self) -> None:
        self._last_lr = self._rates()
        self.stopped = any(scheduler.stopped for scheduler in self._schedulers)

    def state_dict(self) -> dict[str, Any]:
        """Position and the states of the schedules inside."""
        values = {name: getattr(self, name) for name in (*self._options, "_last_lr")}
        kept = {name: list(value) if isinstance(value, list) else value for name, value in values.items()}
        return {**kept, "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a `state_dict` of the same schedules in the same order, all of it or nothing.

        Errors: ValueError naming what is missing, unknown or out of range.
        """
        before = self.state_dict()
        self._require_keys(state_dict, tuple(before))
        given = state_dict["_schedulers"]
        if not isinstance(given, (list, tuple)) or len(given) != len(self._schedulers):
            raise ValueError(
                f"[{self._name}] state '_schedulers' got {given!r:.60}, expected {len(self._schedulers)} states"
            )
        mine = {key: before[key] for key in (*self._options, "_last_lr")}
        loaded = {key: fitted(self._name, key, state_dict[key], value) for key, value in mine.items()}
        try:
            for scheduler, state in zip(self._schedulers, given):
                scheduler.load_state_dict(state)
        except ValueError:
            for scheduler, state in zip(self._schedulers, before["_schedulers"]):
                scheduler.load_state_dict(state)
            raise
        self.__dict__.update(loaded)
        self.stopped = any(scheduler.stopped for scheduler in self._schedulers)


class SequentialLR(_Composed):
    """One schedule after the other: at each milestone the next one starts, from the groups' initial rates.

    schedulers[i] runs while milestones[i - 1] <= t < milestones[i]

    A plateau may follow a warm-up: `step(metric)` hands the metric on.
    Errors: ValueError for schedules of several optimizers, or milestones that do not increase from above 0, one fewer
    than schedules.

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> warmup = optim.lr_scheduler.LinearLR(opt, start_factor=0.5, total_iters=2)
        >>> cosine = optim.lr_scheduler.CosineAnnealingLR(opt, T_max=6)
        >>> scheduler = optim.lr_scheduler.SequentialLR(opt, [warmup, cosine], milestones=[2])
        >>> rates = []
        >>> for epoch in range(6):
        ...     rates += scheduler.get_last_lr()
        ...     opt.step()
        ...     scheduler.step()
        >>> [round(rate, 2) for rate in rates]
        [0.5, 0.75, 1.0, 0.93, 0.75, 0.5]
    """

    _options = ("_milestones", "last_epoch")

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        milestones = list(milestones)
        if last_epoch != -1:
            raise ValueError(f"[SequentialLR] last_epoch got {last_epoch}, expected -1: go on with load_state_dict")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"[SequentialLR] milestones got {len(milestones)} values for {len(schedulers)} schedules, expected "
                f"{len(schedulers) - 1}"
            )
        for before, milestone in zip([0, *milestones], milestones):
            integer("SequentialLR", "milestones", milestone, before + 1)
        self._take(optimizer, schedulers)
        self._milestones = milestones
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self._start()

    def _start(self, last_epoch: int = -1) -> None:
        self.last_epoch = last_epoch + 1
        self._schedulers[0]._start()
        self._follow()

    def _ready(self, metric: Any) -> None:
        outside_recording("[SequentialLR] step()")
        if self.last_epoch + 1 not in self._milestones:
            self._schedulers[bisect_right(self._milestones, self.last_epoch)]._ready(metric)
        elif self.last_epoch == 0:  # the first schedule's only epoch ends
            self._schedulers[0]._ready(metric)

    def step(self, metric: Any = None) -> None:
        """A step of the schedule that is on, or the start of the next one."""
        self._ready(metric)
        scheduler = self._schedulers[bisect_right(self._milestones, self.last_epoch + 1)]
        if self.last_epoch + 1 in self._milestones:
            scheduler._restart()
        else:
            scheduler.step(metric)
        self.last_epoch += 1
        self._follow()


class ChainedScheduler(_Composed):
    """Several schedules at once, each scaling the rates that the one before it leaves.

    lr_t = lr_0 f_1(t) f_2(t) ..., for schedules lr_t = lr_0 f_i(t)

    Errors: ValueError for schedules of several optimizers.

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> warmup = optim.lr_scheduler.ConstantLR(opt, factor=0.5, total_iters=2)
        >>> decay = optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
        >>> scheduler = optim.lr_scheduler.ChainedScheduler([warmup, decay])
        >>> rates = []
        >>> for epoch in range(3):
        ...     rates += scheduler.get_last_lr()
        ...     opt.step()
        ...     scheduler.step()
        >>> rates
        [0.5, 0.25, 0.25]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self._take(optimizer, schedulers)
        self._follow()

    def _start(self, last_epoch: int = -1) -> None:
        for scheduler in self._schedulers:
            scheduler._start()
        self._follow()

    def _ready(self, metric: Any) -> None:
        for scheduler in self._schedulers:
            scheduler._ready(metric)

    def step(self, metric: Any = None) -> None:
        """A step of every schedule, in order."""
        self._ready(metric)
        for scheduler in self._schedulers:
            scheduler.step(metric)
        self._follow()
