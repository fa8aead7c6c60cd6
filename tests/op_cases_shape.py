"""Rows of the operations that move values without changing them: shapes, joins, padding, indexing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from op_row import Op, Sample, sample

Draw = Callable[[np.random.Generator], Iterable[Sample]]


def calls(*arguments: tuple[Any, ...], **keywords: Any) -> Draw:
    """One sample per tuple `(shape, *arguments)`; a trailing dict holds keywords."""

    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        for shape, *rest in arguments:
            named = rest.pop() if rest and isinstance(rest[-1], dict) else {}
            yield Sample((np.asarray(rng.normal(size=shape)), *rest), named)

    return samples


def reshape(x: Any, *shape: Any) -> Any:
    return np.reshape(x, shape if isinstance(shape[0], int) else shape[0])


def flatten(x: Any, start_axis: int = 0, end_axis: int = -1) -> Any:
    end = end_axis % x.ndim + 1
    return np.reshape(x, (*x.shape[:start_axis], int(np.prod(x.shape[start_axis:end])), *x.shape[end:]))


def joined(*groups: tuple[list[tuple[int, ...]], int]) -> Draw:
    return lambda rng: [sample([rng.normal(size=s) for s in shapes], axis) for shapes, axis in groups]


def pad(x: Any, pad_width: Any, mode: str = "constant", value: float = 0) -> Any:
    return np.pad(x, pad_width, mode, **({"constant_values": value} if mode == "constant" else {}))  # type: ignore[call-overload]


def take_samples(rng: np.random.Generator) -> Iterable[Sample]:
    x = rng.normal(size=(5, 4))
    yield sample(x, np.array([0, 3, 3, -1]), 0)
    yield sample(x, np.array([[1, 0], [2, 2]]), axis=1)
    yield sample(x, np.array([0, 19, -20, 7]))
    yield sample(x, 2, 0)
    yield sample(x, np.zeros((0,), int), 1)


def along_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield sample(rng.normal(size=(5, 4)), rng.integers(0, 5, (3, 4)), 0)
    yield sample(rng.normal(size=(5, 4)), rng.integers(-4, 4, (5, 9)), -1)
    yield sample(rng.normal(size=(2, 3, 4)), rng.integers(0, 3, (2, 2, 4)), 1)
    yield sample(rng.normal(size=(5, 4)), np.zeros((0, 4), int), 0)


def scatter_add(x: Any, indices: Any, src: Any, axis: int) -> Any:
    y = np.array(x)
    place = list(np.indices(indices.shape))
    place[axis] = indices
    np.add.at(y, tuple(place), src)
    return y


def scatter_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield sample(rng.normal(size=(5, 4)), rng.integers(0, 5, (7, 4)), rng.normal(size=(7, 4)), 0)
    yield sample(rng.normal(size=(5, 4)), rng.integers(-4, 4, (5, 9)), rng.normal(size=(5, 9)), -1)
    yield sample(rng.normal(size=(2, 3, 4)), np.zeros((2, 0, 4), int), rng.normal(size=(2, 0, 4)), 1)


def one_hot(indices: Any, num_classes: int, dtype: Any = "float32") -> Any:
    return np.eye(num_classes, dtype=dtype)[indices]


def one_hot_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield sample(rng.integers(0, 5, (3, 4)), 5)
    yield sample(rng.integers(0, 5, 6), 9, dtype="float64")
    yield sample(np.array(2), 3)
    yield sample(np.zeros(0, int), 3)


MASK = np.array([True, False, True, True])
KEYS: list[Any] = [
    2, (1, -1), slice(None, None, -2), (slice(1, 5), slice(None, None, 3)), (Ellipsis, 0), (None, slice(3, 0, -1)),
    np.array([0, 3, 3]), (np.array([[0, 1], [4, 4]]), slice(1, 3)), (slice(None), np.array([1, 1, 0])),
    (slice(None), MASK),
    (np.array([4, 0, 4]), np.array([1, 2, 1])), (np.array([1, 2])[:, None], np.array([0, 3])), slice(2, 2), (),
]  # fmt: skip


def getitem_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield from (sample(rng.normal(size=(6, 4)), key) for key in KEYS)
    yield sample(rng.normal(size=(6, 4)), rng.random((6, 4)) < 0.4)
    yield sample(rng.normal(size=(3, 4, 5)), (np.array([0, 2]), slice(None), np.array([1, 4])))


def setitem(x: Any, key: Any, value: Any) -> Any:
    y = np.array(x)
    y[key] = value
    return y


def setitem_samples(rng: np.random.Generator) -> Iterable[Sample]:
    """No key names an element twice: which write stays would be unspecified."""
    x = rng.normal(size=(6, 4))
    for key in (
        2,
        slice(None, None, -2),
        (Ellipsis, 0),
        np.array([0, 3, 5]),
        (slice(None), MASK),
        rng.random((6, 4)) < 0.4,
    ):
        yield sample(x, key, rng.normal(size=x[key].shape))
        yield sample(x, key, 2)
    yield sample(x, slice(1, 4), rng.normal(size=(4,)))


def set_item(tensor: Any, key: Any, value: Any) -> Any:
    y = tensor.clone()
    y[key] = value
    return y


ROWS = [
    Op("reshape", reshape, calls(((2, 6), 3, 4), ((2, 6), (3, -1)), ((6,), (6, 1, 1)), ((), (1,)), ((0, 3), (3, 0)))),
    Op("transpose", np.transpose, calls(((2, 3, 4),), ((2, 3, 4), (1, 2, 0)), ((2, 3, 4), (-1, 0, 1)), ((5,),),
                                        ((0, 3),))),
    Op("swapaxes", np.swapaxes, calls(((2, 3, 4), 0, 2), ((2, 3, 4), -1, 1), ((2, 0), 0, 1))),
    Op("moveaxis", np.moveaxis, calls(((2, 3, 4), 0, -1), ((2, 3, 4), (0, 1), (-1, 0)))),
    Op("squeeze", np.squeeze, calls(((1, 3, 1),), ((1, 3, 1), 0), ((1, 3, 1), (0, -1)), ((1, 1), None), ((1, 0), 0))),
    Op("expand_dims", np.expand_dims, calls(((3, 4), 0), ((3, 4), -1), ((3, 4), (0, 3)), ((), 0))),
    Op("ravel", np.ravel, calls(((2, 3, 4),), ((),), ((0, 2),))),
    Op("flatten", flatten, calls(((2, 3, 4),), ((2, 3, 4), 1), ((2, 3, 4), 0, 1), ((2, 0, 4), {"start_axis": 1}))),
    Op("broadcast_to", np.broadcast_to,
       calls(((3, 1), (2, 3, 4)), ((), (2, 2)), ((4,), (4,)), ((1, 3), (0, 3)), ((5, 1), (5, 211)))),
    Op("flip", np.flip, calls(((3, 4),), ((3, 4), 1), ((2, 3, 4), (0, -1)), ((0, 3), 0))),
    Op("roll", np.roll, calls(((3, 4), 2), ((3, 4), 1, 0), ((3, 4), -7, 1), ((3, 4), (1, 2), (0, 1)), ((0, 3), 2, 1))),
    Op("concat", np.concatenate, joined(([(2, 3), (4, 3)], 0), ([(2, 3), (2, 1), (2, 0)], -1), ([(5,)], 0),
                                        ([(0, 2), (0, 2)], 0)),
       method=False),
    Op("stack", np.stack, joined(([(2, 3)] * 3, 0), ([(2, 3)] * 2, -1), ([()] * 4, 0), ([(0, 2)] * 2, 1)),
       method=False),
    Op("split", np.split, calls(((6, 4), 3), ((6, 4), 2, 1), ((6, 4), [1, 4]), ((6, 4), [2, 2, 9], {"axis": 0}),
                                ((0, 4), 2))),
    Op("tile", np.tile, calls(((2, 3), 2), ((2, 3), (2, 1)), ((3,), (2, 2)), ((2, 3), (2,)), ((2, 3), (0, 1)),
                              ((), 3))),
    Op("repeat", np.repeat, calls(((2, 3), 2), ((2, 3), 3, 0), ((2, 3), 2, -1), ((2, 3), 0, 1),
                                  ((2, 3), [2, 0, 1], 1))),
    Op("pad", pad,
       calls(((3, 4), 2), ((3, 4), (1, 2), {"value": 1.5}), ((3, 4), ((0, 1), (2, 0)), "constant"), ((0, 2), 1),
             ((3, 4), ((1, 2), (3, 0)), "reflect"), ((3, 4), ((1, 2), (5, 0)), "edge"),
             ((3, 4), ((2, 1), (3, 4)), "wrap"))),
    Op("tril", np.tril, calls(((4, 5),), ((4, 5), 1), ((2, 4, 3), -1), ((5, 5), {"k": -9}))),
    Op("triu", np.triu, calls(((4, 5),), ((4, 5), 1), ((2, 4, 3), -1), ((5, 5), {"k": 9}))),
    Op("diagonal", np.diagonal, calls(((4, 5),), ((4, 5), 2), ((2, 4, 3), -1, 2, 1),
                                      ((2, 4, 3), {"axis1": 1, "axis2": 2}))),
    Op("diag", np.diag, calls(((4, 5),), ((4,),), ((4,), -1), ((4, 5), 2))),
    Op("nonzero", np.nonzero, lambda rng: [sample(rng.integers(0, 2, s) * 1.0) for s in ((7,), (3, 4), (2, 3, 4),
                                                                                         (0, 2))],
       gradient=False),
    Op("take", np.take, take_samples),
    Op("take_along_axis", np.take_along_axis, along_samples),
    Op("scatter_add", scatter_add, scatter_samples),
    Op("one_hot", one_hot, one_hot_samples, gradient=False, method=False),
    Op("getitem", lambda x, key: x[key], getitem_samples, method=False, call=lambda ct: lambda x, key: x[key]),
    Op("setitem", setitem, setitem_samples, method=False, call=lambda ct: set_item),
]  # fmt: skip
