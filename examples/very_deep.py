"""Very deep networks of 3x3 kernels: why shortcuts are needed, and what the other pieces of advice bring.

python examples/very_deep.py                    patches of scikit-image's photographs, some two minutes
python examples/very_deep.py --data CIFAR_DIR   CIFAR-10's first images instead

The lecture's slide: "Modern CNNs: use filter sizes of 3x3 (maybe even 2x2 or 1x1!), use pooling sizes of 2x2 (maybe
even less - e.g. fractional pooling!), stride 1, very deep". First the depth: networks of 8 and more layers with batch
norm, plain and with shortcuts around every two (He et al., 2015). A deeper plain network could do what a shallower
one does, yet it ends with a larger loss on the very images it learns from; shortcuts cure that. Then the other
advice: one shallow network as the slide wants it, and three that each break one rule. One page of curves in the
folder given with --out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import cinta as ct
from cinta import models, nn, optim
from materials.patches import Patches, cifar, materials

console = Console()


class Result(NamedTuple):
    losses: list[float]  # of every epoch, on the training images
    error: float  # % of the held-out images misread


def convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU()]


def shallow(channels: int, classes: int, size: int = 3, pooling: int = 2, strided: bool = False) -> nn.Module:
    """Two stages of 16 and 32 channels that see as far: three layers of 3x3, or one of 7x7; halved behind each.

    With `pooling=4` all of it comes at the end; with `strided`, of convolutions that leave out every second place.
    """
    layers: list[nn.Module] = []
    for stage, width in enumerate((16, 32)):
        for k in range(3 if size == 3 else 1):
            last = k == (2 if size == 3 else 0)
            layers += convolution(channels, width, size, 2 if strided and last else 1)
            channels = width
        if not strided and (pooling == 2 or stage == 1):
            layers.append(nn.MaxPool2d(pooling))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


ADVICE: dict[str, Callable[[int, int], nn.Module]] = {
    "as advised: three 3x3,\n2x2 pooling, stride 1": shallow,
    "one 7x7 instead\nof three 3x3": lambda c, n: shallow(c, n, size=7),
    "4x4 pooling,\nat the end": lambda c, n: shallow(c, n, pooling=4),
    "stride 2 instead\nof pooling": lambda c, n: shallow(c, n, strided=True),
}


def train(net: nn.Module, data: Patches, seed: int, args: argparse.Namespace, advance: Callable[[], Any]) -> Result:
    optimizer = optim.SGD(net.parameters(), lr=args.lr, momentum=0.9, weight_decay=1e-4)
    dataset = ct.data.TensorDataset(data.train, data.train_labels)
    loader = ct.data.DataLoader(dataset, args.batch_size, shuffle=True, drop_last=True, seed=seed)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=args.epochs * len(loader))

    @ct.compile
    def step(x: ct.Tensor, y: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    losses = []
    for _ in range(args.epochs):
        total = 0.0
        for x, y in loader:
            total += step(x, y).item() / len(loader)
            schedule.step()
        losses.append(total)
        advance()
    net.eval()
    with ct.no_grad():
        said = [net(ct.tensor(data.test[i : i + 250])).argmax(1).numpy() for i in range(0, len(data.test), 250)]
    return Result(losses, 100 * float((np.concatenate(said) != data.test_labels).mean()))


Deep = dict[tuple[int, bool], Result]  # by depth, with shortcuts or plain
Advised = dict[str, list[Result]]  # of every seed


def experiments(data: Patches, args: argparse.Namespace) -> tuple[Deep, Advised]:
    channels, classes = data.train.shape[1], len(data.names)
    deep: Deep = {}
    advised: Advised = {name: [] for name in ADVICE}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=args.epochs * (2 * len(args.depths) + len(ADVICE) * args.seeds))

        def advance() -> None:
            progress.update(task, advance=1)

        for depth in args.depths:
            for shortcuts in (False, True):
                kind = "with shortcuts" if shortcuts else "plain"
                progress.update(task, description=f"{depth} layers, {kind}")
                ct.random.seed(args.seed)
                net = models.CifarResNet(depth, classes, "zeros" if shortcuts else None, channels)
                deep[depth, shortcuts] = train(net, data, args.seed, args, advance)
        for name, build in ADVICE.items():
            for seed in range(args.seed, args.seed + args.seeds):
                progress.update(task, description=name.replace("\n", " "))
                ct.random.seed(seed)
                advised[name].append(train(build(channels, classes), data, seed, args, advance))
    return deep, advised


def report(deep: Deep, advised: Advised, count: int) -> None:
    table = Table("layers", "plain: loss", "misread", "with shortcuts: loss", "misread")
    for depth in sorted({depth for depth, _ in deep}):
        cells = []
        for shortcuts in (False, True):
            result = deep[depth, shortcuts]
            cells += [f"{result.losses[-1]:.3f}", f"{result.error:.1f} %"]
        table.add_row(str(depth), *cells)
    console.print(table)
    console.print(f"loss: on the training images in the last epoch; misread: of {count} held-out images\n")
    table = Table("seven layers or three", "misread")
    for name, results in advised.items():
        table.add_row(name.replace("\n", " "), f"{np.mean([r.error for r in results]):.1f} %")
    console.print(table)


def draw(deep: Deep, advised: Advised, path: Path) -> None:
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    from cinta.plot import style

    depths = sorted({depth for depth, _ in deep})
    figure = Figure(figsize=(15, 4.8), layout="constrained", facecolor="white")
    curves, ends, advice = figure.subplots(1, 3, width_ratios=(1.15, 1, 1.15))
    maps = {False: colormaps["Oranges"], True: colormaps["Blues"]}
    for (depth, shortcuts), result in deep.items():
        shade = maps[shortcuts](0.4 + 0.55 * depths.index(depth) / max(1, len(depths) - 1))
        label = f"{depth} layers, {'with shortcuts' if shortcuts else 'plain'}"
        epochs = range(1, len(result.losses) + 1)
        curves.plot(epochs, result.losses, color=shade, linewidth=2, linestyle="-" if shortcuts else "--", label=label)
    handles, labels = curves.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda k: "shortcuts" in labels[k])
    curves.legend([handles[k] for k in order], [labels[k] for k in order], frameon=False, fontsize=9)
    curves.set(xlabel="epoch", ylabel="loss on the training images", title="Deeper plain networks learn worse")
    curves.set_ylim(0, 1.45 * max(max(result.losses) for result in deep.values()))  # room for the legend
    curves.xaxis.get_major_locator().set_params(integer=True)

    for shortcuts, colour, label in ((False, style.ORANGE, "plain"), (True, style.BLUE, "with shortcuts")):
        results = [deep[depth, shortcuts] for depth in depths]
        ends.plot(depths, [r.error for r in results], color=colour, marker="o", linewidth=2, label=label)
    ends.set(xlabel="layers with weights", ylabel="held-out images misread, %", title="Degradation and its cure")
    ends.set_xticks(depths)
    ends.set_ylim(0, None)
    ends.legend(frameon=False)

    names = list(advised)
    means = [float(np.mean([r.error for r in advised[name]])) for name in names]
    colours = [style.BLUE] + [style.GREY] * (len(names) - 1)
    places = np.arange(len(names))[::-1]
    advice.barh(places, means, 0.6, color=colours)
    for place, mean, name in zip(places, means, names):
        advice.plot([r.error for r in advised[name]], [place] * len(advised[name]), "o", color="0.2", markersize=4)
        most = max(mean, *(r.error for r in advised[name]), 0)
        advice.annotate(f"{mean:.1f}", (most, place), (8, 0), textcoords="offset points", va="center", fontsize=9)
    advice.set_yticks(places, names, fontsize=9)
    advice.set(xlabel="held-out images misread, % (dots: seeds)", title="The slide's other advice")
    advice.margins(x=0.12)
    style.tidy(curves)
    style.tidy(ends)
    style.tidy(advice, "x")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="CIFAR_DIR", help="folder or archive of CIFAR-10's binary version")
    parser.add_argument("--depths", type=int, nargs="+", default=(8, 20, 38), metavar="6N+2")
    parser.add_argument("--train", type=int, default=150, help="training images of each class")
    parser.add_argument("--test", type=int, default=100, help="held-out images of each class")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--lr", type=float, default=0.1, help="the largest of the schedule")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each of the shallow networks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/very_deep"), metavar="DIR")
    args = parser.parse_args()
    if min(args.train, args.test, args.epochs, args.seeds, args.batch_size) < 1:
        parser.error("expected at least 1 image of each class, 1 epoch, 1 seed and 1 image in a batch")
    if any(depth < 8 or (depth - 2) % 6 for depth in args.depths):
        parser.error(f"--depths got {list(args.depths)}, expected numbers 6n + 2: 8, 14, 20, ...")
    try:
        data = cifar(args.data, args.train, args.test) if args.data else materials(16, args.train, args.test, scale=2)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if args.batch_size > len(data.train):
        parser.error(f"--batch-size got {args.batch_size}, expected at most the {len(data.train)} training images")

    console.print(f"{len(data.train)} images of {len(data.names)} classes to learn from, {len(data.test)} held out")
    deep, advised = experiments(data, args)
    report(deep, advised, len(data.test))
    args.out.mkdir(parents=True, exist_ok=True)
    draw(deep, advised, args.out / "very_deep.png")
    console.print(f"the picture: {args.out / 'very_deep.png'}")


if __name__ == "__main__":
    main()
