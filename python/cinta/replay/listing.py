"""A program as text: a line for each instruction."""

from __future__ import annotations

from .instructions import PHASES, Description, Instruction, Operand
from .units import bytes_text, count_text

HEADINGS = ("#", "layer", "FLOP", "life", "arena", "instruction")
ALIGN = (str.rjust, str.ljust, str.rjust, str.rjust, str.rjust, str.ljust)


def lines(program: Description) -> list[str]:
    """Grouped by forward, backward and update; float32 goes without saying, other dtypes stand after the name.

    Where an instruction writes what it also reads, the shape stands once. `life` and `arena` tell of temporaries that
    begin there: first and last instruction, offset and size.
    """
    rows = [_row(i) for i in program.instructions]
    widths = [max(len(row[k]) for row in [HEADINGS, *rows]) for k in range(len(HEADINGS))]

    def line(row: tuple[str, ...]) -> str:
        return "  ".join(put(cell, width) for put, cell, width in zip(ALIGN, row, widths)).rstrip()

    text = [line(HEADINGS)]
    phase = layer = None
    for i, row in zip(program.instructions, rows):
        if i.phase != phase:
            text += ["", f"{i.phase}:"]
            layer = None
        text.append(line((row[0], "" if i.layer == layer else row[1], *row[2:])))
        phase, layer = i.phase, i.layer
    return text


def _row(i: Instruction) -> tuple[str, ...]:
    results = ", ".join(map(_text, i.writes))
    operands = ", ".join(x.name if x in i.writes or x.constant is not None else _text(x) for x in i.reads)
    name = f"fused[{' '.join(i.parts)}]" if i.parts else i.name
    born = [y.value for y in i.writes if y.value.offset is not None and y.value.first == i.number]
    return (
        str(i.number),
        i.layer,
        count_text(i.flops) if i.flops else "",
        ", ".join(f"{v.first}..{v.last}" for v in born),
        ", ".join(f"{v.offset} +{bytes_text(v.bytes)}" for v in born),
        f"{results} = {name}({operands})" if results else f"{name}({operands})",
    )


def _text(x: Operand) -> str:
    if x.value.role == "host":  # a struct of numbers
        return x.name
    dtype = "" if x.dtype == "float32" else f":{x.dtype}"
    return f"{x.name}{dtype}[{','.join(map(str, x.shape))}]"


def phase_counts(program: Description) -> str:
    numbers = {phase: sum(i.phase == phase for i in program.instructions) for phase in PHASES}
    return ", ".join(f"{n} {phase}" for phase, n in numbers.items() if n)
