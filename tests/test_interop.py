"""NumPy, DLPack and the buffer protocol: no copies where none is needed, and read-only stays read-only."""

from __future__ import annotations

import gc
import operator
from typing import Any

import numpy as np
import pytest

import cinta as ct
from op_row import ALL_DTYPES

IN_NUMPY = [d for d in ALL_DTYPES if d != "bfloat16"]


@pytest.mark.parametrize("dtype", IN_NUMPY)
def test_numpy_both_ways_without_copies(dtype: str) -> None:
    x = (np.arange(12) % 2).astype(dtype).reshape(3, 4)
    t = ct.asarray(x)
    assert str(t.dtype) == dtype
    assert np.shares_memory(t.numpy(), x)
    assert np.shares_memory(np.asarray(t), x)
    t.fill_(1)
    assert (x == 1).all()
    x[0, 0] = 0
    assert t[0, 0].item() == 0


@pytest.mark.parametrize("view", [lambda x: x.T, lambda x: x[::-1], lambda x: x[:, ::2], lambda x: x[1:, 2:],
                                  lambda x: x[0, 0],
                                  lambda x: np.broadcast_to(x, (2, 3, 4)), lambda x: x[:0]])  # fmt: skip
def test_strided_arrays_keep_their_layout(view: Any) -> None:
    x = view(np.arange(12.0).reshape(3, 4))
    t = ct.asarray(x)
    np.testing.assert_array_equal(t.numpy(), x)
    assert t.strides == tuple(s // 8 for s in np.asarray(x).strides) or t.size <= 1
    if t.size and isinstance(x, np.ndarray):
        assert np.shares_memory(t.numpy(), x)
    np.testing.assert_array_equal((t + 1).numpy(), x + 1)


def test_memory_outlives_its_first_owner() -> None:
    t = ct.asarray(np.full(1000, 7.0))
    x = ct.full(1000, 9.0).numpy()
    gc.collect()
    for _ in range(20):
        np.zeros(1000), ct.zeros(1000)
    assert float(t.sum()) == 7000
    assert x.sum() == 9000


def read_only() -> np.ndarray:
    x = np.ones(3, np.float32)
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("write", [lambda t: t.fill_(2), lambda t: t.zero_(), lambda t: t.copy_(ct.zeros(3)),
                                   lambda t: operator.setitem(t, 0, 2.0),
                                   lambda t: operator.iadd(t, 1), lambda t: t[1:].fill_(2),
                                   lambda t: t.reshape(1, 3).fill_(2),
                                   lambda t: operator.setitem(t, np.array([0]), 2.0),
                                   lambda t: t.detach().fill_(2)])  # fmt: skip
def test_read_only_arrays_are_read_and_never_written(write: Any) -> None:
    x = read_only()
    t = ct.asarray(x)
    assert float(t.sum()) == 3
    with pytest.raises((ValueError, RuntimeError), match="read-only"):
        write(t)
    assert x.tolist() == [1, 1, 1]


def test_read_only_memory_leaves_read_only() -> None:
    t = ct.asarray(read_only())
    assert not t.numpy().flags.writeable
    assert memoryview(t).readonly
    assert ct.tensor(read_only()).fill_(2).tolist() == [2, 2, 2]  # a copy may be written


def test_numpy_of_a_differentiated_tensor() -> None:
    t = ct.tensor([1.0, 2.0], requires_grad=True)
    for tensor in (t, t * 2):
        with pytest.raises(RuntimeError, match="detach"):
            tensor.numpy()
        assert tensor.detach().numpy().flags.writeable


def test_array_protocol() -> None:
    t = ct.tensor([1.0, 2.0])
    assert np.asarray(t, dtype="float64").dtype == np.float64
    assert not np.shares_memory(np.array(t, copy=True), t.numpy())
    np.testing.assert_array_equal(np.stack([t.numpy(), t.numpy()]).sum(0), [2, 4])
    assert np.allclose(t, [1, 2])
    with pytest.raises((ValueError, TypeError)):
        np.asarray(t, dtype="float64", copy=False)


def test_bfloat16_has_no_numpy_type() -> None:
    with pytest.raises(TypeError, match="bfloat16"):
        ct.ones(2, dtype="bfloat16").numpy()


@pytest.mark.parametrize("dtype", IN_NUMPY)
def test_dlpack_with_numpy(dtype: str) -> None:
    t = ct.ones((3, 4), dtype=dtype)
    x = np.from_dlpack(t)
    assert x.dtype == np.dtype(dtype)
    assert np.shares_memory(x, t.numpy())
    back = ct.from_dlpack(y := np.ones(5, dtype))
    assert str(back.dtype) == dtype
    assert np.shares_memory(back.numpy(), y)
    np.testing.assert_array_equal(np.from_dlpack(t.T[::-1]), t.numpy().T[::-1])
    assert t.__dlpack_device__() == (1, 0)


def test_dlpack_keeps_memory_alive() -> None:
    x = np.from_dlpack(ct.full(1000, 3.0))
    t = ct.from_dlpack(np.full(1000, 4.0))
    gc.collect()
    assert x.sum() == 3000
    assert float(t.sum()) == 4000


def test_dlpack_views_are_writable_where_the_memory_is() -> None:
    t = ct.zeros((2, 3))
    x = np.from_dlpack(t)
    x[0, 1] = 5
    assert t.tolist() == [[0, 5, 0], [0, 0, 0]]
    fixed = np.arange(3.0)
    fixed.flags.writeable = False
    readonly = ct.from_dlpack(fixed)
    with pytest.raises(ValueError, match="read-only"):
        readonly += 1
    assert not np.from_dlpack(readonly).flags.writeable
    with pytest.raises(BufferError, match="max_version"):
        readonly.__dlpack__()
    again = ct.from_dlpack(readonly.__dlpack__(max_version=(1, 1)))
    assert again.tolist() == [0, 1, 2]


def test_dlpack_copies_where_asked() -> None:
    t = ct.zeros(3)
    copied = ct.from_dlpack(t.__dlpack__(max_version=(1, 0), copy=True))
    copied += 1
    assert t.tolist() == [0, 0, 0]
    with pytest.raises(BufferError, match="CPU"):
        t.__dlpack__(dl_device=(2, 0))


@pytest.mark.parametrize("version", [None, (0, 8), (1, 0)])
def test_an_unused_dlpack_capsule_frees_its_tensor(version: tuple[int, int] | None) -> None:
    before = ct.memory_stats()["live"]
    capsule = ct.zeros(100_000).__dlpack__(max_version=version)
    assert ct.memory_stats()["live"] > before
    del capsule
    assert ct.memory_stats()["live"] == before


def test_buffer_protocol() -> None:
    t = ct.arange(6, dtype="int32").reshape(2, 3)
    view = memoryview(t)
    assert (view.shape, view.strides, view.format, view.itemsize) == ((2, 3), (12, 4), "i", 4)
    view[1, 2] = 42
    assert t[1, 2].item() == 42
    assert np.frombuffer(ct.ones(3), np.float32).tolist() == [1, 1, 1]
    assert memoryview(t.T).tolist() == t.T.tolist()
    assert bytes(ct.ones(2, dtype="uint8")) == b"\x01\x01"


@pytest.mark.parametrize(
    "x", [np.array(["a"]), np.array([object()]), np.array([1j]), np.zeros(2, "M8[s]"), np.zeros(2, "i4,f4")]
)
def test_other_array_types_are_refused(x: np.ndarray) -> None:
    for make in (ct.tensor, ct.asarray):
        with pytest.raises(TypeError):
            make(x)


def test_foreign_byte_order_is_refused_and_misaligned_arrays_are_copied() -> None:
    with pytest.raises(TypeError, match="byte order"):
        ct.tensor(np.arange(4, dtype=">f4"))
    raw = np.zeros(33, np.uint8)
    misaligned = raw[1:].view(np.float64)
    misaligned[:] = [1, 2, 3, 4]
    assert ct.asarray(misaligned).tolist() == [1, 2, 3, 4]
    assert ct.asarray(np.zeros(3, [("a", "i1"), ("b", "f4")])["b"]).tolist() == [0, 0, 0]


def test_asarray_of_tensors_and_numbers() -> None:
    t = ct.ones(3)
    assert ct.asarray(t) is t or np.shares_memory(ct.asarray(t).numpy(), t.numpy())
    assert ct.asarray([1, 2]).tolist() == [1, 2]
    assert str(ct.asarray(t, dtype="float64").dtype) == "float64"
    assert ct.asarray(2.5).item() == 2.5


def test_numpy_functions_on_operands_of_both_kinds() -> None:
    """An array on the left leaves the operation to the tensor, so the result is one tensor and not an array of them."""
    x, t = np.arange(3.0), ct.tensor([1.0, 2.0, 3.0])
    for f in (operator.add, operator.mul, operator.sub, operator.truediv, operator.pow, operator.lt, operator.eq):
        assert type(f(x, t)) is ct.Tensor
