"""Rows at sizes where work is cut into blocks and shared among threads: values and first gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import cinta as ct
from op_cases import BY_NAME, OPS
from op_row import Op, Sample, sample
from op_run import Layout, Make, backwards, check_forward, every_second, has_inputs, is_input, plain, transposed
from test_ops_gradients import check_order

LARGE = 100_003
ELEMENTWISE = [op for op in OPS if op.elementwise and any(has_inputs(s) for s in op.draw())]
Rng = np.random.Generator


def enlarged(op: Op) -> Sample:
    """The row's longest sample, its values over and over."""
    longest = max(op.draw(), key=lambda s: sum(np.size(x) for x in s.args))
    return longest.map(lambda x: np.resize(x.ravel(), LARGE))


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_elementwise(op: Op) -> None:
    s = enlarged(op)
    for dtype in ("float32", "float64", "bfloat16", "int16", "bool"):
        if dtype in op.dtypes:
            check_forward(op, s, dtype, plain)
            check_forward(op, s, dtype, every_second)
    if op.gradient:
        check_order(op, s, 1, atol=1e-5)


@pytest.mark.parametrize("name", ["add", "multiply", "divide", "power", "where"])
def test_broadcasting(name: str, rng: Rng) -> None:
    for a, b in [((301, 333), (333,)), ((301, 1), (1, 333)), ((7, 1, 113, 1), (131, 1, 17)), ((), (LARGE,))]:
        x, y = rng.uniform(0.5, 2, a), rng.uniform(0.5, 2, b)
        s = sample(rng.random(b) < 0.5, x, y) if name == "where" else sample(x, y)
        check_forward(BY_NAME[name], s, "float32")
        check_order(BY_NAME[name], s, 1, atol=1e-5)


def distinct(rng: Rng, *shape: int) -> np.ndarray:
    return rng.permutation(int(np.prod(shape))).reshape(shape) / 1000


def axes(
    draw: Callable[[Rng, int, int, int], np.ndarray], *rest: Any, tuples: bool = True
) -> Callable[[Rng], list[Sample]]:
    def samples(rng: Rng) -> list[Sample]:
        shapes = [
            ((1, 1, 300_001), 2),
            ((300_001, 1, 3), 0),
            ((40, 2003, 3), 1),
            ((3, 2, 50_001), 2),
            ((257, 3, 259), 0),
        ]
        several = [((20, 70, 90), (0, 2)), ((20, 70, 90), None)] if tuples else []
        return [sample(draw(rng, *shape), *rest, axis=axis) for shape, axis in (*shapes, *several)]

    return samples


def normal(rng: Rng, *shape: int) -> np.ndarray:
    return rng.normal(size=shape)


def factors(rng: Rng, *shape: int) -> np.ndarray:
    return np.exp(rng.uniform(-0.1, 0.1, shape))


STRUCTURED: dict[str, Callable[[Rng], list[Sample]]] = {
    **dict.fromkeys(("sum", "mean", "logsumexp"), axes(normal)),
    **dict.fromkeys(("max", "min", "var", "std"), axes(distinct)),
    **dict.fromkeys(("argmax", "argmin", "sort", "argsort"), axes(distinct, tuples=False)),
    "prod": axes(factors),
    "cumprod": axes(factors, tuples=False),
    "cumsum": axes(normal, tuples=False),
    "topk": lambda rng: [sample(distinct(rng, 70, 1501), 9), sample(distinct(rng, LARGE), 300, largest=False)],
    "softmax": lambda rng: [sample(normal(rng, 400, 301)), sample(normal(rng, 3, 40_001)),
                            sample(normal(rng, 301, 400), 0)],
    "log_softmax": lambda rng: [sample(normal(rng, 400, 301)), sample(normal(rng, 30, 41, 100), 1)],
    "cross_entropy": lambda rng: [
        sample(normal(rng, 3000, 41), rng.integers(0, 41, 3000)),
        sample(normal(rng, 40, 7, 19, 21), rng.integers(0, 7, (40, 19, 21)), label_smoothing=0.1),
        sample(normal(rng, 500, 201), special.softmax(normal(rng, 500, 201), 1)),
    ],
    "matmul": lambda rng: [
        sample(normal(rng, 301, 257), normal(rng, 257, 403)), sample(normal(rng, 40, 33, 65), normal(rng, 40, 65, 31)),
        sample(normal(rng, 70_001, 3), normal(rng, 3, 5)), sample(normal(rng, 3, 20_011), normal(rng, 20_011, 4)),
        sample(normal(rng, 501, 601), normal(rng, 601)), sample(normal(rng, 1, 1025), normal(rng, 1025, 513)),
    ],
    "linear": lambda rng: [sample(normal(rng, 257, 301), normal(rng, 203, 301), normal(rng, 203))],
    "einsum": lambda rng: [sample("bhqd,bhkd->bhqk", normal(rng, 4, 5, 60, 33), normal(rng, 4, 5, 70, 33))],
    "conv1d": lambda rng: [sample(normal(rng, 9, 16, 501), normal(rng, 33, 16, 5), normal(rng, 33), padding=2)],
    "conv2d": lambda rng: [
        sample(normal(rng, 9, 16, 33, 31), normal(rng, 33, 16, 3, 3), normal(rng, 33), padding=1),
        sample(normal(rng, 33, 1, 28, 28), normal(rng, 6, 1, 5, 5), normal(rng, 6), padding=2),
        sample(normal(rng, 33, 6, 14, 14), normal(rng, 16, 6, 5, 5)),
        sample(normal(rng, 5, 64, 16, 16), normal(rng, 48, 64, 1, 1)),
        sample(normal(rng, 5, 32, 17, 17), normal(rng, 32, 32, 3, 3), stride=2, padding=1),
        sample(normal(rng, 5, 32, 17, 17), normal(rng, 32, 1, 3, 3), padding=1, groups=32),
        sample(normal(rng, 3, 172, 4, 5), normal(rng, 172, 172, 3, 3), normal(rng, 172), padding=1),
        sample(normal(rng, 3, 6, 19, 41), normal(rng, 6, 1, 3, 5), padding=(2, 3), dilation=(2, 1), groups=6),
        sample(normal(rng, 2, 3, 70, 90), normal(rng, 3, 1, 3, 3), padding=1, groups=3),
        sample(normal(rng, 3, 40, 15, 60), normal(rng, 24, 20, 3, 5), dilation=2, padding=(2, 4), groups=2),
    ],
    "conv_transpose2d": lambda rng: [sample(normal(rng, 5, 32, 13, 13), normal(rng, 32, 24, 4, 4), stride=2,
                                            padding=1)],
    "max_pool2d": lambda rng: [sample(distinct(rng, 20, 17, 29, 31), 2),
                               sample(distinct(rng, 20, 17, 29, 31), 3, 2, 1)],
    "avg_pool2d": lambda rng: [sample(normal(rng, 20, 17, 29, 31), 2), sample(normal(rng, 20, 17, 29, 31), 3, 2, 1)],
    "unfold": lambda rng: [sample(normal(rng, 9, 16, 33, 31), 3, padding=1)],
    "layer_norm": lambda rng: [sample(normal(rng, 700, 201), 201, normal(rng, 201), normal(rng, 201))],
    "local_response_norm": lambda rng: [sample(normal(rng, 20, 24, 15, 17), 5, alpha=1.0)],
    "group_norm": lambda rng: [sample(normal(rng, 20, 24, 15, 17), 4, normal(rng, 24), normal(rng, 24))],
    "batch_norm": lambda rng: [
        sample(normal(rng, 20, 24, 15, 17), running_mean=None, running_var=None, training=True, weight=normal(rng, 24)),
        sample(normal(rng, 3000, 41), running_mean=None, running_var=None, training=True),
    ],
    "embedding": lambda rng: [sample(rng.integers(0, 300, (70, 90)), normal(rng, 300, 65))],
    "take": lambda rng: [sample(normal(rng, 301, 400), rng.integers(0, 301, 700), 0)],
    "scatter_add": lambda rng: [sample(normal(rng, 50, 41), rng.integers(0, 50, (3000, 41)), normal(rng, 3000, 41), 0)],
    "concat": lambda rng: [sample([normal(rng, 301, 150), normal(rng, 301, 251)], 1)],
    "pad": lambda rng: [sample(normal(rng, 301, 400), ((1, 2), (3, 4)), "reflect")],
    "tril": lambda rng: [sample(normal(rng, 401, 400))],
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURED)
def test_structured(name: str, rng: Rng) -> None:
    op = BY_NAME[name]
    for s in STRUCTURED[name](rng):
        for dtype in ("float32", "float64"):
            try:
                check_forward(op, s, dtype)
            except AssertionError as failure:
                raise AssertionError(f"{name} {dtype} {s}: {failure}") from None
        if op.gradient and any(is_input(x) for x in (*s.args, *s.kwargs.values()) if isinstance(x, np.ndarray)):
            check_order(op, s, 1, atol=1e-5)


def cut_out(x: np.ndarray, make: Make) -> ct.Tensor:
    return make(np.pad(x, 1))[(slice(1, -1),) * x.ndim]


def columns_of_every_second(x: np.ndarray, make: Make) -> ct.Tensor:
    return every_second(x.swapaxes(-1, -2), make).swapaxes(-1, -2)


@pytest.mark.parametrize("layout", [every_second, columns_of_every_second, cut_out, transposed, backwards])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_products_of_views(layout: Layout, dtype: str, rng: Rng) -> None:
    for m, k, n in [(2, 1360, 1), (621, 480, 1), (1, 445, 4), (7, 300, 585), (29, 65, 35), (301, 257, 403)]:
        check_forward(BY_NAME["matmul"], sample(normal(rng, m, k), normal(rng, k, n)), dtype, layout)
    a, b = normal(rng, 30, 13, 28), normal(rng, 30, 28, 31)
    check_forward(BY_NAME["matmul"], sample(a, b), dtype, layout)
