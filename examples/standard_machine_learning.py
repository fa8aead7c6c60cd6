"""Standard machine learning beside deep learning, on the same handwritten digits: features made by hand, or learnt.

    python examples/standard_machine_learning.py
    python examples/standard_machine_learning.py --data FOLDER      MNIST or Fashion-MNIST: the four IDX files

The lecture's left-hand pipeline: raw data -> hand-engineered features -> trainable classifier. The features are
histograms of oriented gradients (HOG), the classifier is linear with the hinge loss of all classes (a support vector
machine), trained by stochastic gradient descent. scikit-learn's LinearSVC gets the same features, and a linear SVM
the bare pixels. The right-hand pipeline learns its features: LeNet-5, which sees the digits a little shifted, anew in
every epoch, for nobody has told it that a shifted digit is the same (histograms of cells know it by construction). One
table says what each gets right, how large it is and how long it takes; standard_machine_learning.png shows digits as
HOG sees them, and what the SVM looks for.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import cinta as ct
from cinta import augment, nn, optim, preprocess
from cinta.data import load_mnist

SHIFT = 2  # pixels that digits are moved by, at most, before the convnet sees them
console = Console()
Predict = Callable[[np.ndarray], np.ndarray]  # of images [N, H, W]: scores [N, classes]


class Data(NamedTuple):
    """Images [N, H, W] in float32, from 0 to 1, and labels [N]."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Way(NamedTuple):
    """A pipeline once it is trained: what it costs, and its scores of images."""

    name: str
    parameters: int
    seconds: float
    predict: Predict


def load_scans() -> Data:
    """Scikit-learn's 1797 scans of 8x8 pixels, 24x24 by cubic interpolation in a margin of 4; a fifth held out."""
    from PIL import Image
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    def enlarge(scan: np.ndarray) -> np.ndarray:
        image = Image.fromarray(scan.astype(np.float32)).resize((24, 24), Image.Resampling.BICUBIC)
        return np.pad(np.asarray(image).clip(0, 16) / 16, 4)

    scans = load_digits()
    images = np.stack([enlarge(scan) for scan in scans.images]).astype(np.float32)
    split = train_test_split(images, scans.target, test_size=0.2, stratify=scans.target, random_state=0)
    return Data(split[0], split[2], split[1], split[3])


def load_idx(folder: Path) -> Data:
    """The images of MNIST's files in 32x32 pixels."""
    mnist = load_mnist(folder)
    height, width = mnist.train_images.shape[1:]
    if height > 32 or width > 32:
        raise ValueError(
            f"[standard_machine_learning] images in {folder} have {height}x{width} pixels, expected at most 32"
        )
    top, left = (32 - height) // 2, (32 - width) // 2
    margins = ((0, 0), (top, 32 - height - top), (left, 32 - width - left))
    train, test = (
        np.pad(images, margins).astype(np.float32) / 255 for images in (mnist.train_images, mnist.test_images)
    )
    return Data(train, mnist.train_labels.astype(np.int64), test, mnist.test_labels.astype(np.int64))


def descend(
    model: nn.Module,
    loss: nn.Module,
    batches: tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]],
    optimizer: optim.Optimizer,
    args: argparse.Namespace,
    title: str,
) -> None:
    """Epochs of minibatches, the learning rate falling to 0 along a cosine; batches: x, y, what is done to x."""
    x, y, prepare = batches
    batch = min(args.batch_size, len(x))
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs * (len(x) // batch))
    rng = np.random.default_rng(args.seed)

    @ct.compile
    def step(x: ct.Tensor, y: ct.Tensor) -> ct.Tensor:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for _ in progress.track(range(args.epochs), description=title):
            for rows in rng.permutation(len(x))[: len(x) // batch * batch].reshape(-1, batch):
                step(ct.asarray(prepare(x[rows])), ct.asarray(y[rows]))
                schedule.step()
    model.eval()


def train_svm(
    name: str, features: Callable[[np.ndarray], np.ndarray], data: Data, args: argparse.Namespace
) -> tuple[Way, nn.Linear]:
    """A linear classifier, least 1/2 |W|^2 / (C N) + mean hinge loss, on features of images."""
    start = time.perf_counter()
    ct.random.seed(args.seed)
    x = features(data.train_images)
    classes = int(data.train_labels.max()) + 1
    model = nn.Linear(x.shape[1], classes)
    groups = [{"params": [model.weight], "weight_decay": 1 / (args.C * len(x))}, {"params": [model.bias]}]
    optimizer = optim.SGD(groups, lr=args.lr, momentum=0.9)
    descend(model, nn.MultiMarginLoss(), (x, data.train_labels, lambda x: x), optimizer, args, name)
    seconds = time.perf_counter() - start

    def predict(images: np.ndarray) -> np.ndarray:
        with ct.no_grad():
            return model(ct.asarray(features(images))).numpy()

    return Way(name, sum(p.size for p in model.parameters()), seconds, predict), model


def train_liblinear(hog: preprocess.HOG, data: Data, args: argparse.Namespace) -> Way:
    """Scikit-learn's support vector machine: one class against the rest, squared hinge loss."""
    from sklearn.svm import LinearSVC

    start = time.perf_counter()
    machine = LinearSVC(C=args.C, random_state=args.seed).fit(hog(data.train_images), data.train_labels)
    seconds = time.perf_counter() - start
    size = machine.coef_.size + machine.intercept_.size
    return Way("HOG + scikit-learn's LinearSVC", size, seconds, lambda images: machine.decision_function(hog(images)))


def train_convnet(data: Data, args: argparse.Namespace) -> Way:
    """LeNet-5 on the pixels, shifted by chance in training."""
    start = time.perf_counter()
    ct.random.seed(args.seed)
    classes = int(data.train_labels.max()) + 1
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, classes),
    )  # fmt: skip
    standardize = preprocess.Standardize(axis=None).fit(data.train_images)
    shift = augment.RandomTranslate(SHIFT / 32)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    batches = data.train_images, data.train_labels, lambda x: standardize(shift(x[:, None]))
    descend(model, nn.CrossEntropyLoss(), batches, optimizer, args, "convnet")
    seconds = time.perf_counter() - start

    def predict(images: np.ndarray) -> np.ndarray:
        with ct.no_grad():
            return model(ct.asarray(standardize(images)[:, None])).numpy()

    return Way("convnet (LeNet-5)", sum(p.size for p in model.parameters()), seconds, predict)


def report(ways: list[Way], data: Data) -> None:
    table = Table("pipeline", "right", "parameters", "training", "an image", title="Features made, or learnt")
    for column in table.columns[1:]:
        column.justify = "right"
    for way in ways:
        start = time.perf_counter()
        guesses = np.concatenate(
            [way.predict(data.test_images[i : i + 256]) for i in range(0, len(data.test_images), 256)]
        )
        each = (time.perf_counter() - start) / len(data.test_images)
        right = (guesses.argmax(1) == data.test_labels).mean()
        table.add_row(way.name, f"{right:.2%}", f"{way.parameters:,}", f"{way.seconds:.2f} s", f"{1e6 * each:.0f} us")
    console.print(table)


def draw(hog: preprocess.HOG, svm: nn.Linear, data: Data, path: Path) -> None:
    """A digit of each class, what HOG makes of it, and what speaks for the class in the eyes of the SVM."""
    from cinta.plot.style import BLUE, ORANGE, bare, new_figure

    classes = svm.out_features
    first = [int(np.argmax(data.test_labels == c)) for c in range(classes)]
    images = data.test_images[first]
    histograms = hog.cells(images)
    rows, columns = histograms.shape[1:3]
    a, b = hog.cells_per_block
    weights = svm.weight.detach().numpy().reshape(classes, rows - a + 1, columns - b + 1, a, b, hog.orientations)
    wanted = np.zeros((classes, rows, columns, hog.orientations))
    for i in range(a):
        for j in range(b):
            wanted[:, i : rows - a + 1 + i, j : columns - b + 1 + j] += weights[:, :, :, i, j]
    figure = new_figure(1.35 * classes + 0.6, 4.6)
    all_axes = figure.subplots(3, classes, squeeze=False)
    for c in range(classes):
        all_axes[0, c].imshow(images[c], cmap="gray_r")
        glyphs(all_axes[1, c], histograms[c], hog, BLUE)
        glyphs(all_axes[2, c], wanted[c].clip(0), hog, ORANGE)
    for axes in all_axes.flat:
        bare(axes)
        axes.set(xlim=(-0.5, images.shape[2] - 0.5), ylim=(images.shape[1] - 0.5, -0.5), aspect="equal")
    for axes, label in zip(all_axes[:, 0], ("digit", "as HOG sees it", "what the SVM\nlooks for")):
        axes.set_ylabel(label, fontsize=9)
    figure.suptitle("Edges in each cell: a stroke along the edge, the darker the stronger", fontsize=11)
    figure.savefig(path)


def glyphs(axes: Any, histograms: np.ndarray, hog: preprocess.HOG, colour: str) -> None:
    """Histograms [rows, columns, orientations] as strokes in every cell, across the gradient: along the edge."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    high, wide = hog.pixels_per_cell
    angles = np.pi * (np.arange(hog.orientations) + 0.5) / hog.orientations
    along = np.stack([-np.sin(angles), np.cos(angles)], 1) * 0.46 * min(high, wide)
    strength = histograms / max(histograms.max(), 1e-12)
    places = np.argwhere(strength > 0.05)
    centres = np.stack([(places[:, 1] + 0.5) * wide - 0.5, (places[:, 0] + 0.5) * high - 0.5], 1)
    ends = np.stack([centres - along[places[:, 2]], centres + along[places[:, 2]]], 1)
    strong = strength[tuple(places.T)]
    order = np.argsort(strong)
    axes.add_collection(
        LineCollection(list(ends[order]), colors=[(*to_rgb(colour), s) for s in strong[order]], linewidths=1.4)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with MNIST's four IDX files")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.3, help="of the SVMs at the start; falls to 0 along a cosine")
    parser.add_argument("--C", type=float, default=1.0, help="how much mistakes count against large weights")
    parser.add_argument("--cell", type=int, default=4, help="pixels on a side of HOG's cells")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/standard_machine_learning"), metavar="DIR")
    args = parser.parse_args()
    if min(args.epochs, args.batch_size) < 1 or not args.C > 0 or not 1 <= args.cell <= 16:
        parser.error("--epochs and --batch-size: expected at least 1; --C: more than 0; --cell: 1 to 16")
    try:
        data = load_idx(args.data) if args.data else load_scans()
    except (OSError, ValueError) as error:
        parser.error(str(error))
    args.out.mkdir(parents=True, exist_ok=True)
    console.print(f"{len(data.train_images):,} digits to learn from, {len(data.test_images):,} held out")
    hog = preprocess.HOG(pixels_per_cell=(args.cell, args.cell), cells_per_block=(2, 2))
    bare, _ = train_svm("pixels + linear SVM", lambda images: images.reshape(len(images), -1), data, args)
    made, svm = train_svm("HOG + linear SVM", hog, data, args)
    report([bare, made, train_liblinear(hog, data, args), train_convnet(data, args)], data)
    draw(hog, svm, data, args.out / "standard_machine_learning.png")
    console.print(f"picture: {args.out / 'standard_machine_learning.png'}")


if __name__ == "__main__":
    main()
