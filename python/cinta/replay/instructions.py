"""A program as Python data: instructions, and the values that they read and write, by names that people know."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from math import prod
from typing import Any

from cinta._core import Tensor

PHASES = ("forward", "backward", "update")
_OF_GRADIENTS = ("total_norm", "clip_norm_")  # what stands between backward and update
_LETTERS = {"state": "s", "gradient": "g", "constant": "c", "host": "options", "temporary": "t", "result": "r"}


@dataclass(eq=False)
class Value:
    """Memory that instructions read and write."""

    name: str
    role: str  # input, gradient, state, constant, host, temporary or result
    bytes: int
    parameter: bool
    offset: int | None  # of a temporary, in the arena
    first: int | None = None  # the instructions that use it; None: nobody does
    last: int | None = None


@dataclass(frozen=True)
class Operand:
    """A look at a value."""

    value: Value
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    itemsize: int
    constant: Tensor | None

    @property
    def name(self) -> str:
        if self.constant is None:
            return self.value.name
        number = self.constant.item()
        return f"{number:g}" if isinstance(number, float) else str(number)

    @property
    def bytes(self) -> int:
        """Of the elements it reaches, each counted once where it is broadcast."""
        return self.itemsize * prod(n for n, stride in zip(self.shape, self.strides) if stride)


@dataclass
class Instruction:
    number: int
    name: str
    phase: str
    layer: str
    reads: list[Operand]
    writes: list[Operand]
    flops: float
    parts: list[str]  # of a fused group: the names of what it does
    site: str
    bytes: int = field(init=False)  # that it reads and writes

    def __post_init__(self) -> None:
        self.bytes = sum(x.bytes for x in set(self.reads)) + sum(y.bytes for y in set(self.writes))

    @property
    def title(self) -> str:
        return "+".join(self.parts) or self.name


@dataclass
class Description:
    instructions: list[Instruction]
    values: list[Value]  # those in use
    arena: int
    bytes_before: int
    instructions_before: int
    fused_groups: int

    @property
    def temporaries(self) -> list[Value]:
        return [v for v in self.values if v.offset is not None]


def read(
    raw: dict[str, Any], names: dict[int, str], inputs: list[str], results: list[str], kinds: dict[str, str]
) -> Description:
    """From what the core tells. `names` are of state, by value; `kinds` the types of modules, by their paths."""
    values = [
        Value("", v["role"], v["bytes"], v["parameter"], v["offset"] if v["offset"] >= 0 else None)
        for v in raw["values"]
    ]
    for n, i in enumerate(raw["instructions"]):
        for x in filter(None, i["in"] + i["out"]):
            v = values[x["value"]]
            v.first, v.last = n if v.first is None else v.first, n
    _name(values, raw, names, inputs, results)

    def operands(raw_operands: list[dict[str, Any] | None]) -> list[Operand]:
        return [
            Operand(
                values[x["value"]], x["offset"], x["shape"], x["strides"], x["dtype"], x["itemsize"], x.get("constant")
            )
            for x in raw_operands
            if x
        ]

    instructions = []
    for n, i in enumerate(raw["instructions"]):
        reads, writes = operands(i["in"]), operands(i["out"])
        phase, layer = _phase(i, reads, writes), i["layer"]
        if phase == "update" and not layer and writes and writes[0].value.role == "state":
            layer = writes[0].value.name.rpartition(".")[0]  # the parameter's
        if layer.rpartition(".")[2].isdigit():
            layer = f"{layer} {kinds.get(layer, '')}".rstrip()
        instructions.append(Instruction(n, i["name"], phase, layer, reads, writes, i["flops"], i["parts"], i["site"]))
    return Description(
        instructions,
        [v for v in values if v.first is not None],
        raw["arena"],
        raw["bytes_before"],
        raw["instructions_before"],
        raw["fused_groups"],
    )


def _phase(raw: dict[str, Any], reads: list[Operand], writes: list[Operand]) -> str:
    if raw["backward"]:
        return "backward"
    updates = (
        raw["name"] in _OF_GRADIENTS
        or any(x.value.role == "host" for x in reads)
        or any(y.value.role == "state" and y.value.parameter for y in writes)
    )
    return "update" if updates else "forward"


def _name(
    values: list[Value], raw: dict[str, Any], names: dict[int, str], inputs: list[str], results: list[str]
) -> None:
    for number, name in names.items():
        values[number].name = name
    for v, told in zip(values, raw["values"]):
        if v.role == "input":
            v.name = inputs[told["number"]]
    for leaf in raw["leaves"]:
        for x in filter(None, (leaf["found"], leaf["grad"])):
            whose = inputs[leaf["input"]] if leaf["input"] >= 0 else names.get(leaf["state"], "")
            values[x["value"]].name = values[x["value"]].name or (f"{whose}.grad" if whose else "")
        if leaf["rows"] and leaf["grad"]:
            values[leaf["rows"]["value"]].name = f"{values[leaf['grad']['value']].name}.rows"
    for x, name in zip(raw["results"], results):
        if x:
            values[x["value"]].name = values[x["value"]].name or name
    free = {role: count() for role in _LETTERS}
    for v in sorted((v for v in values if v.first is not None), key=lambda v: v.first or 0):
        v.name = v.name or f"{_LETTERS[v.role]}{next(free[v.role])}"
