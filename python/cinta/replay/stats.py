"""What a program amounts to, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from .instructions import PHASES, Description
from .units import bytes_text, count_text


@dataclass(frozen=True, repr=False)
class Stats:
    """Counts of a program. Bytes are of memory, each value's counted once; `flops` are those of products and
    convolutions, a multiplication and an addition being two."""

    instructions_before: int  # as recorded
    instructions: int  # as run, after the passes
    fused_groups: int
    temporaries: int
    temporary_bytes: int  # if each temporary had memory of its own
    arena_bytes: int  # what they share
    input_bytes: int
    state_bytes: int  # parameters, buffers, what optimizers keep
    result_bytes: int  # what is returned, and the gradients that are left
    flops: float
    flops_by_phase: dict[str, float]  # forward, backward, update
    instructions_by_phase: dict[str, int]

    def __repr__(self) -> str:
        saved = 1 - self.arena_bytes / self.temporary_bytes if self.temporary_bytes else 0
        phases = "  ".join(f"{phase} {n}" for phase, n in self.instructions_by_phase.items() if n)
        flops = "  ".join(f"{phase} {count_text(n)}" for phase, n in self.flops_by_phase.items() if n)
        rows = [
            ("instructions", f"{self.instructions} of {self.instructions_before} recorded", phases),
            ("fused groups", str(self.fused_groups), ""),
            ("FLOPs", count_text(self.flops), flops),
            (
                "temporaries",
                f"{self.temporaries} of {bytes_text(self.temporary_bytes)}",
                f"in an arena of {bytes_text(self.arena_bytes)}, {saved:.0%} less",
            ),
            ("inputs", bytes_text(self.input_bytes), ""),
            ("state", bytes_text(self.state_bytes), ""),
            ("results", bytes_text(self.result_bytes), ""),
        ]
        width = max(len(row[1]) for row in rows)
        return "\n".join(f"{name:<14}{number:<{width}}  {more}".rstrip() for name, number, more in rows)


def count(program: Description) -> Stats:
    def total(*roles: str) -> int:
        return sum(v.bytes for v in program.values if v.role in roles)

    by_phase = {phase: [i for i in program.instructions if i.phase == phase] for phase in PHASES}
    return Stats(
        instructions_before=program.instructions_before,
        instructions=len(program.instructions),
        fused_groups=program.fused_groups,
        temporaries=len(program.temporaries),
        temporary_bytes=program.bytes_before,
        arena_bytes=program.arena,
        input_bytes=total("input"),
        state_bytes=total("state"),
        result_bytes=total("result", "gradient"),
        flops=sum(i.flops for i in program.instructions),
        flops_by_phase={phase: sum(i.flops for i in those) for phase, those in by_phase.items()},
        instructions_by_phase={phase: len(those) for phase, those in by_phase.items()},
    )
