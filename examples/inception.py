"""A small GoogLeNet: Inception modules with auxiliary classifiers learn ten materials from patches of photographs.

python examples/inception.py                    patches of scikit-image's photographs, about a minute
python examples/inception.py --data CIFAR_DIR   CIFAR-10's first images instead

The lecture's slide "Deep Models" shows "Inception 5 (GoogLeNet)" and "Inception 7a", of "Going Deeper with
Convolutions": networks of modules whose branches look at the same input with kernels of several sizes. First a table
of what the 1x1 convolutions save in GoogLeNet's nine modules: the multiply-adds of each as it is beside those of the
naive one, whose 3x3 and 5x5 kernels read all channels. Then a small network of such modules is trained: what its two
classifiers say, the one in the middle and the one at the end. One page of pictures in the folder given with --out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import cinta as ct
from cinta import models, nn, optim
from cinta.models.googlenet import MODULES
from materials.patches import Patches, cifar, materials

console = Console()
BRANCHES = ("1x1", "3x3", "5x5", "pooled")
SIDES = {"3": 28, "4": 14, "5": 7}  # of the planes that GoogLeNet's modules see, for images of 224x224


class Cost(NamedTuple):
    """Millions of multiply-adds of a module: naive, and with 1x1 convolutions before the large kernels."""

    name: str
    naive: float
    reduced: float


def costs() -> list[Cost]:
    found = []
    for name, (inputs, one, three_reduced, three, five_reduced, five, pooled) in MODULES.items():
        places = SIDES[name[0]] ** 2 / 1e6
        naive = inputs * (one + 9 * three + 25 * five)  # what is pooled passes with all its channels
        reduced = inputs * (one + three_reduced + five_reduced + pooled) + 9 * three_reduced * three
        found.append(Cost(name, places * naive, places * (reduced + 25 * five_reduced * five)))
    return found


def show_costs(found: list[Cost]) -> None:
    table = Table(
        "module", "naive", "with 1x1 reductions", "saved", title="multiply-adds of GoogLeNet's modules, millions"
    )
    whole = Cost("all nine", sum(c.naive for c in found), sum(c.reduced for c in found))
    for cost in (*found, whole):
        saved = 1 - cost.reduced / cost.naive
        table.add_row(
            cost.name, f"{cost.naive:.0f}", f"{cost.reduced:.0f}", f"{saved:.0%}", end_section=cost is found[-1]
        )
    console.print(table)


def module(inputs: int, one: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> models.Inception:
    """GoogLeNet's, with batch norm and the paper's 5x5 kernel."""
    made = models.Inception(inputs, one, *three, *five, pooled)
    made.branch3[1] = models.BasicConv2d(*five, kernel_size=5, padding=2)
    return made


class Classifier(nn.Module):
    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.dropout, self.linear = nn.Dropout(0.3), nn.Linear(inputs, classes)

    def forward(self, x: ct.Tensor) -> ct.Tensor:
        return self.linear(self.dropout(x.mean((2, 3))))


class SmallGoogLeNet(nn.Module):
    """Four modules on images of 32x32; in training the scores of both classifiers, the last one's first."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(models.BasicConv2d(channels, 16, kernel_size=3, padding=1), nn.MaxPool2d(2))
        self.first = module(16, 8, (8, 16), (4, 8), 8)
        self.second = module(40, 16, (16, 32), (8, 16), 16)
        self.third = module(80, 24, (24, 48), (8, 24), 24)
        self.fourth = module(120, 32, (32, 64), (12, 32), 32)
        self.pool = nn.MaxPool2d(2)
        self.middle, self.last = Classifier(80, classes), Classifier(160, classes)

    def forward(self, x: ct.Tensor) -> Any:
        early, late = self.both(x)
        return (late, early) if self.training else late

    def both(self, x: ct.Tensor) -> tuple[ct.Tensor, ct.Tensor]:
        x = self.pool(self.second(self.first(self.stem(x))))
        return self.middle(x), self.last(self.fourth(self.third(x)))


class History(NamedTuple):
    losses: list[float]  # of every epoch
    middle: list[float]  # % of the held-out images misread by the classifier in the middle
    last: list[float]


def train(net: SmallGoogLeNet, data: Patches, args: argparse.Namespace) -> History:
    optimizer = optim.AdamW(net.parameters(), lr=args.lr, weight_decay=1e-3)
    loader = ct.data.DataLoader(ct.data.TensorDataset(data.train, data.train_labels), args.batch_size, shuffle=True)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=args.epochs * len(loader))
    history = History([], [], [])

    @ct.compile
    def step(x: ct.Tensor, y: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        loss = models.auxiliary_cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("training", total=args.epochs)
        for _ in range(args.epochs):
            net.train()
            total = 0.0
            for x, y in loader:
                total += step(x, y).item() / len(loader)
                schedule.step()
            middle, last = predictions(net, data.test)
            history.losses.append(total)
            history.middle.append(100 * float((middle != data.test_labels).mean()))
            history.last.append(100 * float((last != data.test_labels).mean()))
            progress.update(task, advance=1, description=f"loss {total:.3f}, misread {history.last[-1]:.1f} %")
    return history


def predictions(net: SmallGoogLeNet, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    net.eval()
    with ct.no_grad():
        both = [net.both(ct.tensor(images[i : i + 250])) for i in range(0, len(images), 250)]
    middle, last = (np.concatenate([scores[k].argmax(1).numpy() for scores in both]) for k in (0, 1))
    return middle, last


def draw(net: SmallGoogLeNet, data: Patches, found: list[Cost], history: History, path: Path) -> None:
    from matplotlib.figure import Figure

    from cinta.plot import style

    figure = Figure(figsize=(13, 10), layout="constrained", facecolor="white")
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.15))[:, 0]
    left, middle, right = top.subplots(1, 3, width_ratios=(1.1, 1, 1.15))

    places = np.arange(len(found))
    left.bar(places - 0.2, [c.naive for c in found], 0.4, color=style.ORANGE, label="naive")
    left.bar(places + 0.2, [c.reduced for c in found], 0.4, color=style.BLUE, label="with 1x1 reductions")
    left.set_xticks(places, [c.name for c in found])
    left.set(xlabel="module of GoogLeNet", ylabel="multiply-adds, millions", title="What 1x1 convolutions save")
    left.legend(frameon=False)

    epochs = np.arange(1, len(history.last) + 1)
    middle.plot(epochs, history.middle, color=style.ORANGE, label="classifier in the middle")
    middle.plot(epochs, history.last, color=style.BLUE, label="classifier at the end")
    middle.set(xlabel="epoch", ylabel="held-out images misread, %", title="Two classifiers in one network")
    middle.set_ylim(0, None)
    middle.xaxis.get_major_locator().set_params(integer=True)
    middle.legend(frameon=False)
    for axes in (left, middle):
        style.tidy(axes, "y")

    counts = np.zeros((len(data.names),) * 2)
    np.add.at(counts, (data.test_labels, predictions(net, data.test)[1]), 1)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    right.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.argwhere(shares >= 0.005):
        right.text(j, i, f"{100 * shares[i, j]:.0f}", ha="center", va="center", fontsize=8,
                   color="white" if shares[i, j] > 0.5 else "0.2")  # fmt: skip
    right.set_xticks(range(len(data.names)), data.names, rotation=60, ha="right", rotation_mode="anchor")
    right.set_yticks(range(len(data.names)), data.names)
    right.set(xlabel="said", ylabel="true", title="Held-out images, % of each class")
    right.tick_params(length=0, labelsize=9)

    draw_branches(net, data, bottom)
    figure.savefig(path, dpi=120)


def draw_branches(net: SmallGoogLeNet, data: Patches, figure: Any, shown: int = 5) -> None:
    """Of one patch of some classes what the four branches of the first module answer, where each answers most."""
    from cinta.plot import style

    chosen = [int(np.flatnonzero(data.test_labels == k)[0]) for k in range(min(shown, len(data.names)))]
    images = data.test[chosen]
    with ct.no_grad():
        x = net.eval().stem(ct.tensor(images))
        branches = [branch(x).numpy() for branch in (net.first.branch1, net.first.branch2, net.first.branch3,
                                                      net.first.branch4)]  # fmt: skip
    grid = figure.subplots(len(chosen), 1 + 2 * len(branches), squeeze=False)
    for row, (image, axes) in enumerate(zip(images, grid)):
        picture = image.transpose(1, 2, 0)
        low, high = picture.min(), picture.max()
        axes[0].imshow(((picture - low) / (high - low)).squeeze(), cmap="gray")
        axes[0].set_ylabel(data.names[data.test_labels[chosen[row]]], rotation=0, ha="right", va="center", fontsize=10)
        for k, maps in enumerate(branches):
            strongest = maps.var((2, 3)).mean(0).argsort()[::-1][:2]
            for n, channel in enumerate(strongest):
                axes[1 + 2 * k + n].imshow(maps[row, channel], cmap="magma")
                if row == 0:
                    axes[1 + 2 * k + n].set_title(f"{BRANCHES[k]}, map {channel}", fontsize=9)
        for each in axes:
            style.bare(each)
    grid[0, 0].set_title("input", fontsize=9)
    figure.suptitle("What the branches of the first module see: the two most varied maps of each")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="CIFAR_DIR", help="folder or archive of CIFAR-10's binary version")
    parser.add_argument("--train", type=int, default=400, help="training images of each class")
    parser.add_argument("--test", type=int, default=100, help="held-out images of each class")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.005)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/inception"), metavar="DIR")
    args = parser.parse_args()
    if min(args.train, args.test, args.epochs, args.batch_size) < 1:
        parser.error("expected at least 1 image of each class, 1 epoch and 1 image in a batch")

    found = costs()
    show_costs(found)
    try:
        data = cifar(args.data, args.train, args.test) if args.data else materials(32, args.train, args.test, args.seed)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    ct.random.seed(args.seed)
    net = SmallGoogLeNet(data.train.shape[1], len(data.names))
    count = sum(p.size for p in net.parameters())
    console.print(f"{len(data.train)} patches of {len(data.names)} classes; a network of {count:,} parameters")
    history = train(net, data, args)
    for where, errors in (("in the middle", history.middle), ("at the end", history.last)):
        console.print(f"the classifier {where}: {100 - errors[-1]:.1f}% of {len(data.test)} held-out images right")
    args.out.mkdir(parents=True, exist_ok=True)
    draw(net, data, found, history, args.out / "inception.png")
    console.print(f"the picture: {args.out / 'inception.png'}")


if __name__ == "__main__":
    main()
