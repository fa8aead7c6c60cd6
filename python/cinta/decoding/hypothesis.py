"""What decoding gives, and one step of the network behind it, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cinta._core import Tensor, asarray
from cinta.autodiff.tree import leaves, rebuild

# (states, tokens [B]) -> (log-probabilities of the next tokens [B, V], states)
Step = Callable[[Any, Tensor], tuple[Any, Any]]


class Hypothesis(NamedTuple):
    """A decoded sequence.

    tokens [T], without the start and without `eos`; log_prob: the sum of their log-probabilities, that of `eos`
    included; score: what it was chosen by; finished: whether `eos` came.

    Example:
        >>> Hypothesis(tokens=[4, 7], log_prob=-0.5, score=-0.25, finished=True).tokens
        [4, 7]
    """

    tokens: list[int]
    log_prob: float
    score: float
    finished: bool


class Decoder:
    """A step function while it is used: checks what it is given and what it gives."""

    def __init__(self, name: str, step: Step, start: Any, eos: int | None, max_length: int) -> None:
        self.name, self.step, self.position = name, step, 0
        self.start = np.asarray(start.numpy() if isinstance(start, Tensor) else start)
        if self.start.ndim != 1 or self.start.dtype.kind not in "iu":
            got = f"shape {list(self.start.shape)} of {self.start.dtype}"
            raise ValueError(f"[{name}] start got {got}, expected integers [B], a first token for each sequence")
        if max_length < 1:
            raise ValueError(f"[{name}] max_length got {max_length}, expected at least 1")
        self.eos = eos

    def __call__(self, state: Any, tokens: np.ndarray) -> tuple[np.ndarray, Any]:
        """Log-probabilities [B, V] in float64, and the next state."""
        result = self.step(state, asarray(np.ascontiguousarray(tokens, np.int64)))
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"[{self.name}] step gave a {type(result).__name__}, expected (log-probabilities, state)")
        values, state = result
        log_probs = np.asarray(values.detach().astype("float64").numpy() if isinstance(values, Tensor) else values)
        log_probs = log_probs.astype(np.float64, copy=False)
        if log_probs.ndim != 2 or len(log_probs) != len(tokens):
            got = f"log-probabilities of shape {list(log_probs.shape)}"
            raise ValueError(f"[{self.name}] step gave {got}, expected [{len(tokens)}, V], a row for each token")
        if self.eos is not None and not 0 <= self.eos < log_probs.shape[1]:
            raise ValueError(f"[{self.name}] eos got {self.eos}, expected one of {log_probs.shape[1]} tokens")
        if not (log_probs.max(axis=1) > -np.inf).all() or np.isposinf(log_probs).any():
            problem = (
                "nan" if np.isnan(log_probs).any() else "inf" if np.isposinf(log_probs).any() else "no possible token"
            )
            raise ValueError(
                f"[{self.name}] step gave {problem} at position {self.position}, expected log-probabilities"
            )
        self.position += 1
        return log_probs, state


def select(state: Any, rows: np.ndarray, axis: int) -> Any:
    """The states of these sequences, which lie along `axis` of every tensor in `state`."""
    index = asarray(np.ascontiguousarray(rows, np.int64))
    return rebuild(state, [leaf.take(index, axis) if leaf.ndim else leaf for leaf in map(asarray, leaves(state))])
