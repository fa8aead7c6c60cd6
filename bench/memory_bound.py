"""Work that moves more than it computes, beside PyTorch's: norms, losses, dropout, updates, pooling, sums, copies.

Rows with a gradient run forward and backward. Errors are those against PyTorch in float64, the worst of results and
gradients.
"""

from __future__ import annotations

import argparse
import functools
import inspect
from collections.abc import Callable
from timeit import Timer
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

import cinta as ct
import harness
from cinta import nn

Arrays = list[np.ndarray]
Function = Callable[..., Any]


RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def to_torch(x: np.ndarray, layout: torch.memory_format = torch.contiguous_format, dtype=None) -> torch.Tensor:
    t = torch.from_numpy(x.copy())
    if t.dtype != torch.float32:
        return t
    return t.to(dtype=dtype or t.dtype, memory_format=layout if t.ndim == 4 else torch.contiguous_format)


def leaves(arrays: Arrays, make: Function) -> list[Any]:
    return [make(x).requires_grad_() if x.dtype == np.float32 else make(x) for x in arrays]


def walked(f: Function, args: list[Any], seed: Any) -> Function:
    """f and its gradients: what one step of training does."""

    def run() -> None:
        for x in args:
            x.grad = None
        y = f(*args)
        if seed is None:
            y.backward()
        else:
            y.backward(seed)

    return run


def values(y: Any, args: list[Any]) -> Arrays:
    outputs = [y, *(x.grad for x in args if x.grad is not None)]
    return [np.asarray(t.detach().numpy(), np.float64) for t in outputs]


def channels_last(x: np.ndarray) -> ct.Tensor:
    order = (0, *range(2, x.ndim), 1)
    return ct.tensor(np.ascontiguousarray(x.transpose(order))).transpose(0, x.ndim - 1, *range(1, x.ndim - 1))


def race(name: str, goal: float, arrays: Arrays, ours: Function, theirs: Function, layouts: bool = False,
         random: bool = False, both: bool = False) -> harness.Row:  # fmt: skip
    """f(*arrays) forward and backward; the gradient that arrives is given, as it would come from the next layer.

    layouts: PyTorch's images in both orders of memory; both: cinta's too, the faster of each is compared.
    """
    exact: Arrays = []

    def contestant(f: Function, make: Function, form: str = "") -> harness.Contestant:
        args = leaves(arrays, make)
        y = f(*args)
        run = walked(f, args, make(seed) if y.ndim else None)
        run()
        return harness.Contestant(Timer(run), form, harness.error_of(values(y, args), exact) if exact else None)

    seed = normal(*theirs(*leaves(arrays, to_torch)).shape)
    if not random:
        double = functools.partial(to_torch, dtype=torch.float64)
        args = leaves(arrays, double)
        y = theirs(*args)
        walked(theirs, args, double(seed) if y.ndim else None)()
        exact = values(y, args)
    formats = {"": torch.contiguous_format}
    if layouts:
        formats = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
    peers = [contestant(theirs, functools.partial(to_torch, layout=order), form) for form, order in formats.items()]
    own = [contestant(ours, ct.tensor, "contiguous" if both else "")]
    if both:
        own.append(contestant(ours, channels_last, "channels last"))
    return harness.compare(name, goal, own, peers)


def forward(name: str, goal: float, x: np.ndarray, ours: Function, theirs: Function) -> harness.Row:
    """f(x) alone, nothing recorded."""
    exact = [theirs(to_torch(x, dtype=torch.float64)).numpy()]

    def contestant(f: Function, at: Any) -> harness.Contestant:
        return harness.Contestant(Timer(lambda: f(at)), error=harness.error_of([f(at).numpy()], exact))

    return harness.compare(name, goal, [contestant(ours, ct.tensor(x))], [contestant(theirs, to_torch(x))])


def batch_norm(*shape: int) -> harness.Row:
    def norm(library: Any) -> Function:
        return lambda x, w, b: library.batch_norm(x, None, None, w, b, training=True)

    arrays = [normal(*shape), normal(shape[1]), normal(shape[1])]
    return race(f"batch norm {list(shape)}", 0.6, arrays, norm(ct), norm(F), layouts=len(shape) == 4)


def layer_norm(rows: int, size: int) -> harness.Row:
    def norm(library: Any) -> Function:
        return lambda x, w, b: library.layer_norm(x, (size,), w, b)

    return race(
        f"layer norm [{rows}, {size}]", 0.6, [normal(rows, size), normal(size), normal(size)], norm(ct), norm(F)
    )


def group_norm(groups: int, *shape: int) -> harness.Row:
    def norm(library: Any) -> Function:
        return lambda x, w, b: library.group_norm(x, groups, w, b)

    arrays = [normal(*shape), normal(shape[1]), normal(shape[1])]
    return race(f"group norm of {groups}, {list(shape)}", 0.6, arrays, norm(ct), norm(F), layouts=True)


def norms() -> list[harness.Row]:
    return [
        batch_norm(32, 64, 32, 32),
        batch_norm(32, 256, 8, 8),
        batch_norm(128, 1024),
        layer_norm(128, 1024),
        layer_norm(700, 512),
        group_norm(8, 32, 64, 32, 32),
    ]


def cross_entropy(goal: float, rows: int, classes: int) -> harness.Row:
    target = RNG.integers(0, classes, rows)
    ours, theirs = ct.tensor(target), torch.from_numpy(target)
    return race(
        f"softmax cross-entropy [{rows}, {classes}]", goal, [normal(rows, classes)],
        lambda x: nn.functional.cross_entropy(x, ours), lambda x: F.cross_entropy(x, theirs),
    )  # fmt: skip


def dropout(*shape: int) -> harness.Row:
    def layer(library: Any) -> Function:
        return lambda x, b: library.dropout(library.relu(x + b), 0.5)

    arrays = [normal(*shape), normal(shape[1])]
    return race(f"dropout(relu(x + b)) {list(shape)}", 0.1, arrays, layer(nn.functional), layer(F), random=True)


def losses_and_noise() -> list[harness.Row]:
    return [cross_entropy(0.3, 700, 8000), cross_entropy(0.1, 128, 10), dropout(128, 1024), dropout(700, 2048)]


def pool(name: str, window: int, stride: int, padding: int) -> harness.Row:
    def layer(library: Any) -> Function:
        return lambda x: getattr(library, name)(x, window, stride, padding)

    text = f"{name} {window}x{window}, stride {stride}, [32, 64, 32, 32]"
    return race(text, 1.0, [normal(32, 64, 32, 32)], layer(ct), layer(F), layouts=True)


def pooling() -> list[harness.Row]:
    return [pool(name, *how) for how in [(2, 2, 0), (3, 2, 1)] for name in ("max_pool2d", "avg_pool2d")]


def reduction(name: str, axis: int, *shape: int) -> harness.Row:
    peer = getattr(torch, "amax" if name == "max" else name)
    text = f"{name} {list(shape)}, axis {axis}"
    return forward(text, 1.0, normal(*shape), lambda x: getattr(x, name)(axis), lambda x: peer(x, axis))


def reductions() -> list[harness.Row]:
    shapes = [(1024, 1024), (64, 65536), (65536, 64)]
    return [reduction(name, axis, *shape) for shape in shapes for axis in (0, 1) for name in ("sum", "mean", "max")]


def copy(name: str, shape: tuple[int, ...], *axes: int) -> harness.Row:
    return forward(
        f"{name} {list(shape)}", 1.0, normal(*shape),
        lambda x: x.transpose(*axes).contiguous(), lambda x: x.permute(*axes).contiguous(),
    )  # fmt: skip


def copies() -> list[harness.Row]:
    return [
        copy("transposing copy", (1024, 1024), 1, 0),
        copy("transposing copy", (2000, 700), 1, 0),
        copy("NCHW to NHWC", (32, 64, 32, 32), 0, 2, 3, 1),
        copy("NHWC to NCHW", (32, 32, 32, 64), 0, 3, 1, 2),
        copy("NCHW to NHWC", (32, 3, 224, 224), 0, 2, 3, 1),
    ]


def functions() -> list[harness.Row]:
    rows = []
    for text, size in [("64K", 1 << 16), ("1M", 1_000_000)]:  # in the cache, and bound by what lies beyond it
        x = normal(size)
        for name, at in [("exp", x), ("tanh", x), ("sigmoid", x), ("log", abs(x)), ("exp of x < -87", x - 95)]:
            ours, theirs = getattr(ct, name.split()[0]), getattr(torch, name.split()[0])
            rows.append(forward(f"{name}, {text}", 0.8, at, ours, theirs))
    return rows


def update(name: str, **options: float) -> harness.Row:
    size, gradient = 10_000_000, normal(10_000_000)
    p = nn.Parameter(ct.zeros((size,)))
    p.grad = ct.tensor(gradient)
    steps = [getattr(ct.optim, name)([p], **options).step]
    peers = []
    fused = [{"fused": True}] if "fused" in inspect.signature(getattr(torch.optim, name)).parameters else []
    for form in ({"foreach": False}, {"foreach": True}, *fused):
        peers.append(torch.zeros(size, requires_grad=True))
        peers[-1].grad = to_torch(gradient)
        steps.append(getattr(torch.optim, name)([peers[-1]], **options, **form).step)
    for step in steps:
        step()
    difference = harness.error_of([p.detach().numpy()], [peers[0].detach().numpy()])
    assert difference.largest < 1e-5, f"{name}: not the same update"
    own, *others = (harness.Contestant(Timer(step)) for step in steps)
    return harness.compare(f"{name}, 10M parameters", 0.6, [own], others, seconds=0.05)


def updates() -> list[harness.Row]:
    others = [update(name, lr=1e-3) for name in ("Adadelta", "Adamax", "NAdam", "RAdam", "Rprop")]
    return [update("SGD", lr=1e-3, momentum=0.9), update("Adam", lr=1e-3), *others]


FAMILIES = (norms, losses_and_noise, functions, updates, pooling, reductions, copies)


def main(threads: int = 1, only: tuple[str, ...] = ()) -> list[harness.Row]:
    harness.pin(threads)
    return [row for family in FAMILIES if not only or family.__name__ in only for row in family()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=(), choices=[f.__name__ for f in FAMILIES])
    args = parser.parse_args()
    main(args.threads, tuple(args.only))
