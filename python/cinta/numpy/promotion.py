"""What an argument becomes before a core operation sees it: NumPy's dtypes for Python values, floats where NumPy
computes in floats."""

from __future__ import annotations

from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

_FLOAT_OF = {"bool": "float16", "int8": "float16", "uint8": "float16", "int16": "float32", "uint16": "float32"}


def tensor_of(value: Any) -> Tensor:
    """The value as a tensor with NumPy's own dtype: float64 for Python floats, int64 for ints, bool for bools.

    Lists may hold tensors; the result is then recorded as their stack.
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (list, tuple)) and _holds_tensor(value):
        return _stacked([tensor_of(item) for item in value])
    array = numpy.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"[numpy.array] got dtype {array.dtype}, expected booleans, integers or floats (convert it first)"
        )
    return _core.asarray(array)


def float_of(value: Any, dtype: Any = None) -> Tensor:
    """The value as a tensor of floats, integers becoming the float type NumPy's ufuncs compute them in."""
    tensor = tensor_of(value)
    if dtype is not None:
        return tensor.astype(dtype)
    if tensor.dtype.is_floating:
        return tensor
    return tensor.astype(_FLOAT_OF.get(str(tensor.dtype), "float64"))


def mean_float_of(value: Any, dtype: Any = None) -> Tensor:
    """The value as a tensor of floats for averages and quotients: every integer type becomes float64."""
    tensor = tensor_of(value)
    if dtype is not None:
        return tensor.astype(dtype)
    return tensor if tensor.dtype.is_floating else tensor.astype(_core.float64)


def pair(x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands for a core operation; a Python number beside an array stays weak, as in NumPy 2."""
    x_weak, y_weak = type(x) in (bool, int, float), type(y) in (bool, int, float)
    if x_weak and y_weak:
        return tensor_of(x), tensor_of(y)
    return x if x_weak else tensor_of(x), y if y_weak else tensor_of(y)


def tensors(values: Any) -> list[Tensor]:
    """A sequence of arrays as tensors of one common dtype."""
    found = [tensor_of(value) for value in values]
    if any(tensor.dtype != found[0].dtype for tensor in found):
        common = common_dtype(*found)
        found = [tensor.astype(common) for tensor in found]
    return found


def common_dtype(*values: Tensor) -> Any:
    """The dtype NumPy promotes these tensors to."""
    return numpy.result_type(*(numpy_dtype(value.dtype) for value in values))


def numpy_dtype(dtype: Any) -> Any:
    """The NumPy dtype of a tensor's dtype, or of anything NumPy takes for one."""
    if isinstance(dtype, _core.dtype):
        if dtype.numpy is None:
            raise TypeError(
                f"[numpy] got dtype {dtype}, expected one that NumPy has (convert it with .astype('float32'))"
            )
        dtype = dtype.numpy
    return numpy.dtype(dtype)


def host(value: Any) -> Any:
    """The value with NumPy arrays for its tensors, cut from the tape: for functions NumPy itself computes."""
    if isinstance(value, Tensor):
        return value.detach().numpy()
    if isinstance(value, (list, tuple)):
        return type(value)(map(host, value)) if type(value) in (list, tuple) else value
    return value


def refuse_out(op: str, out: Any) -> None:
    """TypeError for `out=`: a recorded result is always a new array."""
    if out is not None:
        raise TypeError(f"[numpy.{op}] got out=, expected no out (assign the result instead: x[...] = np.{op}(...))")


def _holds_tensor(values: Any) -> bool:
    return any(isinstance(v, Tensor) or (isinstance(v, (list, tuple)) and _holds_tensor(v)) for v in values)


def _stacked(items: list[Tensor]) -> Tensor:
    if len({item.shape for item in items}) > 1:
        raise ValueError(
            f"[numpy.array] got items of shapes {[item.shape for item in items]}, expected one shape "
            "(reshape or pad them first)"
        )
    return _core.stack(tensors(items), axis=0)
