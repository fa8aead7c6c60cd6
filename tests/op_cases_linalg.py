"""Rows of the products of vectors and matrices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from op_row import ALL_DTYPES, Op, Sample, sample

MATMUL_SHAPES = [((3, 4), (4, 5)), ((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 5)), ((2, 3, 4), (4, 5)),
                 ((2, 3, 4), (2, 4, 5)),
                 ((2, 1, 3, 4), (5, 4, 2)), ((6, 3, 4), (4,)), ((4,), (6, 4, 3)), ((3, 0), (0, 5)), ((0, 4), (4, 5)),
                 ((2, 0, 3), (3, 4)),
                 ((1, 1), (1, 1)), ((33, 47), (47, 65)), ((128, 300), (300, 17)), ((1, 200), (200, 130))]  # fmt: skip

EQUATIONS: list[tuple[str, list[tuple[int, ...]]]] = [
    ("ij,jk->ik", [(3, 4), (4, 5)]), ("ij,jk", [(3, 4), (4, 5)]), ("ij->ji", [(3, 4)]), ("ii->i", [(4, 4)]),
    ("ii", [(4, 4)]),
    ("ij->", [(3, 4)]), ("ij->j", [(3, 4)]), ("i,i->", [(4,), (4,)]), ("i,j->ij", [(3,), (4,)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 5)]), ("...i,i", [(2, 3, 4), (4,)]), ("ij,ij->ij", [(3, 4), (3, 4)]),
    ("ijk,jl,kl->il", [(2, 3, 4), (3, 5), (4, 5)]), ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 2)]),
    ("bhqd,bhkd->bhqk", [(2, 2, 3, 4), (2, 2, 5, 4)]),
    ("ij,kj->", [(2, 3), (4, 3)]), ("i,j,k->kji", [(2,), (3,), (4,)]), ("ij,jk->ik", [(3, 0), (0, 5)]),
    ("iij,jk->ik", [(3, 3, 4), (4, 2)]),
]  # fmt: skip


def pairs(*shapes: tuple[tuple[int, ...], tuple[int, ...]], rest: tuple[Any, ...] = ()) -> Any:
    return lambda rng: [sample(rng.normal(size=a), rng.normal(size=b), *rest) for a, b in shapes]


def einsum_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield from (sample(equation, *(rng.normal(size=shape) for shape in shapes)) for equation, shapes in EQUATIONS)


def tensordot_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield sample(rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 4, 5)))
    yield sample(rng.normal(size=(2, 3)), rng.normal(size=(4, 5)), 0)
    yield sample(rng.normal(size=(2, 3)), rng.normal(size=(3, 5)), axes=1)
    yield sample(rng.normal(size=(2, 3, 4)), rng.normal(size=(4, 5, 2)), axes=([0, 2], [2, 0]))


def linear_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for shape in [(3, 4), (4,), (2, 3, 4), (0, 4), (130, 4)]:
        yield sample(rng.normal(size=shape), rng.normal(size=(5, 4)), rng.normal(size=5))
    yield sample(rng.normal(size=(3, 4)), rng.normal(size=(5, 4)))
    yield sample(rng.normal(size=(17, 90)), rng.normal(size=(33, 90)), bias=rng.normal(size=33))
    for shape in [(3, 7, 4), (3, 4), (3, 2, 3, 4), (3, 0, 4)]:  # one layer for each entry of the first axis
        yield sample(rng.normal(size=shape), rng.normal(size=(3, 5, 4)), rng.normal(size=(3, 5)))
    yield sample(rng.normal(size=(2, 17, 90)), rng.normal(size=(2, 33, 90)))


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    if weight.ndim == 2:
        return x @ weight.T if bias is None else x @ weight.T + bias
    y = np.einsum("n...i,noi->n...o", x, weight)
    return y if bias is None else y + bias.reshape(len(bias), *[1] * (x.ndim - 2), -1)


NUMBERS = ALL_DTYPES[:-1]
ROWS = [
    Op("matmul", np.matmul, pairs(*MATMUL_SHAPES), dtypes=NUMBERS, tolerance=16),
    Op("einsum", np.einsum, einsum_samples, dtypes=NUMBERS, tolerance=16, method=False),
    Op("tensordot", np.tensordot, tensordot_samples, dtypes=NUMBERS, tolerance=16, method=False),
    Op("outer", np.outer, pairs(((3,), (4,)), ((2, 3), (4,)), ((0,), (3,))), method=False),
    Op("inner", np.inner, pairs(((4,), (4,)), ((2, 4), (3, 4)), ((2, 3, 4), (4,)), ((), (3,))), dtypes=NUMBERS,
       tolerance=16, method=False),
    Op("dot", np.dot, pairs(((4,), (4,)), ((2, 4), (4, 3)), ((2, 3, 4), (5, 4, 2)), ((2, 4), (4,)), ((), (3,))),
       dtypes=NUMBERS,
       tolerance=16),
    Op("kron", np.kron, pairs(((2, 3), (4, 2)), ((3,), (2,)), ((2, 3), (2,))), method=False),
    Op("linear", linear, linear_samples, dtypes=NUMBERS, tolerance=16, method=False),
]  # fmt: skip
