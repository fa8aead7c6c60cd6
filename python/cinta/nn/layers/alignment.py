"""Attention of a decoder over what an encoder wrote: additive (Bahdanau) and dot (Luong)."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor, empty, linear, tanh
from cinta.nn.init import xavier_uniform_
from cinta.nn.layers.arguments import positive
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter
from cinta.nn.sequences import masked_softmax


class _Alignment(Module):
    """Scores of queries against keys, their softmax, and the values weighted with it."""

    query_dim: int
    key_dim: int

    def project(self, keys: Tensor) -> Tensor:
        """What is computed of the keys alone, [B, S, ...]: once for all steps of a decoder, as `projected`."""
        raise NotImplementedError

    def _scores(self, query: Tensor, projected: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(
        self,
        query: Tensor,
        keys: Tensor,
        values: Tensor | None = None,
        mask: Any = None,
        *,
        projected: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        one = query.ndim == 2
        if one:
            query = query[:, None]
        shapes = f"query has shape {list(query.shape)} and keys {list(keys.shape)}"
        if query.ndim != 3 or keys.ndim != 3 or query.shape[0] != keys.shape[0]:
            raise ValueError(f"[{type(self).__name__}] {shapes}, expected [B,Q] or [B,T,Q], and [B,S,K]")
        if (query.shape[-1], keys.shape[-1]) != (self.query_dim, self.key_dim):
            raise ValueError(f"[{type(self).__name__}] {shapes}, expected {self.query_dim} and {self.key_dim} features")
        scores = self._scores(query, self.project(keys) if projected is None else projected)
        if mask is not None and mask.ndim == 2:
            mask = mask[:, None]
        weights = masked_softmax(scores, mask)
        context = weights @ (keys if values is None else values)
        return (context[:, 0], weights[:, 0]) if one else (context, weights)


class AdditiveAttention(_Alignment):
    """Attention whose scores a small network gives.

    e_ts = v^T tanh(W q_t + U k_s), a_t = softmax(e_t), c_t = sum_s a_ts value_s
    query q [B, Q] of one step or [B, T, Q], keys k [B, S, K], values [B, S, V] (the keys where left out), mask
    [B, S] or [B, T, S] of bool, True where a key takes part; W [A, Q], U [A, K], v [A]

    Returns c [B, V] or [B, T, V] and a [B, S] or [B, T, S]; where nothing takes part both are 0. A decoder that goes
    step by step computes U k once: `attention(query, keys, projected=attention.project(keys))`.
    Errors: ValueError where sizes do not fit.
    Source: Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2015.

    Example:
        >>> attention = nn.AdditiveAttention(4, 6, 8)
        >>> mask = nn.functional.sequence_mask([3, 5])
        >>> context, weights = attention(ct.ones((2, 4)), ct.random.normal(shape=(2, 5, 6)), mask=mask)
        >>> context.shape, weights.shape, weights[0, 3:].tolist()
        ((2, 6), (2, 5), [0.0, 0.0])
    """

    def __init__(self, query_dim: int, key_dim: int, attention_dim: int, dtype: Any = None) -> None:
        super().__init__()
        positive("AdditiveAttention", query_dim=query_dim, key_dim=key_dim, attention_dim=attention_dim)
        self.query_dim, self.key_dim, self.attention_dim = query_dim, key_dim, attention_dim
        self.weight_query = Parameter(empty((attention_dim, query_dim), dtype=dtype))
        self.weight_key = Parameter(empty((attention_dim, key_dim), dtype=dtype))
        self.weight_score = Parameter(empty((1, attention_dim), dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws W, U and v anew (Glorot and Bengio's uniform)."""
        for parameter in self.parameters():
            xavier_uniform_(parameter)

    def project(self, keys: Tensor) -> Tensor:
        """U k [B, S, A], once for all steps of a decoder."""
        return linear(keys, self.weight_key)

    def _scores(self, query: Tensor, projected: Tensor) -> Tensor:
        inner = tanh(linear(query, self.weight_query)[:, :, None] + projected[:, None])
        return linear(inner, self.weight_score)[..., 0]

    def extra_repr(self) -> str:
        return f"{self.query_dim}, {self.key_dim}, {self.attention_dim}"


class DotAttention(_Alignment):
    """Attention whose scores are inner products.

    e_ts = q_t . k_s, or q_t . (W k_s) in the general form; a_t = softmax(e_t scale), c_t = sum_s a_ts value_s
    Shapes, mask, results and `project` as in `AdditiveAttention`; W [Q, K]

    key_dim: the general form, for keys of that size; None: the plain one, without parameters, keys as large as queries.
    scale: 1 where left out; 1 / sqrt(Q) keeps scores of large vectors apart from saturation.
    Errors: ValueError where sizes do not fit.
    Source: Luong, Pham and Manning, "Effective Approaches to Attention-based Neural Machine Translation", 2015.

    Example:
        >>> context, weights = nn.DotAttention(4, key_dim=6)(ct.ones((2, 4)), ct.random.normal(shape=(2, 5, 6)))
        >>> context.shape, weights.shape
        ((2, 6), (2, 5))
    """

    weight: Parameter | None

    def __init__(self, query_dim: int, key_dim: int | None = None, scale: float = 1.0, dtype: Any = None) -> None:
        super().__init__()
        positive("DotAttention", query_dim=query_dim, key_dim=query_dim if key_dim is None else key_dim)
        self.query_dim, self.key_dim, self.scale = query_dim, key_dim or query_dim, float(scale)
        general = key_dim is not None
        self.register_parameter("weight", Parameter(empty((query_dim, self.key_dim), dtype=dtype)) if general else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws W anew, where there is one (Glorot and Bengio's uniform)."""
        if self.weight is not None:
            xavier_uniform_(self.weight)

    def project(self, keys: Tensor) -> Tensor:
        """W k [B, S, Q], once for all steps of a decoder; k itself in the plain form."""
        return keys if self.weight is None else linear(keys, self.weight)

    def _scores(self, query: Tensor, projected: Tensor) -> Tensor:
        return (query * self.scale) @ projected.mT

    def extra_repr(self) -> str:
        return f"{self.query_dim}" + ("" if self.weight is None else f", key_dim={self.key_dim}")
