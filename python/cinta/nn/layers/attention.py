"""Multi-head attention."""

from __future__ import annotations

import math
from functools import reduce
from operator import add, or_
from typing import Any

from cinta._core import (
    Tensor,
    arange,
    asarray,
    concat,
    dropout,
    empty,
    linear,
    scaled_dot_product_attention,
    where,
    zeros,
)
from cinta.nn.init import xavier_normal_, xavier_uniform_, zeros_
from cinta.nn.layers.arguments import positive
from cinta.nn.layers.linear import Linear
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter
from cinta.nn.sequences import masked_softmax


class MultiheadAttention(Module):
    """Attention in several subspaces at once.

    y = concat_h(softmax(q_h k_h^T / sqrt(d) + mask) v_h) W_o^T + b_o, q_h = (q W_q^T + b_q)_h and so on, d = E / heads
    query [T, B, E], key [S, B, kdim], value [S, B, vdim] ([B, T, E] with batch_first, without B for one sequence)

    Returns y and the weights: [B, T, S], their mean over heads, or [B, heads, T, S] without average_attn_weights, or
    None without need_weights, which saves their memory: only a block of rows exists at a time.
    Masks are PyTorch's: key_padding_mask [B, S] and attn_mask [T, S] or [B heads, T, S] are True where a key is left
    out, or floating and added; is_causal leaves out what comes later, alone or beside an attn_mask. Queries that see no
    key get 0 for their weights, where PyTorch gives NaN.
    Errors: ValueError where sizes do not fit.
    Source: Vaswani et al., "Attention Is All You Need", 2017.

    Example:
        >>> attention = nn.MultiheadAttention(8, num_heads=2, batch_first=True)
        >>> x = ct.random.normal(shape=(3, 5, 8))
        >>> y, weights = attention(x, x, x, is_causal=True)
        >>> y.shape, weights.shape, weights[0, 0].tolist()
        ((3, 5, 8), (3, 5, 5), [1.0, 0.0, 0.0, 0.0, 0.0])
    """

    in_proj_weight: Parameter | None  # or, where the three inputs differ in size, one each:
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        positive("MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads)
        if embed_dim % num_heads:
            raise ValueError(
                f"[MultiheadAttention] embed_dim got {embed_dim}, expected {num_heads} (heads) times a number"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"[MultiheadAttention] dropout got {dropout}, expected a probability below 1")
        self.embed_dim, self.num_heads, self.dropout = embed_dim, num_heads, float(dropout)
        self.kdim, self.vdim, self.batch_first = kdim or embed_dim, vdim or embed_dim, bool(batch_first)
        self.head_dim, self.add_zero_attn = embed_dim // num_heads, bool(add_zero_attn)
        packed = self.kdim == self.vdim == embed_dim

        def parameter(wanted: bool, *shape: int) -> Parameter | None:
            return Parameter(empty(shape, dtype=dtype)) if wanted else None

        self.register_parameter("in_proj_weight", parameter(packed, 3 * embed_dim, embed_dim))
        for name, width in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            self.register_parameter(f"{name}_proj_weight", parameter(not packed, embed_dim, width))
        self.register_parameter("in_proj_bias", parameter(bias, 3 * embed_dim))
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, parameter(add_bias_kv, 1, 1, embed_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the projections anew (Glorot and Bengio's uniform), biases become 0."""
        self.out_proj.reset_parameters()
        for name, parameter in self.named_parameters():
            if name.endswith("proj_weight"):
                xavier_uniform_(parameter)
            elif name in ("bias_k", "bias_v"):
                xavier_normal_(parameter)
            elif name.endswith("bias"):
                zeros_(parameter)

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """q, k and v [B, S, E], in one product where they are of the same input."""
        bias, width = self.in_proj_bias, self.embed_dim
        weights: list[Any]
        if self.in_proj_weight is None:
            weights = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        elif query is key and key is value:
            return linear(query, self.in_proj_weight, bias).split(3, axis=-1)
        elif key is value:
            of_query = linear(query, self.in_proj_weight[:width], None if bias is None else bias[:width])
            rest = linear(key, self.in_proj_weight[width:], None if bias is None else bias[width:])
            return [of_query, *rest.split(2, axis=-1)]
        else:
            weights = self.in_proj_weight.split(3)
        biases = [None] * 3 if bias is None else bias.split(3)
        return [linear(x, weight, b) for x, weight, b in zip((query, key, value), weights, biases)]

    def _mask(self, batch: int, queries: int, keys: int, padding: Any, mask: Any, is_causal: bool) -> Tensor | None:
        """Both masks as one that broadcasts to [B, heads, T, S]: bool, True takes part, or floating, added."""
        parts: list[Tensor] = []
        if padding is not None:
            padding = _expect("key_padding_mask", asarray(padding), (batch, keys), "[B,S]")
            parts.append(padding[:, None, None])
        if mask is not None:
            mask = asarray(mask)
            if mask.ndim == 3:
                heads = batch * self.num_heads
                mask = _expect("attn_mask", mask, (heads, queries, keys), "[B heads,T,S]")
                parts.append(mask.reshape(batch, self.num_heads, queries, keys))
            else:
                parts.append(_expect("attn_mask", mask, (queries, keys), "[T,S], or [B heads,T,S]"))
        if is_causal:
            parts.append(arange(keys) > arange(queries)[:, None])
        if not parts:
            return None
        if all(str(part.dtype) == "bool" for part in parts):
            return ~reduce(or_, parts)
        return reduce(add, (where(part, -math.inf, 0.0) if str(part.dtype) == "bool" else part for part in parts))

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        one = query.ndim == 2
        inputs = {"query": query, "key": key, "value": value}
        for (name, x), width in zip(inputs.items(), (self.embed_dim, self.kdim, self.vdim)):
            if x.ndim not in (2, 3) or x.ndim != query.ndim or x.shape[-1] != width:
                layout = "[S,E]" if one else "[B,S,E]" if self.batch_first else "[S,B,E]"
                raise ValueError(
                    f"[MultiheadAttention] {name} has shape {list(x.shape)}, expected {layout} with E = {width}"
                )
        q, k, v = self._project(query, key, value)
        if one:
            q, k, v = q[None], k[None], v[None]
            if key_padding_mask is not None:
                key_padding_mask = asarray(key_padding_mask)[None]
        elif not self.batch_first:
            q, k, v = (x.swapaxes(0, 1) for x in (q, k, v))
        batch, queries, width = q.shape
        if len({x.shape[0] for x in (q, k, v)}) != 1 or k.shape[1] != v.shape[1]:
            shapes = ", ".join(str(list(x.shape)) for x in inputs.values())
            raise ValueError(f"[MultiheadAttention] query, key and value have shapes {shapes}: batches or keys differ")
        extended = self.bias_k is not None or self.add_zero_attn
        without_mask = is_causal and not (need_weights or extended)  # what comes later is not even computed
        mask = self._mask(batch, queries, k.shape[1], key_padding_mask, attn_mask, is_causal and not without_mask)
        if extended:
            k, v, mask = self._extended(k, v, mask)
        q, k, v = (x.reshape(batch, x.shape[1], self.num_heads, self.head_dim).swapaxes(1, 2) for x in (q, k, v))
        p, weights = self.dropout if self.training else 0.0, None
        if need_weights:
            weights = dropout(_weights(q * (1 / math.sqrt(self.head_dim)) @ k.mT, mask), p)
            y = weights @ v
        else:
            y = scaled_dot_product_attention(q, k, v, mask, p, without_mask)
        y = self.out_proj(y.swapaxes(1, 2).reshape(batch, queries, width))
        if weights is not None and average_attn_weights:
            weights = weights.mean(axis=1)
        if one:
            return y[0], None if weights is None else weights[0]
        return y if self.batch_first else y.swapaxes(0, 1), weights

    def _extended(self, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """With the keys and values that add_bias_kv and add_zero_attn put behind the others, for every query."""
        batch, keys, width = k.shape
        if self.bias_k is not None and self.bias_v is not None:
            k = concat([k, self.bias_k.broadcast_to((batch, 1, width))], 1)
            v = concat([v, self.bias_v.broadcast_to((batch, 1, width))], 1)
        if self.add_zero_attn:
            k, v = (concat([x, zeros((batch, 1, width), dtype=x.dtype)], 1) for x in (k, v))
        more = k.shape[1] - keys
        if mask is not None:
            mask = mask.pad([(0, 0)] * (mask.ndim - 1) + [(0, more)], value=float(str(mask.dtype) == "bool"))
        return k, v, mask

    def extra_repr(self) -> str:
        text = f"{self.embed_dim}, num_heads={self.num_heads}"
        text += f", dropout={self.dropout}" if self.dropout else ""
        return text + (", batch_first=True" if self.batch_first else "")


def _weights(scores: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None or str(mask.dtype) == "bool":
        return masked_softmax(scores, mask)
    scores = scores + mask
    return masked_softmax(scores, scores > -math.inf)


def _expect(name: str, mask: Tensor, shape: tuple[int, ...], letters: str) -> Tensor:
    if mask.shape != shape:
        raise ValueError(
            f"[MultiheadAttention] {name} has shape {list(mask.shape)}, expected {list(shape)} ({letters})"
        )
    if str(mask.dtype) != "bool" and not mask.dtype.is_floating:
        raise TypeError(
            f"[MultiheadAttention] {name} has dtype {mask.dtype}, expected bool (True: left out) or a floating one"
        )
    return mask
