"""Rows of what makes training data of training data. The references go pixel by pixel and sample by sample."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from op_row import FLOATS, Op, Sample, sample


def pixel(i: np.ndarray, n: int, padding_mode: str) -> np.ndarray:
    """Which pixel of n stands for pixel i, which may lie outside; -1: none."""
    if padding_mode == "constant":
        return np.where((i >= 0) & (i < n), i, -1)
    if padding_mode == "edge":
        return np.clip(i, 0, n - 1)
    around = np.arange(n) if padding_mode == "symmetric" else np.arange(n)[: max(n - 1, 1)]
    back = np.arange(n)[::-1] if padding_mode == "symmetric" else np.arange(n)[:0:-1]
    cycle = np.concatenate([around, back])
    return cycle[i % len(cycle)]


def warp(x: Any, matrices: Any = None, displacement: Any = None, size: Any = None, interpolation: str = "bilinear",
         padding_mode: str = "constant", fill: float = 0.0) -> Any:  # fmt: skip
    images, _, height, width = x.shape
    size = size or (height, width)
    matrices = np.broadcast_to(np.eye(3)[:2] if matrices is None else matrices, (images, 2, 3))
    displacement = np.zeros((images, 2, *size)) if displacement is None else displacement
    row, column = np.mgrid[: size[0], : size[1]]
    y = np.zeros((*x.shape[:2], *size))
    for n in range(images):
        places = np.stack([column + displacement[n, 0], row + displacement[n, 1], np.ones(size)])
        px, py = np.einsum("ab,bij->aij", matrices[n], places)
        steps = (0, 1) if interpolation == "bilinear" else (0,)
        left, top = (np.floor(p if interpolation == "bilinear" else p + 0.5).astype(int) for p in (px, py))
        for down in steps:
            for right in steps:
                r, c = pixel(top + down, height, padding_mode), pixel(left + right, width, padding_mode)
                value = np.where((r >= 0) & (c >= 0), x[n][:, r, c], fill)
                weight = (1 - abs(px - left - right)) * (1 - abs(py - top - down)) if len(steps) == 2 else 1
                y[n] += weight * value
    return y


def warp_samples(rng: np.random.Generator) -> Iterable[Sample]:
    turned = np.array([[0.8, 0.45, -1.3], [-0.5, 1.1, 1.7]])
    yield sample(rng.normal(size=(2, 3, 5, 7)), matrices=np.stack([turned, turned * 1.3 + 0.1]), fill=0.5)
    yield sample(rng.normal(size=(3, 1, 6, 4)), matrices=turned * 2 - 3, padding_mode="reflect", size=(3, 18))
    yield sample(rng.normal(size=(2, 2, 4, 5)), displacement=rng.normal(size=(2, 2, 4, 5)) * 4,
                 padding_mode="symmetric")  # fmt: skip
    yield sample(rng.normal(size=(2, 1, 1, 1)), matrices=turned, padding_mode="reflect", size=(2, 2))
    yield sample(rng.normal(size=(2, 2, 6, 35)), matrices=turned, displacement=rng.normal(size=(2, 2, 6, 35)) * 2,
                 padding_mode="edge")  # fmt: skip
    yield sample(rng.normal(size=(2, 2, 6, 9)), matrices=np.array([[1.0, 0.25, -2.4], [0.0, -1.0, 7.1]]),
                 interpolation="nearest")  # fmt: skip
    yield sample(rng.normal(size=(2, 2, 3, 4)))
    yield sample(rng.normal(size=(0, 2, 3, 4)), matrices=turned)
    yield sample(rng.normal(size=(2, 1, 3, 4)), matrices=turned, size=(0, 2))


def mix_noise(signal: Any, noise: Any, snr_db: Any, first: Any, length: Any, start: Any) -> Any:
    y = np.array(signal, np.float64)
    for n in range(len(y)):
        clip = noise[first[n] : first[n] + length[n]]
        beneath = clip[(start[n] + np.arange(y.shape[1])) % length[n]]
        wanted = np.mean(y[n] ** 2) / 10 ** (snr_db[n] / 10)
        y[n] += beneath * np.sqrt(wanted / np.mean(beneath**2))
    return y


def mix_noise_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for signals, samples in ((3, 40), (1, 5), (2, 1)):
        snr = np.linspace(-5, 10, signals)
        first, length, start = (np.resize(some, signals) for some in ([0, 4, 15], [4, 11, 60], [3, 0, 2]))
        yield sample(rng.normal(size=(signals, samples)), rng.normal(size=75), snr, first, length, start)
    yield sample(np.ones((0, 5)), rng.normal(size=3), np.ones(0), *(np.zeros(0, np.int64),) * 3)


WARP_CONSTANTS = ("matrices", "displacement")
ROWS = [
    Op("warp", warp, warp_samples, FLOATS, constants=WARP_CONSTANTS, tolerance=32, method=False),
    Op("mix_noise", mix_noise, mix_noise_samples, FLOATS, gradient=False, tolerance=16, method=False),
]
