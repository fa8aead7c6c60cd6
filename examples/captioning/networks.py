"""The networks that detect words, write sentences and say how well they fit, and how they are trained."""

from __future__ import annotations

import argparse
import re
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

import cinta as ct
from captioning.judge import shown
from captioning.scenes import COLOURS, SHAPES, SIZES, Scene, held_out, paint, pixels
from cinta import nn, optim
from cinta.text import Vocabulary

WRONG, OTHERS = 4, 4  # sentences to tell a caption from: nearly right ones, and captions of other pictures


def layer(inputs: int, outputs: int, dilation: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


class Captioner(nn.Module):
    """Pictures [B, 3, 48, 48] and sentences [B, T]: what is detected, what may follow, how well they fit.

    vocabulary: words, special ones included; only the words after them are detected.
    """

    def __init__(self, vocabulary: int, specials: int, channels: int = 64, hidden: int = 128, joint: int = 128) -> None:
        super().__init__()
        self.vocabulary, self.specials, self.hidden = vocabulary, specials, hidden
        half = channels // 2
        self.regions = nn.Sequential(
            *layer(3, half), nn.MaxPool2d(2),
            *layer(half, channels), nn.MaxPool2d(2),
            *layer(channels, channels),
        )  # fmt: skip
        self.around = nn.ModuleList(nn.Sequential(*layer(channels, channels, dilation)) for dilation in (2, 3))
        self.words = nn.Conv2d(channels, vocabulary - specials, 1, bias=False)
        self.rarity = nn.Parameter(ct.full((vocabulary - specials, 1, 1), -5.0))  # 144 regions begin near one half
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.writer = nn.LSTM(hidden + 2 * (vocabulary - specials), hidden, batch_first=True)
        self.next_word = nn.Linear(hidden, vocabulary)
        self.region = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(channels, joint, 1))
        self.reader = nn.LSTM(hidden, joint, batch_first=True)
        self.word = nn.Linear(joint, joint)
        self.scale = nn.Parameter(ct.tensor(2.5))  # logarithm of how sharply the fit decides

    def see(self, pictures: ct.Tensor) -> tuple[ct.Tensor, ct.Tensor]:
        """Features of the regions [B, C, 12, 12], and the words' scores there [B, W, 12, 12]."""
        features = self.regions(pictures)
        for around in self.around:  # what lies about a region is added to what lies in it
            features = features + around(features)
        return features, self.words(features) + self.rarity

    def detect(self, scores: ct.Tensor) -> ct.Tensor:
        """log(1 - p_w) = sum_r log(1 - p_wr) [B, W]."""
        return -nn.functional.softplus(scores).sum((2, 3))

    def write(self, tokens: ct.Tensor, left: ct.Tensor, detected: ct.Tensor, state: Any) -> tuple[ct.Tensor, Any]:
        """Log-probabilities [B, T, V] after tokens [B, T], where `left` [B, T, W] says which words are not said yet."""
        seen = detected[:, None].broadcast_to(left.shape)
        states, state = self.writer(ct.concat([self.embedding(tokens), seen, seen * left], axis=2), state)
        return ct.log_softmax(self.next_word(states), axis=2), state

    def places(self, features: ct.Tensor) -> ct.Tensor:
        """Where regions of pictures [B, R, J] lie in the joint space, on the unit sphere."""
        return nn.functional.normalize(self.region(features).flatten(2).transpose(0, 2, 1), axis=2)

    def read(self, tokens: ct.Tensor, lengths: ct.Tensor) -> ct.Tensor:
        """Where words of sentences [N, T] lie in it, each as far as the sentence is read; divided by their number."""
        states, _ = self.reader(self.embedding(tokens), lengths=lengths)
        mask = nn.functional.sequence_mask(lengths, tokens.shape[1]) / lengths[:, None]
        return nn.functional.normalize(self.word(states), axis=2) * mask[:, :, None]

    def fit(self, places: ct.Tensor, words: ct.Tensor) -> ct.Tensor:
        """How well each picture [B, R, J] fits its K sentences [B, K, T, J]: the best region of each word, averaged."""
        batch, sentences, length, joint = words.shape
        cosines = places @ words.reshape(batch, sentences * length, joint).transpose(0, 2, 1)
        return cosines.max(axis=1).reshape(batch, sentences, length).sum(2)


class Sentences:
    """Sentences as numbers: padded, with their lengths; and sentences that are nearly right."""

    def __init__(self, vocabulary: Vocabulary, longest: int) -> None:
        self.vocabulary, self.longest = vocabulary, longest
        kinds = (list(COLOURS), list(SHAPES), list(SHAPES.values()), list(SIZES), ["above", "below"], ["left", "right"],
                 ["two", "three"])  # fmt: skip
        self.kind = {word: kind for kind in kinds for word in kind}

    def encode(self, captions: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """[N, longest + 1] numbers, <eos> and padding behind the words, and lengths with <eos> [N]."""
        padding = self.vocabulary["<pad>"]
        rows = np.full((len(captions), self.longest + 1), padding, np.int64)
        lengths = np.zeros(len(captions), np.int64)
        for row, caption in enumerate(captions):
            numbers = self.vocabulary.encode(caption.split(), eos=True)
            rows[row, : len(numbers)], lengths[row] = numbers, len(numbers)
        return rows, lengths

    def nearly(self, caption: str, true: list[str], rng: np.random.Generator) -> str:
        """The caption with two words of a kind exchanged, or one for another of its kind.

        It is none of the true ones, nor does it speak of a held-out combination, which would be learnt as never true.
        """
        words = caption.split()
        places = [i for i, word in enumerate(words) if word in self.kind]
        while True:
            changed, i = list(words), int(rng.choice(places))
            partners = [j for j in places if self.kind[words[j]] is self.kind[words[i]] and words[i] != words[j]]
            if partners and rng.random() < 0.7:
                j = int(rng.choice(partners))
                changed[i], changed[j] = words[j], words[i]
            else:
                changed[i] = str(rng.choice([word for word in self.kind[words[i]] if word != words[i]]))
            sentence = re.sub(r"\ban? (?=(\w))", lambda m: "an " if m[1] == "o" else "a ", " ".join(changed))
            if sentence not in true and not any(held_out(*combination) for combination in shown(sentence)):
                return sentence


class Batches:
    """Scenes without held-out combinations, painted once; a batch is of different ones, a caption each."""

    def __init__(self, scenes: list[Scene], sentences: Sentences, rng: np.random.Generator) -> None:
        self.scenes, self.sentences, self.rng = scenes, sentences, rng
        self.pictures = pixels([paint(scene) for scene in scenes])
        vocabulary = sentences.vocabulary
        self.specials = len(vocabulary.specials)
        self.bags = np.zeros((len(scenes), len(vocabulary) - self.specials), np.float32)
        for bag, scene in zip(self.bags, scenes):
            bag[vocabulary.encode(" ".join(scene.captions).split()) - self.specials] = 1

    def draw(self, size: int) -> tuple[np.ndarray, ...]:
        """Pictures, bags, words so far [B, T], words left [B, T, W], next words; sentences to read, lengths."""
        rows = self.rng.integers(0, len(self.scenes), size)
        said = [str(self.rng.choice(self.scenes[row].captions)) for row in rows]
        wrong = [
            self.sentences.nearly(caption, self.scenes[row].captions, self.rng)
            for _ in range(WRONG) for row, caption in zip(rows, said)
        ]  # fmt: skip
        tokens, lengths = self.sentences.encode(said + wrong)
        targets = tokens[:size]
        before = np.concatenate([np.full((size, 1), self.sentences.vocabulary["<bos>"]), targets[:, :-1]], axis=1)
        left = 1 - (before[..., None] == np.arange(len(self.sentences.vocabulary))).cumsum(1).clip(0, 1)
        left = left[..., self.specials :].astype(np.float32)
        return self.pictures[rows], self.bags[rows], before, left, targets, tokens, lengths


def losses(model: Captioner, padding: int, batch: tuple[ct.Tensor, ...]) -> tuple[ct.Tensor, ct.Tensor, ct.Tensor]:
    """Of detecting (a word), of writing (a word) and of finding the caption among others (a picture)."""
    pictures, bags, before, left, targets, tokens, lengths = batch
    features, scores = model.see(pictures)
    absent = model.detect(scores)
    present = ct.log(ct.maximum(-ct.expm1(absent), 1e-6))
    detecting = -(bags * present + (1 - bags) * absent).mean()
    detected = 1 - ct.exp(absent).detach()
    log_probs, _ = model.write(before, left, detected, None)
    writing = nn.functional.nll_loss(log_probs.reshape(-1, model.vocabulary), targets.reshape(-1), None, padding)
    words = model.read(tokens, lengths)
    size, kinds = pictures.shape[0], 1 + WRONG
    words = words.reshape(kinds, size, *words.shape[1:]).transpose(1, 0, 2, 3)  # its own caption, then wrong ones
    others = [ct.concat([words[k:, :1], words[:k, :1]]) for k in range(1, OTHERS + 1)]
    fits = ct.exp(model.scale) * model.fit(model.places(features), ct.concat([words, *others], axis=1))
    finding = nn.functional.cross_entropy(fits, ct.zeros(size, dtype="int64"))
    return detecting, writing, finding


def train(model: Captioner, batches: Batches, args: argparse.Namespace, console: Console) -> None:
    """One cycle of Adam; prints the three losses now and then."""
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=args.lr, total_steps=args.steps, pct_start=0.1)
    padding = batches.sentences.vocabulary["<pad>"]

    @ct.compile
    def step(*batch: ct.Tensor) -> tuple[ct.Tensor, ...]:
        optimizer.zero_grad()
        parts = losses(model, padding, batch)
        (10 * parts[0] + parts[1] + parts[2]).backward()
        optim.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return parts

    recent: list[list[float]] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("training", total=args.steps)
        for number in range(1, args.steps + 1):
            recent.append([part.item() for part in step(*map(ct.asarray, batches.draw(args.batch_size)))])
            schedule.step()
            progress.advance(task)
            if number % max(1, args.steps // 5) == 0 or number == args.steps:
                means = np.mean(recent, axis=0)
                console.print(
                    f"step {number:5}   loss of detecting {means[0]:.4f}, writing {means[1]:.3f}, "
                    f"finding the caption {means[2]:.3f}"
                )
                recent = []
