"""What a table of connections saves: `nn.Conv2d(..., connections=table)` beside the whole convolution of its shape.

    python bench/sparse_conv.py

Forward, the gradient by the input and that by the weight, at several densities; a ratio of the density itself would be
all the work saved. Where a table is so full that the whole convolution is quicker, that one is taken.
"""

from __future__ import annotations

import argparse
from timeit import Timer
from typing import Any, NamedTuple

import numpy as np

import cinta as ct
import harness
from cinta import nn
from cinta.models.lenet import C3_CONNECTIONS


class Shape(NamedTuple):
    batch: int
    channels: int
    size: int
    outputs: int
    kernel: int
    padding: int


C3 = Shape(128, 6, 14, 16, 5, 0)
SHAPES = [C3, Shape(32, 16, 28, 32, 3, 1), Shape(16, 16, 32, 16, 5, 2), Shape(32, 32, 16, 64, 3, 1),
          Shape(16, 64, 16, 64, 3, 1)]  # fmt: skip
DENSITIES = (0.25, 0.4, 0.6)


def timers(layer: nn.Conv2d, images: np.ndarray) -> list[Timer]:
    """Forward alone; with the gradient by the input; with those by the weight and the bias."""
    x = ct.tensor(images)
    leaf = x.clone().requires_grad_()
    dy = ct.tensor(np.random.default_rng(1).normal(size=layer(x).shape), dtype="float32")

    def forward() -> None:
        with ct.no_grad():
            layer(x)

    def backward(of: Any, trained: bool) -> None:
        layer.requires_grad_(trained)
        layer(of).backward(dy)
        leaf.grad = None
        layer.zero_grad()

    return [Timer(forward), Timer(lambda: backward(leaf, False)), Timer(lambda: backward(x, True))]


def measure(shape: Shape, table: np.ndarray) -> None:
    images = np.random.default_rng(0).normal(size=(shape.batch, shape.channels, shape.size, shape.size))
    sizes = (shape.channels, shape.outputs, shape.kernel)
    layers = [nn.Conv2d(*sizes, padding=shape.padding, connections=c) for c in (table, None)]
    ours, whole = (timers(layer, images.astype(np.float32)) for layer in layers)
    parts = []
    for name, one, other in zip(("forward", "with dx", "with dw"), ours, whole, strict=True):
        ratio, interval = harness.ratio_of(*harness.alternate(one, other, repeats=15, seconds=0.01))
        parts.append(f"{name} {ratio:.2f} +- {interval:.2f}")
    text = f"{shape.batch}x{shape.channels}x{shape.size}x{shape.size} -> {shape.outputs}, {shape.kernel}x{shape.kernel}"
    print(f"{text:28s} density {table.mean():.2f}: {', '.join(parts)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    harness.pin(parser.parse_args().threads)
    measure(C3, C3_CONNECTIONS)
    for shape in SHAPES:
        for density in DENSITIES:
            rng = np.random.default_rng(2)
            measure(shape, rng.random((shape.outputs, shape.channels)) < density)
