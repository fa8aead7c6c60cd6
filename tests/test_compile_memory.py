"""Arguments that share memory with each other, with what the function sees, or are written in place; and the memory
that programs share."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest

import cinta as ct
from cinta import nn
from compile_bits import bits, recordings


def test_overlapping_arguments() -> None:
    data = ct.random.normal(shape=(40,))
    f = ct.compile(lambda x, y: (x[:3] + y[1:4]) * x.sum() + y[2:5].sum())
    for begin, gap in [(0, 1), (3, 1), (0, 2), (5, 2), (0, 20), (10, 1), (1, 0)]:
        x, y = data[begin : begin + 8], data[begin + gap : begin + gap + 8]
        assert bits(f(x, y)) == bits(f._f(x, y))
    assert recordings(f) == 4


def test_slices_of_one_data_set_do_not_record_again() -> None:
    images, labels = ct.random.normal(shape=(64, 5)), ct.random.integers(3, shape=(64,))
    f = ct.compile(lambda x, y: nn.functional.cross_entropy(x[:, :3] * images.shape[0], y))
    for k in range(0, 64, 16):
        assert bits(f(images[k : k + 16], labels[k : k + 16])) == bits(f._f(images[k : k + 16], labels[k : k + 16]))
    assert recordings(f) == 1


def test_the_same_tensor_twice_and_then_two() -> None:
    x, y = ct.ones(3), ct.full(3, 5.0)
    f = ct.compile(lambda a, b: a * 2 + b)
    for pair in ((x, x), (x, y), (y, y), (x, y)):
        assert bits(f(*pair)) == bits(f._f(*pair))
    assert recordings(f) == 2


@pytest.mark.parametrize("requires_grad", [False, True])
def test_an_argument_that_is_captured_too(requires_grad: bool) -> None:
    w, other = ct.full(3, 2.0).requires_grad_(requires_grad), ct.full(3, 7.0).requires_grad_(requires_grad)
    f = ct.compile(lambda x: (x * 10 + w).detach())
    for x in (w, other, w, other):
        assert bits(f(x)) == bits(f._f(x))


def test_an_argument_that_is_part_of_what_is_captured() -> None:
    w = ct.arange(8.0)
    f = ct.compile(lambda x: x * 10 + w[:3])
    for x in (w[:3], w[5:], ct.ones(3), w[2:5]):
        assert bits(f(x)) == bits(f._f(x))
    w.fill_(3.0)
    assert f(w[:3]).tolist() == [33, 33, 33]


def test_an_argument_that_is_written_elsewhere_is_refused() -> None:
    w = ct.arange(8.0)

    def f(x: ct.Tensor) -> ct.Tensor:
        w.fill_(1.0)
        return x * 2

    compiled = ct.compile(f)
    assert compiled(ct.ones(3)).tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match="argument 0 of .* shares memory with a tensor that the function sees"):
        compiled(w[:3])


def test_arguments_are_written_in_place() -> None:
    def f(x: ct.Tensor, y: ct.Tensor) -> None:
        x += y
        x[0] = 9.0

    compiled = ct.compile(f)
    for _ in range(3):
        x, twin, y = ct.ones(4), ct.ones(4), ct.random.normal(shape=(4,))
        compiled(x, y)
        f(twin, y)
        assert bits(x) == bits(twin)
    assert recordings(compiled) == 1


def chain(x: ct.Tensor) -> ct.Tensor:
    return ((x @ x).softmax(axis=1) @ (x + 1).softmax(axis=0)).sum(axis=0)


def test_programs_compute_in_one_block() -> None:
    gc.collect()
    before, sizes = ct.memory_stats()["live"], (300, 100, 400, 200)
    f = ct.compile(chain)
    inputs = [ct.random.normal(shape=(n, n)) for n in sizes]
    given = ct.memory_stats()["live"] - before
    for _ in range(3):
        for x in inputs:
            assert bits(f(x)) == bits(chain(x))
        ct.empty_cache()
    assert recordings(f) == len(sizes)
    f(inputs[2])
    held = ct.memory_stats()["live"] - before - given
    largest = f.program().stats().arena_bytes
    assert largest > 4 * 400**2
    assert held < 1.25 * largest
    del f
    gc.collect()
    assert ct.memory_stats()["live"] - before - given < 1 << 16


def test_programs_that_run_at_the_same_time() -> None:
    inputs = [ct.random.normal(shape=(n, n)) for n in (300, 310, 320)]
    expected = [bits(chain(x)) for x in inputs]

    def repeated(k: int) -> bool:
        f = ct.compile(chain)
        return all(bits(f(inputs[k])) == expected[k] for _ in range(20))

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(repeated, range(3)))
