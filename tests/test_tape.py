"""The tape: backward and its misuse, in-place writes, stale views, memory that goes in time, a million operations."""

from __future__ import annotations

import gc
import inspect
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cinta as ct

HERE = Path(__file__).name


def live() -> int:
    return ct.memory_stats()["live"]


def line() -> int:
    """The caller's line."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_backward_fills_the_leaves() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    w = ct.tensor([3.0, 4.0], requires_grad=True)
    y = x * w
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]
    assert w.grad.tolist() == [1.0, 2.0]
    assert y.grad is None


def test_gradients_add_up_until_cleared() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    for times in (1, 2, 3):
        (x * x).sum().backward()
        assert x.grad.tolist() == [2.0 * times, 4.0 * times]
    x.grad = None
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_one_tensor_used_in_many_places() -> None:
    x = ct.tensor(2.0, requires_grad=True)
    (x * x + x * 3 + x / x - x).backward()
    assert float(x.grad) == pytest.approx(6.0)


def test_backward_with_a_gradient() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    (x * 2).backward(ct.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 20.0]
    with pytest.raises(ValueError, match=r"\[3\].*\[2\]|\[2\].*\[3\]"):
        (x * 2).backward(ct.ones(3))


def test_backward_needs_a_gradient_where_the_output_is_no_scalar() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises((RuntimeError, ValueError), match=r"\[2\]"):
        (x * 2).backward()


def test_a_second_backward_says_how_to_keep_the_graph() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward()
    z = (x * x).sum()
    z.backward(retain_graph=True)
    z.backward()
    assert x.grad.tolist() == [6.0, 12.0]


def test_backward_of_a_shared_part_after_it_was_freed() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    shared = ct.exp(x)
    (shared * 2).sum().backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        (shared * 3).sum().backward()


def test_create_graph_gives_a_differentiable_gradient() -> None:
    x = ct.tensor(3.0, requires_grad=True)
    (x * x * x).backward(create_graph=True)
    first = x.grad
    x.grad = None
    first.backward()
    assert float(x.grad) == pytest.approx(18.0)


def test_only_floating_leaves_take_gradients() -> None:
    with pytest.raises((TypeError, RuntimeError, ValueError), match="int64"):
        ct.tensor([1, 2], requires_grad=True)
    x = ct.tensor([1.0], requires_grad=True)
    y = x * 2
    with pytest.raises(RuntimeError, match="detach"):
        y.requires_grad = False
    with pytest.raises(RuntimeError, match="requires_grad"):
        ct.ones(1).backward()


def test_detach_and_no_grad_stop_gradients() -> None:
    x = ct.tensor([2.0], requires_grad=True)
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [2.0]
    with ct.no_grad():
        assert not (x * 2).requires_grad
        with ct.enable_grad():
            assert (x * 2).requires_grad
    assert (x * 2).requires_grad

    @ct.no_grad()
    def evaluate() -> ct.Tensor:
        return x * 2

    assert not evaluate().requires_grad
    assert ct.is_grad_enabled()


def test_retain_grad_keeps_an_inner_gradient() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [6.0, 12.0]


def test_grad_must_fit() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"\[3\]"):
        x.grad = ct.ones(3)
    x.grad = ct.ones(2)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_overwriting_what_backward_needs_names_both_lines() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    weights = ct.tensor([3.0, 4.0])
    saved = line() + 1
    y = x * weights
    written = line() + 1
    weights += 1.0
    with pytest.raises(RuntimeError) as error:
        y.sum().backward()
    assert f"{HERE}:{saved}" in str(error.value)
    assert f"{HERE}:{written}" in str(error.value)


@pytest.mark.parametrize("write", [lambda t: t.fill_(0.0), lambda t: t.zero_(), lambda t: t.__setitem__(0, 5.0),
                                   lambda t: t.copy_(ct.ones(2)),
                                   lambda t: t[:1].fill_(3.0), lambda t: t.reshape(2, 1).zero_()])  # fmt: skip
def test_every_write_after_a_save_is_seen(write: Callable[[ct.Tensor], object]) -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    factor = ct.tensor([3.0, 4.0])
    y = (x * factor).sum()
    write(factor)
    with pytest.raises(RuntimeError, match=HERE):
        y.backward()


def test_overwriting_an_output_that_was_saved() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    y = ct.exp(x)
    y += 1.0
    with pytest.raises(RuntimeError, match="exp"):
        y.sum().backward()


def test_overwriting_what_nobody_needs_is_fine() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    y = x + 1.0
    y *= 3.0
    y[0] = 0.0
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 3.0]


def test_in_place_chain_differentiates() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y += x
    y -= 1
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_leaf_that_requires_grad_is_written_only_without_recording() -> None:
    x = ct.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="no_grad"):
        x += 1.0
    with pytest.raises(RuntimeError, match="no_grad"):
        x[0] = 1.0
    with ct.no_grad():
        x += 1.0
    assert x.tolist() == [2.0, 3.0]
    assert x.requires_grad


def test_a_stale_view_of_recorded_storage_raises() -> None:
    x = ct.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    window = y[1:]
    y[0] = 7.0
    with pytest.raises(RuntimeError, match="written in place"):
        window + 1
    assert y[1:].tolist() == [4.0, 6.0]


def test_views_of_plain_storage_never_go_stale() -> None:
    base = ct.zeros(4)
    window = base[1:]
    base[2] = 5.0
    assert (window + 1).tolist() == [1.0, 6.0, 1.0]


def test_a_dropped_graph_is_freed_at_once() -> None:
    x = ct.tensor(np.ones(10_000, np.float32), requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        before = live()
        y = x
        for _ in range(20):
            y = ct.exp(y * 0.1)
        assert live() - before > 20 * x.nbytes
        del y
        assert live() == before
    finally:
        gc.enable()


def test_saved_values_go_as_backward_passes_them() -> None:
    x = ct.tensor(np.ones(100_000, np.float32), requires_grad=True)
    before = live()
    y = x
    for _ in range(10):
        y = ct.tanh(y)
    total = y.sum()
    del y
    total.backward()
    assert live() - before <= 2 * x.nbytes  # x.grad, and the scalar


def test_forgetting_no_grad_in_evaluation_does_not_leak() -> None:
    w = ct.tensor(np.ones((64, 64), np.float32), requires_grad=True)
    x = ct.ones((32, 64))
    loss = total = 0.0
    after_first = None
    for _ in range(50):
        loss = ct.tanh(x @ w).mean()
        total += loss.item()
        after_first = after_first or live()
    assert live() <= after_first
    assert total == pytest.approx(50 * float(loss.item()))


def test_a_training_loop_does_not_grow() -> None:
    w = ct.tensor(np.ones((64, 64), np.float32), requires_grad=True)
    x = ct.ones((32, 64))
    after = []
    for _ in range(20):
        w.grad = None
        loss = (x @ w).mean()
        loss.backward()
        with ct.no_grad():
            w -= 0.1 * w.grad
        after.append(live())
    assert after[-1] <= after[1]


def million() -> None:
    n = 1_000_000
    x = ct.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(n):
        y = y + x
    y.backward()
    assert float(x.grad) == pytest.approx(n + 1, rel=1e-3)
    del y
    y = x
    for _ in range(n):
        y = y * 1.0
    del y  # released, never walked


def test_a_million_operations_differentiate_and_are_freed() -> None:
    before = live()
    million()
    assert live() == before


def test_a_million_operations_on_a_small_stack() -> None:
    previous = threading.stack_size(256 * 1024)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            million()
        except BaseException as error:
            failures.append(error)

    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(previous)
    assert failures == []


def test_a_million_operations_of_second_order_are_freed() -> None:
    x = ct.tensor(0.5, dtype="float64", requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    (y * y).backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    assert float(x.grad) == pytest.approx(2.0)


def test_threads_record_on_their_own() -> None:
    results: dict[int, list[float]] = {}

    def run(k: int) -> None:
        x = ct.tensor([float(k), 2.0], requires_grad=True)
        for _ in range(50):
            x.grad = None
            (x * x * k).sum().backward()
        results[k] = x.grad.tolist()

    threads = [threading.Thread(target=run, args=(k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: [2.0 * k * k, 4.0 * k] for k in range(1, 5)}


def test_grad_mode_is_of_its_thread() -> None:
    seen: list[bool] = []
    with ct.no_grad():
        thread = threading.Thread(target=lambda: seen.append(ct.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_the_sixth_derivative_of_tanh() -> None:
    x = ct.tensor(0.3, dtype="float64", requires_grad=True)
    y = ct.tanh(x)
    for _ in range(6):
        (y,) = ct._core.backward([y], inputs=[x], create_graph=True)
    t = np.tanh(0.3)
    polynomial = np.polynomial.Polynomial([0, 1])
    for _ in range(6):  # d/dx p(t) = p'(t) (1 - t^2)
        polynomial = polynomial.deriv() * np.polynomial.Polynomial([1, 0, -1])
    assert float(y) == pytest.approx(polynomial(t), rel=1e-12)


def test_unused_inputs() -> None:
    x, unused = ct.tensor(1.0, requires_grad=True), ct.tensor(1.0, requires_grad=True)
    used, missing = ct._core.backward([x * 2], inputs=[x, unused])
    assert float(used) == 2.0
    assert missing is None
    with pytest.raises(RuntimeError, match="unused|allow_unused"):
        ct._core.backward([x * 2], inputs=[x, unused], allow_unused=False)


def filled(w: ct.Tensor, axis: int, steps: int = 4) -> ct.Tensor:
    """An array filled in place from itself, a row (or a column of rows) a step."""
    h = ct.zeros((steps + 1, 2, 3) if axis == 0 else (2, steps + 1, 3), dtype="float64")
    start = ct.tensor([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]], dtype="float64")
    if axis == 0:
        h[0] = start
    else:
        h[:, 0] = start
    for t in range(steps):
        if axis == 0:
            h[t + 1] = ct.tanh(h[t] @ w) + 0.1 * h[t]
        else:
            h[:, t + 1] = ct.tanh(h[:, t] @ w) + 0.1 * h[:, t]
    return (h**2).sum()


@pytest.mark.parametrize("axis", [0, 1])
def test_arrays_filled_step_by_step_differentiate_twice(axis: int) -> None:
    w = ct.tensor(np.eye(3) * 0.5 + np.arange(9).reshape(3, 3) / 20)
    assert ct.gradcheck(lambda w: filled(w, axis), w, order=2, atol=1e-8, rtol=1e-6)
    hessian = ct.hessian(lambda w: filled(w, axis))(w).numpy().reshape(9, 9)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-9)


def test_a_saved_row_that_is_written_itself_is_an_error() -> None:
    w = ct.tensor(np.eye(3), requires_grad=True)
    h = ct.ones((4, 3), dtype="float64")
    y = h[1] @ w
    h[2] = y  # beside it
    z = (h[1] @ w).sum()
    h[0:2] = h[2:4] * 2.0  # over it
    with pytest.raises(RuntimeError, match="overwritten in place"):
        (z + y.sum()).backward()
