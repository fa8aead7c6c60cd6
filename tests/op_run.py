"""Runs a row of the table: casts and lays out its inputs, calls the operation, compares with the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import cinta as ct
from op_row import ALL_DTYPES, FLOATS, TOLERANCE, Op, Sample, map_arrays

Array = np.ndarray
Make = Callable[[Array], ct.Tensor]
Layout = Callable[[Array, Make], ct.Tensor]

LARGEST = {"float16": 65504.0, "float32": 3.4028235e38, "bfloat16": 3.3895314e38, "float64": np.inf}
SMALLEST_NORMAL = {"float16": 6.2e-5, "float32": 1.2e-38, "bfloat16": 1.2e-38, "float64": 2.3e-308}


def is_input(x: Array) -> bool:
    return x.dtype == np.float64


def has_inputs(sample: Sample) -> bool:
    return bool(inputs_of(sample))


def inputs_of(sample: Sample, constants: tuple[str, ...] = ()) -> list[Array]:
    """The arrays to cast, lay out and (the constants aside) differentiate, in the order of the arguments."""
    found: list[Array] = []
    kwargs = {key: value for key, value in sample.kwargs.items() if key not in constants}
    map_arrays(lambda x: found.append(x) if is_input(x) else None, (sample.args, kwargs))
    return found


def rounded(x: Array, dtype: str) -> Array:
    """`x` as `dtype` sees it: floats rounded to it but held in float64, integers and bools in their own type."""
    if dtype == "bfloat16":
        bits = np.asarray(x, np.float32).view(np.uint32)
        nearest = (bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) & np.uint32(0xFFFF0000)
        return np.asarray(nearest).view(np.float32).astype(np.float64)
    if dtype in FLOATS:
        return x.astype(dtype).astype(np.float64)
    if dtype == "bool":
        return np.asarray(x > 0)
    x = np.nan_to_num(x, posinf=9, neginf=-9)
    whole = np.sign(x) * np.ceil(np.abs(x))  # away from zero: what must not be zero stays so
    return np.asarray(np.abs(whole) if dtype.startswith("u") else whole).astype(np.int64).astype(dtype)


def plain(x: Array, make: Make) -> ct.Tensor:
    return make(x)


def transposed(x: Array, make: Make) -> ct.Tensor:
    return make(np.ascontiguousarray(x.T) if x.ndim else x).T


def backwards(x: Array, make: Make) -> ct.Tensor:
    return make(np.flip(x).copy())[(slice(None, None, -1),) * x.ndim]


def every_second(x: Array, make: Make) -> ct.Tensor:
    places = (slice(1, None, 2),) * x.ndim
    wide = np.full(tuple(2 * n for n in x.shape), 99, x.dtype)
    wide[places] = x
    return make(wide)[places]


def shifted(x: Array, make: Make) -> ct.Tensor:
    return make(np.concatenate([np.full(3, 99, x.dtype), x.ravel()]))[3:].reshape(x.shape)


def spread(x: Array, make: Make) -> ct.Tensor:
    """Stride 0 along the first axis, for inputs from `repeated`."""
    alike = x.ndim > 0 and x.shape[0] > 0 and bool(np.all(x == x[:1]))
    return ct.broadcast_to(make(x[:1].copy()), x.shape) if alike else make(x)


def repeated(x: Array) -> Array:
    return np.repeat(x[:1], x.shape[0], 0) if is_input(x) and x.ndim and x.shape[0] else x


LAYOUTS: dict[str, Layout] = {f.__name__: f for f in (transposed, backwards, every_second, shifted, spread)}


def tensors(sample: Sample, dtype: str, layout: Layout = plain) -> Sample:
    """The sample with tensors for its arrays: inputs in `dtype`, indices and masks as they are."""
    return sample.map(lambda x: layout(x, lambda v: ct.tensor(v, dtype=dtype if is_input(x) else None)))


def flat(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def to_numpy(tensor: ct.Tensor) -> Array:
    tensor = tensor.detach()
    return tensor.astype("float64").numpy() if tensor.dtype.is_floating else tensor.numpy()


def assert_close(got: ct.Tensor, expected: Any, tolerance: float, elementwise: bool, floor: float = 0.0) -> None:
    """Errors are relative to each value (elementwise) or to the largest of the result, and to `floor` at least."""
    value, expected = to_numpy(got), np.asarray(expected)
    assert got.shape == expected.shape, f"shape {got.shape}, expected {expected.shape}"
    if not got.dtype.is_floating:
        np.testing.assert_array_equal(value, expected)
        return
    dtype = str(got.dtype)
    expected = np.where(np.abs(expected) > LARGEST[dtype], np.copysign(np.inf, expected), expected)
    size = np.abs(expected, where=np.isfinite(expected), out=np.zeros(expected.shape))
    reach = size if elementwise else size + size.max(initial=floor)
    with np.errstate(invalid="ignore"):
        near = np.abs(value - expected) <= tolerance * TOLERANCE[dtype] * reach + SMALLEST_NORMAL[dtype]
    right = near | (value == expected) | (np.isnan(value) & np.isnan(expected))
    wrong = np.count_nonzero(~right)
    assert wrong == 0, f"{wrong} of {right.size} differ: got {value[~right][:4]}, expected {expected[~right][:4]}"


def expected_of(op: Op, sample: Sample, dtype: str) -> list[Any]:
    """The reference's results: in float64, and in NumPy's own result type where that is not floating."""
    with np.errstate(all="ignore"):
        results = flat(op.reference(*sample.args, **sample.kwargs))
        if dtype in FLOATS or all(np.asarray(r).dtype.kind != "f" for r in results):
            return results
        wide = sample.map(lambda x: x.astype(np.float64) if x.dtype == dtype else x)
        return flat(op.reference(*wide.args, **wide.kwargs))


def check_forward(op: Op, sample: Sample, dtype: str, layout: Layout = plain) -> None:
    tied_to_input = has_inputs(sample) and "dtype" not in sample.kwargs
    values = sample.map(lambda x: rounded(x, dtype) if is_input(x) else x)
    given = tensors(values, dtype, layout)
    try:
        expected = expected_of(op, values, dtype)
    except ValueError as refusal:  # NumPy refuses this on this dtype, as integers to negative powers
        assert_refused(lambda: op.function(ct)(*given.args, **given.kwargs), str(refusal))
        return
    got = flat(op.function(ct)(*given.args, **given.kwargs))
    assert len(got) == len(expected), f"{len(got)} results, expected {len(expected)}"
    for result, wanted in zip(got, expected):
        kind = np.asarray(wanted).dtype
        if kind.kind != "f" or not tied_to_input:
            assert str(result.dtype) == str(kind), f"result is {result.dtype}, expected {kind}"
        elif dtype in FLOATS:
            assert str(result.dtype) == dtype, f"result is {result.dtype}, expected {dtype}"
        else:
            assert result.dtype.is_floating, f"result is {result.dtype}, expected a floating type"
        assert_close(result, wanted, op.tolerance, op.elementwise, op.floor)


def assert_refused(call: Callable[[], Any], why: str) -> None:
    try:
        result = call()
    except (TypeError, ValueError):
        return
    raise AssertionError(f"gave {result} where NumPy says: {why}")


def refused(op: Op) -> Iterable[str]:
    return (dtype for dtype in ALL_DTYPES if dtype not in op.dtypes)
