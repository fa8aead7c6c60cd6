"""What the host decides anew before each replay: the options of optimizers, and their counts of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import get_ident
from typing import Any

from cinta._core import Tensor
from cinta.optim.optimizer import Optimizer, Plan, Run, following


class _Update:
    """One call of an optimizer's fused update, as it was recorded."""

    __slots__ = ("blank", "group", "groups", "number", "optimizer", "options", "plan", "run", "steps", "watched")

    def __init__(self, optimizer: Optimizer, number: int, plan: Plan, run: Run) -> None:
        self.optimizer = optimizer
        self.number = number
        self.group = optimizer.param_groups[number]
        self.groups = len(optimizer.param_groups)
        # What an update written in Python makes of the options is in the recording; the core's own are handed on.
        code = type(optimizer)._update.__code__
        own = (type(optimizer)._update.__module__ or "").startswith("cinta.")
        self.watched = () if own else tuple(k for k in self.group if k != "params")
        self.steps = run.steps if not own and "steps" in code.co_names else None
        self.options = [self.group[k] for k in self.watched]
        self.plan = plan
        self.run = run
        # Without parameters an update computes nothing; what it hands to the core are its options.
        self.blank = Run([], [[] for _ in run.columns], None, 0)

    def fits(self) -> bool:
        optimizer, number = self.optimizer, self.number
        return (
            optimizer._plans[number] is self.plan
            and optimizer.param_groups[number] is self.group
            and len(optimizer.param_groups) == self.groups
            and optimizer._names(self.group) == self.plan.names
            and (not self.watched or [self.group[k] for k in self.watched] == self.options)
            and (self.steps is None or self.run.steps == self.steps)
        )

    def refresh(self) -> None:
        self.blank.steps = self.run.steps
        self.optimizer._update(self.group, self.blank, [])
        self.run.steps += 1
        self.optimizer._stepped = True


class Hosts:
    """The updates of a recording, in order."""

    def __init__(self) -> None:
        self.updates: list[_Update] = []
        self._thread = get_ident()
        self._recording: Any = None

    def prepare(self) -> bool:
        """Before each replay: goes through the motions of the updates, whose options the core takes down, and counts
        the steps; False where a recording has to be made.
        """
        for update in self.updates:
            if not update.fits():
                return False
        done = 0
        try:
            for update in self.updates:
                update.refresh()
                done += 1
        except BaseException:
            for update in self.updates[:done]:
                update.run.steps -= 1
            raise
        return True

    def take_back(self) -> None:
        """After a replay that failed."""
        for update in self.updates:
            update.run.steps -= 1

    def state(self) -> Iterator[tuple[Tensor, str, Tensor]]:
        """What optimizers keep: the parameter, the name and the tensor of each state that is updated."""
        for update in self.updates:
            for name, column in zip(update.plan.names, update.run.columns):
                for param, tensor in zip(update.run.params, column):
                    yield param, name, tensor

    # While a recording lasts: optimizers of this thread report their updates here.

    def recorded(self, recording: Any) -> Hosts:
        self._recording = recording
        return self

    def __enter__(self) -> Hosts:
        following.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        following.remove(self)
        self._recording = None

    def updating(self, optimizer: Optimizer, number: int, plan: Plan, run: Run) -> None:
        if get_ident() == self._thread:
            self.updates.append(_Update(optimizer, number, plan, run))

    def paused(self, make: Callable[..., Plan]) -> Callable[..., Plan]:
        """`make`, not recorded: state made in the first step is there for all replays."""

        def plan(*args: Any) -> Plan:
            self._recording.pause()
            try:
                return make(*args)
            finally:
                self._recording.resume()

        return plan if get_ident() == self._thread else make
