"""Convolutions, forward and both backward directions, beside PyTorch's: both libraries in the better of two memory
formats."""

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
FORMATS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
Planes = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # x, weight, dy


class Direction(NamedTuple):
    name: str
    ours: Callable[[Planes], Callable[[], Any]]  # prepares a call on images in these formats
    theirs: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def as_it_lies(t: torch.Tensor) -> ct.Tensor:
    """Our tensor over memory in the order of t's."""
    if t.is_contiguous():
        return ct.tensor(t.numpy())
    return ct.tensor(t.permute(0, 2, 3, 1).numpy()).transpose(0, 3, 1, 2)


def directions(shape: Shape) -> Iterator[Direction]:
    how = {name: getattr(shape, name) for name in ("stride", "padding", "dilation", "groups")}
    two = [[how[name]] * 2 for name in ("stride", "padding", "dilation")]

    def forward(planes: Planes) -> Callable[[], Any]:
        x, w = map(as_it_lies, planes[:2])
        return lambda: ct.nn.functional.conv2d(x, w, **how)

    yield Direction("forward", forward, lambda x, w, dy: torch.nn.functional.conv2d(x, w, **how))
    for wanted, name in enumerate(("backward data", "backward weights")):

        def ours(planes: Planes, wanted: int = wanted) -> Callable[[], Any]:
            x, w, dy = map(as_it_lies, planes)
            leaf = (x, w)[wanted].requires_grad_()
            y = ct.nn.functional.conv2d(x, w, **how)
            return lambda: _core.backward([y], [dy], [leaf], retain_graph=True)[0]

        def theirs(x: Any, w: Any, dy: Any, wanted: int = wanted) -> Any:
            mask = [wanted == 0, wanted == 1, False]
            return torch.ops.aten.convolution_backward(dy, x, w, None, *two, False, [0, 0], shape.groups, mask)[wanted]

        yield Direction(name, ours, theirs)


def goal(shape: Shape, direction: str) -> float:
    """The ratio hoped for: less than 1 where AMX computes, or kernels of its own do."""
    if shape in DEPTHWISE:
        return 0.8
    if shape in LENET:
        return 0.5
    if not harness.AMX:
        return 1.05
    if shape in OTHERS:
        return 0.75 if shape.kernel == 7 else 0.46
    if shape.batch < 32:
        return 0.75
    return 0.52 if direction == "backward data" else 0.5


def race(shape: Shape, **how: Any) -> list[harness.Row]:
    torch.manual_seed(0)
    x = torch.randn(shape.batch, shape.channels, shape.size, shape.size)
    w = torch.randn(shape.outputs, shape.channels // shape.groups, shape.kernel, shape.kernel)
    y = torch.nn.functional.conv2d(x, w, None, shape.stride, shape.padding, shape.dilation, shape.groups)
    planes = (x, w, torch.randn(y.shape))
    rows = []
    for name, ours, theirs in directions(shape):
        exact = theirs(*(t.double() for t in planes)).numpy()
        own, peers = [], []
        for form, order in FORMATS.items():
            images = [t.contiguous(memory_format=order) for t in planes]
            call, peer = ours((images[0], w, images[2])), functools.partial(theirs, *images)
            own.append(harness.Contestant(Timer(call), form, harness.error_of([call().numpy()], [exact])))
            peers.append(harness.Contestant(Timer(peer), form, harness.error_of([peer().numpy()], [exact])))
        rows.append(harness.compare(f"{shape}, {name}", goal(shape, name), own, peers, **how))
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
