"""One step of a recurrent layer, for loops of one's own: RNNCell, LSTMCell, GRUCell."""

from __future__ import annotations

import math
from typing import Any

from cinta import _core
from cinta._core import Tensor, empty
from cinta.nn.init import uniform_
from cinta.nn.layers.arguments import positive
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter


class _Cell(Module):
    gates: int
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool, dtype: Any) -> None:
        super().__init__()
        positive(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(empty((rows, input_size), dtype=dtype))
        self.weight_hh = Parameter(empty((rows, hidden_size), dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty((rows,), dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all weights and biases anew from U(-1/sqrt(H), 1/sqrt(H))."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            uniform_(parameter, -bound, bound)

    def _states(self, x: Tensor, *states: Tensor | None) -> tuple[Tensor, list[Tensor | None], bool]:
        """x as one step [1,B,I] and states [B,H]; whether x was a single example [I]."""
        one = x.ndim == 1
        if x.ndim not in (1, 2):
            raise ValueError(f"[{type(self).__name__}] input has shape {list(x.shape)}, expected [B,I] or [I]")
        batched = [state[None] if one and state is not None else state for state in states]
        return x[None, None] if one else x[None], batched, one

    def extra_repr(self) -> str:
        return f"{self.input_size} -> {self.hidden_size}" + ("" if self.bias_ih is not None else ", bias=False")


class RNNCell(_Cell):
    """One step of `RNN`.

    h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu; x [B, I] or [I], h [B, H] or [H], zeros where left out

    Errors: ValueError where sizes do not fit.

    Example:
        >>> cell, h = nn.RNNCell(3, 4), None
        >>> for x in ct.ones((7, 2, 3)):
        ...     h = cell(x, h)
        >>> h.shape
        (2, 4)
    """

    gates = 1

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", dtype: Any = None
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"[RNNCell] nonlinearity got {nonlinearity!r}, expected 'tanh' or 'relu'")
        super().__init__(input_size, hidden_size, bias, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, x: Tensor, hx: Tensor | None = None) -> Tensor:
        step, (h,), one = self._states(x, hx)
        _, h = _core.rnn(
            step, h, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, nonlinearity=self.nonlinearity
        )
        return h[0] if one else h


class GRUCell(_Cell):
    """One step of `GRU`.

    h' = (1 - z) n + z h with the gates of `GRU`; x [B, I] or [I], h [B, H] or [H], zeros where left out

    Errors: ValueError where sizes do not fit.

    Example:
        >>> nn.GRUCell(3, 4)(ct.ones((2, 3))).shape
        (2, 4)
    """

    gates = 3

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)

    def forward(self, x: Tensor, hx: Tensor | None = None) -> Tensor:
        step, (h,), one = self._states(x, hx)
        _, h = _core.gru(step, h, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return h[0] if one else h


class LSTMCell(_Cell):
    """One step of `LSTM`.

    c' = f c + i g, h' = o tanh(c') with the gates of `LSTM`; x [B, I] or [I]; h and c [B, H] or [H], zeros where left
    out. Returns (h', c').

    Errors: ValueError where sizes do not fit.

    Example:
        >>> h, c = nn.LSTMCell(3, 4)(ct.ones((2, 3)))
        >>> h.shape, c.shape
        ((2, 4), (2, 4))
    """

    gates = 4

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)

    def forward(self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        step, (h, c), one = self._states(x, *(hx or (None, None)))
        _, h, c = _core.lstm(step, h, c, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return (h[0], c[0]) if one else (h, c)
