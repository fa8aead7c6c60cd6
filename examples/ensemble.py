"""Ten networks know more than one: training ten on handwritten digits in one program and averaging what they predict.

python examples/ensemble.py                 ten networks, ten splits of scikit-learn's digits, some ten seconds
python examples/ensemble.py --members 20    more of them
python examples/ensemble.py --bagging       each on a sample of its own, drawn with replacement

Prints how many held-out digits one network gets wrong, the best one and the average of all, and draws the error by the
number of members, with digits on which they disagree.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit

import cinta as ct
from cinta import nn, optim, preprocess

console = Console()


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


class Split(NamedTuple):
    """What the members say about the held-out digits of a split."""

    scans: np.ndarray  # [B, 8, 8]
    labels: np.ndarray  # [B]
    predictions: np.ndarray  # [members, B, 10] probabilities

    def errors(self, chosen: np.ndarray) -> float:
        """The share that the average of these members gets wrong."""
        return float((self.predictions[chosen].mean(0).argmax(1) != self.labels).mean())


def train(scans: np.ndarray, labels: np.ndarray, seed: int, args: argparse.Namespace) -> ct.Ensemble:
    ensemble = ct.Ensemble(network, args.members, seed)
    optimizer = optim.SGD(ensemble.parameters(), lr=args.lr, momentum=0.9)
    loss_of = ct.ensemble.EnsembleLoss(nn.functional.cross_entropy)
    x, y = ct.tensor(scans[:, None]), ct.tensor(labels)

    @ct.compile
    def step(x: ct.Tensor, y: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        loss = loss_of(ensemble(x, each=True), y, each=True)
        loss.backward()
        optimizer.step()
        return loss

    for epoch in range(args.epochs):
        rows = ct.ensemble.orders(len(x), args.members, seed, epoch, args.bagging)  # its own for each member
        for start in range(0, len(x) - args.batch_size + 1, args.batch_size):
            batch = ct.tensor(rows[:, start : start + args.batch_size])
            step(x[batch], y[batch])
    return ensemble


def run_split(scans: np.ndarray, labels: np.ndarray, rows: tuple[np.ndarray, np.ndarray], seed: int, args) -> Split:
    fit, held_out = rows
    prepare = preprocess.Standardize(axis=None).fit(scans[fit])
    ensemble = train(prepare(scans[fit]), labels[fit], seed, args)
    predictions = ensemble.predictions(prepare(scans[held_out, None])).numpy()
    return Split(scans[held_out], labels[held_out], predictions)


def error_by_size(split: Split, draws: int, rng: np.random.Generator) -> list[float]:
    """The error of averages of 1, 2, ... members, each the mean over random choices of so many."""
    count = len(split.predictions)
    sizes = range(1, count + 1)
    return [
        float(np.mean([split.errors(rng.permutation(count)[:size]) for _ in range(1 if size == count else draws)]))
        for size in sizes
    ]


def report(splits: list[Split], curves: np.ndarray) -> None:
    single = np.array([[split.errors(np.array([n])) for n in range(len(split.predictions))] for split in splits])
    table = Table("held-out digits misread", "mean of the splits", "from", "to")
    rows = {
        "one network": single.mean(1),
        "the best of them": single.min(1),
        f"their average ({len(splits[0].predictions)} members)": curves[:, -1],
    }
    for name, values in rows.items():
        table.add_row(name, *(f"{value:.2%}" for value in (values.mean(), values.min(), values.max())))
    console.print(table)
    apart = np.mean([ct.ensemble.disagreement(split.predictions) for split in splits])
    gain = 1 - curves[:, -1].mean() / single.mean()
    console.print(f"two members disagree on {apart:.2%} of the digits; averaging saves {gain:.0%} of the mistakes")


def draw(splits: list[Split], curves: np.ndarray, path: Path, shown: int = 6) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(13, 5.4), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.25))[0]
    axes, sizes, percent = left.subplots(), range(1, curves.shape[1] + 1), 100 * curves
    axes.plot(sizes, percent.T, color="0.85", linewidth=1, label=["a split"] + ["_"] * (len(splits) - 1))
    axes.plot(sizes, percent.mean(0), color="C0", marker="o", linewidth=2, label=f"mean of {len(splits)} splits")
    singles = [[split.errors(np.array([n])) for n in range(len(split.predictions))] for split in splits]
    best = 100 * np.min(singles, axis=1).mean()
    axes.axhline(best, color="C1", linestyle="--", linewidth=1.5, label="best member of each split")
    axes.set(xlabel="members averaged", ylabel="% of held-out digits misread", ylim=(0, None))
    axes.set_title("Error of the average")
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)

    right.suptitle("Where members contradict each other, the sure ones decide\n(dots: members, bars: their average)")
    grid = right.subplots(shown // 2, 4, width_ratios=(1, 2, 1, 2), squeeze=False)
    pairs = grid.reshape(-1, 2)
    for (image, bars), (scan, label, votes) in zip(pairs, contested(splits, len(pairs))):
        image.imshow(scan, cmap="gray_r")
        image.set_axis_off()
        mean = votes.mean(0)
        for digit in range(10):
            colour = "C2" if digit == label else "firebrick" if digit == mean.argmax() else "0.6"
            bars.bar(digit, mean[digit], color=colour, alpha=0.45)
            jitter = np.linspace(-0.25, 0.25, len(votes))
            bars.scatter(digit + jitter, votes[:, digit], s=5, color=colour)
        bars.set(xticks=range(10), yticks=[], ylim=(-0.03, 1.05))
        bars.tick_params(length=0, labelsize=8)
        bars.spines[["top", "right", "left"]].set_visible(False)
        said = (votes.argmax(1) == label).sum()
        verdict = "right" if mean.argmax() == label else "wrong"
        bars.set_title(f"{said} of {len(votes)} right, average {verdict}", fontsize=9)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def contested(splits: list[Split], count: int) -> list[tuple[np.ndarray, int, np.ndarray]]:
    """The digits on which the members differ most: scan, label and what each says [members, 10]."""
    found = []
    for split in splits:
        unsure = ct.ensemble.mutual_information(split.predictions).numpy()
        found += [(unsure[i], i, split) for i in np.argsort(unsure)[-count:]]
    found.sort(key=lambda entry: -entry[0])
    seen, chosen = set(), []
    for _, i, split in found:
        if (key := split.scans[i].tobytes()) not in seen:
            seen.add(key)
            chosen.append((split.scans[i], int(split.labels[i]), split.predictions[:, i]))
    return chosen[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--splits", type=int, default=10, help="random choices of the quarter that is held out")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.03)
    parser.add_argument("--bagging", action="store_true", help="each member learns from a sample of its own")
    parser.add_argument("--out", type=Path, default=Path("runs/ensemble"), metavar="DIR")
    args = parser.parse_args()
    if args.members < 2 or args.splits < 1 or args.epochs < 1:
        parser.error("expected at least 2 members, 1 split and 1 epoch")

    digits = load_digits()
    scans, labels = digits.images.astype(np.float32), digits.target
    chooser = StratifiedShuffleSplit(args.splits, test_size=0.25, random_state=0)
    choices = list(chooser.split(scans, labels))
    splits = [
        run_split(scans, labels, rows, args.members * number, args)
        for number, rows in enumerate(track(choices, "training", console=console))
    ]
    rng = np.random.default_rng(0)
    curves = np.array([error_by_size(split, 40, rng) for split in splits])
    report(splits, curves)
    args.out.mkdir(parents=True, exist_ok=True)
    draw(splits, curves, args.out / "ensemble.png")
    console.print(f"the picture: {args.out / 'ensemble.png'}")


if __name__ == "__main__":
    main()
