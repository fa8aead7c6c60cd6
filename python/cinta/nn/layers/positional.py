"""Positional encodings: what tells an attention where in a sequence it looks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cinta._core import Tensor, asarray, empty
from cinta.nn.init import normal_
from cinta.nn.layers.arguments import positive
from cinta.nn.layers.dropout import Dropout
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter


def sinusoidal_positions(length: int, d_model: int) -> Tensor:
    """Sines and cosines of every position at wavelengths from 2 pi to 10000 * 2 pi.

    p[t, 2i] = sin(t / 10000^(2i/D)), p[t, 2i+1] = cos(t / 10000^(2i/D)), p [length, D]

    Example:
        >>> nn.functional.sinusoidal_positions(50, 6)[0].tolist()
        [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    """
    angles = np.arange(length)[:, None] * np.exp(-math.log(10000.0) * np.arange(0, d_model, 2) / d_model)
    table = np.empty((length, d_model), np.float32)
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles)[:, : d_model // 2]
    return asarray(table)


class _Positions(Module):
    """Adds a row of a table to each step, then drops."""

    weight: Tensor

    def __init__(self, d_model: int, max_len: int, dropout: float, batch_first: bool) -> None:
        super().__init__()
        positive(type(self).__name__, d_model=d_model, max_len=max_len)
        self.d_model, self.max_len = d_model, max_len
        self.dropout, self.batch_first = Dropout(dropout), bool(batch_first)

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        name = type(self).__name__
        if x.ndim not in (2, 3) or x.shape[-1] != self.d_model:
            layout = "[B,T,D]" if self.batch_first else "[T,B,D]"
            raise ValueError(f"[{name}] input has shape {list(x.shape)}, expected {layout} or [T,D], D={self.d_model}")
        lies_first = x.ndim == 3 and not self.batch_first
        steps = x.shape[0 if lies_first else -2]
        if not 0 <= offset <= self.max_len - steps:
            raise ValueError(
                f"[{name}] input has {steps} steps from {offset} on, expected at most max_len = {self.max_len}"
            )
        rows = self.weight[offset : offset + steps]
        y: Tensor = self.dropout(x + (rows[:, None] if lies_first else rows))
        return y

    def extra_repr(self) -> str:
        return f"{self.d_model}, max_len={self.max_len}"


class PositionalEncoding(_Positions):
    """Adds sines and cosines of the position to every step.

    y_t = dropout(x_t + p[offset + t]), p as `nn.functional.sinusoidal_positions` has it
    x, y [T, B, D], [B, T, D] with batch_first, [T, D] for one sequence

    offset: where x begins, for sequences that are made step by step. The table is no parameter and in no state_dict.
    Errors: ValueError where the steps reach beyond max_len.
    Source: Vaswani et al., "Attention Is All You Need", 2017.

    Example:
        >>> nn.PositionalEncoding(6)(ct.zeros((2, 1, 6)))[0, 0].tolist()
        [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    """

    def __init__(self, d_model: int, max_len: int = 5000, dropout: float = 0.0, batch_first: bool = False) -> None:
        super().__init__(d_model, max_len, dropout, batch_first)
        self.register_buffer("weight", sinusoidal_positions(max_len, d_model), persistent=False)


class LearnedPositionalEncoding(_Positions):
    """Adds a learned vector of the position to every step.

    y_t = dropout(x_t + W[offset + t]), weight W [max_len, D], which starts as N(0, 0.02^2); x, y, offset as in
    `PositionalEncoding`

    Errors: ValueError where the steps reach beyond max_len.
    Source: Gehring et al., "Convolutional Sequence to Sequence Learning", 2017.

    Example:
        >>> nn.LearnedPositionalEncoding(6, max_len=50)(ct.zeros((2, 1, 6))).shape
        (2, 1, 6)
    """

    def __init__(
        self, d_model: int, max_len: int = 5000, dropout: float = 0.0, batch_first: bool = False, dtype: Any = None
    ) -> None:
        super().__init__(d_model, max_len, dropout, batch_first)
        self.weight = Parameter(empty((max_len, d_model), dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the vectors anew."""
        normal_(self.weight, 0.0, 0.02)
