"""One layer of a transformer: encoder and decoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cinta._core import Tensor, gelu, relu
from cinta.nn.layers.arguments import positive
from cinta.nn.layers.attention import MultiheadAttention
from cinta.nn.layers.dropout import Dropout
from cinta.nn.layers.linear import Linear
from cinta.nn.layers.normalization import LayerNorm
from cinta.nn.module import Module

Activation = str | Callable[[Tensor], Tensor]
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": relu, "gelu": gelu}


class _Layer(Module):
    """What encoder and decoder layers share: attention to themselves, a feed-forward network, norms around both."""

    self_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int,
        dropout: float,
        activation: Activation,
        layer_norm_eps: float,
        batch_first: bool,
        norm_first: bool,
        bias: bool,
        dtype: Any,
        attentions: tuple[str, ...],
    ) -> None:
        super().__init__()
        name = type(self).__name__
        positive(name, d_model=d_model, nhead=nhead, dim_feedforward=dim_feedforward)
        if isinstance(activation, str) and activation not in _ACTIVATIONS:
            raise ValueError(f"[{name}] activation got {activation!r}, expected 'relu', 'gelu' or a function")
        for attention in attentions:
            self.add_module(
                attention, MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
            )
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype)
        parts = range(1, len(attentions) + 2)
        for part in parts:
            self.add_module(f"norm{part}", LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype))
        for part in parts:
            self.add_module(f"dropout{part}", Dropout(dropout))
        self.norm_first = bool(norm_first)
        self.activation = _ACTIVATIONS[activation] if isinstance(activation, str) else activation

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def _add(self, part: int, x: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
        """A residual part: normalised before or after."""
        norm, dropout = getattr(self, f"norm{part}"), getattr(self, f"dropout{part}")
        return x + dropout(of(norm(x))) if self.norm_first else norm(x + dropout(of(x)))

    def extra_repr(self) -> str:
        return "norm_first=True" if self.norm_first else ""


class TransformerEncoderLayer(_Layer):
    """Attention of a sequence to itself, then a feed-forward network, each with a residual and a layer norm.

    x = norm1(x + attention(x, x, x)), y = norm2(x + W_2 f(W_1 x + b_1) + b_2);
    with norm_first x = x + attention(norm1(x)), y = x + W_2 f(W_1 norm2(x) + b_1) + b_2
    src, y [T, B, E], [B, T, E] with batch_first, [T, E] for one sequence

    activation f: 'relu', 'gelu' or a function. Masks as in `MultiheadAttention`; dropout on its weights, inside the
    network and on both parts.
    Errors: ValueError where sizes do not fit.
    Source: Vaswani et al., "Attention Is All You Need", 2017; norm_first: Xiong et al., 2020.

    Example:
        >>> layer = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
        >>> layer(ct.random.normal(shape=(3, 5, 8)), is_causal=True).shape
        (3, 5, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
                         bias, dtype, ("self_attn",))  # fmt: skip

    def forward(
        self, src: Tensor, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]

        return self._add(2, self._add(1, src, attend), self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """Attention of a sequence to itself, then to an encoder's, then a feed-forward network.

    x = norm1(x + attention(x, x, x)), x = norm2(x + attention(x, m, m)), y = norm3(x + W_2 f(W_1 x + b_1) + b_2);
    with norm_first the norms come before the parts
    tgt, y [T, B, E], memory m [S, B, E], arguments as in `TransformerEncoderLayer`; a decoder that is to predict what
    comes next sets tgt_is_causal

    Errors: ValueError where sizes do not fit.
    Source: Vaswani et al., "Attention Is All You Need", 2017.

    Example:
        >>> layer = nn.TransformerDecoderLayer(8, nhead=2, dim_feedforward=16)
        >>> layer(ct.random.normal(shape=(5, 3, 8)), ct.random.normal(shape=(7, 3, 8)), tgt_is_causal=True).shape
        (5, 3, 8)
    """

    multihead_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
                         bias, dtype, ("self_attn", "multihead_attn"))  # fmt: skip

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def read(x: Tensor) -> Tensor:
            options = {"is_causal": memory_is_causal}
            return self.multihead_attn(x, memory, memory, memory_key_padding_mask, False, memory_mask, **options)[0]

        return self._add(3, self._add(2, self._add(1, tgt, attend), read), self._feed_forward)
