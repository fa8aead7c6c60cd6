"""Recurrent layers over whole sequences: RNN, LSTM, GRU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cinta import _core
from cinta._core import Tensor, asarray, concat, dropout, empty, linear, ones, relu, stack, tanh, where, zeros
from cinta.nn.init import uniform_
from cinta.nn.layers.arguments import positive
from cinta.nn.layers.recurrent_steps import alive, gru_step, lstm_step, walk
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter


class _Recurrent(Module):
    """What the three share: parameters by PyTorch's names, layers on top of each other, both directions."""

    gates: int  # rows of a weight, in units of hidden_size

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int = 0,
        dtype: Any = None,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        positive(name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        if not 0 <= dropout <= 1:
            raise ValueError(f"[{name}] dropout got {dropout}, expected a probability")
        if dropout and num_layers == 1:
            raise ValueError(f"[{name}] dropout got {dropout} with one layer, but it lies between layers: use 0")
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"[{name}] proj_size got {proj_size}, expected 0 or less than hidden_size {hidden_size}")
        if not 0 <= recurrent_dropout < 1:
            raise ValueError(f"[{name}] recurrent_dropout got {recurrent_dropout}, expected a probability below 1")
        self.recurrent_dropout = float(recurrent_dropout)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bool(bias), bool(batch_first), float(dropout)
        self.bidirectional, self.proj_size = bool(bidirectional), proj_size
        out = proj_size or hidden_size
        for layer, suffix in self._directions():
            width = input_size if layer == 0 else out * (2 if bidirectional else 1)
            for parameter, shape in self._shapes(width, out).items():
                setattr(self, parameter + suffix, Parameter(empty(shape, dtype=dtype)))
        self.reset_parameters()

    def _shapes(self, width: int, out: int) -> dict[str, tuple[int, ...]]:
        """Of one layer's parameters in one direction, `width` features coming in and `out` going out."""
        rows = self.gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, out)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        return shapes

    def _directions(self) -> Iterator[tuple[int, str]]:
        for layer in range(self.num_layers):
            yield layer, f"_l{layer}"
            if self.bidirectional:
                yield layer, f"_l{layer}_reverse"

    def reset_parameters(self) -> None:
        """Draws all weights and biases anew from U(-1/sqrt(H), 1/sqrt(H))."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            uniform_(parameter, -bound, bound)

    def _run(self, x: Tensor, states: list[Any], suffix: str, lengths: Any, reverse: bool) -> list[Tensor]:
        """One layer in one direction: y and the last states."""
        raise NotImplementedError

    def _of_x(self, x: Tensor, suffix: str) -> Tensor:
        w_ih, _, b_ih, _ = self._weights(suffix)
        return linear(x, w_ih, b_ih)

    def _of_h(self, h: Tensor, suffix: str) -> Tensor:
        _, w_hh, _, b_hh = self._weights(suffix)
        return linear(h, w_hh, b_hh)

    def _next(self, of_x: Tensor, of_h: Tensor, states: Sequence[Tensor], suffix: str) -> list[Tensor]:
        """The states after one step, h first."""
        raise NotImplementedError

    def _step_form(self, x: Tensor, states: Sequence[Any], suffix: str, lengths: Any, reverse: bool) -> list[Tensor]:
        """One layer in one direction in operations; of h, recurrent_dropout hides the same units at every step."""
        steps, batch, _ = x.shape
        lives = None if lengths is None else alive(lengths, steps, batch, type(self).__name__)
        if lives is not None:
            x = where(lives, x, 0.0)  # whatever stands in the padding
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)
        now = [zeros((batch, n), dtype=x.dtype) if state is None else state for state, n in zip(states, sizes)]
        hidden = self.training and self.recurrent_dropout
        mask = dropout(ones((batch, sizes[0]), dtype=x.dtype), self.recurrent_dropout) if hidden else None

        def step(of_x: Tensor, now: Sequence[Tensor]) -> list[Tensor]:
            of_h = self._of_h(now[0] if mask is None else now[0] * mask, suffix)
            return self._next(of_x, of_h, now, suffix)

        return walk(step, self._of_x(x, suffix), now, lives, reverse)

    def _weights(self, suffix: str) -> tuple[Any, Any, Any, Any]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        w_ih, w_hh, b_ih, b_hh = (getattr(self, name + suffix, None) for name in names)
        return w_ih, w_hh, b_ih, b_hh

    def _apply(self, x: Tensor, initial: Sequence[Any], lengths: Any) -> tuple[Tensor, list[Tensor]]:
        name, one = type(self).__name__, x.ndim == 2
        if x.ndim not in (2, 3):
            layout = "[B,T,I]" if self.batch_first else "[T,B,I]"
            raise ValueError(f"[{name}] input has shape {list(x.shape)}, expected {layout}, or [T,I] for one sequence")
        if one:
            x = x[:, None]
            initial = [None if state is None else state[:, None] for state in initial]
            if lengths is not None:
                raise ValueError(f"[{name}] lengths got {lengths!r:.40} for one sequence [T,I]: cut it instead")
        elif self.batch_first:
            x = x.swapaxes(0, 1)
        if lengths is not None:
            lengths = asarray(lengths)
        runs = self.num_layers * (2 if self.bidirectional else 1)
        for state, size in zip(initial, (self.proj_size or self.hidden_size, self.hidden_size)):
            expected = (runs, x.shape[1], size)
            if state is not None and state.shape != expected:
                raise ValueError(
                    f"[{name}] initial state has shape {list(state.shape)}, expected {list(expected)} "
                    "(layers x directions, batch, size)"
                )
        last: list[list[Tensor]] = []
        outputs: list[Tensor] = []
        for run, (layer, suffix) in enumerate(self._directions()):
            first = not suffix.endswith("reverse")
            if first and layer:
                x = outputs[0] if len(outputs) == 1 else concat(outputs, axis=-1)
                if self.dropout and self.training:
                    x = dropout(x, self.dropout)
            if first:
                outputs = []
            run_layer = self._step_form if self.training and self.recurrent_dropout else self._run
            y, *states = run_layer(
                x, [None if state is None else state[run] for state in initial], suffix, lengths, not first
            )
            outputs.append(y)
            last.append(states)
        y = outputs[0] if len(outputs) == 1 else concat(outputs, axis=-1)
        ends = [stack(kind, axis=0) for kind in zip(*last)]
        if one:
            return y[:, 0], [end[:, 0] for end in ends]
        return y.swapaxes(0, 1) if self.batch_first else y, ends

    def extra_repr(self) -> str:
        text = f"{self.input_size} -> {self.hidden_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        for name in ("batch_first", "bidirectional"):
            text += f", {name}=True" if getattr(self, name) else ""
        text += "" if self.bias else ", bias=False"
        text += f", dropout={self.dropout}" if self.dropout else ""
        text += f", recurrent_dropout={self.recurrent_dropout}" if self.recurrent_dropout else ""
        return text + (f", proj_size={self.proj_size}" if self.proj_size else "")


class RNN(_Recurrent):
    """The plain recurrent layer.

    h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), or relu

    x [T, B, I] ([B, T, I] with batch_first, [T, I] for one sequence), y [T, B, D H] the states of the last layer at
    every step, h_n [L D, B, H] the last states; D: 2 with bidirectional, else 1; L layers, dropout between them.
    Called with `lengths` [B], sequences may have different lengths, in any order: y is zero beyond them, h_n is the
    state at each one's own end, and nothing is computed for the padding.
    recurrent_dropout hides the same units of h at every step, for each sequence others, from the products that make the
    next h (Gal and Ghahramani, 2016); in training the layer is then made of operations, step by step, and slower.
    Errors: ValueError where sizes do not fit, or a length is larger than T.
    Source: Elman, "Finding Structure in Time", 1990.

    Example:
        >>> rnn = nn.RNN(3, 4)
        >>> y, h_n = rnn(ct.ones((7, 2, 3)), lengths=[7, 5])
        >>> y.shape, h_n.shape, y[5:, 1].tolist() == [[0.0] * 4] * 2
        ((7, 2, 4), (1, 2, 4), True)
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = None,
        *,
        recurrent_dropout: float = 0.0,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"[RNN] nonlinearity got {nonlinearity!r}, expected 'tanh' or 'relu'")
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype=dtype,
                         recurrent_dropout=recurrent_dropout)  # fmt: skip
        self.nonlinearity = nonlinearity

    def _run(self, x: Tensor, states: list[Any], suffix: str, lengths: Any, reverse: bool) -> list[Tensor]:
        w_ih, w_hh, b_ih, b_hh = self._weights(suffix)
        return _core.rnn(x, states[0], w_ih, w_hh, b_ih, b_hh, lengths, reverse, self.nonlinearity)

    def _next(self, of_x: Tensor, of_h: Tensor, states: Sequence[Tensor], suffix: str) -> list[Tensor]:
        return [(tanh if self.nonlinearity == "tanh" else relu)(of_x + of_h)]

    def forward(self, x: Tensor, hx: Tensor | None = None, *, lengths: Any = None) -> tuple[Tensor, Tensor]:
        y, (h,) = self._apply(x, [hx], lengths)
        return y, h


class GRU(_Recurrent):
    """The gated recurrent unit.

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr), z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    n = tanh(W_in x + b_in + r (W_hn h + b_hn)), h' = (1 - z) n + z h

    Shapes, arguments and `lengths` as in `RNN`; weights in the order r, z, n.
    Errors: as `RNN`.
    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014.

    Example:
        >>> y, h_n = nn.GRU(3, 4, num_layers=2, bidirectional=True)(ct.ones((7, 2, 3)))
        >>> y.shape, h_n.shape
        ((7, 2, 8), (4, 2, 4))
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = None,
        *,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype=dtype,
                         recurrent_dropout=recurrent_dropout)  # fmt: skip

    def _run(self, x: Tensor, states: list[Any], suffix: str, lengths: Any, reverse: bool) -> list[Tensor]:
        w_ih, w_hh, b_ih, b_hh = self._weights(suffix)
        return _core.gru(x, states[0], w_ih, w_hh, b_ih, b_hh, lengths, reverse)

    def _next(self, of_x: Tensor, of_h: Tensor, states: Sequence[Tensor], suffix: str) -> list[Tensor]:
        return gru_step(of_x, of_h, states[0])

    def forward(self, x: Tensor, hx: Tensor | None = None, *, lengths: Any = None) -> tuple[Tensor, Tensor]:
        y, (h,) = self._apply(x, [hx], lengths)
        return y, h


class LSTM(_Recurrent):
    """Long short-term memory.

    i, f, o = sigmoid(W_i* x + b_i* + W_h* h + b_h*), g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f c + i g, h' = o tanh(c'), with proj_size h' = W_hr (o tanh(c'))

    Returns y and (h_n, c_n); the initial states are such a pair too. Shapes, arguments and `lengths` as in `RNN`, c_n
    [L D, B, H]; weights in the order i, f, g, o.
    Errors: as `RNN`.
    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; forget gate: Gers et al., 2000; projection:
    Sak et al., 2014.

    Example:
        >>> y, (h_n, c_n) = nn.LSTM(3, 4, batch_first=True)(ct.ones((2, 7, 3)))
        >>> y.shape, h_n.shape, c_n.shape
        ((2, 7, 4), (1, 2, 4), (1, 2, 4))
    """

    gates = 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        dtype: Any = None,
        *,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size,
                         dtype, recurrent_dropout)  # fmt: skip

    def _run(self, x: Tensor, states: list[Any], suffix: str, lengths: Any, reverse: bool) -> list[Tensor]:
        w_ih, w_hh, b_ih, b_hh = self._weights(suffix)
        w_hr = getattr(self, "weight_hr" + suffix, None)
        return _core.lstm(x, states[0], states[1], w_ih, w_hh, b_ih, b_hh, w_hr, lengths, reverse)

    def _next(self, of_x: Tensor, of_h: Tensor, states: Sequence[Tensor], suffix: str) -> list[Tensor]:
        h, c = lstm_step(of_x + of_h, states[1], self._norm_of_c(suffix))
        w_hr = getattr(self, "weight_hr" + suffix, None)
        return [h if w_hr is None else linear(h, w_hr), c]

    def _norm_of_c(self, suffix: str) -> Callable[[Tensor], Tensor] | None:
        """What goes over c inside of h: nothing."""
        return None

    def forward(
        self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None, *, lengths: Any = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if hx is not None and len(hx) != 2:
            raise ValueError(f"[LSTM] initial states got {len(hx)} items, expected the pair (h_0, c_0)")
        y, (h, c) = self._apply(x, hx or (None, None), lengths)
        return y, (h, c)
