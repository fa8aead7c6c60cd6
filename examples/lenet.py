"""Train LeNet-5 (LeCun et al., 1998) on real handwritten digits.

    python examples/lenet.py                      scikit-learn's 1797 scans of 8x8 pixels
    python examples/lenet.py --data FOLDER        MNIST or Fashion-MNIST: the four IDX files, gzipped or not
    python examples/lenet.py --seeds 5            five trainings and their mean accuracy
    python examples/lenet.py --original           as published: sparse C3, trainable subsampling, Gaussian outputs
    python examples/lenet.py --resume runs/lenet/checkpoint.safetensors --epochs 30

Every run leaves a checkpoint, a learning curve and a picture of the mistakes in the folder given with --out; --original
also what its maps see, and what it writes where the paper's pictures of the digits should stand.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

import cinta as ct
from cinta import augment, models, nn, optim, plot, preprocess
from cinta.data import DataLoader, TensorDataset, load_mnist
from cinta.plot.style import DPI, bare, new_figure

SIDE = 32  # LeNet-5 sees 32x32 pixels: the digit in the middle, a margin around it
SHIFT = 2  # training images are shifted by up to this many pixels, anew in every epoch
SHOWN = 3  # the digit whose maps --original draws
LR, LR_ORIGINAL = 0.05, 0.002
GROUND, INK = -0.1, 1.175  # what the paper shows its network: about zero mean and unit variance
console = Console()


class Data(NamedTuple):
    """Images [N, 1, 32, 32] and labels [N]."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


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
    return centred(train_images, train_labels, test_images, test_labels)


def load_idx(folder: Path) -> Data:
    mnist = load_mnist(folder)
    if max(mnist.train_images.shape[1:]) > SIDE:
        raise ValueError(
            f"[lenet] images in {folder} have {mnist.train_images.shape[1:]} pixels, expected at most {SIDE}"
        )
    return centred(*mnist)


def centred(train_images, train_labels, test_images, test_labels) -> Data:
    """The images in the middle of 32x32 pixels."""
    height, width = train_images.shape[1:]
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    margins = ((0, 0), (top, SIDE - height - top), (left, SIDE - width - left))
    train, test = (np.pad(images, margins)[:, None].astype(np.float32) for images in (train_images, test_images))
    return Data(train, train_labels.astype(np.int64), test, test_labels.astype(np.int64))


def inked(images: np.ndarray) -> preprocess.Standardize:
    """The step that brings 0 to GROUND and the largest pixel to INK."""
    std = float(images.max()) / (INK - GROUND)
    return preprocess.Standardize(axis=None).fit(np.array([-GROUND - 1, -GROUND + 1]) * std)


def train(data: Data, args: argparse.Namespace, seed: int) -> ct.Trainer:
    """LeNet-5 trained by gradient descent, its learning rate falling to 0 along a cosine."""
    ct.random.seed(seed)
    classes = 1 + int(max(data.train_labels.max(), data.test_labels.max()))
    model = models.LeNet5(classes, original=args.original)
    shift = augment.RandomTranslate(SHIFT / SIDE)  # a digit stays itself when it moves
    dataset = TensorDataset(data.train_images, data.train_labels)
    loader = DataLoader(dataset, args.batch_size, shuffle=True, transform=(shift, None))
    lr = args.lr or (LR_ORIGINAL if args.original else LR)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = optim.SGD(trained, lr=lr, momentum=0.9)
    steps = args.epochs * len(loader)
    trainer = ct.Trainer(
        model,
        optimizer,
        models.LeNet5Loss() if args.original else nn.CrossEntropyLoss(),
        scheduler=optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2),
        scheduler_interval="step",
        preprocessing=inked(data.train_images)
        if args.original
        else preprocess.Standardize(axis=None).fit(data.train_images),
        metrics=[ct.training.Accuracy()],
    )
    trainer.fit(
        loader,
        (data.test_images, data.test_labels),
        epochs=min(args.epochs, args.stop_after or args.epochs),
        checkpoint=args.out / "checkpoint.safetensors",
        resume=args.resume,
    )
    return trainer


def draw(trainer: ct.Trainer, data: Data, folder: Path) -> None:
    """The learning curves, and the held-out images that the network gets most wrong."""
    names = ("loss", "validation_loss", "validation_accuracy")
    curves = {name: [epoch[name] for epoch in trainer.history] for name in names}
    plot.learning_curves(curves).savefig(folder / "learning_curve.png", dpi=120)
    probabilities = ct.softmax(trainer.predict(data.test_images), axis=1)
    plot.mistakes(data.test_images, data.test_labels, probabilities).savefig(folder / "mistakes.png", dpi=120)


def draw_original(trainer: ct.Trainer, data: Data, path: Path) -> None:
    """What S2 and C3 make of one digit, and what F6 draws for each, beside the picture that it should draw."""
    model = trainer.model
    first = [int(np.flatnonzero(data.test_labels == digit)[0]) for digit in range(10)]
    seen: dict[str, np.ndarray] = {}
    hooks = [
        getattr(model, name).register_forward_hook(lambda _, __, y, name=name: seen.update({name: y.detach().numpy()}))
        for name in ("squash2", "squash3", "squash6")
    ]
    scores = trainer.predict(data.test_images[first])
    for hook in hooks:
        hook.remove()
    figure = new_figure(13, 5.6)
    maps, drawn = figure.subfigures(2, 1, height_ratios=(1.25, 1), squeeze=False)[:, 0]
    maps.suptitle(
        f"A {SHOWN} in the six maps of S2, and in the sixteen of C3 with the maps that each one sees", fontsize=11
    )
    grid = maps.add_gridspec(3, 16, height_ratios=(1.25, 1, 0.75))
    scale = {"cmap": "gray_r", "vmin": -1.7159, "vmax": 1.7159}
    for k in range(7):
        axes = maps.add_subplot(grid[0, k + 4])
        axes.imshow(
            data.test_images[first[SHOWN], 0] if k == 0 else seen["squash2"][SHOWN, k - 1],
            **({"cmap": "gray_r"} if k == 0 else scale),
        )
        axes.set_title("input" if k == 0 else f"S2 {k - 1}", fontsize=8)
        bare(axes)
    for k, row in enumerate(models.lenet.C3_CONNECTIONS):
        axes, table = maps.add_subplot(grid[1, k]), maps.add_subplot(grid[2, k])
        axes.imshow(seen["squash3"][SHOWN, k], **scale)
        axes.set_title(f"C3 {k}", fontsize=8)
        table.scatter(np.arange(6), np.zeros(6), s=14, c=["black" if on else "0.87" for on in row])
        table.set(xlim=(-0.7, 5.7), ylim=(-1, 1))
        bare(axes)
        bare(table)
        table.spines[:].set_visible(False)
    drawn.suptitle("Held-out digits, what F6 draws of them, and the paper's pictures", fontsize=11)
    columns = drawn.subplots(3, 10)
    pictures = (data.test_images[first, 0], seen["squash6"].reshape(10, 12, 7), models.lenet.DIGIT_CODES)
    for row, images in zip(columns, pictures, strict=True):
        for axes, image in zip(row, images, strict=True):
            axes.imshow(image, **({"cmap": "gray_r"} if images is pictures[0] else scale))
            bare(axes)
    for axes, name in zip(columns[:, 0], ("digit", "F6", "picture"), strict=True):
        axes.set_ylabel(name, fontsize=8)
    for digit, axes in enumerate(columns[0]):
        axes.set_title(f"{digit}, read as {int(scores[digit].argmax())}", fontsize=8)
    figure.savefig(path, dpi=DPI)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with MNIST's four IDX files")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--original", action="store_true", help="the network of 1998, with its loss")
    parser.add_argument("--lr", type=float, help=f"at the start, falls to 0 along a cosine; {LR}, or {LR_ORIGINAL}")
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
        try:
            trainer = train(data, args, seed)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        accuracies.append(trainer.history[-1]["validation_accuracy"] if trainer.history else float("nan"))
        console.print(f"seed {seed}: {accuracies[-1]:.2%} of {len(data.test_labels)} held-out images right")
        if trainer.stop_reason:  # Ctrl-C
            break
    if args.seeds > 1:
        console.print(f"mean of {len(accuracies)} seeds: {np.mean(accuracies):.2%}")
    if trainer.history:
        draw(trainer, data, args.out)
        if args.original:
            draw_original(trainer, data, args.out / "original.png")
        console.print(f"checkpoint, learning curve and mistakes: {args.out}{os.sep}")


if __name__ == "__main__":
    main()
