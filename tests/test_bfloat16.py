"""Products of bfloat16 operands: float32 sums, rounded once, the same bits on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from op_run import rounded

SHAPES = [(33, 40, 32), (64, 64, 64), (100, 1025, 77), (65, 64, 530), (257, 511, 259), (64, 2050, 300), (7, 300, 5)]


def half(x: np.ndarray) -> ct.Tensor:
    return ct.tensor(x, dtype="bfloat16")


def exact(x: ct.Tensor) -> np.ndarray:
    return x.detach().astype("float64").numpy()


def assert_rounded_once(got: ct.Tensor, wanted: np.ndarray, terms: int) -> None:
    """Within a rounding of the exact result, and the error of a float32 sum of so many terms."""
    assert got.dtype == ct.bfloat16
    slack = 2.0**-8 * np.abs(wanted) + 2.0**-22 * terms**0.5 * np.abs(wanted).max()
    assert (np.abs(exact(got) - wanted) <= slack).all()
    assert (exact(got) == rounded(wanted, "bfloat16")).mean() > 0.995


@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_products_are_rounded_once(m: int, k: int, n: int, rng: np.random.Generator) -> None:
    a, b, bias = half(rng.normal(size=(m, k))), half(rng.normal(size=(k, n))), half(rng.normal(size=n))
    wanted = exact(a) @ exact(b)
    for x in (a, a.T.contiguous().T, ct.concat([a, a], axis=1)[:, :k]):
        for y in (b, b.T.contiguous().T):
            assert_rounded_once(x @ y, wanted, k)
    assert_rounded_once(ct.linear(a, b.T.contiguous(), bias), wanted + exact(bias), k)
    batch = ct.stack([a, -a, a])
    for got, sign in zip(batch @ ct.stack([b, b, b]), (1, -1, 1)):
        assert_rounded_once(got, sign * wanted, k)


def test_the_same_bits_on_any_number_of_threads(rng: np.random.Generator) -> None:
    a, b = half(rng.normal(size=(300, 1100))), half(rng.normal(size=(1100, 600)))
    before = ct.get_num_threads()
    results = []
    for threads in (1, 2, 3, 7):
        ct.set_num_threads(threads)
        results.append(exact(a @ b))
    ct.set_num_threads(before)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_infinity_and_nan_stay_in_their_row(bad: float, rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(64, 128)), rng.normal(size=(128, 96))
    a[5, 7] = bad
    got = exact(half(a) @ half(b))
    with np.errstate(invalid="ignore"):
        wanted = exact(half(a)) @ exact(half(b))
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(wanted))
    np.testing.assert_array_equal(got[5], wanted[5])


def test_gradients_are_products_too(rng: np.random.Generator) -> None:
    a, b = half(rng.normal(size=(96, 200))).requires_grad_(), half(rng.normal(size=(200, 64))).requires_grad_()
    (a @ b).sum().backward()
    assert a.grad.dtype == b.grad.dtype == ct.bfloat16
    assert_rounded_once(a.grad, np.broadcast_to(exact(b).sum(1), (96, 200)), 64)
    assert_rounded_once(b.grad, np.broadcast_to(exact(a).sum(0)[:, None], (200, 64)), 96)


def test_convolution_sums_in_float32(rng: np.random.Generator) -> None:
    x, w = half(rng.normal(size=(2, 32, 12, 12))), half(rng.normal(size=(48, 32, 3, 3)))
    got = ct.conv2d(x, w)
    wanted = exact(ct.conv2d(x.astype("float64"), w.astype("float64")))
    assert_rounded_once(got, wanted, 32 * 9)
