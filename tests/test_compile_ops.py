"""Every row of the table of operations, compiled: fresh values in each call give the bits of the call without it.

A place that reads or writes elements outside of `compute` would freeze what it saw while it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cinta as ct
from compile_bits import bits, recordings
from op_cases import DIFFERENTIABLE, OPS
from op_row import Op, Sample, map_arrays
from op_run import LAYOUTS, Layout, flat, inputs_of, is_input, plain, rounded

Tensors = list[ct.Tensor]
SHAPE_DEPENDS_ON_VALUES = {"nonzero"}


def arrays_of(s: Sample) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    map_arrays(found.append, (s.args, s.kwargs))
    return found


def fixed_shape(op: Op, s: Sample) -> bool:
    """Whether no shape depends on values: an index by a mask's does."""
    mask = op.name in ("getitem", "setitem") and any(x.dtype == bool for x in arrays_of(s))
    return op.name not in SHAPE_DEPENDS_ON_VALUES and not mask


def applied(op: Op, s: Sample, inputs: Tensors) -> Tensors:
    """The operation's results, with `inputs` for all arrays of the sample."""
    supply = iter(inputs)
    args, kwargs = map_arrays(lambda _: next(supply), (s.args, s.kwargs))
    return flat(op.function(ct)(*args, **kwargs))


def draws(op: Op, s: Sample, dtype: str, gradient: bool = False, layout: Layout = plain) -> list[Tensors]:
    """The sample's arrays in three orders of their elements: other values, as much inside the operation's domain."""
    rng = np.random.default_rng(3)
    arrays = arrays_of(s)
    wanted = {id(x) for x in inputs_of(s, op.constants)} if gradient else set()

    def tensor(x: np.ndarray, again: bool) -> ct.Tensor:
        shuffled = rng.permutation(x.ravel()).reshape(x.shape) if again else x
        if not is_input(x):
            return ct.tensor(shuffled)
        cast = layout(rounded(shuffled, dtype), lambda v: ct.tensor(v, dtype=dtype))
        return cast.detach().requires_grad_(id(x) in wanted)

    return [[tensor(x, again) for x in arrays] for again in (False, True, True)]


def check(f: Callable[..., Any], calls: list[Tensors]) -> None:
    """The same bits and the same random numbers drawn, in one recording; earlier results stay what they were."""
    compiled = ct.compile(f)
    kept = []
    for inputs in calls:
        stream = ct.random.get_state()
        expected, after = bits(f(*inputs)), ct.random.get_state()
        ct.random.set_state(stream)
        got = compiled(*inputs)
        assert bits(got) == expected
        assert ct.random.get_state() == after
        kept.append((got, expected))
    assert all(bits(got) == expected for got, expected in kept)
    assert recordings(compiled) == 1


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_forward(op: Op) -> None:
    for s in op.draw():
        for dtype in [d for d in ("float32", "float16", "int32") if d in op.dtypes] if fixed_shape(op, s) else ():
            check(lambda *inputs, s=s: applied(op, s, list(inputs)), draws(op, s, dtype))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_forward_of_other_layouts(op: Op, layout: Layout) -> None:
    for s in op.draw()[:2]:
        if fixed_shape(op, s) and inputs_of(s):
            dtype = "float32" if "float32" in op.dtypes else op.dtypes[0]
            check(lambda *inputs, s=s: applied(op, s, list(inputs)), draws(op, s, dtype, layout=layout))


def gradient(op: Op, s: Sample, order: int) -> Callable[..., Any]:
    """The gradient of the sum of the results' squares; of order 2, that of the sum of its squares again."""

    def f(*inputs: ct.Tensor) -> Any:
        wrt = [x for x in inputs if x.requires_grad]
        results: list[Any] = applied(op, s, list(inputs))
        for below in range(order):
            squares = [(y * y).sum() for y in results if y is not None and y.requires_grad]
            if not squares:
                return None
            results = ct._core.backward(squares, inputs=wrt, create_graph=below + 1 < order)
        return results

    return f


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_gradient(op: Op, order: int) -> None:
    for s in op.draw():
        if fixed_shape(op, s) and inputs_of(s, op.constants):
            for dtype in [d for d in ("float32", "bfloat16") if d in op.dtypes]:
                check(gradient(op, s, order), draws(op, s, dtype, gradient=True))
