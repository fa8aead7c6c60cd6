"""What a tensor is: storage and views, attributes, conversions to Python, operators, printing, memory."""

from __future__ import annotations

import copy
import gc
import itertools
import operator
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

import cinta as ct
from op_row import ALL_DTYPES


def test_attributes() -> None:
    t = ct.ones((2, 3, 4), dtype="int16")
    assert (t.shape, t.ndim, t.size, t.itemsize, t.nbytes, t.device) == ((2, 3, 4), 3, 24, 2, 48, "cpu")
    assert t.strides == (12, 4, 1)
    assert t.T.shape == (4, 3, 2)
    assert t.mT.shape == (2, 4, 3)
    assert t.is_leaf
    assert not t.requires_grad
    assert t.grad is None
    assert len(t) == 2


def views(t: ct.Tensor) -> list[ct.Tensor]:
    return [t[1:], t[::-1], t.T, t.mT, t.reshape(12), t.reshape(2, 6), t.swapaxes(0, 1), t[None], t[..., 0],
            t.squeeze(), t.ravel(),
            t.diagonal(), t.expand_dims(0), t.transpose(1, 0), t.moveaxis(0, 1), t.flatten(), t.detach(), t.split(3)[1],
            t.broadcast_to((2, 3, 4))]  # fmt: skip


@pytest.mark.parametrize("i", range(len(views(ct.zeros((3, 4))))))
def test_views_share_storage(i: int) -> None:
    t = ct.zeros((3, 4))
    views(t)[i].fill_(1) if i + 1 < len(views(t)) else t.fill_(1)
    assert float(t.sum()) > 0
    assert np.shares_memory(views(t)[i].numpy(), t.numpy())


def test_what_cannot_be_a_view_is_a_copy() -> None:
    t = ct.zeros((3, 4))
    for copied in (
        t.T.reshape(12),
        t.T.ravel(),
        t.clone(),
        t.contiguous().clone(),
        t.astype("float64"),
        t[[0, 1]],
        t + 0,
    ):
        assert not np.shares_memory(copied.numpy(), t.numpy())


def test_contiguous() -> None:
    t = ct.arange(12).reshape(3, 4)
    assert t.is_contiguous()
    assert not t.T.is_contiguous()
    assert t.T.contiguous().is_contiguous()
    np.testing.assert_array_equal(t.T.contiguous().numpy(), t.numpy().T)
    assert np.shares_memory(t.contiguous().numpy(), t.numpy())


def test_a_broadcast_view_cannot_be_written_element_by_element() -> None:
    t = ct.broadcast_to(ct.zeros((1, 3)), (4, 3))
    with pytest.raises((ValueError, RuntimeError), match="broadcast"):
        t[0] = 1.0


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_python_values(dtype: str) -> None:
    t = ct.ones((2, 2), dtype=dtype)
    one = True if dtype == "bool" else 1
    assert t.tolist() == [[one, one], [one, one]]
    assert t[0, 0].item() == one
    assert type(t[0, 0].item()) is (bool if dtype == "bool" else float if t.dtype.is_floating else int)
    assert float(t[0, 0]) == 1.0
    assert int(t[0, 0]) == 1
    assert bool(t[0, 0])


def test_only_one_element_has_a_python_value() -> None:
    for convert in (float, int, bool, operator.methodcaller("item"), operator.index):
        with pytest.raises((ValueError, TypeError)):
            convert(ct.ones(2))
    assert operator.index(ct.tensor(3)) == 3
    with pytest.raises(TypeError):
        operator.index(ct.tensor(3.0))
    assert [10, 20, 30][ct.tensor(1)] == 20


def test_iteration_and_length() -> None:
    t = ct.arange(6).reshape(3, 2)
    assert [row.tolist() for row in t] == [[0, 1], [2, 3], [4, 5]]
    _, b, _ = t
    assert b.tolist() == [2, 3]
    for f in (len, iter):
        with pytest.raises(TypeError):
            f(ct.tensor(1.0))


def test_tensors_hash_by_identity() -> None:
    a, b = ct.ones(2), ct.ones(2)
    assert len({a, b, a}) == 2
    assert {a: 1}[a] == 1


def test_unfit_for_a_python_container_search() -> None:
    """`t in (…)` asks for one truth value and gets an array of them."""
    with pytest.raises(ValueError, match=r"\[2\]"):
        bool(ct.ones(2) == ct.ones(2))


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
          operator.lt,
          operator.le, operator.gt, operator.ge, operator.eq, operator.ne]  # fmt: skip
INTEGER = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]


@pytest.mark.parametrize("f", [*BINARY, *INTEGER], ids=lambda f: f.__name__)
def test_operators_with_every_partner(f: Any) -> None:
    """Tensor, array, NumPy scalar, Python number on either side: always a Tensor, with NumPy's values and dtype."""
    a, b = np.array([[4, 2], [3, 5]]), np.array([1, 2])
    if f in BINARY:
        a, b = a.astype(np.float32), b.astype(np.float32)
    x, y = ct.tensor(a), ct.tensor(b)
    two = 2 if f in INTEGER else 2.0
    for got, wanted in [(f(x, y), f(a, b)), (f(x, b), f(a, b)), (f(a, y), f(a, b)), (f(x, two), f(a, two)),
                        (f(two, x), f(two, a)),
                        (f(x, a.dtype.type(2)), f(a, two)), (f(a.dtype.type(2), x), f(two, a))]:  # fmt: skip
        assert isinstance(got, ct.Tensor)
        np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-6)
        assert str(got.dtype) == str(wanted.dtype)


def test_array_minus_tensor_is_a_tensor() -> None:
    t = ct.tensor([1.0, 2.0], requires_grad=True)
    for result in (
        np.array([3.0, 4.0]) - t,
        np.float64(2) * t,
        np.float32(2) / t,
        np.ones((2, 2)) @ t.astype("float64"),
    ):
        assert type(result) is ct.Tensor
        assert result.requires_grad


def test_matmul_operator() -> None:
    a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    np.testing.assert_allclose((ct.tensor(a) @ ct.tensor(b)).numpy(), a @ b)
    np.testing.assert_allclose((a @ ct.tensor(b)).numpy(), a @ b)


@pytest.mark.parametrize(
    "f",
    [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow, operator.imod, operator.ifloordiv],
)
def test_in_place_operators_write_the_same_storage(f: Any) -> None:
    t = ct.tensor([4.0, 9.0])
    window, before = t[:], t
    version = t.version
    t = f(t, ct.tensor([2.0, 2.0]))
    assert t is before
    assert t.version > version
    np.testing.assert_array_equal(window.numpy(), f(np.array([4.0, 9.0]), 2.0))


def test_in_place_keeps_the_dtype_or_refuses() -> None:
    t = ct.ones(2, dtype="int32")
    with pytest.raises(TypeError, match="int32"):
        t += 0.5
    assert t.tolist() == [1, 1]
    u = ct.ones(2)
    u += ct.ones(2, dtype="float64")
    assert str(u.dtype) == "float32"


def test_in_place_result_must_fit() -> None:
    t = ct.ones(3)
    with pytest.raises(ValueError, match=r"\[2,3\]"):
        t += ct.ones((2, 3))


def test_bool_of_comparisons_and_unary_operators() -> None:
    t = ct.tensor([1, -2])
    assert (-t).tolist() == [-1, 2]
    assert (+t).tolist() == [1, -2]
    assert abs(t).tolist() == [1, 2]
    assert (~t).tolist() == [-2, 1]
    assert (~ct.tensor([True, False])).tolist() == [False, True]


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_pickle_and_copies(dtype: str) -> None:
    t = ct.tensor(np.arange(6).reshape(2, 3) % 2, dtype=dtype)
    for original in (t, t.T, t[::-1, ::2]):
        for twin in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original), copy.copy(original)):
            assert twin.dtype == original.dtype
            assert twin.tolist() == original.tolist()
    independent = copy.deepcopy(t)
    independent.fill_(1)
    assert t.tolist()[0][0] == 0


def test_pickle_keeps_requires_grad() -> None:
    t = ct.tensor([1.0], requires_grad=True)
    assert pickle.loads(pickle.dumps(t)).requires_grad
    assert copy.deepcopy(t).requires_grad


def test_printing() -> None:
    assert repr(ct.tensor([1.0, 2.5])) == "tensor([1. , 2.5])"
    assert repr(ct.tensor([1, 2], dtype="int8")) == "tensor([1, 2], dtype=int8)"
    assert "bfloat16" in repr(ct.ones(2, dtype="bfloat16"))
    assert "requires_grad=True" in repr(ct.tensor([1.0], requires_grad=True)) or "requires_grad" in repr(
        ct.tensor([1.0], requires_grad=True)
    )
    assert str(ct.tensor([[1.0, 2.0]])) == "[[1. 2.]]"
    assert f"{ct.tensor(3.14159):.2f}" == "3.14"
    assert "..." in repr(ct.zeros((1000, 1000)))
    assert len(repr(ct.zeros((1000, 1000)))) < 2000
    assert "shape" in repr(ct.zeros((0, 3))) or "[]" in repr(ct.zeros((0, 3)))


def test_subclasses_and_weak_references() -> None:
    class Named(ct.Tensor):
        __slots__ = ("name",)

    t = ct.ones(3)
    reference = weakref.ref(t)
    del t
    gc.collect()
    assert reference() is None
    assert issubclass(Named, ct.Tensor)


def test_version_counts_writes() -> None:
    t = ct.zeros(3)
    versions = [t.version]
    for write in (
        lambda: t.fill_(1),
        lambda: t.zero_(),
        lambda: t.copy_(ct.ones(3)),
        lambda: operator.setitem(t, 0, 2.0),
        lambda: operator.iadd(t, 1),
    ):
        write()
        versions.append(t.version)
    assert versions == sorted(set(versions))
    window = t[1:]
    window.fill_(5)
    assert t[1:].version == window.version


def test_fill_copy_and_zero() -> None:
    t = ct.ones((2, 3), dtype="int32")
    assert t.fill_(4) is t
    assert t.tolist() == [[4] * 3] * 2
    t.copy_(np.arange(3))
    assert t.tolist() == [[0, 1, 2]] * 2
    assert t.zero_().tolist() == [[0] * 3] * 2


def test_conversion_methods() -> None:
    t = ct.tensor([1.5, -2.5])
    assert [str(c.dtype) for c in (t.float(), t.double(), t.long(), t.to("bfloat16"), t.to(ct.float16),
                                   t.to("cpu"))] == [
        "float32", "float64", "int64", "bfloat16", "float16", "float32"]  # fmt: skip
    assert t.long().tolist() == [1, -2]


def live() -> int:
    return ct.memory_stats()["live"]


def test_memory_goes_back_when_a_tensor_goes() -> None:
    gc.collect()
    before = live()
    t = ct.zeros((256, 1024))
    assert live() - before >= t.nbytes
    window = t[3]
    del t
    assert live() - before >= 256 * 1024 * 4
    del window
    assert live() == before


def test_freed_blocks_are_cached_and_can_be_emptied() -> None:
    ct.empty_cache()
    ct.zeros((1 << 20,))
    assert ct.memory_stats()["cached"] >= 4 << 20
    ct.empty_cache()
    assert ct.memory_stats()["cached"] == 0
    assert ct.memory_stats()["peak"] >= 4 << 20


def test_creation_from_nested_lists_of_tensors() -> None:
    rows = [ct.tensor([1.0, 2.0]), ct.tensor([3.0, 4.0])]
    assert ct.tensor(rows).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(ValueError, match="ragged"):
        ct.tensor([[1.0, 2.0], [3.0]])


def test_creation_from_tuples() -> None:
    """As from lists, in float64 too, where Python's digits are kept."""
    for dtype in (None, "float32", "float64"):
        np.testing.assert_array_equal(
            ct.tensor((0.1, 0.2, 0.3), dtype=dtype).numpy(), ct.tensor([0.1, 0.2, 0.3], dtype=dtype).numpy()
        )
    assert ct.tensor((0.1, 0.2), dtype="float64").tolist() == [0.1, 0.2]


def test_tensor_copies_and_keeps_apart() -> None:
    x = np.ones(3)
    t = ct.tensor(x)
    x[0] = 5
    assert t.tolist() == [1, 1, 1]
    u = ct.tensor(t)
    u.fill_(3)
    assert t.tolist() == [1, 1, 1]


def test_config_reports_what_runs() -> None:
    config = ct.config()
    assert config["isa"] in ("scalar", "avx2", "avx512", "amx")
    assert isinstance(ct._core.__version__, str)
    ct.set_num_threads(2)
    assert ct.get_num_threads() == 2


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "int64", "bool"])
def test_copies_between_memory_orders(dtype: str, rng: np.random.Generator) -> None:
    for shape in [(70, 3), (3, 70), (129, 67), (2, 65, 4, 5), (5, 2, 33, 34), (17, 1, 18), (1, 9)]:
        values = rng.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
        for axes in itertools.permutations(range(len(shape))):
            x = ct.tensor(values).transpose(*axes)
            np.testing.assert_array_equal(x.contiguous().numpy(), values.transpose(axes))
            y = ct.zeros(shape, dtype=dtype)
            y.transpose(*axes)[...] = ct.tensor(np.ascontiguousarray(values.transpose(axes)))
            np.testing.assert_array_equal(y.numpy(), values)
            part = ct.zeros(tuple(n + 2 for n in shape), dtype=dtype)
            inner = (slice(1, -1),) * len(shape)
            part.transpose(*axes)[inner] = ct.tensor(np.ascontiguousarray(values.transpose(axes)))
            np.testing.assert_array_equal(part.numpy()[inner], values)
            assert int(part.astype("int64").sum().item()) == int(values.astype("int64").sum())
