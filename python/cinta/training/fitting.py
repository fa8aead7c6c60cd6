"""One call of `Trainer.fit`: the loop over epochs and batches, and everything that happens between steps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cinta.training import batches, checkpoint_file
from cinta.training.callbacks import Callback
from cinta.training.checkpoint import load_checkpoint, save_checkpoint
from cinta.training.display import Display
from cinta.training.interrupt import Interrupt
from cinta.training.progress import set_streams, streams

if TYPE_CHECKING:
    from cinta.training.trainer import Trainer

_EVENTS = "on_fit_start on_epoch_start on_batch_start on_batch_end on_epoch_end on_fit_end"
INTERRUPTED = "interrupted"


class Saving(NamedTuple):
    """Where, and after how many steps besides each epoch, a training is saved; the rest as in `save_checkpoint`."""

    path: Path | None
    every: int | None
    keep: int | None
    random: Sequence[str]


class Fitting:
    """A training under way."""

    def __init__(self, trainer: Trainer, train: Any, validation: Any, saving: Saving, log_every: int | None) -> None:
        self._trainer = trainer
        self._progress = trainer.progress
        self._loader, self._validation = train, validation
        self._length = len(train) if hasattr(train, "__len__") else None
        self._saving, self._log_every = saving, log_every
        self._interrupt = Interrupt()
        self._hooks = {event: _overridden(trainer.callbacks, event) for event in _EVENTS.split()}
        for callback in trainer.callbacks:
            if hasattr(callback, "setup"):
                callback.setup(trainer)
        self._parts: dict[str, Any] = {
            "model": trainer.model,
            "optimizer": trainer.optimizer,
            "scheduler": trainer.scheduler,
            "preprocessing": trainer.preprocessing,
            "loader": train if _has_state(train) else None,
            "validation": validation if _has_state(validation) else None,
            "trainer": self._progress,
            "callbacks": [callback for callback in trainer.callbacks if _has_state(callback)],
            "logs": _Logs(trainer),
        }
        if taken := self._parts.keys() & trainer.parts.keys():
            raise ValueError(f"[fit] parts got the names {sorted(taken)}, expected others than the trainer's own")
        self._parts |= {name: part for name, part in trainer.parts.items() if _has_state(part)}
        self._values = {name: part for name, part in trainer.parts.items() if name not in self._parts}

    # Checkpoints

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Takes everything up, or raises and leaves it as it was."""
        objects = checkpoint_file.read_facts(path).get("objects")
        held = {str(name).split(".")[0] for name in objects} if isinstance(objects, dict) else set()
        wanted = {name for name, part in self._parts.items() if part is not None and part != []}
        if held != wanted:
            raise ValueError(
                f"[fit] {os.fspath(path)} holds states of {sorted(held)!s:.200}, expected {sorted(wanted)}"
            )
        load_checkpoint(path, **self._parts)

    def _save(self, score: float | None = None) -> None:
        path, _, keep, random = self._saving
        if path is not None:
            parts = {name: part for name, part in self._parts.items() if part is not None}
            step, mode = self._progress.step, self._trainer.mode
            parts |= self._values
            save_checkpoint(path, keep=keep, step=step, score=score, mode=mode, random=random, **parts)

    # The loop

    def run(self, epochs: int) -> None:
        """Trains until so many epochs lie behind since the beginning of this fit, or something stops it."""
        trainer, progress = self._trainer, self._progress
        last = progress.first + epochs
        self._display = Display(trainer.show_progress, last, progress.epoch, self._length)
        # What a step need not ask about.
        self._single = trainer.accumulate == 1
        self._observed = bool(self._hooks["on_batch_start"] or self._hooks["on_batch_end"])
        by_step = trainer.scheduler is not None and trainer.scheduler_interval == "step"
        self._followed = self._observed or by_step or self._log_every or self._display.shown
        try:
            with self._interrupt:
                self._call("on_fit_start")
                while progress.epoch < last and progress.stopped is None and trainer.stop_reason is None:
                    self._epoch()
        finally:
            try:
                self._call("on_fit_end")
            finally:
                for logger in trainer.loggers:
                    logger.close()
                self._display.close()

    def _epoch(self) -> None:
        trainer, progress = self._trainer, self._progress
        skipped = progress.batch
        if not skipped:
            progress.begin_epoch()
            if self._parts["loader"] is None:
                progress.epoch_start = streams(self._saving.random)
            self._call("on_epoch_start")
        groups = self._groups(self._begun(skipped))
        step = trainer.training_step()
        for group in groups:
            self._step(step, group)
            if progress.batch != self._length:  # else the epoch is over, which the next lines say
                if progress.stopped is not None or self._interrupt.requested:
                    self._save()
                    self._stop_if_asked()
                    return
                if self._saving.every and progress.step % self._saving.every == 0:
                    self._save()
        if not progress.batch:
            raise ValueError("[fit] train gave no batches, expected at least one (an iterator gives its batches once)")
        self._end_epoch()

    def _begun(self, skipped: int) -> Iterator[Any]:
        """The epoch's batches but those that a training which is taken up has had."""
        if self._parts["loader"] is not None or not skipped:
            return iter(self._loader)
        now = streams(self._saving.random)
        set_streams(self._progress.epoch_start or {})
        rest = iter(self._loader)
        for _ in islice(rest, skipped):
            pass
        set_streams(now)
        return rest

    def _groups(self, source: Iterator[Any]) -> Iterator[list[tuple[Any, Any, float]]]:
        """Inputs, targets and weight of the batches that make one update."""
        trainer = self._trainer
        count, dtype, weight = trainer.accumulate, trainer.dtype, trainer.weight
        plain = trainer.preprocessing is None
        group = []
        for batch in source:
            x, y = batches.pair("[fit] train", batch, dtype)
            if not plain:
                x = trainer.preprocessed(x)
            group.append((x, y, batches.samples(y) if weight is None else float(weight(x, y))))
            if len(group) == count:
                yield group
                group = []
        if group:
            yield group

    def _step(self, step: Any, group: list[tuple[Any, Any, float]]) -> None:
        trainer, progress = self._trainer, self._progress
        if self._observed:
            pairs = [(x, y) for x, y, _ in group]
            trainer.batch = pairs[0] if self._single else pairs
            self._call("on_batch_start")
        if self._single:
            results = (step(group[0][0], group[0][1]),)
        else:
            results = step(*(each for triple in group for each in triple))
        for (_, y, weight), result in zip(group, results):
            if progress.metrics:
                result, outputs = result
                for metric in progress.metrics:
                    metric.update(outputs, y)
            trainer.loss = result.item()
            progress.loss.add(trainer.loss, weight)
        progress.batch += len(group)
        progress.step += 1
        if self._followed:
            self._after_step()

    def _after_step(self) -> None:
        trainer, progress = self._trainer, self._progress
        if trainer.scheduler is not None and trainer.scheduler_interval == "step":
            trainer.scheduler.step()
        self._call("on_batch_end")
        if self._log_every and progress.step % self._log_every == 0:
            self._log({"step_loss": trainer.loss, "lr": trainer.lr})
        self._display.batch(progress.epoch, progress.batch, trainer.loss)

    def _end_epoch(self) -> None:
        trainer, progress = self._trainer, self._progress
        progress.epoch, progress.batch, progress.epoch_start = progress.epoch + 1, 0, None
        values = {"epoch": progress.epoch, "step": progress.step, "lr": trainer.lr}
        values |= {metric.name: metric.compute() for metric in [progress.loss, *progress.metrics]}
        if self._validation is not None:
            found = trainer.evaluate(self._validation)
            values |= {f"validation_{name}": value for name, value in found.items()}
        progress.history.append(values)
        if trainer.scheduler is not None and trainer.scheduler_interval == "epoch":
            trainer.scheduler.step(values[trainer.monitor])
        if getattr(trainer.scheduler, "stopped", False):
            trainer.stop("the scheduler has come to its end")
        self._call("on_epoch_end")
        self._save(score=values[trainer.monitor])
        self._log({name: value for name, value in values.items() if name != "step"})
        self._display.epoch(progress.epoch, values)
        self._stop_if_asked()

    # What is around it

    def _stop_if_asked(self) -> None:
        trainer, progress = self._trainer, self._progress
        if progress.stopped is not None:
            trainer.stop_reason = progress.stopped
        elif self._interrupt.requested:
            trainer.stop_reason = INTERRUPTED
            saved = f", saved to {self._saving.path}" if self._saving.path else ""
            self._display.say(f"stopped by Ctrl-C after step {progress.step}{saved}")

    def _call(self, event: str) -> None:
        for hook in self._hooks[event]:
            hook(self._trainer)

    def _log(self, values: dict[str, float]) -> None:
        for logger in self._trainer.loggers:
            logger.log(self._progress.step, values)


class _Logs:
    """The loggers as one object with a state, the step that they go on from."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._waiting = [logger for logger in trainer.loggers if hasattr(logger, "resume")]

    def state_dict(self) -> dict[str, int]:
        return {"step": self._trainer.step}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        waiting, self._waiting = self._waiting, []  # once: a second call is to take back what has not happened
        for logger in waiting:
            logger.resume(state["step"])


def _has_state(thing: Any) -> bool:
    return hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict")


def _overridden(callbacks: list[Any], event: str) -> list[Any]:
    """The methods that do something: a step is not to pay for those that do nothing."""
    found = [(callback, getattr(callback, event, None)) for callback in callbacks]
    plain = getattr(Callback, event)
    return [method for _, method in found if method is not None and getattr(method, "__func__", None) is not plain]
