"""What a compiled function computes from memory that it only reads: kept until that is written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import cinta as ct

X = ct.tensor([1.0, 2.0, 3.0])


def invariants(f: ct.replay.Compiled) -> list[str]:
    return [i["name"] for i in f.program()._replay.describe()["invariants"]]


def test_what_is_kept() -> None:
    scale, running = ct.tensor([1.0, 2.0, 4.0]), ct.zeros(3)

    @ct.compile
    def f(x):
        running.copy_(running + 1.0)
        return x * ct.exp(scale) + ct.tanh(running) + ct.log(x)

    for step in range(1, 4):
        exact = X.numpy() * np.exp([1.0, 2.0, 4.0]) + np.tanh(step) + np.log(X.numpy())
        np.testing.assert_allclose(f(X).numpy(), exact, rtol=1e-6)
    assert invariants(f) == ["exp"]


def whole(scale: ct.Tensor) -> None:
    scale.copy_(scale + 0.5)


def part(scale: ct.Tensor) -> None:
    scale[1] = scale[1] + 0.5


def from_outside(scale: ct.Tensor) -> None:
    array = scale.numpy()
    array += 0.5


def by_another_program() -> Callable[[ct.Tensor], None]:
    @ct.compile
    def add(scale):
        scale += 0.5

    return add


@pytest.mark.parametrize("write", [whole, part, from_outside, by_another_program()])
def test_written_between_calls(write: Callable[[ct.Tensor], None]) -> None:
    scale = ct.tensor([1.0, 2.0, 4.0])
    f = ct.compile(lambda x: x * ct.exp(scale))
    f(X)
    assert invariants(f) == ["exp"]
    for _ in range(3):
        write(scale)
        assert f(X).tolist() == f(X).tolist() == (X * ct.exp(scale)).tolist()


def test_written_while_an_array_is_out() -> None:
    scale = ct.tensor([1.0, 2.0, 4.0])
    array = scale.numpy()
    f = ct.compile(lambda x: x * ct.exp(scale))
    for _ in range(3):
        array += 0.5
        assert f(X).tolist() == (X * ct.exp(scale)).tolist()


def test_memory_lent_by_numpy() -> None:
    array = np.array([1.0, 2.0, 4.0], np.float32)
    scale = ct.asarray(array)
    f = ct.compile(lambda x: x * ct.exp(scale))
    for _ in range(3):
        array += 0.5
        assert f(X).tolist() == (X * ct.exp(scale)).tolist()
