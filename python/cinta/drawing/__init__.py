"""Pictures of a tape: `draw`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from cinta._core import Tensor

from . import file, graph, svg, table

__all__ = ["Drawing", "draw"]

MOST_INSTRUCTIONS = 200


@dataclass(frozen=True, repr=False)
class Drawing:
    """A picture of a tape: `svg` for looking at, `text` as a table; notebooks show the picture by themselves.

    Example:
        >>> ct.draw(ct.tensor(2.0, requires_grad=True) * 3)
        value                 shape  forward  gradient
        x0                              2.00      3.00
        v1 = multiply(x0, 3)            6.00      1.00
    """

    svg: str
    text: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the picture to an .svg file, which appears whole or not at all.

        Errors: ValueError for another suffix, OSError where the file cannot be written.

        Example:
            >>> x = ct.tensor(2.0, requires_grad=True)
            >>> ct.draw(x * x).save("square.svg")
        """
        file.save_svg(self.svg, path, "[draw] save")

    def __repr__(self) -> str:
        return self.text

    def _repr_svg_(self) -> str:
        return self.svg


def draw(output: Tensor, *, names: Mapping[str, Tensor] | None = None, digits: int = 2) -> Drawing:
    """The tape that leads to `output` as a picture: each value above its line, d output / d value below it.

    Every instruction is a node. `names` labels tensors, for example `dict(model.named_parameters())`; leaves without
    a name are x0, x1, ...; what is not on the tape is passed over. A constant number stands in the node that takes it.
    A tensor of more than 4 elements shows its shape, and its gradient the Euclidean norm. An output of several elements
    is differentiated as its sum: every element's gradient starts as 1.

    Values that no instruction saved are computed again; where that would not give the same (dropout, a gradient rule
    of one's own, a leaf written in place since) none is shown, nor is that of a constant array that no rule reads.
    The tape, every `grad` and the random numbers stay as they are: `output.backward()` may follow.

    Errors: RuntimeError where nothing was recorded or a backward has freed the tape (draw before it, or pass it
    `retain_graph=True`), ValueError for more than 200 instructions, TypeError for names of something else.

    Example:
        >>> x, w = ct.tensor(2.0, requires_grad=True), ct.tensor(-1.0, requires_grad=True)
        >>> ct.draw(ct.exp(w * x), names={"x": x, "w": w})
        value                shape  forward  gradient
        w                             -1.00      0.27
        x                              2.00     -0.14
        v1 = multiply(w, x)           -2.00      0.14
        v2 = exp(v1)                   0.14      1.00
    """
    if not isinstance(output, Tensor):
        raise TypeError(f"[draw] output got a {type(output).__name__}, expected a Tensor")
    names = {} if names is None else names
    if not isinstance(names, Mapping):
        raise TypeError(f"[draw] names got a {type(names).__name__}, expected a dict of tensors by name")
    for name, tensor in names.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise TypeError(f"[draw] names got {name!r}: a {type(tensor).__name__}, expected a Tensor under a str")
    if not isinstance(digits, int) or not 0 <= digits <= 16:
        raise ValueError(f"[draw] digits is {digits!r}, expected an int from 0 to 16")
    tape = graph.read(output, names, digits, MOST_INSTRUCTIONS)
    return Drawing(svg.render(tape), table.tabulate(tape))
