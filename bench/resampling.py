"""What makes images smaller or larger, beside PyTorch's: fractional pooling, unpooling, interpolation, pixel shuffling.

Rows run forward and backward. Errors are those against PyTorch in float64, the worst of results and gradients. PyTorch
draws windows of fractional pooling for every plane; both get the same numbers, or cinta one set for the batch.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

import cinta as ct
import harness
from cinta import nn
from memory_bound import Function, normal, race


def fractional(kernel: int) -> list[harness.Row]:
    shape = (32, 64, 32, 32)
    text = f"fractional max pooling, kernel {kernel}, ratio 0.7, {list(shape)}"
    u = np.random.default_rng(0).uniform(size=(*shape[:2], 2)).astype(np.float32)

    def layer(library: Any, samples: Any) -> Any:
        return library.FractionalMaxPool2d(kernel, output_ratio=0.7, _random_samples=samples)

    ours, theirs = layer(nn, ct.tensor(u)), layer(torch.nn, torch.from_numpy(u))

    def peer(x: torch.Tensor) -> torch.Tensor:  # its numbers must be of the input's type
        theirs._random_samples = torch.from_numpy(u).to(x.dtype)
        return theirs(x)

    x = [normal(*shape)]
    shared = nn.FractionalMaxPool2d(kernel, output_ratio=0.7)
    rows = [race(text, 0.5, x, ours, peer, layouts=True, both=True)]
    if kernel == 2:
        rows.append(race(f"{text}, one set of windows", 0.5, x, shared, peer, layouts=True, random=True, both=True))
    return rows


def resized(mode: str, shape: tuple[int, ...], scale: float, **how: Any) -> harness.Row:
    text = f"{mode} x{scale:g}{', antialias' if how else ''}, {list(shape)}"

    def layer(library: Any) -> Function:
        return lambda x: library.interpolate(x, scale_factor=scale, mode=mode, **how)

    return race(text, 1.0, [normal(*shape)], layer(nn.functional), layer(F), layouts=True, both=True)


def interpolation() -> list[harness.Row]:
    maps, photographs = (16, 32, 48, 48), (16, 3, 128, 128)
    rows = [resized(mode, maps, 2) for mode in ("nearest", "bilinear", "bicubic")]
    rows += [resized("bicubic", photographs, 3), resized("area", photographs, 0.25)]
    return rows + [resized(mode, photographs, 0.5, antialias=True) for mode in ("bilinear", "bicubic")]


def shuffled() -> list[harness.Row]:
    ours, theirs = (lambda library: lambda x: library.pixel_shuffle(x, 3),) * 2
    x = [normal(16, 27, 64, 64)]
    return [
        race("pixel shuffle by 3, [16, 27, 64, 64]", 1.0, x, ours(nn.functional), theirs(F), layouts=True, both=True)
    ]


def pooled() -> list[harness.Row]:
    return [row for kernel in (2, 3) for row in fractional(kernel)]


FAMILIES = (pooled, interpolation, shuffled)


def main(threads: int = 1, only: tuple[str, ...] = ()) -> list[harness.Row]:
    harness.pin(threads)
    return [row for family in FAMILIES if not only or family.__name__ in only for row in family()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=(), choices=[f.__name__ for f in FAMILIES])
    args = parser.parse_args()
    main(args.threads, tuple(args.only))
