"""What goes in and comes out: structures, views, results that are kept."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable
from typing import Any

import pytest

import cinta as ct
from compile_bits import bits, recordings

Pair = namedtuple("Pair", ["first", "second"])


def draw(*shape: int) -> ct.Tensor:
    return ct.random.normal(shape=shape or (3,))


STRUCTURES: dict[str, tuple[Callable[..., Any], Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]]] = {
    "one": (lambda x: x * 2, lambda: ((draw(),), {})),
    "none": (lambda x: None, lambda: ((draw(),), {})),
    "nothing given": (lambda: ct.arange(3) * 2, lambda: ((), {})),
    "tuple": (lambda x: (x * 2, x + 1), lambda: ((draw(),), {})),
    "tuple of one": (lambda x: (x * 2,), lambda: ((draw(),), {})),
    "empty": (lambda x: [], lambda: ((draw(),), {})),
    "named tuple": (lambda p: Pair(p.second * 2, p.first), lambda: ((Pair(draw(), draw(2)),), {})),
    "dicts": (lambda d: {"sum": d["a"] + d["b"][0], "rest": [None, 3, "x"]},
              lambda: (({"a": draw(), "b": [draw()]},), {})),
    "ordered": (lambda d: OrderedDict(y=d["x"] * 2), lambda: ((OrderedDict(x=draw()),), {})),
    "keywords": (lambda x, *, y, k=2: x * y * k, lambda: ((draw(),), {"y": draw(), "k": 3})),
    "starred": (lambda *xs, **more: sum(xs) + more["z"], lambda: ((draw(), draw()), {"z": draw()})),
    "none inside": (lambda xs: [x if x is None else x * 2 for x in xs], lambda: (([None, draw(), None],), {})),
    "array": (lambda x: ct.asarray(x) * 2, lambda: ((draw().numpy() + 1,), {})),
    "itself": (lambda x: x, lambda: ((draw(),), {})),
    "the same twice": (lambda x: [y := x * 2, y], lambda: ((draw(),), {})),
    "views of an input": (lambda x: (x[1:], x.T, x[::-1]), lambda: ((draw(3, 2),), {})),
    "views of a result": (lambda x: ((y := x * 2)[1:], y.T, y), lambda: ((draw(3, 2),), {})),
    "constants": (lambda x: (ct.ones(3), ct.tensor([1, 2]), 2.5), lambda: ((draw(),), {})),
    "no elements": (lambda x: (x * 2, x.sum()), lambda: ((ct.zeros((0, 3)),), {})),
    "0-d": (lambda x: x * 2 + 1, lambda: ((draw().sum(),), {})),
    "spread": (lambda x: ct.broadcast_to(x, (4, 3)) * 2, lambda: ((ct.broadcast_to(draw(1, 3), (2, 3))[:1],), {})),
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(name: str) -> None:
    f, give = STRUCTURES[name]
    compiled = ct.compile(f)
    kept = []
    for _ in range(4):
        args, kwargs = give()
        expected, got = f(*args, **kwargs), compiled(*args, **kwargs)
        assert type(got) is type(expected)
        assert bits(got) == bits(expected)
        if name not in ("itself", "views of an input"):
            kept.append((got, bits(expected)))
    assert recordings(compiled) == 1
    assert all(bits(got) == expected for got, expected in kept)


def test_a_named_tuple_comes_back() -> None:
    f = ct.compile(lambda x: Pair(x, x * 2))
    assert isinstance(f(draw()), Pair)
    assert f(ct.ones(2)).second.tolist() == [2, 2]


def test_views_of_inputs_share_memory() -> None:
    f = ct.compile(lambda x: x[1:])
    for _ in range(3):
        x = ct.zeros(3)
        f(x).fill_(5.0)
        assert x.tolist() == [0, 5, 5]


def test_writing_into_a_result_changes_no_other() -> None:
    f = ct.compile(lambda x: (x * 2, ct.ones(3), ct.tensor([1.0, 2.0, 3.0])))
    for _ in range(4):
        for result in f(ct.ones(3)):
            result.fill_(-1.0)
        assert bits(f(ct.ones(3))) == bits(f._f(ct.ones(3)))


def test_arrays_over_results_stay() -> None:
    f = ct.compile(lambda x: x * 2)
    arrays = [f(ct.full(3, float(k))).numpy() for k in range(4)]
    assert [a.tolist() for a in arrays] == [[2.0 * k] * 3 for k in range(4)]
    views = [f(ct.full(4, float(k)))[1:] for k in range(4)]
    assert [v.tolist() for v in views] == [[2.0 * k] * 3 for k in range(4)]


def test_results_go_in_again() -> None:
    f, x, y = ct.compile(lambda x: x * 2 + x.sum()), ct.ones(3), ct.ones(3)
    for _ in range(5):
        x, y = f(x), f._f(y)
    assert bits(x) == bits(y)
    assert recordings(f) == 1
