"""Advice: one thing that a training does against good practice, as data and as a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    """What is wrong, where, how far off it is, and why it matters.

    Attributes: `what`, one of "update ratio too large", "update ratio too small", "dead ReLU", "saturated units",
    "loss at start", "input not centred", "input not scaled", "dropout off in training", "dropout on in evaluation",
    "validation turning up", "loss not finite"; `layer`, the dotted path of the module, None where it is no layer's;
    `value` beside what was `expected`; `reason`, why, and what to do; `cause`, the `what` of another advice that this
    probably follows from, or None.

    Example:
        >>> from cinta.monitor import Advice
        >>> print(Advice("dead ReLU", "1", 0.5, "at most 0.2", "Divide the learning rate."))
        dead ReLU in 1: 0.5, expected at most 0.2. Divide the learning rate.
    """

    what: str
    layer: str | None
    value: float
    expected: str
    reason: str
    cause: str | None = None

    def __str__(self) -> str:
        where = "" if self.layer is None else f" in {self.layer or 'the model'}"
        return f"{self.what}{where}: {self.value:.3g}, expected {self.expected}. {self.reason}"


def in_words(advice: Iterable[Advice]) -> list[str]:
    """One sentence for each kind, the layers together."""
    kinds: dict[str, list[Advice]] = {}
    for one in advice:
        kinds.setdefault(one.what, []).append(one)
    sentences = []
    for what, ones in kinds.items():
        if len(ones) == 1:
            sentences.append(str(ones[0]))
            continue
        layers = ", ".join(f"{one.layer} ({one.value:.3g})" for one in ones)
        sentences.append(f"{what} in {layers}; expected {ones[0].expected}. {ones[0].reason}")
    return sentences
