"""Sequence to sequence: an LSTM reads a sequence, another writes one, attention says what to look at for each word."""

from __future__ import annotations

from typing import Any

from cinta import nn
from cinta._core import Tensor, asarray, concat, log_softmax, tanh
from cinta.autodiff import no_grad
from cinta.decoding import Hypothesis, beam_search, greedy
from cinta.nn.layers.arguments import positive
from cinta.nn.sequences import sequence_mask

ATTENTIONS = ("dot", "general", "additive")


class Seq2Seq(nn.Module):
    """Encoder and decoder LSTM with attention, for translation and whatever else turns sequences into sequences.

    m_s = [forward LSTM; backward LSTM](E x)_s of H/2 features each, d_t = LSTM(F y_{t-1}, d_{t-1}), d_0: the encoder's
    last states, forward and backward side by side; a_t = softmax over s of score(d_t, m_s), c_t = sum_s a_ts m_s
    h_t = tanh(W [c_t; d_t]), scores of the next token: V h_t + b
    score(d, m): d . m ("dot"), d . W_a m ("general"), v . tanh(W_q d + W_k m) ("additive")

    Called with source [B, S] and target [B, T], both integers, it gives scores [B, T, target_vocabulary] of the tokens
    after each of the target's: the target begins with "<bos>" and stays one token behind what is to be said (teacher
    forcing). lengths [B] of the sources: padding behind them is never read and has no attention. target_lengths [B]:
    nothing is computed in the decoder for what lies behind (its scores are those of a constant). need_weights: (scores,
    attention a [B, T, S]).

    Args:
        source_vocabulary, target_vocabulary: numbers of tokens.
        embedding_dim: of E and F. hidden_size: H, even. num_layers: of encoder and decoder each.
        attention: "dot", "general" or "additive".
        dropout: of embeddings, between layers and of h, in training.
        padding_idx: the token whose embedding stays zero, None if there is none.

    Parameters (V of words, D = embedding_dim, one layer): source_embedding and target_embedding [V, D], encoder
    (`nn.LSTM`, both directions) and decoder (`nn.LSTM`), attention, combine [H, 2 H], output [V, H] and [V].
    `generate` writes targets; `encode` and `step` are what `ct.decoding` needs to do so in its ways.

    Errors: ValueError for sizes that do not fit or an unknown attention.
    Source: Sutskever, Vinyals and Le, "Sequence to Sequence Learning with Neural Networks", 2014; Bahdanau, Cho and
    Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2015 (additive, both directions);
    Luong, Pham and Manning, "Effective Approaches to Attention-based Neural Machine Translation", 2015 (dot, general,
    the order of decoder and attention, here without input feeding: so all steps of the decoder are one operation).

    Example:
        >>> net = ct.models.Seq2Seq(source_vocabulary=20, target_vocabulary=30, embedding_dim=8, hidden_size=16)
        >>> source, target = ct.tensor([[5, 6, 7], [8, 9, 0]]), ct.tensor([[2, 4], [2, 5]])
        >>> net(source, target, lengths=[3, 2]).shape
        (2, 2, 30)
        >>> state = net.encode(source, lengths=[3, 2])
        >>> best = ct.decoding.beam_search(net.step, state, start=[2, 2], eos=3, max_length=5, beam_size=3)
        >>> best[0][0].tokens == net.generate(source, lengths=[3, 2], bos=2, eos=3, max_length=5, beam_size=3)[0].tokens
        True
    """

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        embedding_dim: int = 256,
        hidden_size: int = 256,
        num_layers: int = 1,
        attention: str = "general",
        dropout: float = 0.0,
        padding_idx: int | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        positive("Seq2Seq", source_vocabulary=source_vocabulary, target_vocabulary=target_vocabulary,
                 embedding_dim=embedding_dim, hidden_size=hidden_size, num_layers=num_layers)  # fmt: skip
        if hidden_size % 2:
            raise ValueError(f"[Seq2Seq] hidden_size got {hidden_size}, expected an even one: half for each direction")
        if attention not in ATTENTIONS:
            raise ValueError(f"[Seq2Seq] attention got {attention!r}, expected one of {ATTENTIONS}")
        self.hidden_size, self.num_layers = hidden_size, num_layers
        between = dropout if num_layers > 1 else 0.0
        self.source_embedding = nn.Embedding(source_vocabulary, embedding_dim, padding_idx, dtype=dtype)
        self.target_embedding = nn.Embedding(target_vocabulary, embedding_dim, padding_idx, dtype=dtype)
        self.encoder = nn.LSTM(
            embedding_dim, hidden_size // 2, num_layers, dropout=between, bidirectional=True, dtype=dtype
        )
        self.decoder = nn.LSTM(embedding_dim, hidden_size, num_layers, dropout=between, dtype=dtype)
        self.attention: nn.DotAttention | nn.AdditiveAttention
        if attention == "additive":
            self.attention = nn.AdditiveAttention(hidden_size, hidden_size, hidden_size, dtype=dtype)
        else:
            key_dim = hidden_size if attention == "general" else None
            self.attention = nn.DotAttention(hidden_size, key_dim, dtype=dtype)
        self.combine = nn.Linear(2 * hidden_size, hidden_size, bias=False, dtype=dtype)
        self.output = nn.Linear(hidden_size, target_vocabulary, dtype=dtype)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, source: Any, target: Any, *, lengths: Any = None, target_lengths: Any = None, need_weights: bool = False
    ) -> Any:
        source, target = _tokens("source", source), _tokens("target", target)
        if source.shape[0] != target.shape[0]:
            got = f"{source.shape[0]} sources and {target.shape[0]} targets"
            raise ValueError(f"[Seq2Seq] got {got}, expected as many of each")
        state = self.encode(source, lengths=lengths)
        scores, weights, _, _ = self._decode(state, target, target_lengths)
        return (scores, weights) if need_weights else scores

    def encode(self, source: Any, *, lengths: Any = None) -> dict[str, Tensor | None]:
        """What the decoder begins with, for source [B, S]: a state for `step`, the batch first in all its tensors.

        memory m [B, S, H], projected: what the attention computes of it once, mask [B, S] or None, h and c [B, L, H].
        """
        source = _tokens("source", source)
        lengths = None if lengths is None else asarray(lengths)
        read, (h, c) = self.encoder(self.dropout(self.source_embedding(source.T)), lengths=lengths)
        memory = read.swapaxes(0, 1)
        mask = None if lengths is None else sequence_mask(lengths, source.shape[1])
        h, c = (self._beginning(states) for states in (h, c))
        return {"memory": memory, "projected": self.attention.project(memory), "mask": mask, "h": h, "c": c}

    def step(self, state: dict[str, Any], tokens: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """One step of the decoder: log-probabilities [B, V] of the tokens after tokens [B], and the next state."""
        scores, _, h, c = self._decode(state, tokens[:, None], None)
        return log_softmax(scores[:, 0], axis=1), {**state, "h": h, "c": c}

    @no_grad()
    def generate(
        self,
        source: Any,
        *,
        bos: int,
        eos: int,
        max_length: int,
        lengths: Any = None,
        beam_size: int = 1,
        length_penalty: float = 1.0,
    ) -> list[Hypothesis]:
        """What the network writes for each of the sources [B, S], of its own accord: greedily, or by beam search.

        In evaluation mode, whatever mode the network is in. bos, eos: the tokens that a target begins after and ends
        with; the rest as in `ct.decoding.beam_search`, of which this is the best hypothesis.
        """
        training = self.training
        self.eval()
        try:
            state = self.encode(source, lengths=lengths)
            start = [bos] * len(state["h"])  # type: ignore[arg-type]
            if beam_size == 1:
                return greedy(self.step, state, start, eos=eos, max_length=max_length)
            found = beam_search(self.step, state, start, eos=eos, max_length=max_length, beam_size=beam_size,
                                length_penalty=length_penalty)  # fmt: skip
            return [hypotheses[0] for hypotheses in found]
        finally:
            self.train(training)

    def _decode(self, state: dict[str, Any], target: Tensor, lengths: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Scores [B, T, V] and attention [B, T, S] for target [B, T], then h and c as in the state."""
        begin = state["h"].swapaxes(0, 1), state["c"].swapaxes(0, 1)
        written, (h, c) = self.decoder(self.dropout(self.target_embedding(target.T)), begin, lengths=lengths)
        query = written.swapaxes(0, 1)
        context, weights = self.attention(query, state["memory"], mask=state["mask"], projected=state["projected"])
        attentional = tanh(self.combine(concat([context, query], axis=-1)))
        return self.output(self.dropout(attentional)), weights, h.swapaxes(0, 1), c.swapaxes(0, 1)

    def _beginning(self, states: Tensor) -> Tensor:
        """The last states of both directions [2 L, B, H/2] side by side, [B, L, H]."""
        _, batch, half = states.shape
        pairs = states.reshape(self.num_layers, 2, batch, half).transpose(2, 0, 1, 3)
        return pairs.reshape(batch, self.num_layers, 2 * half)


def _tokens(name: str, tokens: Any) -> Tensor:
    tokens = asarray(tokens)
    if tokens.ndim != 2 or tokens.dtype.is_floating or str(tokens.dtype) == "bool":
        got = f"shape {list(tokens.shape)} of {tokens.dtype}"
        raise ValueError(f"[Seq2Seq] {name} got {got}, expected integers [B,T], a token each")
    return tokens
