"""Fractional max pooling: which windows are drawn, when, and from where; and averaging passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cinta as ct
from cinta import nn


def borders(size: int, out: int, **how: Any) -> np.ndarray:
    """[draws, out, 2]: first and last row of the windows, seen through maxima of rising and falling numbers."""
    pool = nn.FractionalMaxPool2d(output_size=(out, 1), return_indices=True, shared=False, **how)
    rising = np.arange(float(size)).reshape(1, 1, size, 1) * np.ones((300, 1, 1, 2))
    state = ct.random.get_state()
    _, last = pool(ct.tensor(rising))
    ct.random.set_state(state)
    _, first = pool(ct.tensor(-rising))
    return np.stack([first.numpy(), last.numpy()], -1)[:, 0, :, 0] // 2


@pytest.mark.parametrize("pseudo_random", [True, False])
@pytest.mark.parametrize(("size", "out"), [(32, 22), (25, 18), (9, 4), (7, 6), (12, 5)])
def test_grahams_windows(size: int, out: int, pseudo_random: bool) -> None:
    """Steps of two neighbouring lengths that cover the whole height; overlapping windows share their borders."""
    ct.random.seed(1)
    disjoint = borders(size, out, pseudo_random=pseudo_random, overlapping=False)
    steps = disjoint[:, :, 1] - disjoint[:, :, 0] + 1
    assert set(np.unique(steps)) <= {size // out, -(-size // out)}
    assert (steps.sum(1) == size).all()
    assert (disjoint[:, 1:, 0] == disjoint[:, :-1, 1] + 1).all()
    overlapping = borders(size, out, pseudo_random=pseudo_random)
    assert (overlapping[:, 0, 0] == 0).all()
    assert (overlapping[:, -1, 1] == size - 1).all()
    assert (overlapping[:, 1:, 0] == overlapping[:, :-1, 1]).all()
    if size % out:
        assert len(np.unique(disjoint, axis=0)) > 1


def test_random_steps_come_in_any_order_and_pseudo_random_ones_in_few() -> None:
    ct.random.seed(2)
    random = np.unique(borders(12, 8, pseudo_random=False, overlapping=False), axis=0)
    pseudo = np.unique(borders(12, 8, overlapping=False), axis=0)
    assert len(random) > 60  # of 70 orders of four ones and four twos
    assert len(pseudo) == 2  # 1 2 1 2 ... and 2 1 2 1 ...


@pytest.mark.parametrize("overlapping", [True, False])
def test_windows_of_one_size(overlapping: bool) -> None:
    found = borders(32, 22, kernel_size=(2, 1), overlapping=overlapping, pseudo_random=False)
    assert (found[:, 0, 0] == 0).all()
    assert (found[:, -1, 1] == 31).all()
    sizes = found[:, :, 1] - found[:, :, 0] + 1
    assert set(np.unique(sizes)) == ({2} if overlapping else {1, 2})
    assert overlapping or (found[:, 1:, 0] > found[:, :-1, 1]).all()


@pytest.mark.parametrize("shared", [True, False])
def test_sharing(shared: bool) -> None:
    ct.random.seed(3)
    x = ct.broadcast_to(ct.random.normal(shape=(1, 1, 20, 20)), (4, 3, 20, 20))
    y = nn.FractionalMaxPool2d(output_ratio=0.7, shared=shared)(x).numpy().reshape(12, -1)
    assert (len(np.unique(y, axis=0)) == 1) == shared


@pytest.mark.parametrize("pseudo_random", [True, False])
def test_evaluation_is_fixed_and_draws_nothing(pseudo_random: bool) -> None:
    pool = nn.FractionalMaxPool2d(output_ratio=0.7, pseudo_random=pseudo_random)
    x = ct.random.normal(shape=(2, 3, 20, 20))
    assert not bool((pool(x) == pool(x)).all())
    pool.eval()
    state = ct.random.get_state()
    first = pool(x)
    assert ct.random.get_state() == state
    assert bool((first == pool(x)).all())
    even = nn.FractionalMaxPool2d(output_ratio=0.7, _random_samples=[0.5, 0.5])
    assert bool((first == even(x)).all())


@pytest.mark.parametrize("how", [{}, {"pseudo_random": False}, {"shared": False}, {"kernel_size": 2}], ids=str)
def test_seeds_threads_orders_and_compiled(how: dict[str, Any]) -> None:
    """One seed gives the same bits, on any number of threads, in either memory order and in ct.compile."""
    pool = nn.FractionalMaxPool2d(**{"output_ratio": 0.7, **how})
    x = ct.random.normal(shape=(4, 40, 20, 20))
    last = x.transpose(0, 2, 3, 1).contiguous().transpose(0, 3, 1, 2)

    def step(x: ct.Tensor) -> tuple[ct.Tensor, ct.Tensor]:
        leaf = x.detach().requires_grad_()
        y = pool(leaf)
        (dx,) = (ct.autodiff.grad(lambda z: (pool(z) ** 2).sum())(leaf),)
        return y, dx

    def run(f: Any, x: ct.Tensor) -> list[np.ndarray]:
        ct.random.seed(7)
        return [t.detach().numpy().copy() for _ in range(3) for t in f(x)]

    expected = run(step, x)
    before = ct.get_num_threads()
    try:
        ct.set_num_threads(2)
        found = [run(step, x), run(step, last)]
    finally:
        ct.set_num_threads(before)
    found.append(run(ct.compile(lambda x: (pool(x), pool(x) * 2)), x))
    for results in found[:2]:
        for a, b in zip(results, expected, strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found[2], run(lambda x: (pool(x), pool(x) * 2), x))


def test_errors_name_what_was_got() -> None:
    x = ct.zeros((1, 1, 8, 8))
    for options, text in [
        ({}, "expected one of them"),
        ({"output_size": 3, "output_ratio": 0.5}, "expected one of them"),
        ({"output_ratio": 1.5}, "output_ratio got 1.5"),
        ({"kernel_size": 0, "output_size": 3}, "kernel_size got 0"),
        ({"output_size": 3, "_random_samples": [0.1, 0.2], "pseudo_random": False}, "pseudo_random=False"),
    ]:
        with pytest.raises(ValueError, match=text):
            nn.FractionalMaxPool2d(**options)
    for options, text in [
        ({"output_size": 8}, "8 windows on 8 elements, expected 1 to 7"),
        ({"kernel_size": 4, "output_size": 6}, "6 windows of size 4 on 8 elements, expected 1 to 5"),
        ({"output_size": 3, "_random_samples": [0.1, 1.0]}, r"pair \(0.1, 1\)"),
        ({"output_size": 3, "_random_samples": np.zeros((2, 2))}, r"shape \[2,2\], expected \[2\], or"),
    ]:
        with pytest.raises(ValueError, match=text):
            nn.FractionalMaxPool2d(**options)(x)
    with pytest.raises(ValueError, match="expected \\[N,C,H,W\\]"):
        nn.FractionalMaxPool2d(output_size=3)(ct.zeros((8, 8)))


def test_averaged_passes() -> None:
    net = nn.Sequential(nn.FractionalMaxPool2d(output_ratio=0.7), nn.Dropout(0.5), nn.Flatten(), nn.Linear(36, 3))
    x = ct.random.normal(shape=(5, 1, 9, 9))
    net.train()
    state = ct.random.get_state()
    prediction = ct.ensemble.average_passes(net, x, passes=6, seed=4, batch_size=2)
    assert ct.random.get_state() == state
    assert net.training
    assert net[0].training
    assert net[1].training
    assert prediction.mean.shape == (5, 3)
    np.testing.assert_allclose(prediction.mean.sum(1).numpy(), 1, rtol=1e-6)
    again = ct.ensemble.average_passes(net, x, passes=6, seed=4, batch_size=2)
    assert bool((prediction.mean == again.mean).all())
    assert bool((prediction.std > 0).any())
    with pytest.raises(ValueError, match="has no FractionalMaxPool2d"):
        ct.ensemble.average_passes(nn.Linear(3, 2), x)
    with pytest.raises(ValueError, match="passes got 0"):
        ct.ensemble.average_passes(net, x, passes=0)
