"""Logs of a training's numbers: CSV, JSON lines, TensorBoard."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from pathlib import Path
from typing import Any

from cinta.atomic_write import atomic_write


class Logger:
    """What a Trainer hands its numbers to: `log(step, values)` and `close()`.

    `resume(step)` is called where a training is taken up: what was logged for later steps is to go.

    Example:
        >>> class Printer(ct.training.Logger):
        ...     def log(self, step, values):
        ...         print(step, *values)
        >>> Printer().log(3, {"loss": 0.5})
        3 loss
    """

    def log(self, step: int, values: dict[str, float]) -> None:
        """Takes the numbers of a step by name."""
        raise NotImplementedError(f"[{type(self).__name__}] has no log(), expected its class to give one")

    def resume(self, step: int) -> None:
        """Goes on with the log as it was after this step."""

    def close(self) -> None:
        """Writes what is still to be written."""


class _FileLogger(Logger):
    """Rows in a file that is begun anew by the first, unless it was resumed; each is on its way when `log` returns."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._begun = False

    def resume(self, step: int) -> None:
        """Keeps the rows up to this step."""
        if self.path.exists():
            self._write([row for row in self._read() if row["step"] <= step])
            self._begun = True

    def _append(self, text: str) -> None:
        with open(self.path, "a" if self._begun else "w", encoding="utf-8", newline="") as file:
            file.write(text)
        self._begun = True

    def _damaged(self, error: Exception) -> ValueError:
        return ValueError(
            f"[{type(self).__name__}] {self.path} is no log of this kind, expected one to go on with: {error}"
        )

    def _read(self) -> list[dict[str, Any]]:
        raise NotImplementedError(f"[{type(self).__name__}] has no _read(), expected its class to give one")

    def _write(self, rows: list[dict[str, Any]]) -> None:
        raise NotImplementedError(f"[{type(self).__name__}] has no _write(), expected its class to give one")


class CSVLogger(_FileLogger):
    """A table with a column for each name; a new name adds a column, rows without it stay empty there.

    Numbers are written so that reading them gives the same bits.
    Errors: OSError where the file cannot be written; ValueError where one to go on with is no such table.

    Example:
        >>> logger = ct.training.CSVLogger("log.csv")
        >>> logger.log(10, {"loss": 0.5})
        >>> logger.log(20, {"loss": 0.25, "validation_loss": 0.375})
        >>> print(open("log.csv").read(), end="")
        step,loss,validation_loss
        10,0.5,
        20,0.25,0.375
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._names: list[str] = []

    def log(self, step: int, values: dict[str, float]) -> None:
        """Adds a row."""
        row: dict[str, Any] = {"step": step, **values}
        if not self._begun:
            self._names = list(row)
            self._append(_csv([self._names]))
        if new := [name for name in row if name not in self._names]:
            rows = self._read()
            self._names += new
            self._write(rows)
        self._append(_csv([[row.get(name, "") for name in self._names]]))

    def _read(self) -> list[dict[str, Any]]:
        try:
            with open(self.path, encoding="utf-8", newline="") as file:
                names, *rows = csv.reader(file)
            if "step" not in names:
                raise ValueError(f"it has no column 'step' among {names!r:.60}")
            table = [
                dict(zip(names, row, strict=True)) for row in rows if len(row) == len(names) or row is not rows[-1]
            ]
            self._names = names
            return [{**row, "step": int(row["step"])} for row in table]
        except (ValueError, KeyError, csv.Error) as error:
            raise self._damaged(error) from error

    def _write(self, rows: list[dict[str, Any]]) -> None:
        table = [self._names, *([row.get(name, "") for name in self._names] for row in rows)]
        atomic_write(self.path, _csv(table).encode())


class JSONLinesLogger(_FileLogger):
    """A line of JSON for each call, `{"step": 10, "loss": 0.5}`.

    NaN and infinities, which JSON lacks, are written as null.
    Errors: OSError where the file cannot be written; ValueError where one to go on with is no such log.

    Example:
        >>> logger = ct.training.JSONLinesLogger("log.jsonl")
        >>> logger.log(10, {"loss": 0.5, "lr": 0.1})
        >>> print(open("log.jsonl").read(), end="")
        {"step": 10, "loss": 0.5, "lr": 0.1}
    """

    def log(self, step: int, values: dict[str, float]) -> None:
        """Adds a line."""
        self._append(_json({"step": step, **values}))

    def _read(self) -> list[dict[str, Any]]:
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            rows = [json.loads(line) for line in lines if line.endswith("\n")]  # a killed process may leave half of one
            return [{**row, "step": int(row["step"])} for row in rows]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._damaged(error) from error

    def _write(self, rows: list[dict[str, Any]]) -> None:
        atomic_write(self.path, "".join(map(_json, rows)).encode())


class TensorBoardLogger(Logger):
    """Curves for TensorBoard (`tensorboard --logdir runs`), one for each name.

    Errors: ModuleNotFoundError without tensorboardX, which writes the files and needs no other framework.

    Example:
        >>> logger = ct.training.TensorBoardLogger("runs/first")
        >>> logger.log(10, {"loss": 0.5})
        >>> logger.close()
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            import tensorboardX
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                '[TensorBoardLogger] logs need tensorboardX: pip install "cinta[tensorboard]"'
            ) from None
        self._module = tensorboardX
        self.folder = os.fspath(folder)
        self._writer: Any = None
        self._purge: int | None = None

    def log(self, step: int, values: dict[str, float]) -> None:
        """Adds a point to each curve."""
        if self._writer is None:
            own = f".{os.urandom(4).hex()}"  # two files of one second would have one name
            self._writer = self._module.SummaryWriter(self.folder, purge_step=self._purge, filename_suffix=own)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def resume(self, step: int) -> None:
        """Points of later steps, which TensorBoard has in older files of the folder, are not shown."""
        self.close()
        self._purge = step + 1

    def close(self) -> None:
        """Writes what is still to be written; a later `log` goes on in a new file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _json(row: dict[str, Any]) -> str:
    finite = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()
    }
    return json.dumps(finite) + "\n"
