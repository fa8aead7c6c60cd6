"""The example's language models beside PyTorch's: from the same weights the same losses over twenty steps."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from cinta.data import BPTTLoader
from cinta.text import Vocabulary

torch = pytest.importorskip("torch")

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "rnn_language_model.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location(EXAMPLE.stem, EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def twin(kind, vocabulary, hidden):
    class Model(torch.nn.Module):
        """The lecture's formulas, or PyTorch's layer."""

        def __init__(self):
            super().__init__()
            self.recurrent = torch.nn.Module()
            if kind == "rnn":
                self.recurrent.U = torch.nn.Embedding(vocabulary, hidden)
                self.recurrent.W = torch.nn.Linear(hidden, hidden, bias=False)
            else:
                self.recurrent.embedding = torch.nn.Embedding(vocabulary, hidden)
                self.recurrent.layer = getattr(torch.nn, kind.upper())(hidden, hidden)
            self.V = torch.nn.Linear(hidden, vocabulary, bias=False)

        def forward(self, words, state):
            if kind == "rnn":
                states = []
                for inputs in self.recurrent.U(words):
                    state = torch.tanh(inputs + self.recurrent.W(state))
                    states.append(state)
                return self.V(torch.stack(states).reshape(-1, hidden)), state
            states, state = self.recurrent.layer(self.recurrent.embedding(words), state)
            return self.V(states.reshape(-1, hidden)), state

    return Model()


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_the_same_losses(example, kind, compiled):
    size, hidden, batch, steps = 500, 100, 8, 10
    text = example.standard_library(10).train
    vocabulary = Vocabulary.build(text, max_size=size)
    loader = BPTTLoader(vocabulary.encode(text), batch, steps)

    ours = example.LanguageModel(size, hidden, kind)
    theirs = twin(kind, size, hidden)
    theirs.load_state_dict({name: torch.tensor(p.numpy()) for name, p in ours.state_dict().items()})
    our_optimizer = optim.Adam(ours.parameters(), lr=0.004)
    their_optimizer = torch.optim.Adam(theirs.parameters(), lr=0.004)

    def our_step(words, following, state):
        our_optimizer.zero_grad()
        scores, state = ours(words, state)
        loss = nn.functional.cross_entropy(scores, following.reshape(-1))
        loss.backward()
        optim.clip_grad_norm_(ours.parameters(), 1.0)
        our_optimizer.step()
        return loss, nn.functional.detach_states(state)

    def their_step(words, following, state):
        their_optimizer.zero_grad()
        scores, state = theirs(words, state)
        loss = torch.nn.functional.cross_entropy(scores, following.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        their_optimizer.step()
        return loss, tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()

    our_state = ours.start(batch)
    leaves = our_state if isinstance(our_state, tuple) else (our_state,)
    their_state = tuple(torch.tensor(leaf.numpy()) for leaf in leaves)
    their_state = their_state if isinstance(our_state, tuple) else their_state[0]
    if compiled:
        our_step = ct.compile(our_step)
    losses = []
    for _, (words, following) in zip(range(20), loader):
        our_loss, our_state = our_step(words, following, our_state)
        their_loss, their_state = their_step(torch.tensor(words.numpy()), torch.tensor(following.numpy()), their_state)
        losses.append((our_loss.item(), their_loss.item()))
    losses = np.array(losses)
    assert len(losses) == 20
    assert losses[-1].max() < losses[0].min()
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=0, atol=1e-4)


def test_the_lectures_parameters(example):
    model = example.LanguageModel(8000, 100)
    assert {name: p.shape for name, p in model.named_parameters()} == {
        "recurrent.U.weight": (8000, 100), "recurrent.W.weight": (100, 100), "V.weight": (8000, 100)
    }  # fmt: skip
    assert sum(p.size for p in model.parameters()) == 1_610_000
