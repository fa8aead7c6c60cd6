"""Rows of the reductions, scans and orderings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from op_row import FLOATS, INTEGERS, Op, Sample, sample

NO_BOOL = (*FLOATS, *INTEGERS)
AXES: list[tuple[tuple[int, ...], Any]] = [
    ((), None), ((7,), None), ((7,), 0), ((3, 4), None), ((3, 4), 0), ((3, 4), -1), ((2, 3, 5), (0, 2)), ((2, 3, 5), 1),
    ((2, 3, 5), (-1, -2)), ((3, 1031), 1), ((1031, 3), 0), ((3, 70, 33), 1), ((2, 3, 5), ()), ((2, 0, 3), 0),
    ((1, 1), None),
]  # fmt: skip
EMPTY_AXES = [((0,), None), ((2, 0, 3), 1), ((0, 3), 0)]  # reductions that have an identity
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(rng.normal(size=shape))


def distinct(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Values at least 0.05 apart: the order of no two changes under a finite difference."""
    size = int(np.prod(shape))
    return (rng.permutation(size) - size / 2).reshape(shape) * 0.05


def factors(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Around one, so that long products stay in range, with a zero now and then."""
    x = np.asarray(rng.choice([-1.0, 1.0], shape) * rng.uniform(0.97, 1.03, shape))
    if x.ndim and x.size:
        x.flat[rng.integers(x.size)] = 0.0
    return x


def reduction(name: str, reference: Callable[..., Any], draw: Draw = normal, *, empty: bool = True,
              options: tuple[dict[str, Any], ...] = (), tuples: bool = True, **row: Any) -> Op:  # fmt: skip
    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        for shape, axis in AXES + EMPTY_AXES * empty:
            if tuples or not isinstance(axis, tuple):
                yield sample(draw(rng, shape), axis)
                yield sample(draw(rng, shape), axis=axis, keepdims=True)
        yield from (sample(draw(rng, (4, 5)), axis=0, **option) for option in options)

    return Op(name, reference, samples, **row)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.sum(np.exp(np.asarray(x, dtype=float)), axis=axis, keepdims=keepdims))


def spread_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for shape, axis in AXES:
        if shape and axis != () and np.prod(shape) > 1:
            yield sample(distinct(rng, shape), axis)
            yield sample(distinct(rng, shape), axis=axis, keepdims=True)
    yield sample(distinct(rng, (4, 5)), axis=1, ddof=1)
    yield sample(distinct(rng, (4, 5)) + 1000.0, ddof=1)  # a large mean cancels


def scan_samples(draw: Draw) -> Callable[[np.random.Generator], Iterable[Sample]]:
    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        for shape, axis in [
            ((), None),
            ((7,), None),
            ((3, 4), None),
            ((3, 4), 0),
            ((2, 3, 5), -2),
            ((3, 130), 1),
            ((0, 3), 0),
        ]:
            yield sample(draw(rng, shape), axis)

    return samples


def order_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for shape, axis in [((9,), -1), ((3, 4), 0), ((2, 3, 5), 1), ((3, 300), -1), ((0,), -1), ((3, 0), 1)]:
        yield sample(distinct(rng, shape), axis)
        yield sample(distinct(rng, shape), axis=axis, descending=True)


def tied_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield from order_samples(rng)
    for descending in (False, True):
        yield sample(rng.integers(0, 4, (3, 40)) * 1.0, descending=descending)  # stable: ties keep their order


def sort(x: Any, axis: int = -1, descending: bool = False) -> Any:
    return np.take_along_axis(x, argsort(x, axis, descending), axis)


def argsort(x: Any, axis: int = -1, descending: bool = False) -> Any:
    if not descending:
        return np.argsort(x, axis=axis, stable=True)
    backwards = np.argsort(np.flip(x, axis), axis=axis, stable=True)  # ties reversed twice keep their order
    return x.shape[axis] - 1 - np.flip(backwards, axis)


def topk(x: Any, k: int, axis: int = -1, largest: bool = True) -> Any:
    indices = np.take(argsort(x, axis, largest), range(k), axis)
    return np.take_along_axis(x, indices, axis), indices


def topk_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for shape, k, axis in [
        ((9,), 3, -1),
        ((9,), 9, 0),
        ((4, 5), 2, 0),
        ((3, 300), 7, 1),
        ((2, 3, 5), 1, -2),
        ((3,), 0, 0),
    ]:
        yield sample(distinct(rng, shape), k, axis)
        yield sample(distinct(rng, shape), k, axis=axis, largest=False)


def truth_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for shape, axis in AXES + EMPTY_AXES:
        yield sample(np.asarray(rng.integers(0, 2, shape) * 1.0), axis)
        yield sample(np.asarray(rng.integers(0, 2, shape) == 1), axis=axis, keepdims=True)


ROWS = [
    reduction("sum", np.sum, floor=4, options=({"dtype": "float64"},)),
    reduction("mean", np.mean, floor=4, empty=False),
    Op("var", np.var, spread_samples, tolerance=16, floor=1),
    Op("std", np.std, spread_samples, tolerance=16, floor=1),
    reduction("prod", np.prod, factors, tolerance=64),
    reduction("max", np.max, distinct, empty=False),
    reduction("min", np.min, distinct, empty=False),
    reduction("logsumexp", logsumexp, floor=1, empty=False),
    Op("any", np.any, truth_samples, gradient=False),
    Op("all", np.all, truth_samples, gradient=False),
    reduction("argmax", np.argmax, distinct, empty=False, tuples=False, gradient=False),
    reduction("argmin", np.argmin, distinct, empty=False, tuples=False, gradient=False),
    Op("cumsum", np.cumsum, scan_samples(normal), tolerance=16),
    Op("cumprod", np.cumprod, scan_samples(factors), tolerance=64),
    Op("sort", sort, order_samples),
    Op("argsort", argsort, tied_samples, gradient=False),
    Op("topk", topk, topk_samples),
]
