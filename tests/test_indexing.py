"""NumPy's indexing rules, by drawing shapes and keys: reading, assignment, gradients, views and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import cinta as ct

QUICK = settings(max_examples=300, deadline=None, derandomize=True)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(int(np.prod(shape)), dtype=np.float64).reshape(shape)


@st.composite
def mixed_keys(draw: Any) -> tuple[tuple[int, ...], Any]:
    """(shape, key) where the key mixes integers, slices, new axes, an ellipsis, index arrays, lists and masks."""
    shape = draw(SHAPES)
    broadcast = draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=3))
    key: list[Any] = []
    for size in shape[: draw(st.integers(0, len(shape)))]:
        kind = draw(st.sampled_from(["int", "slice", "array", "array", "list", "mask"]))
        if draw(st.integers(0, 9)) == 0:
            key.append(None)
        if kind == "slice" or size == 0:
            key.append(draw(st.slices(size)))
        elif kind == "int":
            key.append(draw(st.integers(-size, size - 1)))
        elif kind == "mask":
            key.append(draw(hnp.arrays(bool, size)))
        else:
            places = draw(st.sampled_from([broadcast, broadcast[-1:], (1,)]))
            indices = draw(hnp.arrays(np.int64, places, elements=st.integers(-size, size - 1)))
            key.append(indices.tolist() if kind == "list" else indices)
    if len(key) < len(shape) and draw(st.booleans()):
        key.insert(draw(st.integers(0, len(key))), Ellipsis)
        return shape, tuple(key)
    return shape, tuple(key) if len(key) != 1 or draw(st.booleans()) else key[0]


def tensor_keys(key: Any) -> Any:
    """The same key with tensors for its arrays."""
    if isinstance(key, tuple):
        return tuple(tensor_keys(part) for part in key)
    return ct.tensor(key) if isinstance(key, np.ndarray) else key


def outcome(read: Any) -> Any:
    try:
        return read()
    except IndexError:
        return IndexError


def assert_same(got: Any, wanted: Any) -> None:
    if wanted is IndexError:
        assert got is IndexError, f"got {got}, NumPy raises IndexError"
        return
    assert got is not IndexError, f"IndexError, NumPy gives {wanted}"
    assert got.shape == np.shape(wanted)
    np.testing.assert_array_equal(got.numpy(), wanted)


@QUICK
@given(SHAPES.flatmap(lambda s: st.tuples(st.just(s), hnp.basic_indices(s, allow_newaxis=True, allow_ellipsis=True))))
def test_basic_keys_read_as_numpy_and_are_views(case: tuple[tuple[int, ...], Any]) -> None:
    shape, key = case
    x = numbered(shape)
    t = ct.tensor(x)
    view = t[key]
    assert_same(view, x[key])
    view.fill_(-1.0)
    x[key] = -1.0
    np.testing.assert_array_equal(t.numpy(), x)


@QUICK
@given(mixed_keys())
def test_mixed_keys_read_as_numpy(case: tuple[tuple[int, ...], Any]) -> None:
    shape, key = case
    x = numbered(shape)
    wanted = outcome(lambda: x[key])
    assert_same(outcome(lambda: ct.tensor(x)[key]), wanted)
    assert_same(outcome(lambda: ct.tensor(x)[tensor_keys(key)]), wanted)


@QUICK
@given(mixed_keys(), st.booleans())
def test_assignment_as_numpy(case: tuple[tuple[int, ...], Any], scalar: bool) -> None:
    """An element named twice is given the same value twice, so that NumPy's order of writing does not matter."""
    shape, key = case
    x = numbered(shape)
    source = outcome(lambda: (x * 10 + 7)[key])
    if source is IndexError:
        return
    t = ct.tensor(x)
    value = 3.5 if scalar else source
    t[tensor_keys(key)] = value if scalar else ct.tensor(value)
    x[key] = value
    np.testing.assert_array_equal(t.numpy(), x)


@QUICK
@given(mixed_keys())
def test_gradient_of_reading(case: tuple[tuple[int, ...], Any]) -> None:
    shape, key = case
    x = ct.tensor(numbered(shape), requires_grad=True)
    wanted = np.zeros(shape)
    selected = outcome(lambda: wanted[key])
    if selected is IndexError:
        return
    weights = 1.0 + np.arange(np.size(selected)).reshape(np.shape(selected))
    np.add.at(wanted, key, weights)
    (x[key] * weights).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), wanted)


@QUICK
@given(SHAPES.flatmap(lambda s: st.tuples(st.just(s), hnp.basic_indices(s, allow_newaxis=True, allow_ellipsis=True))))
def test_gradient_of_assignment(case: tuple[tuple[int, ...], Any]) -> None:
    shape, key = case
    base, weights = numbered(shape), numbered(shape) + 1.0
    x = ct.tensor(base, requires_grad=True)
    value = ct.tensor(np.asarray(base[key]) * 2, requires_grad=True)
    y = x.clone()
    y[key] = value
    (y * weights).sum().backward()
    np.testing.assert_array_equal(value.grad.numpy(), weights[key])
    weights[key] = 0
    np.testing.assert_array_equal(x.grad.numpy(), weights)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "int64", "uint16", "bool"])
def test_every_item_size(dtype: str) -> None:
    x = (np.arange(24) % 5).astype(dtype).reshape(4, 6)
    t = ct.tensor(x)
    for key in ((slice(None, None, -1), 2), np.array([3, 0, 3]), x > 2, (np.array([0, 1]), slice(1, 4))):
        np.testing.assert_array_equal(t[key].numpy(), x[key])
        y, z = ct.tensor(x), x.copy()
        y[key] = 1
        z[key] = 1
        np.testing.assert_array_equal(y.numpy(), z)


@pytest.mark.parametrize("index", [5, -6, (0, 9), (0, 0, 0), np.array([0, 5]), (slice(None), np.array([-10])),
                                   np.ones(4, bool),
                                   np.ones((5, 4), bool), (Ellipsis, Ellipsis),
                                   (np.array([0, 1]), np.array([0, 1, 2]))])  # fmt: skip
def test_keys_that_do_not_fit_raise_index_error(index: Any) -> None:
    x = numbered((5, 3))
    with pytest.raises(IndexError):
        x[index]
    t = ct.tensor(x)
    with pytest.raises(IndexError):
        t[index]
    with pytest.raises(IndexError):
        t[index] = 0.0
    np.testing.assert_array_equal(t.numpy(), x)


@pytest.mark.parametrize("index", [1.5, "a", np.array([0.5]), (0, {}), ct.tensor([1.0])])
def test_keys_of_other_types_are_refused(index: Any) -> None:
    with pytest.raises((IndexError, TypeError)):
        ct.tensor(numbered((5, 3)))[index]


def test_assigned_values_must_broadcast_and_nothing_is_half_written() -> None:
    t = ct.zeros((3, 4))
    for key, value in ((0, np.ones(3)), (slice(None), np.ones((2, 4))), (np.array([0, 1]), np.ones((3, 4)))):
        with pytest.raises(ValueError, match=r"\[3,4\]|\[4\]|\[2,4\]|\[3\]"):
            t[key] = value
    assert t.tolist() == [[0.0] * 4] * 3


def test_assignment_casts_to_the_tensor() -> None:
    t = ct.zeros(3, dtype="int32")
    t[1] = 2.9
    assert t.tolist() == [0, 2, 0]
    assert str(t.dtype) == "int32"


def test_overlapping_assignment_reads_before_it_writes() -> None:
    x = np.arange(6.0)
    t = ct.tensor(x)
    t[1:] = t[:-1]
    x[1:] = x[:-1].copy()
    np.testing.assert_array_equal(t.numpy(), x)
    t[::-1] = t
    np.testing.assert_array_equal(t.numpy(), x[::-1])


def test_chained_views_write_to_the_base() -> None:
    x = numbered((4, 5, 6))
    t = ct.tensor(x)
    t[1:3, ::-1].transpose(2, 0, 1)[::2][0] += 100.0
    x[1:3, ::-1].transpose(2, 0, 1)[::2][0] += 100.0
    np.testing.assert_array_equal(t.numpy(), x)


def test_augmented_assignment_through_a_key() -> None:
    t = ct.ones((2, 3))
    t[0] += 2
    t[:, 1] *= 5
    assert t.tolist() == [[3.0, 15.0, 3.0], [1.0, 5.0, 1.0]]


def test_boolean_scalar_keys() -> None:
    x = numbered((2, 3))
    t = ct.tensor(x)
    np.testing.assert_array_equal(t[True].numpy(), x[True])
    assert t[False].shape == (0, 2, 3)


def test_zero_dimensional_tensor_as_key() -> None:
    t = ct.tensor([10.0, 20.0, 30.0])
    assert float(t[ct.tensor(1)]) == 20.0
    assert float(t[np.int64(-1)]) == 30.0
