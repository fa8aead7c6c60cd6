"""The line that a terminal shows of a training."""

from __future__ import annotations

import sys
import time
from typing import Any

_SECONDS = 0.1  # between two looks at the line: what a step costs is not to depend on it


class Display:
    """A bar with epoch, step, figures and time; shows nothing where it is off."""

    def __init__(self, wanted: bool | None, epochs: int, done: int, batches: int | None) -> None:
        self._bar: Any = None
        self._figures = ""
        self._next = 0.0
        self._batches = batches
        if wanted is False or (wanted is None and not sys.stdout.isatty()):
            return
        try:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        except ModuleNotFoundError:
            if wanted:
                raise ModuleNotFoundError('[Trainer] progress=True needs rich: pip install "cinta[training]"') from None
            return
        console = Console(force_terminal=True if wanted else None)
        columns = (
            "{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            "{task.fields[figures]}",
            TimeElapsedColumn(),
        )
        plain = [TextColumn(each) if isinstance(each, str) else each for each in columns]
        self._epochs = epochs
        self._bar = Progress(*plain, console=console)
        total = None if batches is None else epochs * batches
        self._task = self._bar.add_task("", total=total, completed=done * (batches or 0), figures="")
        self._bar.start()

    @property
    def shown(self) -> bool:
        return self._bar is not None

    def batch(self, epoch: int, batch: int, loss: float) -> None:
        """After a step."""
        if self._bar is None:
            return
        now = time.perf_counter()
        if now >= self._next:
            self._next = now + _SECONDS
            text = f"epoch {epoch + 1}/{self._epochs}"
            done = epoch * self._batches + batch if self._batches else batch
            self._bar.update(self._task, description=text, completed=done, figures=self._figures or f"loss {loss:.4g}")

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        """After an epoch."""
        if self._bar is None:
            return
        shown = [f"{name} {value:.4g}" for name, value in values.items() if name not in ("epoch", "step")]
        self._figures = "  ".join(shown)
        done = epoch * (self._batches or 0)
        self._bar.update(self._task, description=f"epoch {epoch}/{self._epochs}", completed=done, figures=self._figures)

    def say(self, text: str) -> None:
        """A line of its own."""
        if self._bar is not None:
            self._bar.console.print(text)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
