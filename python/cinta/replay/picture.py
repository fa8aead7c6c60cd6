"""A program as SVG: instructions from left to right, below them where each temporary lies in the arena, and when."""

from __future__ import annotations

from itertools import count, takewhile
from math import cos, radians, sin

from cinta.drawing.svg import FONT, plain, width_of

from .instructions import PHASES, Description, Instruction, Operand, Value
from .units import bytes_text, count_text

# Line and fill; forward green and backward red as in ct.draw.
COLORS = {"forward": ("#1f8a4c", "#d9ecdf"), "backward": ("#c8372d", "#f8dfdb"), "update": ("#3d6bb3", "#dae5f4")}
# Its class keeps it to this picture: a notebook may put the SVG right into its page.
STYLE = f"""
.cinta-program text {{ font-family: {FONT}; font-size: 11px; fill: #2b3038 }}
.cinta-program .card {{ fill: #fdfdfb; stroke: #e4e4de }}
.cinta-program .plot {{ fill: #ffffff; stroke: #e1e4e8 }}
.cinta-program .grid {{ stroke: #eceef1 }}
.cinta-program .border {{ stroke: #aeb5c0; stroke-dasharray: 3 3 }}
.cinta-program .title {{ font-size: 15px; font-weight: 600 }}
.cinta-program .note, .cinta-program .note text {{ fill: #7d8590 }}
.cinta-program .thin {{ opacity: 0.55 }}
.cinta-program .end {{ text-anchor: end }}
.cinta-program .middle {{ text-anchor: middle }}
"""
for _phase, (_line, _fill) in COLORS.items():
    STYLE += f".cinta-program .{_phase} {{ fill: {_fill}; stroke: {_line} }}\n"
    STYLE += f".cinta-program .{_phase}-text {{ fill: {_line} }}\n"
    STYLE += f".cinta-program .{_phase}-solid {{ fill: {_line}; stroke: none }}\n"
MARGIN = 24.0
HEADER = 62.0
AXIS = 60.0  # left of the plots, for their scales
COLUMN, WIDEST = 15.0, 46.0  # an instruction's width: its name stands clear of its neighbours'
WIDTH = 900.0  # of the plots, where that lies between
SLANT = radians(58)  # of the instructions' names
LONGEST = 34  # characters of a name
BARS, GAP = 56.0, 20.0  # heights
LOWEST, HIGHEST = 340.0, 640.0  # of the plan, which grows with its temporaries


def render(name: str, program: Description) -> str:
    return Picture(name, program).svg()


class Picture:
    def __init__(self, name: str, program: Description) -> None:
        self.name = name
        self.program = program
        steps = max(len(program.instructions), 1)
        self.column = min(max(WIDTH / steps, COLUMN), WIDEST)
        self.plot = self.column * steps
        self.left = MARGIN + AXIS
        self.labels = self._labels()
        reach = [width_of(title + layer, 11) + 6 for title, layer in self.labels] or [0.0]
        self.bars_top = HEADER + max(reach) * sin(SLANT) + 20
        self.plan_top = self.bars_top + BARS + GAP
        self.plan = min(max(6.0 * len(program.temporaries), LOWEST), HIGHEST)
        self.height = self.plan_top + self.plan + 40 + MARGIN / 2
        right = max(self.x(k) + r * cos(SLANT) for k, r in enumerate(reach))
        self.width = max(right, self.left + self.plot, self.left + width_of(self._summary(), 11), 640.0) + MARGIN

    def x(self, instruction: float) -> float:
        """The middle of its column."""
        return self.left + (instruction + 0.5) * self.column

    def svg(self) -> str:
        width, height = f"{self.width:.0f}", f"{self.height:.0f}"
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="cinta-program" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img">',
            f"<title>{plain(self.name)}: its instructions and where its temporaries lie in memory</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="card" x="0.5" y="0.5" width="{self.width - 1:.0f}" height="{self.height - 1:.0f}" rx="10"/>',
            *self._header(),
            *self._instructions(),
            *self._bars(),
            *self._plan(),
            "</svg>\n",
        ]
        return "\n".join(parts)

    # What stands above

    def _summary(self) -> str:
        d = self.program
        work = sum(i.flops for i in d.instructions)
        return (
            f"{len(d.instructions)} instructions, {count_text(work)}FLOP, {len(d.temporaries)} temporaries of "
            f"{bytes_text(d.bytes_before)} in an arena of {bytes_text(d.arena)}"
        )

    def _header(self) -> list[str]:
        parts = [
            f'<text class="title" x="{MARGIN:g}" y="34">{plain(self.name)}</text>',
            f'<text class="note" x="{MARGIN:g}" y="52">{plain(self._summary())}</text>',
        ]
        x = MARGIN
        for phase in PHASES:
            if any(i.phase == phase for i in self.program.instructions):
                parts.append(f'<rect class="{phase}" x="{x:.1f}" y="64.5" width="11" height="11" rx="2"/>')
                parts.append(f'<text x="{x + 17:.1f}" y="74">{phase}</text>')
                x += width_of(phase, 11) + 36
        return parts

    def _labels(self) -> list[tuple[str, str]]:
        """What an instruction does, and its layer where that begins."""
        labels, before = [], ("", "")
        for i in self.program.instructions:
            title = i.title if len(i.title) <= LONGEST else i.title[: LONGEST - 1].rstrip() + "…"
            labels.append((title, f"  {i.layer}" if i.layer and (i.phase, i.layer) != before else ""))
            before = i.phase, i.layer
        return labels

    def _instructions(self) -> list[str]:
        parts, y = [], self.bars_top - 8
        for i, (title, layer) in zip(self.program.instructions, self.labels):
            x = self.x(i.number) + 3
            note = f'<tspan class="note" dx="4">{plain(layer.strip())}</tspan>' if layer else ""
            parts.append(
                f'<text class="{i.phase}-text" transform="translate({x:.1f} {y:.1f}) rotate(-58)">'
                f"<title>{plain(_tooltip(i))}</title>{plain(title)}{note}</text>"
            )
        return parts

    # The plots

    def _bars(self) -> list[str]:
        """The bytes that each instruction reads and writes."""
        instructions, bottom = self.program.instructions, self.bars_top + BARS
        most = max((i.bytes for i in instructions), default=0) or 1
        parts = [
            self._frame(self.bars_top, BARS),
            f'<text class="note end" x="{self.left - 7:.1f}" y="{self.bars_top + 9:.1f}">{bytes_text(most)}</text>',
            f'<text class="note end" x="{self.left - 7:.1f}" y="{bottom:.1f}">0 B</text>',
        ]
        for i in instructions:
            height = max((BARS - 5) * i.bytes / most, 0.8)
            parts.append(
                f'<rect class="{i.phase}-solid" x="{self.x(i.number) - self.column / 2 + 1.5:.1f}" '
                f'y="{bottom - height:.1f}" width="{self.column - 3:.1f}" height="{height:.1f}">'
                f"<title>{plain(_tooltip(i))}</title></rect>"
            )
        return [*parts, *self._borders(self.bars_top, BARS)]

    def _plan(self) -> list[str]:
        """Temporaries: from the first instruction to the last that uses one, from its first byte to its last."""
        arena, bottom = self.program.arena, self.plan_top + self.plan
        parts = [self._frame(self.plan_top, self.plan)]
        for at in _ticks(arena):
            y = bottom - self.plan * at / arena
            parts.append(f'<path class="grid" d="M{self.left:.1f} {y:.1f}h{self.plot:.1f}"/>')
            parts.append(f'<text class="note end" x="{self.left - 7:.1f}" y="{y + 4:.1f}">{_round(at)}</text>')
        parts += self._borders(self.plan_top, self.plan)
        for value in self.program.temporaries:
            parts += self._temporary(value, arena, bottom)
        step = next(n for n in (1, 5, 10, 20, 50, 100, 500, 1000) if n * self.column >= 24 or n == 1000)
        for n in range(0, len(self.program.instructions), step):
            parts.append(f'<text class="note middle" x="{self.x(n):.1f}" y="{bottom + 16:.1f}">{n}</text>')
        if not arena:
            middle = self.left + self.plot / 2
            parts.append(
                f'<text class="note middle" x="{middle:.1f}" y="{bottom - self.plan / 2:.1f}">no temporaries</text>'
            )
        caption = (
            "bars: bytes that an instruction reads and writes; rectangles: temporaries, as wide as their lives and as "
            "high as their bytes, with dots where they are used"
        )
        parts.append(f'<text class="note" x="{self.left:.1f}" y="{bottom + 34:.1f}">{caption}</text>')
        return parts

    def _frame(self, top: float, height: float) -> str:
        return f'<rect class="plot" x="{self.left:.1f}" y="{top:.1f}" width="{self.plot:.1f}" height="{height:.1f}"/>'

    def _borders(self, top: float, height: float) -> list[str]:
        """Between forward, backward and update."""
        phases = [i.phase for i in self.program.instructions]
        starts = [k for k in range(1, len(phases)) if phases[k] != phases[k - 1]]
        return [f'<path class="border" d="M{self.x(k - 0.5):.1f} {top:.1f}v{height:.1f}"/>' for k in starts]

    def _temporary(self, v: Value, arena: int, bottom: float) -> list[str]:
        if v.offset is None or v.first is None or v.last is None:
            return []
        users = [i for i in self.program.instructions[v.first : v.last + 1] if any(x.value is v for x in _looks(i))]
        look = next(x for x in _looks(users[0]) if x.value is v)
        phase = users[0].phase
        x, width = self.x(v.first - 0.5) + 1, (v.last - v.first + 1) * self.column - 2
        height = max(self.plan * v.bytes / arena, 1.0)
        y = bottom - self.plan * v.offset / arena - height
        told = (
            f"{v.name}: {look.dtype}{list(look.shape)}, {bytes_text(v.bytes)} at {v.offset}, "
            f"instructions {v.first} to {v.last}"
        )
        kind = phase if height >= 4 else f"{phase}-solid thin"
        inset = 0.5 if height >= 4 else 0.0  # the stroke stays inside
        parts = [
            f'<rect class="{kind}" x="{x:.1f}" y="{y + inset:.1f}" width="{width:.1f}" '
            f'height="{height - 2 * inset:.1f}" rx="{min(2.5, height / 3):.1f}"><title>{plain(told)}</title></rect>'
        ]
        if height >= 9:
            inside, radius = (4.5, 1.7) if height > 22 else (3.0, 1.3)
            y_dots = f"{y + height - inside:.1f}"
            parts += [
                f'<circle class="{phase}-solid" cx="{self.x(i.number):.1f}" cy="{y_dots}" r="{radius}"/>' for i in users
            ]
        return parts + _label(v, look, phase, x, y, width, height)


def _looks(i: Instruction) -> list[Operand]:
    return i.writes + i.reads


def _tooltip(i: Instruction) -> str:
    where = f" in {i.layer}" if i.layer else ""
    work = f", {count_text(i.flops)}FLOP" if i.flops else ""
    return f"{i.number} {i.title}{where} at {i.site}: {bytes_text(i.bytes)} moved{work}"


def _round(at: int) -> str:
    number, unit = bytes_text(at).split()
    return f"{float(number):g} {unit}"


def _ticks(arena: int) -> list[int]:
    """Round numbers of bytes up to the arena's, six at the most."""
    if not arena:
        return []
    step = next(step for step in (1 << k for k in count()) if arena // step <= 6)
    return list(takewhile(lambda at: at <= arena, count(0, step)))


def _label(v: Value, look: Operand, phase: str, x: float, y: float, width: float, height: float) -> list[str]:
    """The fullest text that fits, upright where only that does."""
    shape = f"[{','.join(map(str, look.shape))}]"
    for text in (f"{v.name}{shape}  {bytes_text(v.bytes)}", f"{v.name}  {bytes_text(v.bytes)}", v.name):
        room = width_of(text, 11) + 8
        if room <= width and height >= 13:
            middle = y + height / 2 + 2.5
            return [f'<text class="{phase}-text middle" x="{x + width / 2:.1f}" y="{middle:.1f}">{plain(text)}</text>']
        if room + 8 <= height and width >= 13:
            place = f"translate({x + width / 2 + 4:.1f} {y + height / 2 - 3:.1f}) rotate(-90)"
            return [f'<text class="{phase}-text middle" transform="{place}">{plain(text)}</text>']
    return []
