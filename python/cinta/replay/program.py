"""A program to look at."""

from __future__ import annotations

from typing import Any


class Program:
    def __init__(self, name: str, replay: Any) -> None:
        self.name = name
        self._replay = replay

    def __str__(self) -> str:
        d = self._replay.describe()
        lines = [f"program of {self.name}: {len(d['instructions'])} instructions, arena {d['arena']} bytes"]
        for number, i in enumerate(d["instructions"]):
            out = ", ".join(f"v{y['value']}{list(y['shape'])}" for y in i["out"] if y)
            ins = ", ".join(f"v{x['value']}{list(x['shape'])}" for x in i["in"] if x)
            lines.append(f"{number:4} {out} = {i['name']}({ins})  {i['layer']} {i['parts'] or ''}")
        return "\n".join(lines)
