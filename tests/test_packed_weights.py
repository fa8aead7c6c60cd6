"""Weights packed ahead for products: never stale, the same bits as without, made anew only after a write."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import cinta as ct
from cinta import nn, optim

ROWS, IN, OUT = 80, 96, 112
MODES = ["strict", "highest", "high", "medium"]
ISA = ct.config()["isa"]
needs_packing = pytest.mark.skipif(ISA == "scalar", reason="this level packs nothing ahead")
needs_amx = pytest.mark.skipif(ISA != "amx", reason="other levels read rows that are contiguous in place")


def normal(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def packed() -> int:
    return int(ct.config()["float32_matmul"]["packed"])


def live() -> int:
    return int(ct.memory_stats()["live"])


@pytest.fixture
def x() -> ct.Tensor:
    return ct.tensor(normal(ROWS, IN, seed=1))


@pytest.fixture
def weight() -> nn.Parameter:
    return nn.Parameter(ct.tensor(normal(OUT, IN)))


def afresh(x: ct.Tensor, w: ct.Tensor) -> NDArray[np.float32]:
    """x w' by a weight that nobody has packed: a new one."""
    with ct.no_grad():
        return nn.functional.linear(x, nn.Parameter(w.detach().clone())).numpy()


def shared(x: ct.Tensor, w: ct.Tensor) -> NDArray[np.float32]:
    with ct.no_grad():
        first, *others = (nn.functional.linear(x, w).numpy() for _ in range(3))
    for other in others:
        np.testing.assert_array_equal(other, first)
    return first


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"), [(80, 96, 112), (33, 47, 65), (20, 512, 200), (300, 700, 130), (5, 300, 300)]
)
def test_the_same_bits_as_unpacked(rows: int, inputs: int, outputs: int, threads: int, mode: str) -> None:
    x, w = ct.tensor(normal(rows, inputs)), nn.Parameter(ct.tensor(normal(outputs, inputs, seed=1)))
    b, before = ct.tensor(normal(outputs, seed=2)), ct.get_num_threads()
    ct.set_num_threads(threads)
    try:
        with ct.no_grad(), ct.set_float32_matmul_precision(mode):
            expected = nn.functional.linear(x, nn.Parameter(w.detach().clone()), b).numpy()
            product = (x @ nn.Parameter(w.detach().clone()).T).numpy()
            for _ in range(3):
                np.testing.assert_array_equal(nn.functional.linear(x, w, b).numpy(), expected)
                np.testing.assert_array_equal((x @ w.T).numpy(), product)
    finally:
        ct.set_num_threads(before)


def add_one(w: nn.Parameter) -> None:
    w += 1


def copy(w: nn.Parameter) -> None:
    w.copy_(ct.tensor(normal(OUT, IN, seed=5)))


def exchange(w: nn.Parameter) -> None:
    w.data = ct.tensor(normal(OUT, IN, seed=5))


def write_element(w: nn.Parameter) -> None:
    w[3, 4] = 7.0


def write_through_a_view(w: nn.Parameter) -> None:
    w.detach().T[5] = 2.0


def through_numpy(w: nn.Parameter) -> None:
    w.detach().numpy()[2] = 3.0


def through_dlpack(w: nn.Parameter) -> None:
    np.from_dlpack(w.detach())[0] = 0.0


def through_memoryview(w: nn.Parameter) -> None:
    memoryview(w.detach())[1, 2] = 3.0


def step(w: nn.Parameter) -> None:
    w.grad = ct.tensor(normal(OUT, IN, seed=6))
    optim.SGD([w], lr=0.1).step()


def initialize(w: nn.Parameter) -> None:
    nn.init.normal_(w)


WRITES = [
    add_one, copy, exchange, write_element, write_through_a_view,
    through_numpy, through_dlpack, through_memoryview, step, initialize,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__)
def test_every_write_is_seen(x: ct.Tensor, weight: nn.Parameter, write: Callable[[nn.Parameter], None]) -> None:
    before = shared(x, weight)
    for _ in range(2):
        with ct.no_grad():
            write(weight)
        after = shared(x, weight)
        np.testing.assert_array_equal(after, afresh(x, weight))
        assert not np.array_equal(before, after)


def test_an_array_that_stays_out_writes_at_any_time(x: ct.Tensor, weight: nn.Parameter) -> None:
    shared(x, weight)
    array = weight.detach().numpy()
    for k in range(3):
        array[k] = k
        np.testing.assert_array_equal(shared(x, weight), afresh(x, weight))


@needs_packing
def test_packing_goes_on_when_the_last_array_is_gone(x: ct.Tensor, weight: nn.Parameter) -> None:
    arrays = [weight.detach().numpy(), np.from_dlpack(weight.detach())]
    start = packed()
    shared(x, weight)
    assert packed() == start
    arrays.clear()
    shared(x, weight)
    assert packed() == start + 1


def test_memory_lent_by_others_is_never_packed(x: ct.Tensor) -> None:
    array = normal(OUT, IN)
    for w in (nn.Parameter(ct.asarray(array)), nn.Parameter(ct.from_dlpack(array))):
        shared(x, w)
        array[1] += 1
        np.testing.assert_array_equal(shared(x, w), afresh(x, w))


def test_a_state_dict_loaded_is_seen(x: ct.Tensor) -> None:
    layer, other = nn.Linear(IN, OUT, bias=False), nn.Linear(IN, OUT, bias=False)
    shared(x, layer.weight)
    layer.load_state_dict(other.state_dict())
    np.testing.assert_array_equal(shared(x, layer.weight), afresh(x, other.weight))


def test_views_are_told_apart(x: ct.Tensor) -> None:
    w = nn.Parameter(ct.tensor(normal(2 * OUT, 2 * IN)))
    with ct.no_grad():
        for _ in range(3):
            for view in (w[:OUT, :IN], w[OUT:, :IN], w[:OUT, IN:], w[::2, :IN], w[:IN, :OUT].T, w[:OUT, ::2]):
                np.testing.assert_allclose(nn.functional.linear(x, view).numpy(), afresh(x, view), rtol=1e-4, atol=1e-4)


def test_modes_are_told_apart(x: ct.Tensor, weight: nn.Parameter) -> None:
    for _ in range(3):
        for mode in MODES:
            with ct.set_float32_matmul_precision(mode):
                np.testing.assert_array_equal(shared(x, weight), afresh(x, weight))


@pytest.mark.parametrize("value", [np.inf, np.nan, 1e-40, 3.4e38])
def test_values_that_no_parts_hold(x: ct.Tensor, weight: nn.Parameter, value: float) -> None:
    with ct.no_grad():
        weight[3, 4] = value
        with ct.set_float32_matmul_precision("strict"):
            expected = afresh(x, weight)
        if np.isfinite(expected).all():
            np.testing.assert_allclose(shared(x, weight), expected, rtol=1e-4, atol=1e-4)
        else:
            np.testing.assert_array_equal(shared(x, weight), expected)


@needs_packing
def test_a_steady_loop_packs_once_per_step_in_the_same_memory(x: ct.Tensor, weight: nn.Parameter) -> None:
    def one_step() -> None:
        for _ in range(3):
            nn.functional.linear(x, weight).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    optimizer = optim.SGD([weight], lr=0.1)
    for _ in range(2):
        one_step()
    held, start = live(), packed()
    ct.reset_peak_memory()
    for _ in range(4):
        one_step()
    assert live() == held
    assert packed() == start + 4


@needs_packing
def test_one_use_per_step_packs_nothing(x: ct.Tensor, weight: nn.Parameter) -> None:
    start = packed()
    optimizer = optim.SGD([weight], lr=0.1)
    for _ in range(4):
        nn.functional.linear(x, weight).sum().backward()
        optimizer.step()
    assert packed() == start


@needs_amx
def test_forward_and_backward_share_by_view() -> None:
    x = ct.tensor(normal(ROWS, IN), requires_grad=True)
    w = nn.Parameter(ct.tensor(normal(OUT, IN, seed=1)))
    dy, grads = ct.tensor(normal(ROWS, OUT, seed=2)), []
    start = packed()
    for _ in range(3):
        x.grad = None
        (nn.functional.linear(x, w) * dy).sum().backward()
        grads.append(x.grad.numpy())
    assert packed() == start + 3  # x w', dy w, and dy' x: x asks for a gradient too
    expected = dy.numpy().astype(np.float64) @ w.detach().numpy().astype(np.float64)
    for grad in grads:
        np.testing.assert_allclose(grad, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(grad, grads[0])


@needs_packing
def test_packed_memory_counts_and_goes_with_the_weight(x: ct.Tensor) -> None:
    before = live()
    w = nn.Parameter(ct.tensor(normal(OUT, IN)))
    own = live() - before
    shared(x, w)
    assert live() - before >= 2 * own
    del w
    assert live() == before


def test_activations_are_not_packed() -> None:
    a, b = ct.tensor(normal(ROWS, IN)), ct.tensor(normal(IN, OUT))
    start = packed()
    for _ in range(4):
        a @ b
    assert packed() == start


def test_threads_share_a_weight() -> None:
    x, w = ct.tensor(normal(300, 400)), nn.Parameter(ct.tensor(normal(350, 400, seed=1)))
    expected = dict.fromkeys(MODES)
    for mode in MODES:
        with ct.set_float32_matmul_precision(mode):
            expected[mode] = afresh(x, w)
    failures: list[BaseException] = []

    def run(mode: str) -> None:
        try:
            with ct.set_float32_matmul_precision(mode), ct.no_grad():
                for _ in range(20):
                    np.testing.assert_array_equal(nn.functional.linear(x, w).numpy(), expected[mode])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(MODES[k % len(MODES)],)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_thread_that_writes_leaves_the_others_whole() -> None:
    x, w = ct.tensor(normal(300, 400)), nn.Parameter(ct.tensor(normal(350, 400, seed=1)))
    done, values = threading.Event(), ct.tensor(w.detach().clone())

    def write() -> None:
        with ct.no_grad():
            while not done.is_set():
                w.copy_(values)  # the same values: what is read meanwhile must not change

    expected = afresh(x, w)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        with ct.no_grad():
            for _ in range(60):
                np.testing.assert_array_equal(nn.functional.linear(x, w).numpy(), expected)
    finally:
        done.set()
        writer.join()


@needs_packing
def test_a_compiled_function_that_writes_no_weight_packs_it_once(x: ct.Tensor, weight: nn.Parameter) -> None:
    run = ct.compile(lambda x: nn.functional.linear(x, weight))
    with ct.no_grad():
        expected, before = afresh(x, weight), packed()
        for _ in range(6):
            np.testing.assert_array_equal(run(x).numpy(), expected)
        assert packed() == before + 1
        weight.copy_(weight * 2)
        for _ in range(6):
            np.testing.assert_array_equal(run(x).numpy(), 2 * expected)
        assert packed() == before + 2
