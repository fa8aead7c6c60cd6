"""Compiled convolutions of every kind: the bits of the call without it, written where the plan has put them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import pytest

import cinta as ct
from compile_bits import bits, recordings
from test_conv_orders import ORDERS, in_order, normal


class Case(NamedTuple):
    N: int
    C: int
    size: int
    O: int  # noqa: E741
    kernel: int
    options: Mapping[str, int] = MappingProxyType({})
    dtype: str = "float32"


CASES = {
    "depthwise": Case(8, 32, 28, 32, 3, {"padding": 1, "groups": 32}),
    "depthwise, small images": Case(8, 32, 7, 32, 3, {"padding": 1, "groups": 32}),
    "several filters for every channel": Case(8, 64, 20, 128, 3, {"padding": 1, "groups": 64}),
    "groups": Case(16, 32, 14, 64, 3, {"padding": 1, "groups": 4}),
    "groups, small images": Case(32, 16, 7, 32, 3, {"padding": 1, "groups": 4}),
    "strided": Case(8, 16, 28, 32, 3, {"padding": 1, "stride": 2}),
    "1x1": Case(8, 48, 14, 96, 1),
    "1x1, strided": Case(8, 48, 14, 96, 1, {"stride": 2}),
    "one output": Case(8, 32, 14, 1, 3, {"padding": 1}),
    "direct": Case(16, 6, 14, 16, 5),
    "many channels": Case(4, 64, 16, 64, 3, {"padding": 1}),
    "first layer": Case(4, 3, 48, 32, 7, {"stride": 2, "padding": 3}),
    "bfloat16": Case(8, 16, 28, 32, 3, {"padding": 1, "stride": 2}, "bfloat16"),
    "float64": Case(8, 16, 28, 32, 3, {"padding": 1, "stride": 2}, "float64"),
}
DIRECTIONS = ["forward", "backward data", "backward weights"]


def in_direction(direction: str, options: Mapping[str, int]) -> Callable[..., ct.Tensor]:
    """y, or dx or dw of dy = y."""

    def f(x: ct.Tensor, w: ct.Tensor) -> ct.Tensor:
        y = ct.conv2d(x, w, **options)
        wanted = {"backward data": x, "backward weights": w}
        return ct._core.backward([y], [y.detach()], [wanted[direction]])[0] if direction in wanted else y.detach()

    return f


def operands(case: Case, order: str, seed: int) -> list[ct.Tensor]:
    x = in_order(normal(case.N, case.C, case.size, case.size, seed=seed), order).astype(case.dtype)
    w = normal(case.O, case.C // case.options.get("groups", 1), case.kernel, case.kernel, seed=seed + 1)
    return [t.detach().requires_grad_() for t in (x, ct.tensor(w, dtype=case.dtype))]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_same_bits(case: Case, order: str, direction: str) -> None:
    f = in_direction(direction, case.options)
    compiled = ct.compile(f)
    for seed in (0, 7, 20):
        assert bits(compiled(*operands(case, order, seed))) == bits(f(*operands(case, order, seed)))
    assert recordings(compiled) == 1


def allocations(f: Callable[..., ct.Tensor], *operands: ct.Tensor) -> int:
    before = ct.memory_stats()["allocations"]
    f(*operands)
    return ct.memory_stats()["allocations"] - before


@pytest.mark.parametrize("transposed", [False, True], ids=["conv2d", "conv_transpose2d"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_results_are_written_in_place(case: Case, order: str, transposed: bool) -> None:
    """The plan has memory for the result; all other blocks are taken as by the call without it, none for a copy."""
    f = functools.partial(ct.conv_transpose2d if transposed else ct.conv2d, **case.options)
    x, w = (t.detach() for t in operands(case, order, 0))
    if transposed:
        x = in_order(normal(*ct.conv2d(x, w, **case.options).shape, seed=2), order).astype(case.dtype)
    compiled = ct.compile(f)
    for _ in range(3):
        compiled(x, w)
    assert allocations(compiled, x, w) == allocations(f, x, w) - 1
