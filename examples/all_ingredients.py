"""The practical advice on training, one ingredient after the other: from 9 in 10 digits misread to 3 in 1000.

python examples/all_ingredients.py            every ingredient, five folds each, a few minutes
python examples/all_ingredients.py --quick    to see that it runs

A network as one would first write it (raw pixels, the whole data at each step, small random weights, sigmoids) is
trained on four fifths of scikit-learn's 1797 digits and tested on the last fifth, five times, so that every digit is
tested once. Then one ingredient is added, and all is trained anew; what was added stays. Epochs and seeds are fixed
beforehand, and nothing is chosen by the tested digits. A few digits more or less are chance; and the order matters:
without standardized inputs, for one, the network of ReLUs would not learn at this rate.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold

import cinta as ct
from cinta import augment, nn, optim, preprocess

console = Console()


class Recipe(NamedTuple):
    """How a network is made and trained."""

    minibatches: bool = False
    scaled_weights: bool = False
    momentum: float = 0.0
    standardize: bool = False
    relu: bool = False
    schedule: bool = False
    batch_norm: bool = False
    convolution: bool = False
    weight_decay: float = 0.0
    augmentation: bool = False
    dropout: float = 0.0
    members: int = 1


INGREDIENTS: dict[str, dict[str, Any]] = {
    "a first network": {},
    "minibatches of 64": dict(minibatches=True),
    "weights scaled by layer width": dict(scaled_weights=True),
    "momentum": dict(momentum=0.9),
    "inputs of mean 0 and variance 1": dict(standardize=True),
    "ReLU for sigmoids": dict(relu=True),
    "learning rate along a cosine": dict(schedule=True),
    "batch norm": dict(batch_norm=True),
    "convolutions": dict(convolution=True),
    "weight decay": dict(weight_decay=5e-4),
    "images shifted, turned, scaled": dict(augmentation=True),
    "dropout": dict(dropout=0.2),
    "the average of five networks": dict(members=5),
}
BATCH, RATE = 64, 0.1


def network(recipe: Recipe) -> nn.Module:
    activation = nn.ReLU if recipe.relu else nn.Sigmoid
    layers: list[nn.Module] = []
    if recipe.convolution:
        for inputs, outputs in ((1, 24), (24, 24), (24, 24), (0, 0), (24, 48), (48, 48)):
            if not inputs:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(recipe.dropout), nn.Linear(48, 10)]
    else:
        layers.append(nn.Flatten())
        for _ in range(2):
            layers += [nn.Linear(64, 64), *([nn.BatchNorm1d(64)] if recipe.batch_norm else []), activation()]
        layers.append(nn.Linear(64, 10))
    for layer in layers:
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            if recipe.scaled_weights:
                nn.init.kaiming_normal_(layer.weight)
            else:
                nn.init.normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


CHANGE = augment.RandomAffine(degrees=12, translate=(0.09, 0.09), scale=(0.88, 1.13), shear=8)


def train(recipe: Recipe, images: np.ndarray, labels: np.ndarray, epochs: int, seed: int) -> Any:
    """The function from images to probabilities that was learned."""
    ct.random.seed(seed)
    prepare = preprocess.Standardize(axis=None).fit(images) if recipe.standardize else lambda x: x
    ensemble = ct.Ensemble(lambda: network(recipe), recipe.members, seed)
    optimizer = optim.SGD(ensemble.parameters(), RATE, recipe.momentum, weight_decay=recipe.weight_decay)
    batch = BATCH if recipe.minibatches else len(images)
    steps = epochs * (len(images) // batch)
    schedule = None
    if recipe.schedule:
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1, cycle_momentum=False)
    loss_of = ct.ensemble.EnsembleLoss(nn.functional.cross_entropy)
    x, y = ct.tensor(images), ct.tensor(labels)

    @ct.compile
    def step(x: ct.Tensor, y: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        loss = loss_of(ensemble(x, each=True), y, each=True)
        loss.backward()
        optimizer.step()
        return loss

    for epoch in range(epochs):
        rows = ct.ensemble.orders(len(images), recipe.members, seed, epoch)
        for start in range(0, len(images) - batch + 1, batch):
            chosen = ct.tensor(rows[:, start : start + batch])
            pictures = x[chosen]
            if recipe.augmentation:
                pictures = CHANGE(pictures.reshape(-1, 1, 8, 8)).reshape(pictures.shape)
            step(prepare(pictures), y[chosen])
            if schedule:
                schedule.step()
    return lambda images: ensemble.predict(prepare(ct.tensor(images))).numpy()


def cross_validate(recipe: Recipe, images: np.ndarray, labels: np.ndarray, args: argparse.Namespace, tick) -> Any:
    """What each digit is taken for by the networks that were trained without its fold; -1: not tested."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0).split(images, labels)
    read = np.full(len(labels), -1)
    for fold, (rest, tested) in enumerate(folds):
        if fold < args.folds:
            predict = train(recipe, images[rest], labels[rest], args.epochs, 100 * fold)
            read[tested] = predict(images[tested]).argmax(1)
            tick()
    return read


def draw(errors: dict[str, float], images: np.ndarray, labels: np.ndarray, read: np.ndarray, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names, values = list(errors), 100 * np.array(list(errors.values()))
    figure = pyplot.figure(figsize=(12, 6), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(2.4, 1))[0]
    axes, places = left.subplots(), np.arange(len(names))
    shown = np.maximum(values, 0.05)  # a logarithm has no place for none
    colours = ["0.6", *("C0" if now < before else "C1" if now > before else "0.6" for before, now in pairwise(values))]
    axes.hlines(places, 0.05, shown, color="0.9", linewidth=6, zorder=1)
    axes.hlines(places[1:], shown[1:], shown[:-1], color=colours[1:], linewidth=6, alpha=0.35, zorder=2)
    axes.scatter(shown, places, color=colours, s=60, zorder=3)
    ends = np.maximum(shown, [shown[0], *shown[:-1]])
    for place, value, end in zip(places, values, ends):
        axes.annotate(f"{value:.2f} %", (end, place), (9, 0), "data", "offset points", va="center")
    axes.set_yticks(places, [names[0], *(f"+ {name}" for name in names[1:])])
    axes.invert_yaxis()
    axes.set(xscale="log", xlim=(0.1, 250), xlabel="% of digits misread in five-fold cross-validation (logarithmic)")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.25)

    wrong = np.flatnonzero((read != labels) & (read >= 0))
    right.suptitle(f"What is still misread: {len(wrong)} of {(read >= 0).sum()}")
    columns = 2 if len(wrong) <= 6 else 3
    for ax, i in zip(right.subplots(4 if columns == 3 else 3, columns).flat, [*wrong, *[None] * 12]):
        ax.set_axis_off()
        if i is not None:
            ax.imshow(images[i, 0], cmap="gray_r")
            ax.set_title(f"{labels[i]} read as {read[i]}", fontsize=9, color="firebrick")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--folds", type=int, default=5, choices=range(1, 6), help="of the five, how many are tested")
    parser.add_argument("--out", type=Path, default=Path("runs/all_ingredients"), metavar="DIR")
    parser.add_argument("--quick", action="store_true", help="one epoch on a third of the digits, one fold")
    args = parser.parse_args()
    digits = load_digits()
    images, labels = digits.images.astype(np.float32)[:, None], digits.target
    if args.quick:
        args.epochs, args.folds, images, labels = 1, 1, images[:600], labels[:600]

    recipe, table = Recipe(), Table("ingredient", "misread", "error", "mistakes spared", "seconds")
    errors: dict[str, float] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=args.folds * len(INGREDIENTS))
        for name, ingredient in INGREDIENTS.items():
            progress.update(bar, description=f"{name:38}")
            recipe, start = recipe._replace(**ingredient), time.perf_counter()
            read = cross_validate(recipe, images, labels, args, lambda: progress.advance(bar))
            tested = read >= 0
            count = int((read != labels)[tested].sum())
            before = list(errors.values())[-1:]
            errors[name] = count / tested.sum()
            spared = f"{1 - errors[name] / before[0]:.0%}" if before and before[0] else ""
            seconds = f"{time.perf_counter() - start:.0f}"
            table.add_row(name, str(count), f"{errors[name]:.2%}", spared, seconds)
    console.print(table)
    console.print(
        f"{1 - errors[name]:.2%} of {tested.sum()} digits right, each tested by networks that had not seen it"
    )
    args.out.mkdir(parents=True, exist_ok=True)
    draw(errors, images, labels, read, args.out / "all_ingredients.png")
    console.print(f"the picture: {args.out / 'all_ingredients.png'}")


if __name__ == "__main__":
    main()
