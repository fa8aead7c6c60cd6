"""Precision of float32 products: the four modes, the range of bfloat16 parts, and what the library says of them."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

import cinta as ct
from isa_levels import run_python, runnable

Array = NDArray[np.float32]
AMX = ct.config()["isa"] == "amx"
needs_amx = pytest.mark.skipif(not AMX, reason="this machine has no AMX: all modes are float32 FMA")
SHAPES = [(33, 32, 32), (64, 64, 64), (65, 100, 47), (100, 33, 129), (257, 321, 95), (40, 1000, 700), (48, 352, 33)]


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def product(a: Array, b: Array, mode: str = "highest") -> Array:
    with ct.set_float32_matmul_precision(mode):
        return (ct.asarray(a) @ ct.asarray(b)).numpy()


def error(got: Array, a: Array, b: Array) -> float:
    exact = a.astype(np.float64) @ b.astype(np.float64)
    return float(np.linalg.norm(got - exact) / np.linalg.norm(exact))


@pytest.mark.parametrize(("mode", "bound"), [("strict", 4e-7), ("highest", 2.1e-7), ("high", 5e-6), ("medium", 4e-3)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("transposed", ["", "a", "b", "ab"])
def test_error_of_each_mode(shape: tuple[int, int, int], transposed: str, mode: str, bound: float) -> None:
    m, k, n = shape
    a = normal(k, m).T if "a" in transposed else normal(m, k)
    b = normal(n, k, seed=1).T if "b" in transposed else normal(k, n, seed=1)
    assert error(product(a, b, mode), a, b) < (bound if AMX or mode != "highest" else 4e-7)


@needs_amx
def test_modes_differ_in_what_they_keep() -> None:
    a, b = normal(96, 512), normal(512, 96, seed=1)
    errors = {mode: error(product(a, b, mode), a, b) for mode in ("highest", "high", "medium")}
    assert errors["highest"] < 2.1e-7 < 1e-6 < errors["high"] < 1e-5 < 5e-4 < errors["medium"]


def test_identity_gives_back_every_bit() -> None:
    b = normal(64, 200) * np.float32(10.0) ** np.random.default_rng(2).integers(-12, 12, (64, 200))
    np.testing.assert_array_equal(product(np.eye(64, dtype=np.float32), b.astype(np.float32)), b.astype(np.float32))


def test_integers_are_exact() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.integers(-2000, 2000, (64, 64)).astype(np.float32) for _ in range(2))
    np.testing.assert_array_equal(product(a // 16, b // 16), (a // 16) @ (b // 16))


SPECIAL = {
    "inf": np.inf,
    "-inf": -np.inf,
    "nan": np.nan,
    "a nan of all ones": np.array(0x7FFFFFFF, np.uint32).view(np.float32),
    "rounds to inf as bfloat16": np.float32(3.4e38),
}


@pytest.mark.parametrize("mode", ["highest", "high", "medium"])
@pytest.mark.parametrize("side", ["a", "b"])
@pytest.mark.parametrize("value", SPECIAL.values(), ids=SPECIAL.keys())
def test_special_values_give_what_fma_gives(value: float, side: str, mode: str) -> None:
    a, b = normal(70, 64), normal(64, 80, seed=1)
    (a if side == "a" else b)[17, 31] = value
    np.testing.assert_array_equal(product(a, b, mode), product(a, b, "strict"))


@pytest.mark.parametrize(
    ("a_scale", "b_scale"), [(1e-36, 1.0), (1e-40, 1e30), (1e-20, 1e-20), (1e-38, 1e-3), (1e-44, 1)]
)
def test_extreme_ranges_give_what_fma_gives(a_scale: float, b_scale: float) -> None:
    a, b = normal(70, 64) * np.float32(a_scale), normal(64, 80, seed=1) * np.float32(b_scale)
    np.testing.assert_array_equal(product(a, b), product(a, b, "strict"))


@pytest.mark.parametrize("scale", [1e-14, 1e-9, 1e12, 1e18])
def test_wide_ranges_inside_the_guard_keep_float32_accuracy(scale: float) -> None:
    a, b = normal(70, 64) * np.float32(scale), normal(64, 80, seed=1)
    assert error(product(a, b), a, b) < 4e-7


def test_zeros_are_exact_whatever_the_other_side() -> None:
    zeros, b = np.zeros((64, 64), np.float32), normal(64, 64) * np.float32(1e-41)
    np.testing.assert_array_equal(product(zeros, b), zeros)
    b[3, 3] = np.inf
    assert np.isnan(product(zeros, b)[:, 3]).all()


def test_same_bits_on_any_number_of_threads() -> None:
    a, b = ct.asarray(normal(700, 330)), ct.asarray(normal(330, 610, seed=1))
    threads = ct.get_num_threads()
    try:
        results = []
        for n in (1, 2, 3):
            ct.set_num_threads(n)
            results.append((a @ b).numpy())
    finally:
        ct.set_num_threads(threads)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize(("mode", "bound"), [("strict", 4e-7), ("highest", 2.1e-7), ("high", 5e-6), ("medium", 4e-3)])
@pytest.mark.parametrize("shape", [(9, 64, 64, 64), (3, 128, 64, 130), (2, 300, 257, 290), (40, 65, 33, 70)], ids=str)
@pytest.mark.parametrize("transposed", [False, True])
def test_batches_keep_the_error_of_their_mode(
    shape: tuple[int, int, int, int], transposed: bool, mode: str, bound: float
) -> None:
    batch, m, k, n = shape
    a = normal(batch, m, k)
    b = normal(batch, n, k, seed=1).swapaxes(1, 2) if transposed else normal(batch, k, n, seed=1)
    assert error(product(a, b, mode), a, b) < (bound if AMX or mode != "highest" else 4e-7)


def test_a_product_out_of_range_leaves_the_rest_of_its_batch_alone() -> None:
    a, b = normal(6, 64, 64), normal(6, 64, 64, seed=1)
    expected = product(a, b)
    a[2, 3, 4] = np.inf
    got = product(a, b)
    rest = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(got[rest], expected[rest])
    np.testing.assert_array_equal(got[2], product(a[2:3], b[2:3], "strict")[0])


def test_batches_have_the_same_bits_on_any_number_of_threads() -> None:
    threads, results = ct.get_num_threads(), []
    pairs = [
        (normal(*a), normal(*b, seed=1)) for a, b in (((30, 70, 64), (30, 64, 90)), ((2, 400, 300), (2, 300, 500)))
    ]
    try:
        for n in (1, 2, 3):
            ct.set_num_threads(n)
            results.append([product(a, b) for a, b in pairs])
    finally:
        ct.set_num_threads(threads)
    for result in results[1:]:
        for got, expected in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(got, expected)


@needs_amx
def test_config_says_which_way_products_went() -> None:
    def counts() -> tuple[int, int, int]:
        paths = ct.config()["float32_matmul"]
        return paths["fma"], paths["split"], paths["out_of_range"]

    a, b = normal(128, 64), normal(64, 128, seed=1)
    start = counts()
    product(a, b)
    product(a, b, "strict")
    product(a * np.float32(np.inf), b)
    assert tuple(now - then for now, then in zip(counts(), start, strict=True)) == (1, 1, 1)


def test_the_choice_holds_inside_the_block_and_for_this_thread() -> None:
    def of_another_thread() -> str:
        seen = []
        thread = threading.Thread(target=lambda: seen.append(ct.get_float32_matmul_precision()))
        thread.start()
        thread.join()
        return seen[0]

    assert ct.get_float32_matmul_precision() == "highest"
    with ct.set_float32_matmul_precision("medium"):
        assert ct.get_float32_matmul_precision() == "medium"
        with ct.set_float32_matmul_precision("strict"):
            assert ct.config()["float32_matmul"]["precision"] == "strict"
        assert ct.get_float32_matmul_precision() == "medium"
        assert of_another_thread() == "medium"
    assert ct.get_float32_matmul_precision() == "highest"


def test_blocks_of_other_threads_leave_this_one_and_new_ones_alone() -> None:
    def changes() -> None:
        for _ in range(50):
            with ct.set_float32_matmul_precision("medium"):
                product(normal(40, 40), normal(40, 40))

    threads = [threading.Thread(target=changes) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen: list[str] = []
    late = threading.Thread(target=lambda: seen.append(ct.get_float32_matmul_precision()))
    late.start()
    late.join()
    assert [ct.get_float32_matmul_precision(), *seen] == ["highest", "highest"]


def test_an_unknown_precision_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r'got "hihg", expected "strict", "highest"'):
        ct.set_float32_matmul_precision("hihg")


@pytest.mark.skipif("amx" not in runnable(), reason="this CPU has no AMX")
def test_where_the_system_refuses_amx_the_level_below_runs_and_says_so() -> None:
    # Linux refuses tiles to a process whose alternate signal stack could not hold them.
    program = """
import ctypes
class Stack(ctypes.Structure):
    _fields_ = [("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]
memory = ctypes.create_string_buffer(4096)
assert ctypes.CDLL(None).sigaltstack(ctypes.byref(Stack(ctypes.addressof(memory), 0, 4096)), None) == 0
import cinta as ct
print(ct.config()["isa"], "|", ct.config()["isa_reason"])
"""
    run = run_python(["-c", program])
    assert run.stdout.split(" | ") == ["avx512", "the system refused AMX; best of what is left\n"], run.stderr
