"""Convolutions, forward and both backward directions, beside PyTorch's in whichever memory format serves it better."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterator
from timeit import Timer
from typing import Any, NamedTuple

import torch

import cinta as ct
import harness
from cinta import _core


class Shape(NamedTuple):
    batch: int
    channels: int
    size: int
    outputs: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    dilation: int = 1

    def __str__(self) -> str:
        text = f"{self.batch}x{self.channels}x{self.size}x{self.size} -> {self.outputs}, {self.kernel}x{self.kernel}"
        names = ("stride", "groups", "dilation")
        return text + "".join(f", {name} {getattr(self, name)}" for name in names if getattr(self, name) != 1)


SQUARE = [Shape(n, c, 2048 // c, c, 3, padding=1) for n in (32, 8, 1) for c in (64, 128, 256, 512)]
DEPTHWISE = [Shape(32, c, s, c, 3, padding=1, groups=c) for c, s in ((32, 56), (128, 28), (256, 14), (512, 7))]
LENET = [Shape(128, 1, 28, 6, 5, padding=2), Shape(128, 6, 14, 16, 5)]
OTHERS = [Shape(8, 3, 224, 64, 7, stride=2, padding=3), Shape(32, 480, 14, 192, 1)]
SHAPES = {"square": SQUARE, "others": OTHERS, "depthwise": DEPTHWISE, "lenet": LENET}


def directions(shape: Shape) -> Iterator[tuple[str, Callable[[], Any], Callable[..., Any], tuple[Any, ...]]]:
    """Name, ours, and theirs as a function of (x, weight, dy), for one shape on fixed random data."""
    torch.manual_seed(0)
    x = torch.randn(shape.batch, shape.channels, shape.size, shape.size)
    w = torch.randn(shape.outputs, shape.channels // shape.groups, shape.kernel, shape.kernel)
    how = {name: getattr(shape, name) for name in ("stride", "padding", "dilation", "groups")}
    y = torch.nn.functional.conv2d(x, w, **how)
    dy = torch.randn(y.shape)
    ours_x, ours_w, ours_dy = (ct.tensor(t.numpy()) for t in (x, w, dy))

    def backward(wanted: int) -> tuple[Callable[[], Any], Callable[..., Any]]:
        leaves = [ours_x, ours_w]
        leaves[wanted] = ct.tensor(leaves[wanted].numpy(), requires_grad=True)
        out = ct.nn.functional.conv2d(leaves[0], leaves[1], **how)
        mask = [wanted == 0, wanted == 1, False]
        two = [[how[name]] * 2 for name in ("stride", "padding", "dilation")]

        def theirs(x: Any, w: Any, dy: Any) -> Any:
            return torch.ops.aten.convolution_backward(dy, x, w, None, *two, False, [0, 0], shape.groups, mask)[wanted]

        return lambda: _core.backward([out], [ours_dy], [leaves[wanted]], retain_graph=True)[0], theirs

    def forward(x: Any, w: Any, dy: Any) -> Any:
        return torch.nn.functional.conv2d(x, w, **how)

    yield "forward", lambda: ct.nn.functional.conv2d(ours_x, ours_w, **how), forward, (x, w, dy)
    yield "backward data", *backward(0), (x, w, dy)
    yield "backward weights", *backward(1), (x, w, dy)


def goal(shape: Shape, direction: str) -> float:
    """The ratio hoped for: less than 1 where AMX computes, or kernels of its own do."""
    if shape in DEPTHWISE:
        return 0.8
    if shape in LENET:
        return 0.5
    if ct.config()["isa"] != "amx":
        return 1.05
    if shape in OTHERS:
        return 0.75 if shape.kernel == 7 else 0.46
    if shape.batch < 32:
        return 0.75
    return 0.52 if direction == "backward data" else 0.5


def race(shape: Shape, **how: Any) -> list[harness.Row]:
    rows = []
    for name, ours, theirs, planes in directions(shape):
        last = [t.contiguous(memory_format=torch.channels_last) for t in planes]
        exact = theirs(*(t.double() for t in planes))

        def error(y: Any, exact: Any = exact) -> str:
            return f"{float((y.double() - exact).norm() / exact.norm()):.1e}"

        errors = f"errors {error(torch.from_numpy(ours().numpy()))}, {error(theirs(*planes))}, {error(theirs(*last))}"
        peers = [Timer(functools.partial(theirs, *data)) for data in (planes, last)]
        rows.append(harness.compare(f"{shape}, {name} ({errors})", goal(shape, name), Timer(ours), *peers, **how))
    return rows


def main(threads: int = 1, which: str = "all") -> list[harness.Row]:
    harness.pin(threads)
    chosen = [s for name, shapes in SHAPES.items() if which in ("all", name) for s in shapes]
    return [row for shape in chosen for row in race(shape)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="?", default="all", choices=["all", *SHAPES])
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    main(args.threads, args.which)
