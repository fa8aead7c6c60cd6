"""Dtypes: promotion as NumPy 2's, weak Python scalars, conversions with their roundings, and how a dtype is named."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import cinta as ct
from op_row import ALL_DTYPES, FLOATS, INTEGERS
from op_run import rounded

IN_NUMPY = [d for d in ALL_DTYPES if d != "bfloat16"]
SCALARS: list[Any] = [True, 3, 2.5]


@pytest.mark.parametrize("a", IN_NUMPY)
def test_pairs_promote_as_in_numpy(a: str) -> None:
    for b in IN_NUMPY:
        wanted = str(np.result_type(a, b))
        for x, y in ((ct.ones(2, dtype=a), ct.ones(2, dtype=b)), (ct.ones((), dtype=a), ct.ones(2, dtype=b))):
            assert str((x + y).dtype) == wanted, (a, b)
            assert str(ct.maximum(x, y).dtype) == wanted, (a, b)
            assert str(ct.concat([x.reshape(-1), y.reshape(-1)]).dtype) == wanted, (a, b)
            assert str(ct.where(True, x, y).dtype) == wanted, (a, b)


@pytest.mark.parametrize("a", IN_NUMPY)
def test_python_scalars_are_weak_as_in_numpy(a: str) -> None:
    for scalar in SCALARS:
        wanted = (np.ones(2, a) + scalar).dtype
        for got in (ct.ones(2, dtype=a) + scalar, scalar + ct.ones(2, dtype=a), ct.ones((), dtype=a) + scalar):
            assert str(got.dtype) == str(wanted), (a, scalar)
        assert str((ct.ones(2, dtype=a) > scalar).dtype) == "bool"


@pytest.mark.parametrize("a", IN_NUMPY)
def test_true_division_gives_what_numpy_gives(a: str) -> None:
    for b in IN_NUMPY:
        assert str((ct.ones(2, dtype=a) / ct.ones(2, dtype=b)).dtype) == str((np.ones(2, a) / np.ones(2, b)).dtype), (
            a,
            b,
        )


def test_numpy_scalars_are_strong() -> None:
    assert str((ct.ones(2) * np.float64(2)).dtype) == "float64"
    assert str((np.float64(2) * ct.ones(2)).dtype) == "float64"
    assert str((ct.ones(2, dtype="int8") + np.int32(2)).dtype) == "int32"


def test_bfloat16_promotes_among_floats_to_what_holds_both() -> None:
    def result(other: str) -> str:
        pair = ct.ones(2, dtype="bfloat16"), ct.ones(2, dtype=other)
        assert (pair[0] + pair[1]).dtype == (pair[1] + pair[0]).dtype
        return str((pair[0] + pair[1]).dtype)

    assert [result(f) for f in ("bfloat16", "float16", "float32", "float64")] == [
        "bfloat16",
        "float32",
        "float32",
        "float64",
    ]
    assert {result(i) for i in (*INTEGERS, "bool")} == {"bfloat16"}
    for scalar in SCALARS:
        assert str((ct.ones(2, dtype="bfloat16") * scalar).dtype) == "bfloat16"


@pytest.mark.parametrize("a", IN_NUMPY)
def test_conversions_as_in_numpy(a: str) -> None:
    values = np.array([0, 1, 2, 3, 100, 127, 1.75, 0.25]) if a in FLOATS else np.array([0, 1, 2, 3, 100, 127])
    for b in IN_NUMPY:
        x = values.astype(a)
        np.testing.assert_array_equal(ct.tensor(x).astype(b).numpy(), x.astype(b), err_msg=f"{a} to {b}")


@pytest.mark.parametrize("a", ["int8", "int16", "int32", "int64"])
def test_negative_integers_convert_as_in_numpy(a: str) -> None:
    x = np.array([-1, -2, -100], a)
    for b in IN_NUMPY:
        np.testing.assert_array_equal(ct.tensor(x).astype(b).numpy(), x.astype(b), err_msg=f"{a} to {b}")


def test_integer_limits_survive() -> None:
    for name in INTEGERS:
        x = np.array([np.iinfo(name).min, np.iinfo(name).max], name)
        np.testing.assert_array_equal(ct.tensor(x).numpy(), x)
        np.testing.assert_array_equal((ct.tensor(x) + 0).numpy(), x)
        np.testing.assert_array_equal(ct.maximum(ct.tensor(x), ct.tensor(x)).numpy(), x)
        assert ct.tensor(x).tolist() == x.tolist()


@pytest.mark.parametrize("name", INTEGERS)
def test_integer_arithmetic_wraps_as_in_numpy(name: str) -> None:
    x = np.array([np.iinfo(name).min, np.iinfo(name).max, 5], name)
    with np.errstate(over="ignore"):
        for f in (operator.add, operator.sub, operator.mul):
            np.testing.assert_array_equal(f(ct.tensor(x), ct.tensor(x[::-1].copy())).numpy(), f(x, x[::-1]))


ROUNDINGS = np.array([1 + 2.0**-9, 1 + 3 * 2.0**-9, 1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 + 2.0**-11, 1 + 3 * 2.0**-11, 1e-7,
                      6e-8, 3e-8,
                      65519.0, 65520.0, 1e6, -1e39, 3.39e38, 3.4e38, 1e-40, -0.0, np.inf, -np.inf])  # fmt: skip


@pytest.mark.parametrize("source", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_round_to_nearest_even(source: str, dtype: str) -> None:
    with np.errstate(over="ignore"):
        x = ROUNDINGS.astype(source).astype(np.float64)
        wanted = rounded(x, dtype)
    got = ct.tensor(x, dtype=source).astype(dtype).astype("float64").numpy()
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(wanted))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_float64_is_rounded_to_a_half_once(dtype: str) -> None:
    """Just above a tie: by way of float32 it would look like the tie and round down."""
    place = {"float16": 11, "bfloat16": 8}[dtype]
    x = ct.tensor([1 + 2.0**-place + 2.0**-40], dtype="float64")
    assert x.astype(dtype).astype("float64").tolist() == [1 + 2.0 ** (1 - place)]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_every_half_survives_a_round_trip(dtype: str) -> None:
    """All 65536 bit patterns, by way of float32 and back; nan stays nan."""
    bits = np.arange(65536, dtype=np.uint16)
    if dtype == "float16":
        x = bits.view(np.float16).astype(np.float32)
    else:
        x = (bits.astype(np.uint32) << 16).view(np.float32)
    halves = ct.tensor(x).astype(dtype)
    np.testing.assert_array_equal(halves.astype("float32").numpy(), x)


def test_nan_and_infinity_to_bool() -> None:
    assert ct.tensor([np.nan, np.inf, 0.0, -0.0]).astype("bool").tolist() == [True, True, False, False]


@pytest.mark.parametrize("name", ALL_DTYPES)
def test_a_dtype_and_its_names(name: str) -> None:
    dtype = ct.ones(1, dtype=name).dtype
    assert str(dtype) == name
    assert dtype.is_floating == (name in FLOATS)
    assert dtype is ct.ones(3, dtype=dtype).dtype or dtype == ct.ones(3, dtype=dtype).dtype
    assert hash(dtype) == hash(ct.ones(3, dtype=name).dtype)
    assert dtype == getattr(ct, "bool_" if name == "bool" else name)
    if name == "bfloat16":
        assert dtype.numpy is None
        assert dtype.itemsize == 2
    else:
        assert dtype.numpy == np.dtype(name)
        assert dtype.itemsize == np.dtype(name).itemsize
        for form in (np.dtype(name), np.dtype(name).type):
            assert ct.ones(1, dtype=form).dtype == dtype


def test_python_types_name_dtypes() -> None:
    assert str(ct.zeros(1, dtype=bool).dtype) == "bool"
    assert str(ct.zeros(1, dtype=int).dtype) == "int64"
    assert str(ct.zeros(1, dtype=float).dtype) in ("float32", "float64")


@pytest.mark.parametrize("bad", ["float31", np.complex64, "object", str, 7])
def test_unknown_dtypes_are_refused(bad: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        ct.zeros(2, dtype=bad)


def test_what_tensor_makes_of_python_values() -> None:
    kinds = {1.5: "float32", 2: "int64", True: "bool"}
    for value, wanted in kinds.items():
        assert str(ct.tensor(value).dtype) == wanted
        assert str(ct.tensor([[value]]).dtype) == wanted
    assert str(ct.tensor([1, 2.5]).dtype) == "float32"
    assert str(ct.tensor([True, 2]).dtype) == "int64"
    assert str(ct.tensor([]).dtype) == "float32"
    assert str(ct.tensor(np.arange(3, dtype=np.int16)).dtype) == "int16"
    assert str(ct.tensor(np.float64(2)).dtype) == "float64"


def test_default_dtypes_of_reductions() -> None:
    for name in (*INTEGERS, "bool"):
        x = np.ones(3, name)
        assert str(ct.sum(ct.tensor(x)).dtype) == str(np.sum(x).dtype)
        assert str(ct.prod(ct.tensor(x)).dtype) == str(np.prod(x).dtype)
        assert str(ct.cumsum(ct.tensor(x)).dtype) == str(np.cumsum(x).dtype)
    for name in FLOATS:
        assert str(ct.sum(ct.ones(3, dtype=name)).dtype) == name
