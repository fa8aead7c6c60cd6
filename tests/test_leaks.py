"""Nothing stays behind: bytes and Python objects after every row, every refused call, and every way in and out."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import cinta as ct
from cinta import nn
from op_cases import OPS
from op_row import Op
from op_run import inputs_of
from test_errors import CASES
from test_ops_gradients import drawn, floating_results, gradients


def live() -> int:
    return ct.memory_stats()["live"]


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What goes must go by its counts alone, not by Python's cycle collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("op", [op for op in OPS if "float64" in op.dtypes], ids=lambda op: op.name)
def test_rows(op: Op, rng: np.random.Generator) -> None:
    s = op.draw()[0]
    values = inputs_of(s, op.constants)

    def once() -> None:
        results = floating_results(op, s, [ct.tensor(v) for v in values])
        if op.gradient:
            weights = drawn(results, rng)
            gradients(op, s, values, 2, weights, [drawn(values, rng)])

    once()  # tables and constants that are made on first use
    before = live(), ct._core.live_instructions()
    once()
    assert (live(), ct._core.live_instructions()) == before


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("name", CASES)
def test_refused_calls(name: str) -> None:
    call, exception, _ = CASES[name]

    def refused() -> None:
        with pytest.raises(exception):
            call()

    refused()
    gc.collect()  # the traceback of pytest holds frames, and they the tensors
    before = live()
    refused()
    gc.collect()
    assert live() == before


def growth(action: Callable[[], Any], watched: Any) -> int:
    """How many references to `watched` a hundred repetitions leave behind."""
    action()
    before = sys.getrefcount(watched)
    for _ in range(100):
        action()
    return sys.getrefcount(watched) - before


def test_references_to_arguments() -> None:
    x, t, key, shape = np.ones((3, 4)), ct.ones((3, 4)), slice(0, 2), (3, 4)
    dtype, text, array_key = ct.float32, "".join(["float", "64"]), np.array([0, 1])
    ways: list[tuple[Callable[[], Any], Any]] = [
        (lambda: ct.asarray(x), x), (lambda: ct.tensor(x), x), (lambda: ct.from_dlpack(x), x), (lambda: t + x, x),
        (lambda: x + t, x),
        (lambda: ct.matmul(t, x.T), x), (lambda: t[key], key), (lambda: t[array_key], array_key),
        (lambda: t.__setitem__(key, x[:2]), key),
        (lambda: ct.zeros(shape), shape), (lambda: ct.zeros(3, dtype=dtype), dtype), (lambda: t.astype(text), text),
        (lambda: t.numpy(), t), (lambda: np.asarray(t), t), (lambda: np.from_dlpack(t), t), (lambda: memoryview(t), t),
        (lambda: list(t), t),
        (lambda: t.T, t), (lambda: t.reshape(shape), shape), (lambda: ct.concat([t, t]), t),
        (lambda: ct.split(t, 3), t), (lambda: t.sum(axis=None), None),
        (lambda: ct.einsum("ij->j", t), t), (lambda: ct.topk(t, 2), t), (lambda: t.__iadd__(1.0), t),
        (lambda: t == t, t), (lambda: repr(t), t),
        (lambda: t.detach(), t), (lambda: t.fill_(2.0), t), (lambda: ct.where(t > 0, t, x), x),
        (lambda: t.__reduce_ex__(4), t),
    ]  # fmt: skip
    for i, (action, watched) in enumerate(ways):
        assert abs(growth(action, watched)) < 50, f"way {i}"


def test_references_of_the_tape() -> None:
    w = ct.tensor(np.ones((4, 4), np.float32), requires_grad=True)

    def step() -> None:
        (w @ w).sum().backward()
        w.grad = None

    assert growth(step, w) == 0
    assert growth(lambda: ct._core.backward([(w * w).sum()], inputs=[w], create_graph=True), w) == 0


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("training", [True, False])
def test_layers_leave_no_instruction(training: bool) -> None:
    layers = [nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.LayerNorm(6), nn.Conv2d(4, 4, 3), nn.Dropout(0.5)]
    x = ct.tensor(np.ones((2, 4, 6, 6), np.float32), requires_grad=True)
    before = ct._core.live_instructions()
    for layer in layers:
        layer.train(training)(x)
        assert ct._core.live_instructions() == before, layer


def test_a_failed_backward_leaves_nothing_behind() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    factor = ct.tensor([3.0, 4.0])
    gc.collect()  # cycles that earlier tests left
    before = live(), ct._core.live_instructions()
    y = (ct.exp(x) * factor).sum()
    factor.fill_(0.0)
    with pytest.raises(RuntimeError):
        y.backward()
    del y
    gc.collect()
    assert (live(), ct._core.live_instructions()) == before
