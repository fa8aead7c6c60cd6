"""How far a training has come: what a checkpoint holds besides the objects that learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cinta.training.metrics import Mean, Metric
from cinta.training.random_state import GLOBAL


class Progress:
    """Counts, the history, the sums of the running epoch, and whether and why the training has stopped."""

    def __init__(self, metrics: list[Metric]) -> None:
        self.first = 0  # epochs that were complete when this fit began
        self.epoch = 0  # complete epochs
        self.batch = 0  # batches of the running epoch that were used
        self.step = 0  # updates
        self.stopped: str | None = None
        self.history: list[dict[str, float]] = []
        self.loss = Mean(_not_called, "loss")
        self.metrics = metrics
        self.epoch_start: dict[str, Any] | None = None  # streams then, where the batches' order may hang on them

    def state_dict(self) -> dict[str, Any]:
        return {
            "counts": {name: getattr(self, name) for name in ("first", "epoch", "batch", "step")},
            "stopped": self.stopped,
            "history": self.history,
            "sums": {metric.name: metric.state_dict() for metric in [self.loss, *self.metrics]},
            "epoch_start": self.epoch_start,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        counts, sums, history = state["counts"], state["sums"], state["history"]
        if any(type(count) is not int or count < 0 for count in counts.values()) or len(counts) != 4:
            raise ValueError(f"[Trainer] counts got {counts!r:.80}, expected four integers from 0")
        if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
            raise ValueError(f"[Trainer] history got {history!r:.60}, expected a list of dicts")
        start = state["epoch_start"]
        if start is not None and not start.keys() <= GLOBAL.keys():
            raise ValueError(f"[Trainer] epoch_start got streams {[*start]!s:.60}, expected some of {[*GLOBAL]}")
        metrics = [self.loss, *self.metrics]
        if sums.keys() != {metric.name for metric in metrics}:
            raise ValueError(
                f"[Trainer] metrics got those of a training with {[*sums]}, expected {[each.name for each in metrics]}"
            )
        for metric in metrics:
            metric.load_state_dict(sums[metric.name])
        self.first, self.epoch, self.batch, self.step = (counts[key] for key in ("first", "epoch", "batch", "step"))
        self.history, self.stopped, self.epoch_start = list(history), state["stopped"], start

    def begin_epoch(self) -> None:
        self.loss.reset()
        for metric in self.metrics:
            metric.reset()


def streams(names: Sequence[str]) -> dict[str, Any]:
    """The states of global streams of random numbers."""
    return {name: GLOBAL[name]().state_dict() for name in names}


def set_streams(states: Mapping[str, Any]) -> None:
    for name, state in states.items():
        GLOBAL[name]().load_state_dict(state)


def _not_called(outputs: Any, targets: Any) -> float:
    raise NotImplementedError
