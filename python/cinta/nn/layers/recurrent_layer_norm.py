"""Recurrent layers whose sums are normalised at every step: LayerNormLSTM, LayerNormGRU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cinta._core import Tensor, concat, layer_norm, linear
from cinta.nn.init import constant_
from cinta.nn.layers.recurrent import GRU, LSTM, _Recurrent


class _Normed(_Recurrent):
    """Parameters and products of a recurrent layer with norms in the place of biases."""

    eps: float
    groups: tuple[int, ...]  # gates that are normalised together
    of_cells = False  # whether c is normalised too

    def _shapes(self, width: int, out: int) -> dict[str, tuple[int, ...]]:
        shapes = {name: size for name, size in super()._shapes(width, out).items() if not name.startswith("bias")}
        rows = (self.gates * self.hidden_size,)
        norms = {"norm_ih": rows, "norm_hh": rows} | ({"norm_c": (self.hidden_size,)} if self.of_cells else {})
        kinds = ("weight", "bias") if self.bias else ("weight",)
        return shapes | {f"{norm}_{kind}": size for norm, size in norms.items() for kind in kinds}

    def reset_parameters(self) -> None:
        """Draws the weights anew from U(-1/sqrt(H), 1/sqrt(H)); norms become 1 and their biases 0."""
        super().reset_parameters()
        for name, parameter in self.named_parameters():
            if name.startswith("norm_"):
                constant_(parameter, 1.0 if "_weight_" in name else 0.0)

    def _norm(self, z: Tensor, which: str, suffix: str) -> Tensor:
        """All of z in one, or the gates of each group by themselves."""
        weight, bias = (getattr(self, f"{which}_{kind}{suffix}", None) for kind in ("weight", "bias"))
        if which == "norm_c" or len(self.groups) == 1:
            return layer_norm(z, z.shape[-1], weight, bias, self.eps)
        parts, end = [], 0
        for gates in self.groups:
            begin, end = end, end + gates * self.hidden_size
            scale, shift = (None if t is None else t[begin:end] for t in (weight, bias))
            parts.append(layer_norm(z[..., begin:end], end - begin, scale, shift, self.eps))
        return concat(parts, axis=-1)

    def _of_x(self, x: Tensor, suffix: str) -> Tensor:
        return self._norm(linear(x, getattr(self, "weight_ih" + suffix)), "norm_ih", suffix)

    def _of_h(self, h: Tensor, suffix: str) -> Tensor:
        return self._norm(linear(h, getattr(self, "weight_hh" + suffix)), "norm_hh", suffix)

    def _run(self, x: Tensor, states: Sequence[Any], suffix: str, lengths: Any, reverse: bool) -> list[Tensor]:
        return self._step_form(x, states, suffix, lengths, reverse)


class LayerNormLSTM(_Normed, LSTM):
    """Long short-term memory with layer norm at every step.

    (i, f, g, o) = N_x(W_ih x) + N_h(W_hh h), c' = s(f) c + s(i) tanh(g), h' = s(o) tanh(N_c(c')), s the logistic
    function, N(z) = (z - mean) / sqrt(var + eps) * weight + bias over all 4H sums, or over H cells

    Arguments, shapes, states and lengths as in `LSTM`; parameters weight_ih_l0 [4H, I], weight_hh_l0 [4H, H] and, in
    the place of biases, norm_ih_weight_l0, norm_ih_bias_l0, norm_hh_weight_l0, norm_hh_bias_l0 [4H], norm_c_weight_l0
    and norm_c_bias_l0 [H]; bias=False leaves the norms' biases out. It is made of operations, step by step: under
    `ct.compile` they cost little, and derivatives of any order exist. Padding is computed with, but never counts;
    inside `ct.compile` nobody checks the lengths.
    Errors: as `LSTM`.
    Source: Ba, Kiros and Hinton, "Layer Normalization", 2016, equations 20 to 22; recurrent_dropout: Gal and
    Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", 2016.

    Example:
        >>> lstm = nn.LayerNormLSTM(3, 4, num_layers=2, bidirectional=True, recurrent_dropout=0.25)
        >>> y, (h_n, c_n) = lstm(ct.ones((7, 2, 3)), lengths=[7, 5])
        >>> y.shape, h_n.shape, c_n.shape
        ((7, 2, 8), (4, 2, 4), (4, 2, 4))
    """

    groups = (4,)
    of_cells = True

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
        eps: float = 1e-5,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size,
                         dtype, recurrent_dropout=recurrent_dropout)  # fmt: skip
        self.eps = float(eps)

    def _norm_of_c(self, suffix: str) -> Callable[[Tensor], Tensor]:
        return lambda c: self._norm(c, "norm_c", suffix)


class LayerNormGRU(_Normed, GRU):
    """The gated recurrent unit with layer norm at every step.

    (r, z) = s(N_x(W_ih x) + N_h(W_hh h)) over the 2H sums of both gates, n = tanh(N_x(W_in x) + r N_h(W_hn h)) over H,
    h' = (1 - z) n + z h, s the logistic function, N(v) = (v - mean) / sqrt(var + eps) * weight + bias

    Arguments, shapes, states and lengths as in `GRU`; parameters weight_ih_l0 [3H, I], weight_hh_l0 [3H, H] and, in the
    place of biases, norm_ih_weight_l0, norm_ih_bias_l0, norm_hh_weight_l0 and norm_hh_bias_l0 [3H]. How it is computed:
    as `LayerNormLSTM`.
    Errors: as `GRU`.
    Source: Ba, Kiros and Hinton, "Layer Normalization", 2016, appendix.

    Example:
        >>> y, h_n = nn.LayerNormGRU(3, 4)(ct.ones((7, 2, 3)))
        >>> y.shape, h_n.shape
        ((7, 2, 4), (1, 2, 4))
    """

    groups = (2, 1)

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
        eps: float = 1e-5,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype,
                         recurrent_dropout=recurrent_dropout)  # fmt: skip
        self.eps = float(eps)
