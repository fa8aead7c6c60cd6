"""2006: deep networks that train, because each layer has learnt to see before anybody names what is seen.

    python examples/history/deep_belief_net.py

The lecture: "the early 2000s were a dark time for neural net research. Then ... G.Hinton, S.Osindero, and Y.W.Teh
published a paper in 2006 that was seen as a breakthrough, a breakthrough significant enough to rekindle interest in
neural nets: A fast learning algorithm for deep belief nets." Each layer is a restricted Boltzmann machine that learns
from what the one below makes of the digits, without labels; then all of them, as a network of sigmoids, are fine-tuned
by backpropagation. Beside it, by seed: the same network without those weights, as it would have started then
(N(0, 0.01^2)) and by Glorot's rule of 2010; and what made pre-training superfluous, rectified units with He's start.
With few labels and with all.
Hinton, Osindero and Teh, "A fast learning algorithm for deep belief nets", Neural Computation 18, 2006.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from restricted_boltzmann_machine import RBM, contrastive_divergence
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import cinta as ct
from cinta import nn, optim
from cinta.data import DataLoader, TensorDataset
from cinta.plot.style import BLUE, COLOURS, DPI, GREEN, ORANGE, bare, new_figure, tidy

PURPLE = COLOURS[3]
STARTS = {"as before 2006": ORANGE, "Glorot, 2010": GREEN, "He and ReLU, 2015": PURPLE, "pre-trained": BLUE}


def deep(widths: list[int], start: str, machines: list[RBM]) -> nn.Sequential:
    """Sigmoid layers and a linear one, with the weights to begin with."""
    layers = [nn.Linear(i, o) for i, o in zip(widths, [*widths[1:], 10], strict=True)]
    for layer in layers:
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
        if start.startswith("Glorot"):
            nn.init.xavier_uniform_(layer.weight)
        elif start.startswith("He"):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
        else:
            nn.init.normal_(layer.weight, std=0.01)
    if start == "pre-trained":
        for layer, machine in zip(layers, machines, strict=False):
            layer.load_state_dict({"weight": machine.weight, "bias": machine.bias_hidden})
    squash = nn.ReLU if start.startswith("He") else nn.Sigmoid
    hidden = [module for layer in layers[:-1] for module in (layer, squash())]
    return nn.Sequential(*hidden, layers[-1])


def fine_tuned(model: nn.Sequential, images: np.ndarray, labels: np.ndarray, epochs: int, test) -> list[float]:
    """Errors on the held-out digits, in percent, epoch by epoch."""
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)

    @ct.compile
    def step(x: ct.Tensor, y: ct.Tensor) -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    loader = DataLoader(TensorDataset(images.astype(np.float32), labels), min(32, len(images)), shuffle=True, seed=0)
    wrong = []
    for _ in range(epochs):
        for x, y in loader:
            step(x, y)
        schedule.step()
        guesses = model(ct.tensor(test[0], dtype="float32")).argmax(axis=1).numpy()
        wrong.append(100 * float(np.mean(guesses != test[1])))
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=4, help="hidden ones")
    parser.add_argument("--units", type=int, default=128, help="of each")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pretraining", type=int, default=40, metavar="EPOCHS", help="of each layer")
    parser.add_argument("--epochs", type=int, default=60, help="of fine-tuning")
    parser.add_argument("--few", type=int, default=10, help="labels for each digit, where there are few")
    parser.add_argument("--out", type=Path, default=Path("runs/history"), metavar="DIR")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    digits, console = load_digits(), Console()
    widths = [64, *[args.units] * args.layers]
    curves: dict[tuple[str, str], list[list[float]]] = {}
    for seed in range(args.seeds):
        split = train_test_split(
            digits.data / 16, digits.target, test_size=0.3, stratify=digits.target, random_state=seed
        )
        images, test_images, labels, test_labels = split
        ct.random.seed(seed)
        machines, seen = [], images
        for level, (visible, hidden) in enumerate(pairwise(widths), start=1):
            machines.append(RBM(visible, hidden))
            contrastive_divergence(machines[-1], seen, args.pretraining, told=f"seed {seed}, layer {level}")
            seen = machines[-1].hidden(ct.tensor(seen, dtype="float32")).detach().numpy()
        few = np.concatenate([np.flatnonzero(labels == digit)[: args.few] for digit in range(10)])
        for known, rows in ((f"{len(few)} labels", few), (f"{len(labels)} labels", np.arange(len(labels)))):
            for start in track(STARTS, f"seed {seed}, {known}"):
                ct.random.seed(seed)
                epochs = args.epochs * (1 if len(rows) > len(few) else 5)
                model = deep(widths, start, machines)
                wrong = fine_tuned(model, images[rows], labels[rows], epochs, (test_images, test_labels))
                curves.setdefault((known, start), []).append(wrong)

    table = Table(
        "labels",
        "start",
        "errors on held-out digits",
        "of each seed",
        title=f"{args.layers} hidden layers of {args.units}",
    )
    for (known, start), runs in curves.items():
        ends = [run[-1] for run in runs]
        table.add_row(known, start, f"{np.mean(ends):.2f} %", "  ".join(f"{end:.1f}" for end in ends))
    console.print(table)
    draw(curves, machines, args.out / "deep_belief_net.png")
    console.print(f"the picture: {args.out / 'deep_belief_net.png'}")


def draw(curves, machines: list[RBM], path: Path) -> None:
    figure = new_figure(13, 4.6)
    left, right = figure.subfigures(1, 2, width_ratios=(2.3, 1), squeeze=False)[0]
    known = list(dict.fromkeys(name for name, _ in curves))
    for axes, name in zip(left.subplots(1, 2, sharey=True), known, strict=True):
        for start, colour in STARTS.items():
            runs = np.array(curves[name, start])
            epochs = np.arange(1, runs.shape[1] + 1)
            axes.plot(epochs, runs.T, color=colour, alpha=0.25, linewidth=0.8)
            axes.plot(epochs, runs.mean(axis=0), color=colour, linewidth=2, label=start)
        axes.set(xlabel="epochs of fine-tuning", title=name, yscale="log")
        axes.set_yticks([1, 2, 5, 10, 20, 50, 100], labels=["1", "2", "5", "10", "20", "50", "100"])
        axes.minorticks_off()
        tidy(axes)
    left.axes[0].set_ylabel("errors on held-out digits, %")
    left.axes[1].legend(frameon=False)
    right.suptitle("What the layers learnt to see, without labels", fontsize=11)
    # The weights of a higher unit, carried down to the pixels.
    seen, rows = machines[0].weight.detach().numpy(), []
    for level, machine in enumerate(machines):
        seen = seen if level == 0 else machine.weight.detach().numpy() @ seen
        rows.append(seen[:6])
    for level, (line, pictures) in enumerate(zip(right.subplots(len(rows), 6), rows, strict=True), start=1):
        for axes, picture in zip(line, pictures, strict=True):
            axes.imshow(picture.reshape(8, 8), cmap="RdBu_r", vmin=-abs(picture).max(), vmax=abs(picture).max())
            bare(axes)
        line[0].set_ylabel(f"layer {level}", fontsize=9)
    figure.savefig(path, dpi=DPI)


if __name__ == "__main__":
    main()
