"""Recurrent layers (forward and backward) and language models (training steps) beside PyTorch's.

The text is the source of Python's own standard library, by word or by character; layers get normal random inputs.
"""

from __future__ import annotations

import argparse
import collections
import functools
import itertools
import re
import statistics
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from timeit import Timer
from typing import Any, NamedTuple

import numpy as np
import torch

import cinta as ct
import harness
import models
import training

STEPS, BATCH = 35, 20


class Layer(NamedTuple):
    """One layer, the ratio hoped for, and whether that supposes a tile unit."""

    goal: float
    needs_amx: bool
    kind: str
    hidden: int
    batch: int = BATCH
    mean_length: float = 1.0  # of the steps; below 1 sequences end anywhere from the first to the last step


LAYERS = {
    "tanh RNN, 100 units": Layer(0.35, False, "RNN", 100),
    "tanh RNN, 200 units": Layer(0.48, False, "RNN", 200),
    "tanh RNN, 512 units": Layer(0.48, False, "RNN", 512),
    "LSTM, 100 units": Layer(0.60, True, "LSTM", 100),
    "LSTM, 200 units": Layer(0.60, True, "LSTM", 200),
    "LSTM, 512 units": Layer(0.60, True, "LSTM", 512),
    "LSTM, 100 units, batch 1": Layer(0.60, False, "LSTM", 100, 1),
    "GRU, 100 units": Layer(0.50, False, "GRU", 100),
    "GRU, 200 units": Layer(0.50, False, "GRU", 200),
    "GRU, 512 units": Layer(0.50, False, "GRU", 512),
    "layer-norm LSTM, 200 units (PyTorch: a loop)": Layer(0.50, False, "LayerNormLSTM", 200),
    "tanh RNN, 100 units, lengths": Layer(0.35, False, "RNN", 100, mean_length=0.5),
    "LSTM, 200 units, lengths": Layer(0.35, False, "LSTM", 200, mean_length=0.5),
    "GRU, 200 units, lengths": Layer(0.35, False, "GRU", 200, mean_length=0.5),
}


def lengths_of(layer: Layer) -> np.ndarray | None:
    if layer.mean_length == 1:
        return None
    spread = np.linspace(1, 2 * layer.mean_length * STEPS - 1, layer.batch).round().astype(np.int64)
    return np.random.default_rng(0).permutation(spread)


def layer_run(library: Any, layer: Layer, weights, x: np.ndarray, seed: np.ndarray) -> Callable[[], list[Any]]:
    """Forward and backward in float32, or for PyTorch in the dtype of x: y and the gradients, of x first."""
    own = library is ct
    made = getattr(library.nn, layer.kind, functools.partial(models.layer_norm_lstm, library))
    model = made(layer.hidden, layer.hidden)
    model.load_state_dict({name: library.asarray(value) for name, value in weights.items()})
    if x.dtype == np.float64:
        model = model.double()
    given, gradient, lengths = library.asarray(x), library.asarray(seed), lengths_of(layer)
    given.requires_grad_()
    if lengths is not None:
        lengths = library.asarray(lengths)

    def run() -> list[Any]:
        for tensor in (given, *model.parameters()):
            tensor.grad = None
        if lengths is None:
            y = model(given)[0]
        elif own:
            y = model(given, lengths=lengths)[0]
        else:
            packed = torch.nn.utils.rnn.pack_padded_sequence(given, lengths, enforce_sorted=False)
            y = torch.nn.utils.rnn.pad_packed_sequence(model(packed)[0], total_length=STEPS)[0]
        y.backward(gradient)
        return [y.detach(), given.grad, *(p.grad for p in model.parameters())]

    return run


def layer_row(name: str, layer: Layer) -> harness.Row:
    rng = np.random.default_rng(0)
    x, seed = (rng.normal(size=(STEPS, layer.batch, layer.hidden)).astype(np.float32) for _ in range(2))
    weights = training.weights_of(getattr(ct.nn, layer.kind)(layer.hidden, layer.hidden))
    exact = [v.numpy() for v in layer_run(torch, layer, weights, x.astype(np.float64), seed.astype(np.float64))()]
    sides: list[list[harness.Contestant]] = []
    for library in (ct, torch):
        run = layer_run(library, layer, weights, x, seed)
        error = harness.error_of([np.asarray(v) for v in run()], exact)
        sides.append([harness.Contestant(Timer(run), error=error)])
    lacking = harness.WITH_AMX if layer.needs_amx else ""
    ours, theirs = sides
    return harness.compare(name, layer.goal, ours, theirs, lacking=lacking, repeats=21)


# How long the sequences of a batch are, of STEPS steps at most.
LENGTHS = {
    "of the same length": np.full(BATCH, STEPS // 2),
    "of any length, sorted": np.linspace(STEPS, 1, BATCH).round().astype(np.int64),
    "of any length": np.random.default_rng(0).permutation(np.linspace(STEPS, 1, BATCH).round().astype(np.int64)),
    "short but for one": np.where(np.arange(BATCH) == 7, STEPS, STEPS // 7),
}
LENGTHS_COLUMNS = ("with `lengths`", "padded x mean / T")
PADDING_GOAL = 1.15


def lengths_rows(kind: str, hidden: int) -> Iterator[harness.Row]:
    """A layer's forward and backward with lengths beside the padded batch's, times the share that is no padding."""
    rng = np.random.default_rng(0)
    model = getattr(ct.nn, kind)(hidden, hidden)
    given, gradient = (ct.tensor(rng.normal(size=(STEPS, BATCH, hidden)), dtype="float32") for _ in range(2))
    given.requires_grad_()

    def timer(lengths: np.ndarray | None) -> Timer:
        own = None if lengths is None else ct.tensor(lengths)

        def run() -> None:
            for tensor in (given, *model.parameters()):
                tensor.grad = None
            model(given, lengths=own)[0].backward(gradient)

        return Timer(run)

    padded, *others = harness.alternate(timer(None), *map(timer, LENGTHS.values()), repeats=21, seconds=0.03)
    for (name, lengths), times in zip(LENGTHS.items(), others):
        share = [seconds * lengths.mean() / STEPS for seconds in padded]
        ratio, interval = harness.ratio_of(times, share)
        title = f"{kind}, {hidden} units, {BATCH} sequences {name}"
        row = harness.Row(title, statistics.median(times), statistics.median(share), ratio, interval, PADDING_GOAL)
        print(row, flush=True)
        yield row


def lengths_main(threads: int = 1, only: str = "") -> list[harness.Row]:
    harness.pin(threads)
    pairs = [(kind, hidden) for kind in ("RNN", "LSTM", "GRU") for hidden in (100, 200, 512)]
    wanted = [pair for pair in pairs if only.lower() in f"{pair[0]}, {pair[1]} units".lower()]
    return list(itertools.chain.from_iterable(lengths_rows(*pair) for pair in wanted))


@functools.cache
def standard_library() -> str:
    """The source text of Python's standard library, a few megabytes of it."""
    folder = Path(sysconfig.get_path("stdlib"))
    return "\n".join(path.read_text(errors="ignore") for path in sorted(folder.glob("*.py")))


def numbered(text: str, vocabulary: int) -> np.ndarray:
    """The most frequent tokens, characters where the vocabulary is small, by number; the others are 0."""
    tokens = list(text[: 2 << 20]) if vocabulary < 1000 else re.findall(r"\w+|[^\w\s]|\n", text)
    frequent = [token for token, _ in collections.Counter(tokens).most_common(vocabulary - 1)]
    numbers = {token: number for number, token in enumerate(frequent, 1)}
    return np.array([numbers.get(token, 0) for token in tokens])


class LanguageModel(NamedTuple):
    """A recurrent network that predicts the next token, and the ratios hoped for, uncompiled and compiled."""

    goal: float
    needs_amx: bool
    kind: str
    vocabulary: int
    hidden: int
    layers: int
    steps: int
    batch: int

    def build(self, nn: Any) -> Any:
        return models.language_model(nn, self.kind, self.vocabulary, self.hidden, self.layers)

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Text in `batch` columns, [steps, batch] of it at a time, and the same one token later."""
        tokens = numbered(standard_library(), self.vocabulary)
        columns = tokens[: len(tokens) // self.batch * self.batch].reshape(self.batch, -1).T
        for start in range(0, min(len(columns) - self.steps - 1, 32 * self.steps), self.steps):
            rows = columns[start : start + self.steps + 1]
            yield np.ascontiguousarray(rows[:-1]), np.ascontiguousarray(rows[1:]).reshape(-1)


LANGUAGE_MODELS = {
    "RNN of 100 units, 8000 words, T=35, batch 20": LanguageModel(0.40, False, "RNN", 8000, 100, 1, 35, 20),
    "RNN of 100 units, 8000 words, T=35, batch 1": LanguageModel(0.35, False, "RNN", 8000, 100, 1, 35, 1),
    "LSTM of 2x200 units, 10000 words, T=20, batch 20": LanguageModel(0.50, True, "LSTM", 10000, 200, 2, 20, 20),
    "LSTM of 512 units by character, T=64, batch 32": LanguageModel(0.55, True, "LSTM", 100, 512, 1, 64, 32),
    "GRU of 128 units by character, T=64, batch 32": LanguageModel(0.45, False, "GRU", 100, 128, 1, 64, 32),
}


def language_steps(network: LanguageModel) -> tuple[dict[str, Callable[[], Any]], list[Callable[[], Any]]]:
    """Ours, uncompiled and compiled, and PyTorch's with each form of its optimizer."""
    batches, weights = list(network.batches()), training.weights_of(network.build(ct.nn))

    def made(library: Any, compiled: Callable[[Any], Any] = training.as_it_is, **options: bool) -> Callable[[], Any]:
        model = network.build(library.nn)
        model.load_state_dict({name: library.asarray(value) for name, value in weights.items()})
        pairs = [(library.asarray(x), library.asarray(y)) for x, y in batches]
        return training.on_batches(compiled(training.training_step(library, model, "cross_entropy", **options)), pairs)

    ours = {"": made(ct), "compiled": made(ct, ct.compile)}
    return ours, [made(torch), made(torch, fused=True), made(torch, foreach=True)]


def language_rows(name: str, network: LanguageModel) -> Iterator[harness.Row]:
    ours, theirs = language_steps(network)
    losses = [float(step().item()) for step in (*ours.values(), *theirs)]
    assert np.allclose(losses, losses[0], rtol=1e-5), f"not the same model, first losses {losses}"
    lacking = harness.WITH_AMX if network.needs_amx else ""
    peers = [harness.Contestant(Timer(step)) for step in theirs]
    for form, step in ours.items():
        title = " ".join(filter(None, (form, "step of", name)))
        yield harness.compare(
            title, network.goal, [harness.Contestant(Timer(step))], peers, lacking=lacking, seconds=0.05, repeats=11
        )


def main(threads: int = 1, only: str = "") -> list[harness.Row]:
    harness.pin(threads)

    def wanted(table: dict[str, Any]) -> list[tuple[str, Any]]:
        return [(name, row) for name, row in table.items() if only.lower() in name.lower()]

    rows = [layer_row(name, layer) for name, layer in wanted(LAYERS)]
    return rows + list(itertools.chain.from_iterable(language_rows(*item) for item in wanted(LANGUAGE_MODELS)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--lengths", action="store_true", help="beside the padded batch, not beside PyTorch")
    args = parser.parse_args()
    (lengths_main if args.lengths else main)(args.threads, args.only)
