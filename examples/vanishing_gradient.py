"""Why deep networks were hard to train: 400 networks of every depth on handwritten digits, and what changed since.

    python examples/vanishing_gradient.py                 400 random seeds for each depth, some minutes
    python examples/vanishing_gradient.py --trials 40     fewer

The lecture's experiment: tanh networks of 1 to 5 hidden layers, and 10, each layer's weights drawn from
U(-1/sqrt(fan-in), 1/sqrt(fan-in)), trained by plain gradient descent. More layers can express more, yet do worse: what
passes through a layer, values forward and gradients backward, shrinks by about sqrt(1/3). All seeds of a depth train
side by side in one program (`ct.Ensemble`). Then the cures: better initial weights, batch norm, and, where the depth
is time, the LSTM. One page of pictures in the folder given with --out.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import cinta as ct
from cinta import nn, optim

DEPTHS = (1, 2, 3, 4, 5, 10)
LAGS = (5, 10, 20, 40, 80)
SYMBOLS = 4
console = Console()


class Digits(NamedTuple):
    """Scikit-learn's 8x8 scans as vectors of mean 0 and variance 1, and their labels; a fifth is for testing."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


class Trials(NamedTuple):
    """What many seeds of one network came to."""

    errors: np.ndarray  # [trials] percent of the test digits misread
    gradients: np.ndarray  # [trials, layers] norm of the loss's gradient for the outputs of a layer, before training


def load_digits() -> Digits:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    split = train_test_split(pixels, labels, test_size=0.2, stratify=labels, random_state=0)
    train, test, train_labels, test_labels = split
    mean, deviation = train.mean(), train.std()
    train, test = (((part - mean) / deviation).astype(np.float32) for part in (train, test))
    return Digits(train, train_labels, test, test_labels)


def as_in_the_lecture(weight: ct.Tensor) -> None:
    bound = 1 / math.sqrt(weight.shape[1])
    nn.init.uniform_(weight, -bound, bound)


def he(weight: ct.Tensor) -> None:
    nn.init.kaiming_normal_(weight, nonlinearity="relu")


class Recipe(NamedTuple):
    """How a deep network is built."""

    activation: Callable[[], nn.Module] = nn.Tanh
    init: Callable[[ct.Tensor], Any] = as_in_the_lecture
    batch_norm: bool = False

    def build(self, depth: int, width: int) -> nn.Module:
        layers: list[nn.Module] = []
        for i in range(depth):
            layers.append(nn.Linear(64 if i == 0 else width, width))
            if self.batch_norm:
                layers.append(nn.BatchNorm1d(width))
            layers.append(self.activation())
        layers.append(nn.Linear(width, 10))
        for layer in layers:
            if isinstance(layer, nn.Linear):
                self.init(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        return nn.Sequential(*layers)


CURES = {
    "tanh, U(±1/√fan-in)": Recipe(),
    "ReLU, the same": Recipe(nn.ReLU),
    "tanh, Glorot": Recipe(init=nn.init.xavier_uniform_),
    "ReLU, He": Recipe(nn.ReLU, he),
    "tanh, batch norm": Recipe(batch_norm=True),
}


def train(recipe: Recipe, depth: int, trials: int, data: Digits, args: argparse.Namespace, advance) -> Trials:
    """Networks of as many seeds, each with its own order of the digits, as one."""
    ensemble = ct.Ensemble(lambda: recipe.build(depth, args.width), trials, args.seed, batched=True)
    optimizer = optim.SGD(ensemble.parameters(), lr=args.lr)
    loss_of = ct.ensemble.EnsembleLoss(nn.functional.cross_entropy)
    x, y = ct.tensor(data.train), ct.tensor(data.train_labels)
    gradients = gradient_norms(ensemble, loss_of, x[:256], y[:256])

    @ct.compile
    def step(x: ct.Tensor, y: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        loss = loss_of(ensemble(x, each=True), y, each=True)
        loss.backward()
        optimizer.step()
        return loss

    for epoch in range(args.epochs):
        rows = ct.ensemble.orders(len(x), trials, args.seed, epoch)
        for start in range(0, len(x) - args.batch_size + 1, args.batch_size):
            batch = ct.tensor(rows[:, start : start + args.batch_size])
            step(x[batch], y[batch])
        advance()
    answers = ensemble.predictions(data.test).argmax(2).numpy()
    return Trials(100 * (answers != data.test_labels).mean(1), gradients)


def gradient_norms(ensemble: ct.Ensemble, loss_of: Any, x: ct.Tensor, y: ct.Tensor) -> np.ndarray:
    """Norms [trials, layers] of what comes back to each hidden layer's outputs."""
    h = ct.broadcast_to(x, (ensemble.count, *x.shape)).reshape(-1, x.shape[1])
    outputs = []
    for layer in ensemble.network:
        h = layer(h)
        if isinstance(layer, (nn.Tanh, nn.ReLU)):
            outputs.append(ct.zeros_like(h))  # added to it, it has its gradient
            outputs[-1].requires_grad = True
            h = h + outputs[-1]
    loss_of(h.reshape(ensemble.count, len(x), -1), y).backward()
    ensemble.zero_grad()
    return np.stack([norms(output.grad, ensemble.count) for output in outputs], axis=1)


def norms(gradient: ct.Tensor | None, rows: int) -> np.ndarray:
    assert gradient is not None
    values = gradient.numpy().reshape(rows, -1).astype(np.float64)  # in float32 their squares would vanish too
    return np.linalg.norm(values, axis=1)


class Reader(nn.Module):
    """Reads a sequence [T, B, 2 SYMBOLS] and says at its end which symbol came first."""

    def __init__(self, kind: str, hidden: int) -> None:
        super().__init__()
        self.recurrent = getattr(nn, kind)(2 * SYMBOLS, hidden)
        self.linear = nn.Linear(hidden, SYMBOLS)
        if kind == "LSTM":  # remembers at first: the usual start (Gers et al., 2000)
            with ct.no_grad():
                self.recurrent.bias_ih_l0[hidden : 2 * hidden] += 3.0

    def forward(self, x: ct.Tensor) -> ct.Tensor:
        states, _ = self.recurrent(x)
        return self.linear(states[-1])


def sequences(lag: int, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A symbol to be kept in mind, then `lag` symbols of other kinds that mean nothing."""
    first, others = rng.integers(0, SYMBOLS, count), rng.integers(SYMBOLS, 2 * SYMBOLS, (lag, count))
    symbols = np.concatenate([first[None], others])
    return np.eye(2 * SYMBOLS, dtype=np.float32)[symbols], first


def remember(kind: str, lag: int, seed: int, args: argparse.Namespace) -> tuple[float, np.ndarray]:
    """Accuracy after training, and how strongly, before it, the answer depends on the state at every step."""
    ct.random.seed(seed)
    rng = np.random.default_rng(seed)
    model = Reader(kind, 32)
    x, first = (ct.tensor(part) for part in sequences(lag, 64, rng))
    x.requires_grad = True
    nn.functional.cross_entropy(model(x), first).backward()
    reach = norms(x.grad, len(x))
    model.zero_grad()
    optimizer = optim.Adam(model.parameters(), lr=3e-3)

    @ct.compile
    def step(x: ct.Tensor, first: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), first)
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    for _ in range(args.lag_steps):
        step(*(ct.tensor(part) for part in sequences(lag, 32, rng)))
    x, first = (ct.tensor(part) for part in sequences(lag, 500, rng))
    with ct.no_grad():
        return (model(x).argmax(1) == first).astype("float32").mean().item(), reach


def draw(depths: dict[int, Trials], cures: dict[str, Trials], lags: dict[str, dict[int, Any]], path: Path) -> None:
    """Above what came of it, below the gradients: by depth, by cure, through time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, ((by_depth, by_cure, by_lag), (layers, cured, times)) = pyplot.subplots(
        2, 3, figsize=(16, 9.5), width_ratios=(1.15, 1.15, 1), layout="constrained"
    )
    shades = pyplot.get_cmap("viridis")(np.linspace(0.05, 0.85, len(depths)))
    boxes(by_depth, [trials.errors for trials in depths.values()], [str(depth) for depth in depths], shades)
    count = len(next(iter(depths.values())).errors)
    by_depth.set(xlabel="hidden layers", title=f"More layers, more errors ({count} seeds each)")
    for (depth, trials), shade in zip(depths.items(), shades):
        curve(layers, trials.gradients, shade, f"{depth} layer{'s' * (depth > 1)}")
    layers.set(xlabel="hidden layer", title="Little comes back to the first layers")

    colors = ["0.45", "C1", "C0", "C3", "C2"]
    deepest = next(iter(cures.values())).gradients.shape[1]
    boxes(by_cure, [trials.errors for trials in cures.values()], [name.replace(", ", ",\n") for name in cures], colors)
    count = min(len(trials.errors) for trials in cures.values())
    by_cure.set(title=f"Cures for {deepest} layers ({count} seeds each)")
    for (name, trials), color in zip(cures.items(), colors):
        curve(cured, trials.gradients, color, name)
    cured.set(xlabel="hidden layer", title="With them, all layers hear of the mistakes")
    for axes in (by_depth, by_cure):
        axes.set(ylabel="% of the test digits misread", yscale="log", ylim=(1, 105))
        axes.set_yticks([1, 2, 5, 10, 20, 50, 100], minor=False)
        axes.set_yticks([], minor=True)
        axes.yaxis.set_major_formatter("{x:g}")
    for axes in (layers, cured):
        axes.set(yscale="log", ylabel="norm of the gradient for its outputs, at the start")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=9)

    for (kind, runs), color in zip(lags.items(), ("0.45", "C0")):
        accuracies = np.array([[100 * accuracy for accuracy, _ in several] for several in runs.values()])
        by_lag.plot(list(runs), accuracies, "o", color=color, alpha=0.35, markersize=5)
        by_lag.plot(list(runs), accuracies.mean(1), "o-", color=color, label=kind)
        longest = max(runs)
        reach = np.array([norms for _, norms in runs[longest]])
        times.plot(np.arange(longest, -1, -1), np.median(reach, axis=0), color=color, label=kind)
    by_lag.axhline(100 / SYMBOLS, color="0.7", linestyle="--", linewidth=1)
    by_lag.set(xscale="log", xlabel="steps between the symbol and the question", ylabel="% remembered", ylim=(0, 105))
    by_lag.set_xticks(list(next(iter(lags.values()))), minor=False)
    by_lag.set_xticks([], minor=True)
    by_lag.xaxis.set_major_formatter("{x:g}")
    by_lag.set_title("Where the depth is time")
    times.set(
        yscale="log", xlabel="steps before the question", ylabel="norm of the gradient for the input, at the start"
    )
    times.set_title("What comes back through time")
    times.invert_xaxis()
    for axes in (by_lag, times):
        axes.legend(frameon=False)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.set_title(axes.get_title(), fontsize=12, weight="bold", pad=10)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def boxes(axes: Any, columns: list[np.ndarray], names: list[str], colors: Any) -> None:
    """Quartiles, whiskers at the 5th and 95th percentile, everything beyond as dots."""
    look: Any = dict(medianprops=dict(color="k"), flierprops=dict(marker=".", markersize=3, alpha=0.4))
    shown = axes.boxplot(columns, tick_labels=names, whis=(5, 95), patch_artist=True, widths=0.6, **look)
    for box, color, dots in zip(shown["boxes"], colors, shown["fliers"]):
        box.set(facecolor=color, alpha=0.6)
        dots.set(markeredgecolor=color, markerfacecolor=color)


def curve(axes: Any, norms: np.ndarray, color: Any, name: str) -> None:
    """The geometric mean over trials, and where nine in ten of them lie."""
    layers = np.arange(1, norms.shape[1] + 1)
    axes.fill_between(layers, *np.quantile(norms, (0.05, 0.95), axis=0), color=color, alpha=0.15, linewidth=0)
    axes.plot(layers, np.exp(np.log(norms).mean(0)), "o-", color=color, markersize=4, label=name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400, help="random seeds for each depth")
    parser.add_argument("--cure-trials", type=int, help="for each cure, a quarter of them unless given")
    parser.add_argument("--width", type=int, default=32, help="units in a layer")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.1, help="of plain gradient descent")
    parser.add_argument("--lag-steps", type=int, default=2000, help="updates of the recurrent networks")
    parser.add_argument("--lag-trials", type=int, default=5, help="seeds for each of them")
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--out", type=Path, default=Path("runs/vanishing_gradient"), metavar="DIR")
    args = parser.parse_args()
    if min(args.trials, args.epochs, args.width, args.lag_trials, args.cure_trials or 1) < 1:
        parser.error("expected trials, epochs and width of at least 1")
    args.out.mkdir(parents=True, exist_ok=True)
    data, fewer = load_digits(), args.cure_trials or max(args.trials // 4, 1)
    depths: dict[int, Trials] = {}
    cures: dict[str, Trials] = {}
    lags: dict[str, dict[int, list[tuple[float, np.ndarray]]]] = {}
    table = Table(
        "network", "seeds", "5 %", "median", "95 %", "gradient, first to last layer", box=None, padding=(0, 2)
    )
    with Progress(console=console, transient=True) as progress:
        for depth in DEPTHS:
            task = progress.add_task(f"{depth} hidden layers", total=args.epochs)
            depths[depth] = train(Recipe(), depth, args.trials, data, args, partial(progress.advance, task))
            row(table, f"{depth} hidden layer{'s' * (depth > 1)}", depths[depth])
        for name, recipe in CURES.items():
            task = progress.add_task(f"{DEPTHS[-1]} layers, {name}", total=args.epochs)
            cures[name] = train(recipe, DEPTHS[-1], fewer, data, args, partial(progress.advance, task))
            row(table, f"{DEPTHS[-1]}: {name}", cures[name])
        for kind, name in (("RNN", "tanh RNN"), ("LSTM", "LSTM")):
            task = progress.add_task(name, total=len(LAGS) * args.lag_trials)
            lags[name] = {lag: [] for lag in LAGS}
            for lag in LAGS:
                for seed in range(args.seed, args.seed + args.lag_trials):
                    lags[name][lag].append(remember(kind, lag, seed, args))
                    progress.advance(task)
    console.print("Percent of the test digits misread, and the norms of gradients before training")
    console.print(table)
    memory = Table("remembered after", *(f"{lag} steps" for lag in LAGS), box=None, padding=(0, 2))
    for name, runs in lags.items():
        memory.add_row(name, *(f"{np.mean([accuracy for accuracy, _ in several]):.0%}" for several in runs.values()))
    console.print(memory)
    draw(depths, cures, lags, args.out / "vanishing_gradient.png")
    console.print(f"pictures: {args.out / 'vanishing_gradient.png'}")


def row(table: Table, name: str, trials: Trials) -> None:
    quantiles = (f"{value:.1f} %" for value in np.quantile(trials.errors, (0.05, 0.5, 0.95)))
    first, last = np.exp(np.log(trials.gradients[:, [0, -1]]).mean(0))
    table.add_row(name, str(len(trials.errors)), *quantiles, f"{first:.2g} to {last:.2g}")


if __name__ == "__main__":
    main()
