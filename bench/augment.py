"""Augmentation of batches of 28x28 images, beside the same in PyTorch's operations: seconds per image.

Every row draws and applies; the goal is 50,000 images a second on one core. Errors are those of one resampling with
given matrices or displacements, against SciPy's in float64.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import partial
from timeit import Timer
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

import cinta as ct
import harness
from cinta import augment

BATCH, SIDE = 512, 28
LIMIT = 1 / 50_000
RNG = np.random.default_rng(0)
IMAGES = np.kron(RNG.uniform(size=(BATCH, 1, 7, 7)), np.ones((4, 4))).astype(np.float32)
LABELS = RNG.integers(0, 10, BATCH)
Theirs = Callable[[torch.Tensor], Any]


def sampled(x: torch.Tensor, matrices: torch.Tensor, displacement: torch.Tensor | None = None) -> torch.Tensor:
    """PyTorch's resampling; matrices as cinta's, in pixels, to those that see the image from -1 to 1."""
    half = (SIDE - 1) / 2
    linear, shift = matrices[:, :, :2], matrices[:, :, 2:]
    shift = (shift + half * linear.sum(2, keepdim=True)) / half - 1
    grid = F.affine_grid(torch.cat([linear, shift], 2), list(x.shape), align_corners=True)
    if displacement is not None:
        grid = grid + displacement.permute(0, 2, 3, 1) / half
    return F.grid_sample(x, grid, align_corners=True)


def uniform(low: float, high: float) -> torch.Tensor:
    return torch.rand(BATCH) * (high - low) + low


def affine(degrees: float = 0, translate: float = 0, scale: tuple[float, float] = (1, 1), shear: float = 0) -> Theirs:
    def run(x: torch.Tensor) -> torch.Tensor:
        angle, slant = torch.deg2rad(uniform(-degrees, degrees)), torch.tan(torch.deg2rad(uniform(-shear, shear)))
        factor, cos, sin = uniform(*scale), angle.cos(), angle.sin()
        right, down = (uniform(-translate, translate) * SIDE for _ in "xy")
        a, b, c, d = cos / factor, (cos * slant + sin) / factor, -sin / factor, (cos - sin * slant) / factor
        half = (SIDE - 1) / 2
        x0, y0 = half + right, half + down
        rows = [a, b, half - a * x0 - b * y0, c, d, half - c * x0 - d * y0]
        return sampled(x, torch.stack(rows, 1).reshape(-1, 2, 3))

    return run


def gaussian(sigma: float) -> torch.Tensor:
    radius = int(4 * sigma + 0.5)
    line = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    return line / line.sum()


def by_convolution(field: torch.Tensor, line: torch.Tensor) -> torch.Tensor:
    radius = len(line) // 2
    rows = F.conv2d(field.reshape(-1, 1, SIDE, SIDE), line.reshape(1, 1, 1, -1), padding=(0, radius))
    return F.conv2d(rows, line.reshape(1, 1, -1, 1), padding=(radius, 0)).reshape(field.shape)


def by_products(field: torch.Tensor, line: torch.Tensor) -> torch.Tensor:
    radius = len(line) // 2
    wide = torch.zeros(SIDE, SIDE + 2 * radius)
    for i in range(SIDE):
        wide[i, i : i + len(line)] = line
    smooth = wide[:, radius:-radius]
    return smooth @ (field @ smooth.T)


def elastic(alpha: float, sigma: float, smoothed: Callable[..., torch.Tensor] = by_products) -> Theirs:
    identity, line = torch.eye(3)[:2].expand(BATCH, 2, 3), gaussian(sigma)

    def run(x: torch.Tensor) -> torch.Tensor:
        field = torch.rand(BATCH, 2, SIDE, SIDE) * 2 - 1
        return sampled(x, identity, alpha * smoothed(field, line))

    return run


def flip(x: torch.Tensor) -> torch.Tensor:
    return torch.where((torch.rand(BATCH) < 0.5).reshape(-1, 1, 1, 1), x.flip(3), x)


def crop(padding: int) -> Theirs:
    def run(x: torch.Tensor) -> torch.Tensor:
        padded = F.pad(x, (padding,) * 4)[:, 0]
        top, left = torch.randint(0, 2 * padding + 1, (2, BATCH, 1, 1))
        rows, columns = top + torch.arange(SIDE)[:, None], left + torch.arange(SIDE)
        return padded[torch.arange(BATCH)[:, None, None], rows, columns][:, None]

    return run


def noise(x: torch.Tensor) -> torch.Tensor:
    return x + 0.1 * torch.randn_like(x)


def cutout(size: int) -> Theirs:
    def run(x: torch.Tensor) -> torch.Tensor:
        top, left = torch.randint(0, SIDE, (2, BATCH, 1, 1, 1)) - size // 2
        row, column = torch.arange(SIDE)[:, None], torch.arange(SIDE)
        inside = (row >= top) & (row < top + size) & (column >= left) & (column < left + size)
        return torch.where(inside, 0.0, x)

    return run


def jitter(x: torch.Tensor) -> torch.Tensor:
    x = x * uniform(0.8, 1.2).reshape(-1, 1, 1, 1)
    middle = x.mean((1, 2, 3), keepdim=True)
    return middle + uniform(0.8, 1.2).reshape(-1, 1, 1, 1) * (x - middle)


def mixup(x: torch.Tensor) -> Any:
    w = torch.distributions.Beta(0.2, 0.2).sample((BATCH,))
    other, y = torch.randperm(BATCH), F.one_hot(torch.from_numpy(LABELS), 10).float()
    share = w.reshape(-1, 1, 1, 1)
    return share * x + (1 - share) * x[other], w[:, None] * y + (1 - w[:, None]) * y[other]


def all_three(x: torch.Tensor) -> torch.Tensor:
    return noise(elastic(34, 4)(affine(15, 0.1, (0.9, 1.1), 10)(x)))


def errors(moved: bool) -> tuple[harness.Error, harness.Error]:
    """Of cinta and PyTorch with the same matrices, and displacements where `moved`."""
    ct.random.seed(0)
    x = ct.tensor(IMAGES)
    matrices = augment.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), 10).motion(x)[0]
    field = augment.ElasticTransform(34, 4).motion(x)[1]
    assert matrices is not None
    assert field is not None
    m, d = np.broadcast_to(np.eye(3)[:2], (BATCH, 2, 3)) if moved else matrices.numpy(), field.numpy() * moved
    row, column = np.mgrid[:SIDE, :SIDE]
    exact = np.empty(IMAGES.shape)
    for n in range(BATCH):
        px, py = m[n] @ np.stack([column + d[n, 0], row + d[n, 1], np.ones((SIDE, SIDE))]).reshape(3, -1)
        exact[n, 0].flat = ndimage.map_coordinates(
            IMAGES[n, 0].astype(np.float64), [py, px], order=1, mode="grid-constant"
        )
    ours = augment.functional.affine(x, m, displacement=ct.tensor(d)).numpy()
    theirs = sampled(torch.from_numpy(IMAGES), torch.tensor(m).float(), torch.from_numpy(d)).numpy()
    return harness.error_of([ours], [exact]), harness.error_of([theirs], [exact])


def main() -> list[harness.Row]:
    x, labels, peer = ct.tensor(IMAGES), ct.tensor(LABELS), torch.from_numpy(IMAGES)
    rows: list[harness.Row] = []

    def race(name: str, transform: augment.Transform, *theirs: Theirs, moved: bool | None = None) -> None:
        own, other = (None, None) if moved is None else errors(moved)
        ours = harness.Contestant(Timer(lambda: transform(x, labels)), error=own)
        with torch.no_grad():
            peers = [harness.Contestant(Timer(partial(f, peer)), error=other) for f in theirs]
            rows.append(harness.compare(name, math.inf, [ours], peers, limit=LIMIT, per=BATCH))

    affine_arguments: Any = (15, (0.1, 0.1), (0.9, 1.1), 10)
    race("translate", augment.RandomTranslate(0.1), affine(translate=0.1))
    race("rotate", augment.RandomRotation(15), affine(15))
    race("scale", augment.RandomScale((0.9, 1.1)), affine(scale=(0.9, 1.1)))
    race("shear", augment.RandomShear(10), affine(shear=10))
    race("all four in one", augment.RandomAffine(*affine_arguments), affine(15, 0.1, (0.9, 1.1), 10), moved=False)
    race(
        "elastic distortion",
        augment.ElasticTransform(34, 4),
        elastic(34, 4),
        elastic(34, 4, by_convolution),
        moved=True,
    )
    race("flip", augment.RandomHorizontalFlip(), flip)
    race("crop with padding", augment.RandomCrop(SIDE, padding=4), crop(4))
    race("noise", augment.GaussianNoise(0.1), noise)
    race("cut-out", augment.Cutout(8), cutout(8))
    race("brightness and contrast", augment.ColorJitter(0.2, 0.2), jitter)
    race("mixup", augment.Mixup(0.2, 10), mixup)
    three = [augment.RandomAffine(*affine_arguments), augment.ElasticTransform(34, 4), augment.GaussianNoise(0.1)]
    race("affine, elastic and noise", augment.Compose(three), all_three)
    return rows


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    harness.pin(1)
    print(harness.header())
    for row in main():
        print(f"{row.name:26s} {1 / row.ours:12,.0f} images/s, PyTorch {1 / row.theirs:12,.0f}")
