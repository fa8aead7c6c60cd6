"""A recurrent network learns to write Python: S_t = tanh(U x_t + W S_{t-1}), y_t = V S_t.

    python examples/rnn_language_model.py                  reads the source of Python's own standard library
    python examples/rnn_language_model.py --text FILE      any other text in UTF-8
    python examples/rnn_language_model.py --cell lstm      or gru
    python examples/rnn_language_model.py --resume runs/rnn_language_model/checkpoint.safetensors --epochs 20

8000 words, x_t one of them; 100 hidden units: U [100, 8000], W [100, 100] and V [8000, 100] are 1,610,000 parameters.
The text lies in columns of which the network reads 35 words at a time; states go on from piece to piece, gradients do
not (truncated backpropagation through time). Perplexity says between how many words, equally likely, it is still in
doubt. Every run leaves a checkpoint and the curve of perplexities in the folder given with --out.
"""

from __future__ import annotations

import argparse
import math
import os
import sysconfig
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax

import cinta as ct
from cinta import nn, optim
from cinta.data import BPTTLoader
from cinta.text import Vocabulary, WordTokenizer, read_text

# A word or a mark with the space before it, or the end of a line with the indentation of the next: nothing is lost.
TOKENIZER = WordTokenizer(r"\n *| ?\w+| ?[^\w\s]| +|\s", separator="")
PER_POINT = 50  # steps whose mean is one point of the curve
console = Console()


class Cell(nn.Module):
    """S_t = tanh(U x_t + W S_{t-1}); where x_t is one word, U x_t is the column of U that belongs to it."""

    def __init__(self, vocabulary: int, hidden: int) -> None:
        super().__init__()
        self.U = nn.Embedding(vocabulary, hidden)
        self.W = nn.Linear(hidden, hidden, bias=False)
        bound = 1 / math.sqrt(hidden)
        for weight in (self.U.weight, self.W.weight):
            nn.init.uniform_(weight, -bound, bound)

    def forward(self, words: ct.Tensor, state: ct.Tensor) -> tuple[ct.Tensor, ct.Tensor]:
        """words [T, B], state [B, H]: all states [T, B, H] and the last."""
        states = []
        for inputs in self.U(words):
            state = ct.tanh(inputs + self.W(state))
            states.append(state)
        return ct.stack(states), state


class Gated(nn.Module):
    """An LSTM or a GRU in its place."""

    def __init__(self, kind: str, vocabulary: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.layer = getattr(nn, kind.upper())(hidden, hidden)

    def forward(self, words: ct.Tensor, state: Any) -> tuple[ct.Tensor, Any]:
        return self.layer(self.embedding(words), state)


class LanguageModel(nn.Module):
    """words [T, B] -> scores of the words after them [T B, vocabulary]: y_t = V S_t."""

    def __init__(self, vocabulary: int, hidden: int, cell: str = "rnn") -> None:
        super().__init__()
        self.hidden, self.cell = hidden, cell
        self.recurrent = Cell(vocabulary, hidden) if cell == "rnn" else Gated(cell, vocabulary, hidden)
        self.V = nn.Linear(hidden, vocabulary, bias=False)

    def forward(self, words: ct.Tensor, state: Any) -> tuple[ct.Tensor, Any]:
        states, state = self.recurrent(words, state)
        return self.V(states.reshape(-1, self.hidden)), state

    def start(self, batch: int) -> Any:
        """S_0 = 0."""
        if self.cell == "rnn":
            return ct.zeros((batch, self.hidden))
        zeros = [ct.zeros((1, batch, self.hidden)) for _ in range(2)]
        return tuple(zeros) if self.cell == "lstm" else zeros[0]


class Text(NamedTuple):
    """Tokens: every twentieth file, or of one file the last twentieth, is held out."""

    train: list[str]
    held_out: list[str]


def standard_library(limit: int | None = None) -> Text:
    """The source of Python's standard library, as far as it is UTF-8; of so many files, with a limit."""
    parts: tuple[list[str], list[str]] = ([], [])
    left_out = 0
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:limit]
    for number, path in enumerate(paths):
        try:
            parts[number % 20 == 19].extend(TOKENIZER(read_text(path)))
        except (OSError, ValueError):
            left_out += 1
    if left_out:
        console.print(f"{left_out} files left out: not readable as UTF-8")
    return Text(*parts)


def one_file(path: Path) -> Text:
    tokens = TOKENIZER(read_text(path))
    border = len(tokens) * 19 // 20
    return Text(tokens[:border], tokens[border:])


class Training:
    """A model, its optimizer and how far they have come."""

    def __init__(self, text: Text, args: argparse.Namespace) -> None:
        ct.random.seed(args.seed)
        self.args, self.vocabulary = args, Vocabulary.build(text.train, max_size=args.vocabulary)
        if args.resume:
            self.vocabulary.load_state_dict(ct.load_checkpoint(args.resume, random=False)["vocabulary"])
        self.model = LanguageModel(len(self.vocabulary), args.hidden, args.cell)
        self.optimizer = optim.Adam(self.model.parameters(), lr=args.lr)
        train, held_out = (self.vocabulary.encode(tokens) for tokens in text)
        self.baseline = by_frequency(train, held_out, len(self.vocabulary))
        self.train = BPTTLoader(train, args.batch_size, args.steps, drop_last=True)
        self.held_out = BPTTLoader(held_out, args.batch_size, args.steps, drop_last=True)
        self.curve: list[tuple[float, float]] = []  # how far, in epochs, and the perplexity of the last PER_POINT steps
        self.history: list[tuple[float, float]] = []  # perplexities by epoch: in training, held out
        self.compiled = ct.compile(self.step)
        if args.resume:
            self.resume(args.resume)

    def step(self, words: ct.Tensor, following: ct.Tensor, state: Any) -> tuple[ct.Tensor, Any]:
        """Forward and backward through one piece, and the update; the state is handed on without its history."""
        self.optimizer.zero_grad()
        scores, state = self.model(words, state)
        loss = nn.functional.cross_entropy(scores, following.reshape(-1))
        loss.backward()
        optim.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss, nn.functional.detach_states(state)

    def epoch(self, progress: Progress, task: Any) -> float:
        """Perplexity over the epoch."""
        state, losses = self.model.start(self.args.batch_size), []
        for words, following in self.train:
            loss, state = self.compiled(words, following, state)
            losses.append(loss.item())
            if len(losses) % PER_POINT == 0:
                now = math.exp(np.mean(losses[-PER_POINT:]))
                self.curve.append((len(self.history) + len(losses) / len(self.train), now))
                progress.update(task, now=f"perplexity {now:.1f}")
            progress.advance(task)
        return math.exp(np.mean(losses))

    @ct.no_grad()
    def perplexity(self) -> float:
        """Of the held-out text."""
        state, losses = self.model.start(self.args.batch_size), []
        for words, following in self.held_out:
            scores, state = self.model(words, state)
            losses.append(nn.functional.cross_entropy(scores, following.reshape(-1)).item())
        return math.exp(np.mean(losses))

    def run(self) -> None:
        columns = ("[bold]epoch {task.fields[epoch]}", BarColumn(40), "{task.completed}/{task.total}",
                   TimeElapsedColumn(), TextColumn("{task.fields[now]}"))  # fmt: skip
        last = self.args.stop_after or self.args.epochs
        for epoch in range(len(self.history) + 1, last + 1):
            decay = 0.5 * (1 + math.cos(math.pi * (epoch - 1) / self.args.epochs))
            self.optimizer.param_groups[0]["lr"] = self.args.lr * decay
            with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
                task = progress.add_task("", total=len(self.train), epoch=epoch, now="")
                perplexity = self.epoch(progress, task)
            self.history.append((perplexity, self.perplexity()))
            self.save()
            console.print(f"epoch {epoch:2}  perplexity {perplexity:6.1f}  held out {self.history[-1][1]:6.1f}")

    def save(self) -> None:
        """Everything that a later run needs to go on as if this one had not ended."""
        ct.save_checkpoint(
            self.args.out / "checkpoint.safetensors",
            model=self.model, optimizer=self.optimizer, loader=self.train, vocabulary=self.vocabulary,
            cell=self.args.cell, curve=self.curve, history=self.history,
        )  # fmt: skip

    def resume(self, path: Path) -> None:
        rest = ct.load_checkpoint(path, model=self.model, optimizer=self.optimizer, loader=self.train)
        self.curve, self.history = rest["curve"], rest["history"]

    def write(self, beginning: str, length: int, seed: int, temperature: float = 0.8) -> str:
        """Text after a beginning, drawn word by word, never an unknown one."""
        words = self.vocabulary.encode(TOKENIZER(beginning))
        known = ct.tensor(np.where(np.arange(len(self.vocabulary)) < 4, -np.inf, 0).astype(np.float32))
        with ct.no_grad():
            state = self.model.start(1)
            if len(words) > 1:
                _, state = self.model(ct.tensor(words[:-1, None]), state)

        def step(state: Any, tokens: ct.Tensor) -> tuple[ct.Tensor, Any]:
            scores, state = self.model(tokens[None], state)
            return ct.log_softmax(scores, axis=1) + known, state

        (found,) = ct.decoding.sample(
            step, state, words[-1:], eos=None, max_length=length, temperature=temperature, top_p=0.95, seed=seed
        )
        return beginning + TOKENIZER.join(self.vocabulary.tokens[number] for number in found.tokens)


def by_frequency(train: np.ndarray, held_out: np.ndarray, vocabulary: int) -> float:
    """The held-out perplexity of a model that knows how frequent words are and nothing else."""
    counts = np.bincount(train, minlength=vocabulary) + 1.0
    return math.exp(-np.log(counts / counts.sum())[held_out].mean())


def draw(training: Training, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FixedLocator, NullLocator

    epochs = np.arange(1, len(training.history) + 1)
    figure, axes = pyplot.subplots(figsize=(8.5, 5), layout="constrained")
    axes.axhline(training.baseline, color="0.6", linestyle="--", linewidth=1.2)
    axes.text(0.99, training.baseline, "frequencies of words alone", color="0.45", fontsize=9, ha="right", va="bottom",
              transform=axes.get_yaxis_transform())  # fmt: skip
    axes.plot(*np.array(training.curve).reshape(-1, 2).T, color="C0", linewidth=1, alpha=0.75, label="read")
    axes.plot(epochs, [held for _, held in training.history], "o-", color="C3", label="held out")
    final = training.history[-1][1]
    axes.annotate(f"{final:.1f}", (epochs[-1], final), (0, 9), textcoords="offset points", ha="center", color="C3")
    axes.set(xlabel="epoch", ylabel="perplexity", yscale="log", xlim=(0, epochs[-1] + 0.15))
    values = [training.baseline, *(p for _, p in training.curve), *(p for row in training.history for p in row)]
    axes.yaxis.set_major_locator(FixedLocator([n * 10**k for k in range(5) for n in (1, 2, 3, 5)]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylim(min(values) * 0.9, max(values) * 1.15)
    count = sum(p.size for p in training.model.parameters())
    axes.set_title(f"{training.args.cell.upper()} of {training.args.hidden} units, {count:,} parameters", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="upper center")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, metavar="FILE", help="read this instead of the standard library")
    parser.add_argument("--cell", choices=("rnn", "lstm", "gru"), default="rnn")
    parser.add_argument("--vocabulary", type=int, default=8000, help="words, special ones included")
    parser.add_argument("--hidden", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=20, help="columns of text")
    parser.add_argument("--steps", type=int, default=35, help="words that gradients reach back")
    parser.add_argument("--lr", type=float, default=0.004, help="at the start; falls along a cosine")
    parser.add_argument("--begin", default="class", metavar="TEXT", help="what the sample begins with")
    parser.add_argument("--words", type=int, default=150, help="length of the sample")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/rnn_language_model"), metavar="DIR")
    parser.add_argument("--resume", type=Path, metavar="CHECKPOINT", help="go on from here, up to --epochs")
    parser.add_argument("--stop-after", type=int, metavar="EPOCHS", help="break off early, to go on with --resume")
    parser.add_argument("--quick", action="store_true", help="two epochs on a few files, to see that it runs")
    return parser


def main() -> None:
    arguments = parser()
    args = arguments.parse_args()
    if min(args.epochs, args.hidden, args.words, 1 if args.stop_after is None else args.stop_after) < 1:
        arguments.error("--epochs, --stop-after, --hidden and --words: expected at least 1")
    if args.quick:
        args.epochs, args.words = min(args.epochs, 2), min(args.words, 40)
    try:
        text = one_file(args.text) if args.text else standard_library(20 if args.quick else None)
        training = Training(text, args)
    except (OSError, ValueError) as error:
        arguments.error(str(error))
    args.out.mkdir(parents=True, exist_ok=True)
    known = training.vocabulary.coverage(text.held_out)
    console.print(
        f"{len(text.train):,} words to read, {len(text.held_out):,} held out; {len(training.vocabulary):,} in the "
        f"vocabulary, which are {known:.1%} of the held-out text"
    )
    weights = dict(training.model.named_parameters())
    shapes = ", ".join(
        f"{name.removeprefix('recurrent.').removesuffix('.weight')} {list(p.shape)}" for name, p in weights.items()
    )
    console.print(f"{shapes}: {sum(p.size for p in weights.values()):,} parameters")
    training.run()
    console.print(
        f"held-out perplexity {training.history[-1][1]:.1f}, by the frequencies of words alone {training.baseline:.1f}"
    )
    console.print("\nIt writes:")
    code = training.write(args.begin, args.words, args.seed)
    console.print(Padding(Syntax(code, "python" if args.text is None else "text", background_color="default"), (0, 2)))
    draw(training, args.out / "perplexity.png")
    console.print(f"\ncheckpoint and curve: {args.out}{os.sep}")


if __name__ == "__main__":
    main()
