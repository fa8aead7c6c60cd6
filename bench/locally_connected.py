"""Locally connected layers, and DeepFace, which has three: beside convolutions of the same multiply-adds, beside the
machine's copying of as many bytes, and beside PyTorch, which has to emulate them by unfolding and a product per place.

python bench/locally_connected.py --only cache memory emulated deepface
"""

from __future__ import annotations

import argparse
import functools
import itertools
import statistics
from collections.abc import Callable
from timeit import Timer
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

import cinta as ct
import harness
import training
from cinta import nn


class Shape(NamedTuple):
    batch: int
    channels: int
    size: int
    outputs: int
    kernel: int
    stride: int = 1
    padding: int = 0

    @property
    def out(self) -> int:
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def how(self) -> dict[str, int]:
        return {"stride": self.stride, "padding": self.padding}

    @property
    def weight_bytes(self) -> int:
        return 4 * self.out**2 * self.outputs * self.channels * self.kernel**2

    def __str__(self) -> str:
        stride = f", stride {self.stride}" if self.stride > 1 else ""
        text = f"{self.batch}x{self.channels}x{self.size}x{self.size} -> {self.outputs}, {self.kernel}x{self.kernel}"
        return f"{text}{stride}, {self.weight_bytes / 2**20:.3g} MiB"


CACHE = [
    Shape(32, 16, 16, 16, 3, padding=1),
    Shape(32, 32, 14, 32, 3, padding=1),
    Shape(64, 16, 8, 16, 3, padding=1),
    Shape(8, 16, 8, 16, 3, padding=1),
    Shape(32, 16, 12, 16, 5),
]
L4, L5, L6 = Shape(8, 16, 63, 16, 9), Shape(8, 16, 55, 16, 7, 2), Shape(8, 16, 25, 16, 5)  # of DeepFace
MEMORY = [L4._replace(batch=1), L4, L5._replace(batch=1), L5, L6]

Step = Callable[[], Any]


def arrays(shape: Shape, *, shared: bool) -> list[np.ndarray]:
    """Images, weights and the gradient that arrives."""
    rng = np.random.default_rng(0)
    kernel: tuple[int, ...] = (shape.outputs, shape.channels, shape.kernel, shape.kernel)
    if not shared:
        kernel = (shape.out, shape.out, shape.outputs, shape.kernel, shape.kernel, shape.channels)
    x, dy = (shape.batch, shape.channels, *[shape.size] * 2), (shape.batch, shape.outputs, *[shape.out] * 2)
    return [rng.standard_normal(size, np.float32) for size in (x, kernel, dy)]


def walked(f: Callable[..., Any], x: Any, weight: Any, dy: Any) -> Step:
    """f and both its gradients."""

    def run() -> Any:
        x.grad = weight.grad = None
        y = f(x, weight)
        y.backward(dy)
        return y

    return run


def own(f: Callable[..., Any], shape: Shape, *, shared: bool = False) -> Step:
    x, weight, dy = map(ct.tensor, arrays(shape, shared=shared))
    return walked(lambda x, w: f(x, w, **shape.how), x.requires_grad_(), weight.requires_grad_(), dy)


def unfolded(x: torch.Tensor, shape: Shape) -> torch.Tensor:
    """The im2col matrices of all places by F.unfold: [places, images, taps]."""
    return F.unfold(x, shape.kernel, padding=shape.padding, stride=shape.stride).permute(2, 0, 1)


def windows(x: torch.Tensor, shape: Shape) -> torch.Tensor:
    """The same by views of the images, copied once."""
    padded = F.pad(x, [shape.padding] * 4) if shape.padding else x
    views = padded.unfold(2, shape.kernel, shape.stride).unfold(3, shape.kernel, shape.stride)
    return views.permute(2, 3, 0, 1, 4, 5).reshape(shape.out**2, len(x), -1)


def emulated(x: torch.Tensor, weight: torch.Tensor, shape: Shape, gather: Any, by_taps: bool) -> torch.Tensor:
    """weight [places, taps, outputs], or [places, outputs, taps]: y [N, O, H', W']."""
    if by_taps:
        y = torch.bmm(gather(x, shape), weight).permute(1, 2, 0)
    else:
        y = torch.bmm(weight, gather(x, shape).transpose(1, 2)).permute(2, 1, 0)
    return y.reshape(len(x), shape.outputs, shape.out, shape.out)


FORMS: dict[str, dict[str, Any]] = {
    f"{name}, {order}": {"gather": gather, "by_taps": order == "taps first"}
    for (name, gather), order in itertools.product(
        (("F.unfold", unfolded), ("views", windows)), ("taps first", "outputs first")
    )
}


def matrices(weight: np.ndarray, by_taps: bool) -> torch.Tensor:
    """Our weights as the emulation takes them."""
    oh, ow, outputs, *_ = weight.shape
    rows = np.moveaxis(weight, -1, 3).reshape(oh * ow, outputs, -1)
    return torch.from_numpy(np.ascontiguousarray(rows.swapaxes(1, 2) if by_taps else rows))


def peer(shape: Shape, form: str) -> Step:
    x, weight, dy = arrays(shape, shared=False)
    how = FORMS[form]
    leaves = torch.from_numpy(x).requires_grad_(), matrices(weight, how["by_taps"]).requires_grad_()
    return walked(lambda x, w: emulated(x, w, shape, **how), *leaves, torch.from_numpy(dy))


def timed(step: Step, form: str = "") -> harness.Contestant:
    return harness.Contestant(Timer(step), form)


def cache() -> list[harness.Row]:
    """Weights that fit in a cache: at most twice the time of a convolution, cinta's own and PyTorch's."""
    rows = []
    for shape in CACHE:
        ours = timed(own(nn.functional.locally_connected2d, shape))
        convolution = timed(own(nn.functional.conv2d, shape, shared=True))
        rows.append(harness.compare(f"{shape}, beside cinta's convolution", 2, [ours], [convolution]))
        x, weight, dy = map(torch.from_numpy, arrays(shape, shared=True))
        peers = []
        for form, order in {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}.items():
            images = [t.to(memory_format=order) for t in (x, weight, dy)]
            leaves = [t.detach().requires_grad_() for t in images[:2]]
            convolution_of = functools.partial(F.conv2d, **shape.how)
            peers.append(timed(walked(convolution_of, leaves[0], leaves[1], images[2]), form))
        rows.append(harness.compare(f"{shape}, beside PyTorch's convolution", 2, [ours], peers))
    return rows


def memory() -> list[harness.Row]:
    """Weights that do not: forward and backward read them twice and write their gradient; beside copying as much."""
    rows = []
    for shape in MEMORY:
        moved = 3 * shape.weight_bytes
        source = np.ones(moved // 8, np.float32)
        target = np.empty_like(source)
        ours = timed(own(nn.functional.locally_connected2d, shape))
        copied = timed(functools.partial(np.copyto, target, source))
        samples = harness.alternate(ours.timer, copied.timer, repeats=15)
        one, other = map(statistics.median, samples)
        ratio, interval = harness.ratio_of(*samples)
        forms = f"{moved / one / 1e9:.3g} GB/s, copying {moved / other / 1e9:.3g} GB/s"
        rows.append(harness.Row(f"{shape}, beside copying", one, other, ratio, interval, 1.0, forms=forms))
        print(rows[-1], flush=True)
    return rows


def emulation() -> list[harness.Row]:
    """DeepFace's layers, and small ones, beside PyTorch's emulation in its four forms."""
    rows = []
    for shape in (*CACHE[:2], L4, L5, L6):
        own_y = np.array(own(nn.functional.locally_connected2d, shape)().detach().numpy())
        peers = []
        for form in FORMS:
            step = peer(shape, form)
            np.testing.assert_allclose(step().detach().numpy(), own_y, rtol=1e-3, atol=1e-2)
            peers.append(timed(step, form))
        ours = timed(own(nn.functional.locally_connected2d, shape))
        rows.append(harness.compare(f"{shape}, beside PyTorch's emulation", float("inf"), [ours], peers, repeats=5))
    return rows


class Local(torch.nn.Module):
    def __init__(self, shape: Shape, weight: np.ndarray, bias: np.ndarray, form: str) -> None:
        super().__init__()
        self.shape, self.how = shape, FORMS[form]
        self.weight = torch.nn.Parameter(matrices(weight, self.how["by_taps"]))
        self.bias = torch.nn.Parameter(torch.from_numpy(bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return emulated(x, self.weight, self.shape, **self.how) + self.bias


def twin(ours: ct.models.DeepFace, batch: int, form: str) -> torch.nn.Module:
    """DeepFace in PyTorch, with the weights of ours."""

    state = ours.state_dict()

    def values(name: str) -> list[np.ndarray]:
        return [np.array(state[f"{name}.{part}"].numpy()) for part in ("weight", "bias")]

    def loaded(name: str, layer: torch.nn.Module) -> torch.nn.Module:
        layer.load_state_dict(dict(zip(("weight", "bias"), map(torch.from_numpy, values(name)))))
        return layer

    def local(name: str, shape: Shape) -> torch.nn.Module:
        weight, bias = values(name)
        return Local(shape._replace(batch=batch), weight, bias, form)

    relu = torch.nn.ReLU()
    return torch.nn.Sequential(
        loaded("c1", torch.nn.Conv2d(3, 32, 11)), relu, torch.nn.MaxPool2d(3, 2, ceil_mode=True),
        loaded("c3", torch.nn.Conv2d(32, 16, 9)), relu, local("l4", L4), relu, local("l5", L5), relu,
        local("l6", L6), relu, torch.nn.Flatten(), loaded("f7", torch.nn.Linear(7056, 4096)), relu,
        loaded("f8", torch.nn.Linear(4096, 4030)),
    )  # fmt: skip


def deepface(batch: int = 8) -> list[harness.Row]:
    """A training step of the whole network: ours and PyTorch's in its best form, fused SGD with momentum."""
    x, _ = training.photographs(152, 2 * batch)
    labels = np.random.default_rng(0).integers(0, 4030, len(x))
    batches = [(x[i : i + batch], labels[i : i + batch]) for i in range(0, len(x), batch)]
    ct.random.seed(0)
    model = ct.models.DeepFace(dropout=0.0)  # the same work, but the same numbers
    theirs = twin(model, batch, BEST)
    step = training.training_step(torch, theirs, "cross_entropy", fused=True)
    peer = training.on_batches(step, [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in batches])
    pairs = [(ct.tensor(x), ct.tensor(y)) for x, y in batches]
    eager_step = training.training_step(ct, model, "cross_entropy")
    eager = training.on_batches(eager_step, pairs)
    training.check_results({"cinta": eager().item(), "PyTorch": peer().item()})
    rows = [compare_steps(f"DeepFace, batch {batch}", eager, peer)]
    rows.append(
        compare_steps(f"DeepFace, batch {batch}, compiled", training.on_batches(ct.compile(eager_step), pairs), peer)
    )
    return rows


def compare_steps(name: str, ours: Step, theirs: Step) -> harness.Row:
    ours()
    return harness.compare(f"step of {name}", 0.3, [timed(ours)], [timed(theirs, BEST)], repeats=7)


BEST = "views, taps first"
COLUMNS = ("cinta", "beside it")
PARTS = {"cache": cache, "memory": memory, "emulated": emulation, "deepface": deepface}


def main(threads: int = 1, only: Any = tuple(PARTS)) -> list[harness.Row]:
    harness.pin(threads)
    return [row for part in only for row in PARTS[part]()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    main(args.threads, args.only)
