"""What the host decides anew before each replay: the options of optimizers, and their counts of steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from cinta._core import Tensor
from cinta.optim.optimizer import Optimizer, Plan, Run


class _Update:
    """One call of an optimizer's fused update, as it was recorded."""

    __slots__ = ("blank", "group", "mask", "number", "optimizer", "plan", "run")

    def __init__(self, optimizer: Optimizer, number: int, plan: Plan, run: Run) -> None:
        self.optimizer = optimizer
        self.number = number
        self.group = optimizer.param_groups[number]
        self.plan = plan
        self.run = run
        # Without parameters an update computes nothing; what it hands to the core are its options.
        self.blank = Run([], [[] for _ in run.columns], None, 0)

    def fits(self) -> bool:
        optimizer, number = self.optimizer, self.number
        return (
            optimizer._plans[number] is self.plan
            and optimizer.param_groups[number] is self.group
            and optimizer._names(self.group) == self.plan.names
        )

    def refresh(self) -> None:
        self.blank.steps = self.run.steps
        self.optimizer._update(self.group, self.blank, [])
        self.run.steps += 1


class Hosts:
    """The updates of a recording, in order."""

    def __init__(self) -> None:
        self.updates: list[_Update] = []

    def prepare(self) -> bool:
        """Goes through the motions of the updates, before each replay; False where one is not what was recorded.

        The core then takes down the options that they hand to it and computes nothing.
        """
        updates = self.updates
        for update in updates:
            if not update.fits():
                return False
        for update in updates:
            update.refresh()
        return True

    @contextmanager
    def recorded(self, recording: Any) -> Iterator[None]:
        """While it lasts, optimizers of this thread report their updates here."""
        thread = get_ident()
        plain_plan, plain_run = Optimizer._plan, Optimizer._run

        def plan(self: Optimizer, *args: Any) -> Plan:
            if get_ident() != thread:
                return plain_plan(self, *args)
            recording.pause()  # state made in the first step is there for all replays
            try:
                return plain_plan(self, *args)
            finally:
                recording.resume()

        def run(self: Optimizer, number: int, plan: Plan, run: Run, grads: list[Tensor]) -> None:
            if get_ident() == thread:
                hosts.updates.append(_Update(self, number, plan, run))
            plain_run(self, number, plan, run, grads)

        hosts = self
        Optimizer._plan, Optimizer._run = plan, run  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            Optimizer._plan, Optimizer._run = plain_plan, plain_run  # type: ignore[method-assign]
