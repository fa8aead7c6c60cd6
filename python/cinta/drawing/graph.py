"""A tape as nodes and the values that flow between them, with the texts that a picture shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from cinta import _core
from cinta._core import Tensor

SMALL = 4  # elements: up to here a tensor shows its values

LABELS = {
    "add": "+",
    "subtract": "−",
    "multiply": "×",
    "divide": "÷",
    "neg": "×−1",
    "power": "xʸ",
    "square": "x²",
    "sqrt": "√x",
    "reciprocal": "1/x",
    "sigmoid": "σ",
    "sum": "Σ",
    "matmul": "@",
}
# With a constant number as the first operand, and as the second.
WITH_CONSTANT = {
    "add": ("+{}", "+{}"),
    "subtract": ("{}−x", "−{}"),
    "multiply": ("×{}", "×{}"),
    "divide": ("{}/x", "÷{}"),
    "power": ("{}^x", "x^{}"),
    "maximum": ("max(x, {})", "max(x, {})"),
    "minimum": ("min(x, {})", "min(x, {})"),
}
COMMUTATIVE = {"add", "multiply", "maximum", "minimum"}


@dataclass
class Value:
    """What flows along a line. Texts are empty where there is nothing to show."""

    name: str = ""
    shape: str = ""
    forward: str = ""
    gradient: str = ""


@dataclass
class Node:
    kind: Literal["operation", "leaf", "constant"]
    op: str  # or the name of a leaf
    label: str
    site: str  # where in Python it was recorded; empty where unknown
    arguments: list[int | str]  # values, and constant numbers that the label names
    outputs: list[int]  # values that somebody uses

    @property
    def inputs(self) -> list[int]:
        return [v for v in self.arguments if isinstance(v, int)]

    @property
    def commutative(self) -> bool:
        return self.op in COMMUTATIVE


@dataclass
class Graph:
    """Nodes, each after those it takes from; the last one gives the output."""

    nodes: list[Node]
    values: list[Value]


def read(output: Tensor, names: Mapping[str, Tensor], digits: int, limit: int) -> Graph:
    steps, forward, gradient, named, last = _core.tape_snapshot(output, list(names.values()), limit)
    values = [value(f, g, digits) for f, g in zip(forward, gradient)]
    for name, v in zip(names, named):
        if v >= 0:
            values[v].name = values[v].name or name
    made = {v for _, _, _, outputs in steps for v in outputs}
    used = {v for _, _, inputs, _ in steps for v in inputs} | {last}
    free_names = (name for name in map("x{}".format, count()) if name not in names)

    def is_constant(v: int) -> bool:
        return v not in made and gradient[v] is None and not (forward[v] is not None and forward[v].requires_grad)

    def leaf(v: int) -> Node:
        if is_constant(v):
            return Node("constant", "constant", values[v].name or "constant", "", [], [v])
        values[v].name = values[v].name or next(free_names)
        return Node("leaf", values[v].name, values[v].name, "", [], [v])

    def number(v: int) -> str:  # empty if it is none, or has a name
        return "" if values[v].name or not is_constant(v) else single_number(forward[v])

    nodes: dict[int, Node] = {}  # by their first value
    for op, site, inputs, outputs in steps:
        label, arguments = LABELS.get(op, op), [v for v in inputs if v >= 0]
        for k, v in enumerate(arguments):
            if op in WITH_CONSTANT and (constant := number(v)):
                arguments[k] = constant
                label = WITH_CONSTANT[op][k].format(constant.replace("-", "−"))
            elif v not in made and v not in nodes:
                nodes[v] = leaf(v)
        nodes[outputs[0]] = Node("operation", op, label, site, arguments, [v for v in outputs if v in used])
    if not steps:
        nodes[last] = leaf(last)
    return Graph(list(nodes.values()), values)


def single_number(constant: Tensor | None) -> str:
    """A constant that is one number, perhaps spread over a shape; empty if it is more, or unknown."""
    if constant is None or constant.size == 0:
        return ""
    if any(size > 1 and stride != 0 for size, stride in zip(constant.shape, constant.strides)):
        return ""
    return f"{constant.max().item():g}"


def value(forward: Tensor | None, gradient: Tensor | None, digits: int) -> Value:
    known = forward if forward is not None else gradient
    if known is None:
        return Value()
    shown = Value(shape=str(known.shape) if known.ndim else "")
    if forward is not None and known.size <= SMALL:
        shown.forward = numbers(forward.tolist(), digits)
    if gradient is not None and known.size <= SMALL:
        shown.gradient = numbers(gradient.tolist(), digits)
    elif gradient is not None:
        norm = gradient.detach().astype("float64").square().sum().sqrt()
        shown.gradient = f"norm {numbers(norm.item(), digits)}"
    return shown


def numbers(x: Any, digits: int) -> str:
    if isinstance(x, list):
        return f"[{', '.join(numbers(element, digits) for element in x)}]"
    if not isinstance(x, float) or not math.isfinite(x):
        return str(x)
    text = f"{x + 0.0:.{digits}f}"  # -0.0 + 0.0 is 0.0
    hidden = x != 0 and float(text) == 0
    return f"{x:.{digits}e}" if hidden or abs(x) >= 1e6 else text
