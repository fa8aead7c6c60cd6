"""What a learning-rate schedule brings: one small network on scikit-learn's digits under eight of them.

    python examples/schedules.py                  five trainings for each schedule, and a page of curves
    python examples/schedules.py --out pictures

Every schedule has the same protocol, so one loop serves all: after each epoch `scheduler.step(validation_loss)`, which
only the plateau looks at. That one divides its rate when the loss stalls, puts the best weights back and stops.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

import cinta as ct
from cinta import nn, optim, preprocess
from cinta.data import DataLoader, TensorDataset
from cinta.optim import lr_scheduler as schedules

LR = 0.35  # at its highest: more than the network bears for long, so that it matters when it falls
console = Console()


class Data(NamedTuple):
    """Pixels of mean 0 and variance 1, labels: for training, for choosing and for the final count."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


class Run(NamedTuple):
    """One training: the rate during each epoch, the validation loss after it, the errors on test digits at the end."""

    rates: list[float]
    losses: list[float]
    errors: float


def warmup_then_cosine(opt: optim.Optimizer, model: nn.Module, epochs: int) -> Any:
    warm = max(1, epochs // 10)
    parts = [schedules.LinearLR(opt, 0.1, total_iters=warm), schedules.CosineAnnealingLR(opt, epochs - warm)]
    return schedules.SequentialLR(opt, parts, milestones=[warm])


def plateau(opt: optim.Optimizer, model: nn.Module, epochs: int) -> Any:
    patience = max(1, epochs // 15)
    return schedules.ReduceLROnPlateau(opt, factor=0.2, patience=patience, model=model, max_divisions=3)


SCHEDULES: dict[str, Any] = {
    "constant": lambda opt, model, epochs: schedules.LambdaLR(opt, lambda epoch: 1.0),
    "StepLR": lambda opt, model, epochs: schedules.StepLR(opt, max(1, epochs // 4), gamma=0.2),
    "ExponentialLR": lambda opt, model, epochs: schedules.ExponentialLR(opt, 0.01 ** (1 / epochs)),
    "CosineAnnealingLR": lambda opt, model, epochs: schedules.CosineAnnealingLR(opt, epochs),
    "CosineAnnealingWarmRestarts": lambda opt, model, epochs: schedules.CosineAnnealingWarmRestarts(
        opt, -(-epochs // 7), T_mult=2
    ),
    "LinearLR, then cosine": warmup_then_cosine,
    "OneCycleLR": lambda opt, model, epochs: schedules.OneCycleLR(opt, LR, total_steps=epochs),
    "ReduceLROnPlateau": plateau,
}


def load_digits() -> Data:
    """Three fifths, one fifth and one fifth of each class, always the same ones."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    rest, test, rest_labels, test_labels = train_test_split(
        pixels, labels, test_size=0.2, stratify=labels, random_state=0
    )
    train, validation, train_labels, validation_labels = train_test_split(
        rest, rest_labels, test_size=0.25, stratify=rest_labels, random_state=0
    )
    prepare = preprocess.Standardize(axis=None).fit(train)
    parts = [prepare(part) for part in (train, validation, test)]
    return Data(*zip(parts, (train_labels, validation_labels, test_labels)))


def train(name: str, data: Data, epochs: int, seed: int, batch: int = 32) -> Run:
    ct.random.seed(seed)
    model = nn.Sequential(nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 10))
    opt = optim.SGD(model.parameters(), lr=LR, momentum=0.9)
    scheduler = SCHEDULES[name](opt, model, epochs)

    @ct.compile
    def step(pixels: ct.Tensor, labels: ct.Tensor) -> ct.Tensor:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(pixels), labels)
        loss.backward()
        opt.step()
        return loss

    @ct.no_grad()
    def scores(part: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
        """Loss and errors in percent."""
        y, labels = model(ct.tensor(part[0])), ct.tensor(part[1])
        errors = (y.argmax(1) != labels).astype("float32").mean()
        return nn.functional.cross_entropy(y, labels).item(), 100 * errors.item()

    run = Run([], [], 0.0)
    loader = DataLoader(TensorDataset(*data.train), batch, shuffle=True, seed=seed, drop_last=True)
    for _ in range(epochs):
        run.rates.append(opt.param_groups[0]["lr"])
        for pixels, labels in loader:
            step(pixels, labels)
        run.losses.append(scores(data.validation)[0])
        scheduler.step(run.losses[-1])
        if scheduler.stopped:
            break
    return run._replace(errors=scores(data.test)[1])


def draw(runs: dict[str, list[Run]], epochs: int, path: Path) -> None:
    """A cell for each schedule: its rate above, the validation loss it leads to below, the other schedules in grey."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FixedLocator, NullLocator

    columns = 4
    rows = -(-len(runs) // columns)
    colors = [*(f"C{i}" for i in range(7)), "darkcyan"]
    figure, grid = pyplot.subplots(
        2 * rows, columns, sharex=True, sharey="row", height_ratios=[1, 2] * rows, figsize=(15, 4.2 * rows + 0.5),
        layout="constrained",
    )  # fmt: skip
    means = {name: mean_curve([run.losses for run in several]) for name, several in runs.items()}
    losses = np.concatenate([run.losses for several in runs.values() for run in several])
    for number, (name, several) in enumerate(runs.items()):
        row, column = divmod(number, columns)
        color, above, below = colors[number], grid[2 * row, column], grid[2 * row + 1, column]
        errors = np.mean([run.errors for run in several])
        above.set_title(name, fontsize=12, weight="bold", color=color, pad=22)
        caption = f"{errors:.1f} % of the test digits misread"
        above.text(0.5, 1.07, caption, transform=above.transAxes, ha="center", fontsize=9.5, color="0.35")
        for run in several:
            edges = np.arange(len(run.rates) + 1)
            above.stairs(run.rates, edges, fill=True, color=color, alpha=0.25 / len(several) + 0.02)
            above.stairs(run.rates, edges, baseline=None, color=color, linewidth=1.2, alpha=0.8)
        for other, curve in means.items():
            if other != name:
                below.plot(np.arange(1, len(curve) + 1), curve, color="0.86", linewidth=0.9, zorder=1)
        for run in several:
            below.plot(np.arange(1, len(run.losses) + 1), run.losses, color=color, linewidth=0.6, alpha=0.35, zorder=2)
            if len(run.losses) < epochs:
                below.plot(len(run.losses), run.losses[-1], "o", color=color, markersize=4, zorder=4)
        below.plot(np.arange(1, len(means[name]) + 1), means[name], color=color, linewidth=2, zorder=3)
        above.set(ylim=(0, LR * 1.08), xlim=(0, epochs))
        below.set(yscale="log", ylim=(losses.min() * 0.95, np.quantile(losses, 0.999)), xlabel="epoch")
        below.yaxis.set_major_locator(FixedLocator([0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 2]))
        below.yaxis.set_major_formatter("{x:g}")
        below.yaxis.set_minor_locator(NullLocator())
        for axes in (above, below):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.2)
            axes.tick_params(labelbottom=axes is below)
    for row in range(rows):
        grid[2 * row, 0].set_ylabel("learning rate")
        grid[2 * row + 1, 0].set_ylabel("validation loss")
    figure.suptitle(
        "Above the learning rate, below the validation loss: thin for each training, thick for their mean, "
        "grey for the other schedules; a dot where the plateau stopped\n",
        fontsize=10.5,
        color="0.35",
    )
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def mean_curve(curves: list[list[float]]) -> np.ndarray:
    """The geometric mean over trainings, as far as all of them go."""
    shortest = min(len(curve) for curve in curves)
    return np.exp(np.mean([np.log(curve[:shortest]) for curve in curves], axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=5, help="how many trainings for each schedule")
    parser.add_argument("--out", type=Path, default=Path("runs/schedules"), metavar="DIR")
    args = parser.parse_args()
    if args.epochs < 2 or args.seeds < 1:
        parser.error(f"--epochs got {args.epochs} and --seeds {args.seeds}, expected at least 2 and 1")
    args.out.mkdir(parents=True, exist_ok=True)
    data = load_digits()
    table = Table("schedule", "epochs", "validation loss", "test digits misread", box=None)
    runs: dict[str, list[Run]] = {}
    for name in SCHEDULES:
        several = runs[name] = [train(name, data, args.epochs, seed) for seed in range(args.seeds)]
        length, loss, errors = np.mean([(len(run.losses), run.losses[-1], run.errors) for run in several], axis=0)
        table.add_row(name, f"{length:.0f}", f"{loss:.4f}", f"{errors:.2f} %")
    console.print(table)
    draw(runs, args.epochs, args.out / "schedules.png")
    console.print(f"curves: {args.out / 'schedules.png'}")


if __name__ == "__main__":
    main()
