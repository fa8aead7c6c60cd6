"""Where a program's time goes: by instruction and by layer, as text, HTML or a Chrome trace."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy

from cinta.atomic_write import atomic_write

from .instructions import PHASES, Description, Instruction
from .units import bytes_text, count_text, time_text

HEADINGS = ("#", "instruction", "layer", "phase", "time", "share", "FLOP", "FLOP/s", "bytes", "bytes/s")
LAYER_HEADINGS = ("layer", *PHASES, "time", "share")


@dataclass(frozen=True)
class Row:
    """One instruction: the median of its times."""

    number: int
    name: str
    layer: str
    phase: str
    seconds: float
    share: float  # of the whole program
    flops: float
    bytes: int  # read and written

    @property
    def flops_per_second(self) -> float:
        return self.flops / self.seconds if self.seconds else 0.0

    @property
    def bytes_per_second(self) -> float:
        return self.bytes / self.seconds if self.seconds else 0.0

    def cells(self) -> tuple[str, ...]:
        return (
            str(self.number),
            self.name,
            self.layer,
            self.phase,
            time_text(self.seconds),
            f"{self.share:.1%}",
            count_text(self.flops) if self.flops else "",
            count_text(self.flops_per_second) if self.flops else "",
            bytes_text(self.bytes),
            f"{bytes_text(self.bytes_per_second)}/s" if self.bytes else "",
        )


@dataclass(frozen=True)
class LayerRow:
    """The sum over a layer's instructions."""

    layer: str
    forward: float
    backward: float
    update: float
    share: float

    @property
    def seconds(self) -> float:
        return self.forward + self.backward + self.update

    def cells(self) -> tuple[str, ...]:
        parts = [time_text(t) if t else "" for t in (self.forward, self.backward, self.update)]
        return (self.layer or "(no layer)", *parts, time_text(self.seconds), f"{self.share:.1%}")


@dataclass(frozen=True, repr=False)
class Profile:
    """What `Program.profile` found: `rows` by instruction in order, `layers`, and tables of both.

    `str()` sorts instructions by time, `table("order")` leaves them as they run; notebooks show both tables.
    """

    name: str
    runs: int
    rows: list[Row]
    layers: list[LayerRow]

    @property
    def seconds(self) -> float:
        """The whole program: the sum over its instructions."""
        return sum(row.seconds for row in self.rows)

    def table(self, sort: str = "time") -> str:
        """Instructions by "time" or in "order", then the layers, as aligned text."""
        instructions = _aligned(HEADINGS, [row.cells() for row in self._sorted(sort)], left=(1, 2, 3))
        layers = _aligned(LAYER_HEADINGS, [row.cells() for row in self.layers], left=(0,))
        return "\n".join([self._title(), "", *instructions, "", *layers])

    def _sorted(self, sort: str) -> list[Row]:
        if sort not in ("time", "order"):
            raise ValueError(f"[profile] sort got {sort!r}, expected 'time' or 'order'")
        return sorted(self.rows, key=lambda row: -row.seconds) if sort == "time" else self.rows

    def _title(self) -> str:
        flops = sum(row.flops for row in self.rows)
        rate = f", {count_text(flops / self.seconds)}FLOP/s" if flops and self.seconds else ""
        return f"{self.name}: {time_text(self.seconds)} in {len(self.rows)} instructions{rate} (median of {self.runs})"

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [(row.cells(), row.phase, row.share) for row in self._sorted("time")]
        layers = [(row.cells(), "", row.share) for row in self.layers]
        return (
            f"<p>{escape(self._title())}</p>"
            f"{_html(HEADINGS, rows, (1, 2, 3))}<br/>{_html(LAYER_HEADINGS, layers, (0,))}"
        )

    def chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Writes the profile as a Chrome trace, for https://ui.perfetto.dev or chrome://tracing.

        Instructions stand one after the other, each as long as its median time, in a lane for forward, one for
        backward and one for update. The file appears whole or not at all.

        Errors: OSError where the file cannot be written.
        """
        process: dict[str, Any] = {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": self.name}}
        lanes = [
            {"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": phase}}
            for tid, phase in enumerate(PHASES, 1)
        ]
        events, now = [process, *lanes], 0.0
        for row in self.rows:
            arguments = {"number": row.number, "layer": row.layer, "FLOP": row.flops, "bytes": row.bytes}
            place = {"pid": 1, "tid": PHASES.index(row.phase) + 1, "ts": now * 1e6, "dur": row.seconds * 1e6}
            events.append({"ph": "X", "name": row.name, "cat": row.layer or row.phase, **place, "args": arguments})
            now += row.seconds
        content = {"traceEvents": events, "displayTimeUnit": "ns"}
        atomic_write(path, json.dumps(content).encode())


def summarize(name: str, program: Description, runs: list[list[float]]) -> Profile:
    times = [float(t) for t in numpy.median(runs, axis=0)]
    whole = sum(times) or 1.0
    rows = [
        Row(i.number, i.title, i.layer, i.phase, t, t / whole, i.flops, i.bytes)
        for i, t in zip(program.instructions, times)
    ]
    return Profile(name, len(runs), rows, _by_layer(program.instructions, times, whole))


def _by_layer(instructions: list[Instruction], times: list[float], whole: float) -> list[LayerRow]:
    sums: dict[str, dict[str, float]] = {}
    for i, t in zip(instructions, times):
        layer = sums.setdefault(i.layer, dict.fromkeys(PHASES, 0.0))
        layer[i.phase] += t
    return [LayerRow(layer, **parts, share=sum(parts.values()) / whole) for layer, parts in sums.items()]


def _aligned(headings: Sequence[str], rows: Sequence[Sequence[str]], left: tuple[int, ...]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(headings, *rows)]
    return [
        "  ".join(
            f"{cell:<{w}}" if k in left else f"{cell:>{w}}" for k, (cell, w) in enumerate(zip(row, widths))
        ).rstrip()
        for row in (headings, *rows)
    ]


def _html(headings: Sequence[str], rows: Sequence[tuple[Sequence[str], str, float]], left: tuple[int, ...]) -> str:
    """A table whose column of shares has bars behind its numbers."""
    share = list(headings).index("share")

    def cell(k: int, text: str, part: float) -> str:
        style = f"text-align:{'left' if k in left else 'right'};white-space:nowrap"
        if k == share:
            style += f";background:linear-gradient(to left,#b9cdea {part:.1%},transparent {part:.1%})"
        return f'<td style="{style}">{escape(text)}</td>'

    head = "".join(
        f'<th style="text-align:{"left" if k in left else "right"}">{escape(h)}</th>' for k, h in enumerate(headings)
    )
    body = "".join(
        f"<tr>{''.join(cell(k, text, part) for k, text in enumerate(cells))}</tr>" for cells, _, part in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
