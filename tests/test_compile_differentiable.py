"""Results of compiled functions that can be differentiated: the gradient is a program of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim
from compile_bits import bits

RNG = np.random.default_rng(3)


def numbers(*shape: int) -> ct.Tensor:
    return ct.tensor(RNG.normal(size=shape), dtype="float32")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "tanh": lambda x, w: (x @ w).tanh(),
    "the seed itself": lambda x, w: x.reshape(-1),
    "a transposed seed": lambda x, w: w.T,
    "two results": lambda x, w: (x @ w, (w * w).sum()),
    "a dict with a constant": lambda x, w: {"y": x @ w, "n": ct.ones(2), "i": ct.arange(3)},
    "only one is needed": lambda x, w: x.exp(),
    "used twice": lambda x, w: (x @ w) * (x @ w) + x.sum(),
}


def leaves(result: Any) -> list[ct.Tensor]:
    return [t for t in ct.autodiff.tree.leaves(result) if t.requires_grad]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients(name: str) -> None:
    f = FUNCTIONS[name]
    compiled = ct.compile(f)
    for _ in range(3):
        x, w = numbers(4, 3).requires_grad_(), numbers(3, 5).requires_grad_()
        results = []
        for function in (f, compiled):
            x.grad = w.grad = None
            output = function(x, w)
            total = sum(((y * y).sum() for y in leaves(output)), ct.zeros(()))
            total.backward()
            results.append([*leaves(output), x.grad, w.grad])
        assert bits(results[0]) == bits(results[1])
        assert [t is None for t in results[0]] == [t is None for t in results[1]]


def test_a_compiled_model_trains_as_the_model_does() -> None:
    runs = []
    for compiled in (False, True):
        ct.random.seed(1)
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
        opt = optim.Adam(model.parameters(), lr=0.01)
        call = ct.compile(model) if compiled else model
        rng = np.random.default_rng(0)
        losses = []
        for _ in range(6):
            x, y = ct.tensor(rng.normal(size=(5, 1, 8, 8)), dtype="float32"), ct.tensor(rng.integers(0, 3, 5))
            opt.zero_grad()
            loss = nn.functional.cross_entropy(call(x), y)
            loss.backward()
            opt.step()
            losses.append(loss.detach())
        runs.append(bits([losses, model.state_dict()]))
    assert runs[0] == runs[1]


def test_two_calls_before_their_backwards() -> None:
    w = numbers(3, 3).requires_grad_()
    compiled = ct.compile(lambda x: (x @ w).tanh())
    x, z = numbers(2, 3), numbers(2, 3)
    compiled(x)
    first, second = compiled(x), compiled(z)
    second.sum().backward()
    first.sum().backward()
    ours, w.grad = w.grad, None
    (z @ w).tanh().sum().backward()
    (x @ w).tanh().sum().backward()
    assert bits(ours) == bits(w.grad)


def test_a_weight_written_before_backward_is_an_error() -> None:
    w = numbers(3, 3).requires_grad_()
    compiled = ct.compile(lambda x: (x @ w).tanh())
    x = numbers(2, 3)
    compiled(x)
    y = compiled(x)
    with ct.no_grad():
        w *= 2
    with pytest.raises(RuntimeError, match="was written between the call and its backward"):
        y.sum().backward()


def test_the_second_order_is_an_error_that_says_what_to_do() -> None:
    w = numbers(3).requires_grad_()
    compiled = ct.compile(lambda: (w**3).sum())
    compiled()
    with pytest.raises(RuntimeError, match="compile a function that takes all derivatives inside"):
        compiled().backward(create_graph=True)


def test_without_recording_results_have_no_history() -> None:
    model = nn.Linear(3, 2)
    compiled = ct.compile(model)
    x = numbers(4, 3)
    with ct.no_grad():
        assert not compiled(x).requires_grad
        assert not compiled(x).requires_grad
    assert compiled(x).requires_grad
    assert compiled(x).requires_grad
