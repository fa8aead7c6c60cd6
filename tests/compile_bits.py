"""Compares a compiled function with the function itself, bit for bit: what every test of ct.compile is made of."""

from __future__ import annotations

from typing import Any

import cinta as ct
from cinta.autodiff import tree

PASSES = ct.replay.PASSES
CHOICES: dict[str, tuple[str, ...]] = {
    "all": PASSES,
    "none": (),
    **{f"all but {name}": tuple(p for p in PASSES if p != name) for name in PASSES},
}


def bits(value: Any) -> list[Any]:
    """Shapes, dtypes and bytes of all tensors in a tree, and its other leaves: -0.0 is not 0.0 here."""
    leaves = [leaf.to_dense() if isinstance(leaf, ct.RowSparse) else leaf for leaf in tree.leaves(value)]
    return [_bits(leaf) if isinstance(leaf, ct.Tensor) else leaf for leaf in leaves]


def _bits(x: ct.Tensor) -> tuple[tuple[int, ...], str, bytes]:
    x = x.detach()
    wide = x.astype("float32") if str(x.dtype) == "bfloat16" else x  # NumPy has none; it says the same in float32
    return x.shape, str(x.dtype), wide.numpy().tobytes()


def recordings(compiled: ct.replay.Compiled) -> int:
    """How often it has been recorded so far."""
    return compiled._made
