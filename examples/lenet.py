"""Train LeNet-5 (LeCun et al., 1998) on real handwritten digits.

    python examples/lenet.py                      scikit-learn's 1797 scans of 8x8 pixels
    python examples/lenet.py --data FOLDER        MNIST or Fashion-MNIST: the four IDX files, gzipped or not
    python examples/lenet.py --seeds 5            five trainings and their mean accuracy
    python examples/lenet.py --resume runs/lenet/checkpoint.safetensors --epochs 30

Every run leaves a checkpoint, a learning curve and a picture of the mistakes in the folder given with --out.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import cinta as ct
from cinta import nn, optim
from cinta.data import load_mnist

SIDE = 32  # LeNet-5 sees 32x32 pixels: the digit in the middle, a margin around it
SHIFT = 2  # training images are shifted by up to this many pixels, anew in every epoch
console = Console()


class Data(NamedTuple):
    """Images [N, 1, 32, 32] of mean 0 and variance 1, and labels [N]."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Epoch(NamedTuple):
    """What one line of the learning curve shows."""

    train_loss: float
    test_loss: float
    accuracy: float

    def __str__(self) -> str:
        return f"loss {self.train_loss:.4f}  held out {self.test_loss:.4f}  accuracy {self.accuracy:.2%}"


def lenet(classes: int = 10) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),  # 32x32 -> 28x28 -> 14x14
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),  # 14x14 -> 10x10 -> 5x5
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), nn.Tanh(),
        nn.Linear(120, 84), nn.Tanh(),
        nn.Linear(84, classes),
    )  # fmt: skip


def load_scans() -> Data:
    """Scikit-learn's digits, one fifth of each class held out: always the same fifth, whatever the seed."""
    from PIL import Image
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    def enlarge(scan: np.ndarray) -> np.ndarray:
        image = Image.fromarray(scan.astype(np.float32)).resize((24, 24), Image.Resampling.BICUBIC)
        return np.asarray(image).clip(0, 16)

    scans = load_digits()
    images = np.stack([enlarge(scan) for scan in scans.images])
    split = train_test_split(images, scans.target, test_size=0.2, stratify=scans.target, random_state=0)
    train_images, test_images, train_labels, test_labels = split
    return prepare(train_images, train_labels, test_images, test_labels)


def load_idx(folder: Path) -> Data:
    mnist = load_mnist(folder)
    if max(mnist.train_images.shape[1:]) > SIDE:
        raise ValueError(
            f"[lenet] images in {folder} have {mnist.train_images.shape[1:]} pixels, expected at most {SIDE}"
        )
    return prepare(*mnist)


def prepare(train_images, train_labels, test_images, test_labels) -> Data:
    """Center the images in 32x32 pixels and scale them by the mean and deviation of the training ones."""
    height, width = train_images.shape[1:]
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    margins = ((0, 0), (top, SIDE - height - top), (left, SIDE - width - left))
    train, test = (np.pad(images, margins).astype(np.float32) for images in (train_images, test_images))
    mean, deviation = train.mean(), train.std()
    train, test = ((images[:, None] - mean) / deviation for images in (train, test))
    return Data(train, train_labels.astype(np.int64), test, test_labels.astype(np.int64))


def batches(images: np.ndarray, labels: np.ndarray, size: int, rng: np.random.Generator):
    """All images once, in random order, each shifted a little: a digit stays itself when it moves."""
    background = images.min()
    padded = np.pad(images[:, 0], ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)), constant_values=background)
    order = rng.permutation(len(images))
    for start in range(0, len(order), size):
        chosen = order[start : start + size, None, None]
        top, left = rng.integers(0, 2 * SHIFT + 1, (2, len(chosen)))
        rows = top[:, None, None] + np.arange(SIDE)[:, None]
        columns = left[:, None, None] + np.arange(SIDE)
        yield padded[chosen, rows, columns][:, None], labels[chosen[:, 0, 0]]


def predict(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """Probabilities [N, classes]."""
    model.eval()
    with ct.no_grad():
        parts = [ct.softmax(model(ct.tensor(images[i : i + 256])), axis=1).numpy() for i in range(0, len(images), 256)]
    model.train()
    return np.concatenate(parts)


class Training:
    """A network, its optimizer and how far they have come; `save` writes it all, `resume` takes it up again."""

    def __init__(self, data: Data, args: argparse.Namespace, seed: int):
        ct.random.seed(seed)
        self.data, self.args, self.seed = data, args, seed
        self.model = lenet(classes=1 + max(data.train_labels.max(), data.test_labels.max()))
        self.optimizer = optim.SGD(self.model.parameters(), lr=args.lr, momentum=0.9)
        self.history: list[Epoch] = []

    def save(self, path: Path) -> None:
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        ct.save(path, {**state, "history": self.history, "seed": self.seed})

    def resume(self, path: Path) -> None:
        checkpoint = ct.load(path)
        if missing := {"model", "optimizer", "history", "seed"} - set(checkpoint):
            raise ValueError(
                f"[lenet] {path} has no {', '.join(sorted(missing))}, expected a checkpoint of this script"
            )
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.history, self.seed = [Epoch(*epoch) for epoch in checkpoint["history"]], checkpoint["seed"]

    def run(self) -> None:
        args, data = self.args, self.data
        steps = math.ceil(len(data.train_images) / args.batch_size)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console) as progress:
            done = steps * len(self.history)
            bar = progress.add_task(f"seed {self.seed}", total=steps * args.epochs, completed=done, figures="")
            for epoch in range(len(self.history), min(args.epochs, args.stop_after or args.epochs)):
                # A generator of its own for every epoch: a resumed training sees what an uninterrupted one would see.
                rng = np.random.default_rng([self.seed, epoch])
                losses: list[float] = []
                for images, labels in batches(data.train_images, data.train_labels, args.batch_size, rng):
                    losses.append(self.step(images, labels, passed=(epoch + len(losses) / steps) / args.epochs))
                    progress.advance(bar)
                self.history.append(measure(self.model, data, float(np.mean(losses))))
                progress.update(bar, figures=f"epoch {epoch + 1}  {self.history[-1]}")
                self.save(args.out / "checkpoint.safetensors")

    def step(self, images: np.ndarray, labels: np.ndarray, passed: float) -> float:
        """One step of gradient descent; `passed` is how much of the training lies behind, from 0 to 1."""
        self.optimizer.param_groups[0]["lr"] = self.args.lr * (1 + math.cos(math.pi * passed)) / 2
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(ct.tensor(images)), ct.tensor(labels))
        loss.backward()
        self.optimizer.step()
        return loss.item()


def measure(model: nn.Module, data: Data, train_loss: float) -> Epoch:
    probabilities = predict(model, data.test_images)
    surprise = -np.log(probabilities[np.arange(len(probabilities)), data.test_labels] + 1e-30)
    return Epoch(train_loss, float(surprise.mean()), float((probabilities.argmax(1) == data.test_labels).mean()))


def draw_curve(history: list[Epoch], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    epochs = range(1, len(history) + 1)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(epochs, [e.train_loss for e in history], color="0.6", label="training (shifted images)")
    left.plot(epochs, [e.test_loss for e in history], color="C0", label="held out")
    left.set(xlabel="epoch", ylabel="cross-entropy", yscale="log", title="Loss")
    left.legend(frameon=False)
    right.plot(epochs, [100 * e.accuracy for e in history], color="C0")
    right.set(xlabel="epoch", ylabel="% of held-out digits", title=f"Accuracy: {history[-1].accuracy:.2%} at the end")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def draw_mistakes(model: nn.Module, data: Data, path: Path, rows: int = 3, columns: int = 8) -> int:
    """The held-out images that the network gets most wrong and, in what room is left, those it was least sure of."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    probabilities = predict(model, data.test_images)
    guesses, labels = probabilities.argmax(1), data.test_labels
    right_answer = probabilities[np.arange(len(labels)), labels]
    mistakes = int((guesses != labels).sum())
    worst = np.lexsort((right_answer, guesses == labels))[: rows * columns]
    figure, axes = pyplot.subplots(rows, columns, figsize=(1.4 * columns, 1.6 * rows + 0.5), layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, i in zip(axes.flat, worst):
        wrong = guesses[i] != labels[i]
        ax.imshow(data.test_images[i, 0], cmap="gray_r", interpolation="bilinear")
        text = f"{labels[i]} read as {guesses[i]}" if wrong else f"{labels[i]}, {right_answer[i]:.0%} sure"
        ax.set_title(text, fontsize=10, color="firebrick" if wrong else "0.45")
    figure.suptitle(f"{mistakes} of {len(labels)} misread (red), and the ones it was least sure of (grey)", fontsize=12)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return mistakes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with MNIST's four IDX files")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.05, help="at the start; falls to 0 along a cosine")
    parser.add_argument("--seed", type=int, default=0, help="of the first training")
    parser.add_argument("--seeds", type=int, default=1, help="how many trainings")
    parser.add_argument("--out", type=Path, default=Path("runs/lenet"), metavar="DIR")
    parser.add_argument("--resume", type=Path, metavar="CHECKPOINT", help="go on from here, up to --epochs")
    parser.add_argument("--stop-after", type=int, metavar="EPOCHS", help="break off early, to go on with --resume")
    parser.add_argument("--quick", action="store_true", help="two epochs on a quarter of the data, to see that it runs")
    args = parser.parse_args()
    if args.resume and args.seeds > 1:
        parser.error("--resume goes on with one training, got --seeds greater than 1")
    try:
        data = load_idx(args.data) if args.data else load_scans()
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if args.quick:
        args.epochs, quarter = min(args.epochs, 2), len(data.train_images) // 4
        data = data._replace(train_images=data.train_images[:quarter], train_labels=data.train_labels[:quarter])
    args.out.mkdir(parents=True, exist_ok=True)

    accuracies = []
    for seed in range(args.seed, args.seed + args.seeds):
        training = Training(data, args, seed)
        if args.resume:
            try:
                training.resume(args.resume)
            except (OSError, ValueError) as error:
                parser.error(str(error))
        training.run()
        accuracies.append(training.history[-1].accuracy)
    if args.seeds > 1:
        console.print(f"mean of {args.seeds} seeds: {np.mean(accuracies):.2%} held-out accuracy")
    model, history = training.model, training.history
    draw_curve(history, args.out / "learning_curve.png")
    mistakes = draw_mistakes(model, data, args.out / "mistakes.png")
    console.print(f"{history[-1].accuracy:.2%} of {len(data.test_labels)} held-out images right, {mistakes} wrong")
    console.print(f"checkpoint, learning curve and mistakes: {args.out}{os.sep}")


if __name__ == "__main__":
    main()
