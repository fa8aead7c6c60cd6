"""models.Seq2Seq beside the same network of PyTorch's layers: the same weights, outputs, attention and gradients."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from cinta import nn
from cinta.models import Seq2Seq

torch = pytest.importorskip("torch")

PAD, LENGTHS = 0, [5, 2, 7, 1]


class Twin(torch.nn.Module):
    """The formulas of `Seq2Seq`'s docstring; parameters by the same names."""

    def __init__(self, source, target, embedding, hidden, layers, attention):
        super().__init__()
        self.kind, self.layers = attention, layers
        self.source_embedding = torch.nn.Embedding(source, embedding)
        self.target_embedding = torch.nn.Embedding(target, embedding)
        self.encoder = torch.nn.LSTM(embedding, hidden // 2, layers, bidirectional=True, batch_first=True)
        self.decoder = torch.nn.LSTM(embedding, hidden, layers, batch_first=True)
        self.attention = torch.nn.Module()
        names = {"general": ["weight"], "additive": ["weight_query", "weight_key"], "dot": []}[attention]
        for name in names:
            setattr(self.attention, name, torch.nn.Parameter(torch.empty(hidden, hidden)))
        if attention == "additive":
            self.attention.weight_score = torch.nn.Parameter(torch.empty(1, hidden))
        self.combine = torch.nn.Linear(2 * hidden, hidden, bias=False)
        self.output = torch.nn.Linear(hidden, target)

    def score(self, d, m):
        if self.kind == "additive":
            inner = torch.tanh(
                (d @ self.attention.weight_query.T)[:, :, None] + (m @ self.attention.weight_key.T)[:, None]
            )
            return (inner @ self.attention.weight_score.T)[..., 0]
        return d @ (m if self.kind == "dot" else m @ self.attention.weight.T).transpose(1, 2)

    def forward(self, source, target, lengths):
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            self.source_embedding(source), lengths, batch_first=True, enforce_sorted=False
        )
        read, states = self.encoder(packed)
        m, _ = torch.nn.utils.rnn.pad_packed_sequence(read, batch_first=True, total_length=source.shape[1])
        begin = [torch.stack([torch.cat([s[2 * k], s[2 * k + 1]], 1) for k in range(self.layers)]) for s in states]
        d, _ = self.decoder(self.target_embedding(target), tuple(begin))
        mask = torch.arange(source.shape[1]) < lengths[:, None]
        weights = self.score(d, m).masked_fill(~mask[:, None], -torch.inf).softmax(2)
        attentional = torch.tanh(self.combine(torch.cat([weights @ m, d], 2)))
        return self.output(attentional), weights


@pytest.mark.parametrize("attention", ["dot", "general", "additive"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_the_same_network(attention, layers, compiled):
    ct.random.seed(5)
    rng = np.random.default_rng(5)
    ours, theirs = Seq2Seq(17, 19, 12, 16, layers, attention), Twin(17, 19, 12, 16, layers, attention)
    theirs.load_state_dict({name: torch.tensor(p.numpy()) for name, p in ours.state_dict().items()})
    source, target = rng.integers(1, 17, (4, 7)), rng.integers(1, 19, (4, 6))
    for row, length in enumerate(LENGTHS):
        source[row, length:] = PAD
    following = np.roll(target, -1, axis=1)
    following[0, 3:] = PAD

    def step(source, target, following, lengths):
        scores, weights = ours(source, target, lengths=lengths, need_weights=True)
        loss = nn.functional.sequence_cross_entropy(scores, following, ignore_index=PAD)
        loss.backward()
        return loss, scores.detach(), weights.detach()

    run = ct.compile(step) if compiled else step
    inputs = source, target, following, np.array(LENGTHS)
    for _ in range(3 if compiled else 1):
        for p in ours.parameters():
            p.grad = None
        loss, scores, weights = run(*map(ct.tensor, inputs))
    their_scores, their_weights = theirs(torch.tensor(source), torch.tensor(target), torch.tensor(LENGTHS))
    their_loss = torch.nn.functional.cross_entropy(
        their_scores.reshape(-1, 19), torch.tensor(following).reshape(-1), ignore_index=PAD
    )
    their_loss.backward()
    np.testing.assert_allclose(scores.numpy(), their_scores.detach().numpy(), atol=2e-6)
    np.testing.assert_allclose(weights.numpy(), their_weights.detach().numpy(), atol=2e-6)
    assert loss.item() == pytest.approx(their_loss.item(), abs=2e-6)
    gradients = dict(theirs.named_parameters())
    assert sorted(gradients) == sorted(name for name, _ in ours.named_parameters())
    for name, p in ours.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), gradients[name].grad.numpy(), atol=3e-6, err_msg=name)
