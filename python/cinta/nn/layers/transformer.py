"""Transformers: stacks of layers, and both together."""

from __future__ import annotations

import copy
import math
from typing import Any

from cinta._core import Tensor, arange, where
from cinta.nn.containers import ModuleList
from cinta.nn.init import xavier_uniform_
from cinta.nn.layers.arguments import positive
from cinta.nn.layers.normalization import LayerNorm
from cinta.nn.layers.transformer_layers import Activation, TransformerDecoderLayer, TransformerEncoderLayer
from cinta.nn.module import Module


class _Stack(Module):
    norm: Module | None

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        positive(type(self).__name__, num_layers=num_layers)
        self.layers = ModuleList(copy.deepcopy(layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.norm = norm


class TransformerEncoder(_Stack):
    """Encoder layers on top of each other, all starting as copies of the given one, and a norm behind them or none.

    src, y [T, B, E] as in `TransformerEncoderLayer`; mask, src_key_padding_mask and is_causal go to every layer

    Source: Vaswani et al., "Attention Is All You Need", 2017.

    Example:
        >>> encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), num_layers=2)
        >>> padding = ~nn.functional.sequence_mask([5, 3])
        >>> encoder(ct.random.normal(shape=(5, 2, 8)), src_key_padding_mask=padding).shape
        (5, 2, 8)
    """

    def __init__(self, encoder_layer: TransformerEncoderLayer, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self, src: Tensor, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> Tensor:
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(_Stack):
    """Decoder layers on top of each other, all starting as copies of the given one, and a norm behind them or none.

    tgt, y [T, B, E], memory [S, B, E]; the masks of `TransformerDecoderLayer` go to every layer

    Source: Vaswani et al., "Attention Is All You Need", 2017.

    Example:
        >>> decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2, nn.LayerNorm(8))
        >>> decoder(ct.random.normal(shape=(5, 3, 8)), ct.random.normal(shape=(7, 3, 8)), tgt_is_causal=True).shape
        (5, 3, 8)
    """

    def __init__(self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

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
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
                        tgt_is_causal, memory_is_causal)  # fmt: skip
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """Encoder and decoder: reads one sequence and says of another what comes next.

    memory = encoder(src), y = decoder(tgt, memory); src [S, B, E] and tgt, y [T, B, E], or B first with batch_first

    Six layers each by default, a norm behind both, matrices by Glorot and Bengio's uniform. Sequences come embedded,
    with their positions (`nn.PositionalEncoding`). Masks go where their names say, a decoder that is to predict
    what comes next sets tgt_is_causal; custom_encoder and custom_decoder take the place of the stacks.
    Errors: ValueError where src and tgt do not fit.
    Source: Vaswani et al., "Attention Is All You Need", 2017.

    Example:
        >>> model = nn.Transformer(8, nhead=2, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=16)
        >>> model(ct.random.normal(shape=(7, 3, 8)), ct.random.normal(shape=(5, 3, 8)), tgt_is_causal=True).shape
        (5, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        shared = (dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, dtype)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(d_model, nhead, *shared), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(d_model, nhead, *shared), num_decoder_layers, norm()
        )
        self.d_model, self.nhead, self.batch_first = d_model, nhead, bool(batch_first)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all matrices anew."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                xavier_uniform_(parameter)

    @staticmethod
    def generate_square_subsequent_mask(sz: int) -> Tensor:
        """[sz, sz]: 0 up to the diagonal and -inf above it, to be added; the layers' is_causal needs no such mask."""
        return where(arange(sz) > arange(sz)[:, None], -math.inf, 0.0)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        batch = 0 if self.batch_first else 1
        if src.ndim != tgt.ndim or (src.ndim == 3 and src.shape[batch] != tgt.shape[batch]):
            raise ValueError(
                f"[Transformer] src has shape {list(src.shape)} and tgt {list(tgt.shape)}, expected the same batch"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        y: Tensor = self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
                                 tgt_is_causal, memory_is_causal)  # fmt: skip
        return y
