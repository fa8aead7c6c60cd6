"""What every augmentation does, on a page of real digits: each draws anew for every image, and a seven stays a seven.

    python examples/augmentations.py                    scikit-learn's 1797 scans, enlarged
    python examples/augmentations.py --data FOLDER      MNIST, or anything laid out like it
    python examples/augmentations.py --image cat.png    an image of one's own

Draws augmentations.png into the folder given with --out.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import cinta as ct
from cinta import augment
from cinta.data import load_mnist

COLUMNS = 9
PAPER, INK, QUIET, LINE = "#fbfaf7", "#22242a", "#8b8e98", "#d9d6cd"
Rows = list[tuple[augment.Transform, str]]  # and what is said of it


def groups(side: int) -> list[tuple[str, Rows]]:
    """What is shown, for images of so many pixels."""
    part = side / 28
    everything = [
        augment.RandomAffine(12, translate=(0.08, 0.08), scale=(0.85, 1.1), shear=10),
        augment.ElasticTransform(alpha=30 * part**2, sigma=4 * part),
        augment.GaussianNoise((0.0, 0.1), bounds=(0, 1)),
        augment.Cutout(round(6 * part)),
    ]
    return [
        (
            "moved, in one resampling",
            [
                (augment.RandomTranslate(0.15), "by up to 15 %"),
                (augment.RandomRotation(25), "by up to 25°"),
                (augment.RandomScale((0.7, 1.3)), "0.7 to 1.3"),
                (augment.RandomShear(25), "by up to 25°"),
                (augment.RandomAffine(15, (0.1, 0.1), (0.8, 1.1), 15), "all four at once"),
                (augment.ElasticTransform(34 * part**2, 4 * part), "a smooth random field"),
            ],
        ),
        (
            "mirrored and cut",
            [
                (augment.RandomHorizontalFlip(), "with probability 1/2"),
                (augment.RandomCrop(side, padding=side // 7), "a window of the padded image"),
                (augment.RandomErasing(p=0.8, value=0.5), "2 to 33 % of the area"),
            ],
        ),
        (
            "changed in value",
            [
                (augment.GaussianNoise((0.05, 0.25), bounds=(0, 1)), "sigma 0.05 to 0.25"),
                (augment.ColorJitter(brightness=0.5, contrast=0.5, bounds=(0, 1)), "brightness and contrast"),
                (augment.Cutout(round(10 * part), value=0.5), "a square, perhaps half outside"),
                (augment.Mixup(alpha=1.0, num_classes=10), "labels as well"),
            ],
        ),
        ("together", [(augment.Compose(everything), "affine, elastic, noise, cut-out")]),
    ]


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Scikit-learn's scans of 8x8 pixels, one of each digit, enlarged to 28x28 with a margin; values 0 to 1."""
    from PIL import Image
    from sklearn.datasets import load_digits as scans

    digits = scans()
    chosen = [int(np.flatnonzero(digits.target == d)[7]) for d in range(COLUMNS)]

    def enlarged(scan: np.ndarray) -> np.ndarray:
        image = Image.fromarray(scan.astype(np.float32)).resize((20, 20), Image.Resampling.BICUBIC)
        return np.pad(np.asarray(image).clip(0, 16) / 16, 4)

    return np.stack([enlarged(s) for s in digits.images[chosen]])[:, None], digits.target[chosen]


def load_images(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Images [N,C,H,W] in 0 to 1, and labels."""
    if args.image:
        from PIL import Image, ImageOps

        with Image.open(args.image) as file:
            picture = ImageOps.fit(file.convert("RGB"), (96, 96))
        one = np.asarray(picture, np.float32).transpose(2, 0, 1) / 255
        return np.stack([one, one[:, :, ::-1]] * COLUMNS)[:COLUMNS], np.arange(COLUMNS) % 2  # and mirrored
    if args.data:
        mnist = load_mnist(args.data)
        return mnist.train_images[:COLUMNS, None] / 255, mnist.train_labels[:COLUMNS]
    return load_digits()


def changed(transform: augment.Transform, images: ct.Tensor, labels: ct.Tensor) -> tuple[np.ndarray, list[str]]:
    """The images after the transform, and what is written under each."""
    if not isinstance(transform, augment.Mixup):
        return transform(images).numpy(), []
    mixed, shares = transform(images, labels)
    names = []
    for row in shares.numpy():
        first, second = np.argsort(-row)[:2]
        names.append(f"{row[first]:.0%} {first}" + (f" + {row[second]:.0%} {second}" if row[second] >= 0.005 else ""))
    return mixed.numpy(), names


def draw(images: np.ndarray, labels: np.ndarray, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    x, y = ct.tensor(images, dtype="float32"), ct.tensor(labels)
    rows: list[tuple[str, str, str, np.ndarray, list[str]]] = [("as given", "the data", "", images, [])]
    for title, shown_rows in groups(images.shape[-1]):
        for number, (transform, how) in enumerate(shown_rows):
            result, names = changed(transform, x, y)
            rows.append(("" if number else title, transform.name, how, result, names))

    cell, label, gap, top = 0.92, 2.5, 0.4, 1.25  # inches
    breaks = sum(bool(row[0]) for row in rows[1:])
    width, height = label + COLUMNS * cell + 0.45, top + len(rows) * cell + breaks * gap + 0.35
    figure = plt.figure(figsize=(width, height), dpi=130, facecolor=PAPER)

    def text(left: float, down: float, words: str, **how: Any) -> None:
        figure.text(left / width, 1 - down / height, words, **how)

    text(0.45, 0.52, "One image, many images", fontsize=19, color=INK, weight="bold", va="center")
    text(0.45, 0.86, "each row: the same images, changed by one augmentation with draws for every image",
         fontsize=10, color=QUIET, va="center")  # fmt: skip
    down = top
    for title, name, how, pictures, names in rows:
        if title and name != "the data":
            down += gap
            y_line = 1 - (down - gap / 2) / height
            figure.add_artist(plt.Line2D([0.45 / width, 1 - 0.45 / width], [y_line, y_line], color=LINE, lw=0.8))
        if title:
            text(0.45, down + 0.16, title.upper(), fontsize=6.5, color=QUIET, va="center")
        text(0.45, down + 0.42, name, fontsize=10.5, color=INK, va="center")
        text(0.45, down + 0.64, how, fontsize=8, color=QUIET, va="center")
        for column, picture in enumerate(pictures):
            size = cell - 0.1 - 0.13 * bool(names)
            left = label + column * cell + (cell - 0.1 - size) / 2
            place = (left / width, 1 - (down + size) / height, size / width, size / height)
            axes = figure.add_axes(place)
            shown = picture.transpose(1, 2, 0).clip(0, 1)
            axes.imshow(shown if shown.shape[2] == 3 else 1 - shown[..., 0], cmap="gray", vmin=0, vmax=1,
                        interpolation="nearest")  # fmt: skip
            axes.set(xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set(color=LINE, linewidth=0.7)
            if names:
                axes.set_xlabel(names[column], fontsize=6, color=QUIET, labelpad=2)
        down += cell
    figure.savefig(path, facecolor=PAPER)
    plt.close(figure)


def images_per_second(transform: augment.Transform, batch: int = 512) -> float:
    x = ct.random.uniform(shape=(batch, 1, 28, 28))
    y = ct.random.integers(10, shape=(batch,))
    times = []
    for _ in range(6):
        start = time.perf_counter()
        transform(x, y)
        times.append(time.perf_counter() - start)
    return batch / min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, metavar="FOLDER", help="MNIST's four IDX files")
    source.add_argument("--image", type=Path, metavar="FILE", help="an image of any kind that Pillow reads")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("runs/augmentations"), metavar="FOLDER")
    args = parser.parse_args()
    try:
        images, labels = load_images(args)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    args.out.mkdir(parents=True, exist_ok=True)
    ct.random.seed(args.seed)
    draw(images, labels, args.out / "augmentations.png")
    for _, rows in groups(28):
        for transform, _ in rows:
            print(f"{transform.name:22s}{images_per_second(transform):12,.0f} images of 28x28 a second")
    print(f"the page: {args.out / 'augmentations.png'}")


if __name__ == "__main__":
    main()
