"""Small patches of ten materials, cut from scikit-image's photographs, and what of them is held out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

# Material, photograph in skimage.data, part of it [top, bottom, left, right] or the whole.
PHOTOGRAPHS = {
    "brick": ("brick", None),
    "grass": ("grass", None),
    "gravel": ("gravel", None),
    "moon": ("moon", None),
    "retina": ("retina", (400, 1000, 300, 1100)),
    "tissue": ("immunohistochemistry", None),
    "galaxies": ("hubble_deep_field", None),
    "fur": ("chelsea", (0, 300, 60, 451)),
    "coins": ("coins", None),
    "print": ("page", None),
}
HELD_OUT = 0.3  # of a photograph's width, on the right
NAMES = tuple(PHOTOGRAPHS)


class Patches(NamedTuple):
    """Images [N, C, side, side] and labels [N], to learn from and held out; the names of the classes."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    names: tuple[str, ...]


def materials(side: int, train: int, test: int, seed: int = 0, scale: int = 1) -> Patches:
    """Grey patches of each material: `train` from the left of its photograph, `test` from its right, never overlapping.

    `scale` averages squares of so many pixels. Brightness and contrast are taken out of every patch: what is left to
    learn is texture.
    """
    rng = np.random.default_rng(seed)
    parts: list[list[np.ndarray]] = [[], []]
    for photograph, part in PHOTOGRAPHS.values():
        image = grey(photograph, part, scale)
        border = round(image.shape[1] * (1 - HELD_OUT))
        parts[0].append(cut(image[:, :border], side, train, rng))
        parts[1].append(cut(image[:, border:], side, test, rng))
    labels = [np.repeat(np.arange(len(NAMES)), count) for count in (train, test)]
    return Patches(np.concatenate(parts[0]), labels[0], np.concatenate(parts[1]), labels[1], NAMES)


def grey(photograph: str, part: tuple[int, int, int, int] | None, scale: int) -> np.ndarray:
    from skimage import color, data

    image = np.asarray(getattr(data, photograph)())
    image = color.rgb2gray(image) if image.ndim == 3 else image / 255
    if part:
        image = image[part[0] : part[1], part[2] : part[3]]
    height, width = (size // scale for size in image.shape)
    return image[: height * scale, : width * scale].reshape(height, scale, width, scale).mean((1, 3))


def cut(image: np.ndarray, side: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Patches at random places, [count, 1, side, side]."""
    tops = rng.integers(0, image.shape[0] - side + 1, count)
    lefts = rng.integers(0, image.shape[1] - side + 1, count)
    patches = np.stack([image[t : t + side, s : s + side] for t, s in zip(tops, lefts)]).astype(np.float32)
    patches -= patches.mean((1, 2), keepdims=True)
    return (patches / (patches.std((1, 2), keepdims=True) + 1e-3))[:, None]


def cifar(path: Path, train: int, test: int) -> Patches:
    """The first `train` and `test` images of each class of CIFAR-10, its channels standardised over the former."""
    from cinta import data, preprocess

    read = data.load_cifar10(path)
    fit, held_out = (
        np.concatenate([np.flatnonzero(labels == k)[:count] for k in range(len(read.classes))])
        for labels, count in ((read.train_labels, train), (read.test_labels, test))
    )
    images, others = read.train_images[fit].astype(np.float32), read.test_images[held_out].astype(np.float32)
    prepare = preprocess.Standardize(axis=(0, 2, 3)).fit(images)
    return Patches(
        prepare(images), read.train_labels[fit], prepare(others), read.test_labels[held_out], tuple(read.classes)
    )
