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

import cinta as ct
from cinta import augment, nn, optim, plot, preprocess
from cinta.data import DataLoader, TensorDataset, load_mnist

SIDE = 32  # LeNet-5 sees 32x32 pixels: the digit in the middle, a margin around it
SHIFT = 2  # training images are shifted by up to this many pixels, anew in every epoch
console = Console()


class Data(NamedTuple):
    """Images [N, 1, 32, 32] and labels [N]."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


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


def train(data: Data, args: argparse.Namespace, seed: int) -> ct.Trainer:
    """LeNet-5 trained by gradient descent, its learning rate falling to 0 along a cosine."""
    ct.random.seed(seed)
    model = lenet(classes=1 + max(data.train_labels.max(), data.test_labels.max()))
    shift = augment.RandomTranslate(SHIFT / SIDE)  # a digit stays itself when it moves
    images = TensorDataset(data.train_images, data.train_labels)
    loader = DataLoader(images, args.batch_size, shuffle=True, transform=(shift, None))
    optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    steps = args.epochs * len(loader)
    trainer = ct.Trainer(
        model,
        optimizer,
        nn.CrossEntropyLoss(),
        scheduler=optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2),
        scheduler_interval="step",
        preprocessing=preprocess.Standardize(axis=None).fit(data.train_images),
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
        console.print(f"checkpoint, learning curve and mistakes: {args.out}{os.sep}")


if __name__ == "__main__":
    main()
