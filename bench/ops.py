"""What one small operation costs from Python: recorded alone, and in a chain that is walked back."""

from __future__ import annotations

from timeit import Timer
from typing import Any

import torch
from sklearn.datasets import load_iris

import cinta as ct
import harness

CHAIN_OPS = 25  # 6 rounds of 4, and the sum


def chain(x, w, b, tanh):
    """Six rounds of multiply, add, tanh, subtract."""
    for _ in range(6):
        x = tanh(x * w + b) - w
    return x.sum()


def forward_backward(library, x, w, b):
    tanh = library.tanh

    def run():
        w.grad = b.grad = None
        chain(x, w, b, tanh).backward()

    return run


def operands(library) -> tuple[Any, Any, Any]:
    """Three irises [4, 3] as x, w, b; gradients flow to w and b."""
    flowers = load_iris().data[:9].astype("float32").reshape(3, 4, 3) / 5
    x, w, b = (library.tensor(part) for part in flowers)
    return x, w.requires_grad_(), b.requires_grad_()


def main() -> list[harness.Row]:
    harness.pin(1)
    ours, theirs = operands(ct), operands(torch)
    a, b = chain(*ours, ct.tanh).item(), chain(*theirs, torch.tanh).item()
    assert abs(a - b) < 1e-4 * abs(b), f"the chains differ: {a} and {b}"
    product, peer = (harness.Contestant(Timer("x * w", globals={"x": x, "w": w})) for x, w, _ in (ours, theirs))
    walk = harness.Contestant(Timer(forward_backward(ct, *ours)))
    peer_walk = harness.Contestant(Timer(forward_backward(torch, *theirs)))
    name = f"chain of {CHAIN_OPS} ops, forward and backward, per op"
    return [
        harness.compare("recorded `x*w`, 4x3", 0.08, [product], [peer], limit=100e-9),
        harness.compare(name, 0.05, [walk], [peer_walk], per=CHAIN_OPS),
    ]


if __name__ == "__main__":
    main()
