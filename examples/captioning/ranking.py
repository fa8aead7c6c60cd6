"""Many sentences for a picture, and their order."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import cinta as ct
from captioning.networks import Captioner, Sentences
from captioning.scenes import Scene
from cinta import nn, optim


class Candidate(NamedTuple):
    """A sentence and what the re-ranker knows of it."""

    sentence: str
    features: tuple[float, ...]


FEATURES = ("log-probability", "words", "sureness of its words", "detected words covered", "fit to the picture")


def generate(
    model: Captioner, sentences: Sentences, pictures: np.ndarray, beam_size: int
) -> tuple[np.ndarray, np.ndarray, list[list[Candidate]]]:
    """What is detected in pictures [B, 3, 48, 48]: words [B, W], where [B, W, 12, 12]; sentences, likeliest first."""
    vocabulary, specials = sentences.vocabulary, model.specials
    count = len(pictures)
    with ct.no_grad():
        features, scores = model.see(ct.asarray(pictures))
        detected = 1 - ct.exp(model.detect(scores))

    def step(state: Any, tokens: ct.Tensor) -> tuple[ct.Tensor, Any]:
        h, c, left, seen = state
        left = left * (1 - nn.functional.one_hot(tokens, model.vocabulary)[None, :, specials:].astype("float32"))
        log_probs, (h, c) = model.write(tokens[:, None], left.transpose(1, 0, 2), seen[0], (h, c))
        return log_probs[:, 0], (h, c, left, seen)

    zeros = ct.zeros((1, count, model.hidden))
    start = (zeros, zeros, ct.ones((1, *detected.shape)), detected[None])
    found = ct.decoding.beam_search(
        step, start, np.full(count, vocabulary["<bos>"]), eos=vocabulary["<eos>"],
        max_length=sentences.longest + 1, beam_size=beam_size, length_penalty=0.0, state_axis=1,
    )  # fmt: skip
    probabilities = detected.numpy()
    places = ct.sigmoid(scores).numpy()
    lists = []
    for row in range(count):
        texts = [" ".join(vocabulary.decode(hypothesis.tokens)) for hypothesis in found[row]]
        with ct.no_grad():
            words = model.read(*map(ct.asarray, sentences.encode(texts)))
            fits = model.fit(model.places(features[row : row + 1]), words[None])[0].numpy()
        candidates = []
        for text, hypothesis, fit in zip(texts, found[row], fits):
            said = np.zeros(len(probabilities[row]), bool)
            said[np.array(hypothesis.tokens, np.int64) - specials] = True
            p = probabilities[row]
            sure, covered = np.log(p[said].clip(1e-6)).sum(), p[said].sum() / p.sum()
            values = (hypothesis.log_prob, len(hypothesis.tokens), float(sure), float(covered), float(fit))
            candidates.append(Candidate(text, values))
        lists.append(candidates)
    return probabilities, places, lists


class Reranker(nn.Module):
    """A linear score of a candidate's features, standardized."""

    mean: ct.Tensor
    spread: ct.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", ct.zeros(len(FEATURES)))
        self.register_buffer("spread", ct.ones(len(FEATURES)))
        self.weight = nn.Parameter(ct.zeros(len(FEATURES)))

    def forward(self, features: ct.Tensor) -> ct.Tensor:
        return (features - self.mean) / self.spread @ self.weight

    def learn(self, lists: list[list[Candidate]], scenes: list[Scene]) -> None:
        """Makes sentences that are known of a scene likelier than the others on its list: -log sum_known softmax."""
        size = max(map(len, lists))
        features = np.zeros((len(lists), size, len(FEATURES)), np.float32)
        there, known = np.zeros((2, len(lists), size), bool)
        for row, (candidates, scene) in enumerate(zip(lists, scenes)):
            features[row, : len(candidates)] = [candidate.features for candidate in candidates]
            there[row, : len(candidates)] = True
            known[row, : len(candidates)] = [candidate.sentence in scene.captions for candidate in candidates]
        features, there, known = (array[known.any(1)] for array in (features, there, known))
        if not len(features):
            return  # no list has a known sentence: with weights of 0 the order stays that of the generator
        self.mean[:], self.spread[:] = features[there].mean(0), features[there].std(0) + 1e-6
        optimizer = optim.LBFGS(self.parameters(), line_search_fn="strong_wolfe")
        x, among, right = map(ct.asarray, (features, there, known))

        def loss() -> ct.Tensor:
            optimizer.zero_grad()
            scores = self(x)
            all_of = ct.logsumexp(ct.where(among, scores, -1e9), 1)
            value = (all_of - ct.logsumexp(ct.where(right, scores, -1e9), 1)).mean()
            value = value + 1e-3 * ct.square(self.weight).sum()
            value.backward()
            return value

        optimizer.step(loss)

    def order(self, candidates: list[Candidate]) -> list[tuple[float, str]]:
        """Sentences with their scores, best first."""
        with ct.no_grad():
            scores = self(ct.asarray(np.array([c.features for c in candidates], np.float32))).tolist()
        return sorted(((score, c.sentence) for score, c in zip(scores, candidates)), key=lambda pair: -pair[0])
