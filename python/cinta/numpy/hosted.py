"""What NumPy itself computes, with arrays in and arrays out: counting, searching, index arithmetic. No gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from cinta import _core

from .promotion import host, numpy_dtype


def _hosted(name: str, text: str, example: str, gives: str) -> Callable[..., Any]:
    """NumPy's function of that name on tensors; its arrays come back as tensors without a gradient."""
    numpy_function = getattr(numpy, name)

    def function(*args: Any, **kwargs: Any) -> Any:
        if "out" in kwargs:
            raise TypeError(f"[numpy.{name}] got out=, expected no out (assign the result instead)")
        return as_tensors(numpy_function(*map(host, args), **{key: host(value) for key, value in kwargs.items()}))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text}; NumPy's arguments, no gradient.\n\n    >>> print({example})\n    {gives}\n    "
    return function


def as_tensors(result: Any) -> Any:
    """A result of NumPy's with tensors for its arrays; numbers and everything else as they are."""
    if isinstance(result, numpy.ndarray):
        return _core.asarray(result)
    if isinstance(result, (list, tuple)):
        return (
            type(result)(map(as_tensors, result)) if type(result) in (list, tuple) else tuple(map(as_tensors, result))
        )
    return result


searchsorted = _hosted(
    "searchsorted", "Where values go into a sorted sequence", "np.searchsorted([1, 2, 3], [2])", "[1]"
)
digitize = _hosted("digitize", "The bin each value falls into", "np.digitize([0.5, 1.5], [0, 1, 2])", "[1 2]")
bincount = _hosted("bincount", "How often each integer occurs", "np.bincount([0, 2, 2])", "[1 0 2]")
isin = _hosted("isin", "Whether each element is among the test elements", "np.isin([1, 2], [2])", "[False  True]")
argpartition = _hosted(
    "argpartition", "Indices that put one element in its place", "np.argpartition([2, 1], 0)", "[1 0]"
)
lexsort = _hosted(
    "lexsort", "Indices that sort by several keys, the last first", "np.lexsort([[2, 1], [0, 0]])", "[1 0]"
)
histogram = _hosted("histogram", "Counts in equal bins, and the bins' edges", "np.histogram([0, 1, 1], 1)[0]", "[3]")
unravel_index = _hosted(
    "unravel_index", "Indices along each axis from flat ones", "np.unravel_index([3], (2, 2))[0]", "[1]"
)
ravel_multi_index = _hosted("ravel_multi_index", "Flat indices", "np.ravel_multi_index(([1], [1]), (2, 2))", "[3]")
tril_indices = _hosted("tril_indices", "The indices of the lower triangle", "np.tril_indices(2)[0]", "[0 1 1]")
triu_indices = _hosted("triu_indices", "The indices of the upper triangle", "np.triu_indices(2)[0]", "[0 0 1]")
diag_indices = _hosted("diag_indices", "The indices of the main diagonal", "np.diag_indices(2)[0]", "[0 1]")
indices = _hosted("indices", "The index of every element, an array for each axis", "np.indices((1, 2))[1]", "[[0 1]]")
ix_ = _hosted("ix_", "Sequences as index arrays that broadcast to their grid", "np.ix_([0], [1])[0]", "[[0]]")


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that arrays, numbers and dtypes promote to, as NumPy's.

    >>> np.result_type(np.float32, np.zeros(2)) == np.float64
    True
    """
    return numpy.result_type(*(_dtype_or_value(x) for x in arrays_and_dtypes))


def issubdtype(arg1: Any, arg2: Any) -> bool:
    """Whether a dtype belongs to a kind of dtypes.

    >>> np.issubdtype(np.zeros(2).dtype, np.floating)
    True
    """
    return bool(numpy.issubdtype(_dtype_or_value(arg1), arg2))


def finfo(dtype: Any) -> Any:
    """The limits of a floating dtype: eps, tiny, max, ...

    >>> float(np.finfo(np.zeros(2).dtype).eps)
    2.220446049250313e-16
    """
    return numpy.finfo(_dtype_or_value(dtype))


def iinfo(dtype: Any) -> Any:
    """The limits of an integer dtype: min and max.

    >>> np.iinfo(np.int8).max
    127
    """
    return numpy.iinfo(_dtype_or_value(dtype))


def isscalar(element: Any) -> bool:
    """Whether the argument is a number and no array.

    >>> np.isscalar(3.1), np.isscalar(np.zeros(()))
    (True, False)
    """
    return bool(numpy.isscalar(element))


def _dtype_or_value(x: Any) -> Any:
    if isinstance(x, _core.Tensor):
        return numpy_dtype(x.dtype)
    return numpy_dtype(x) if isinstance(x, _core.dtype) else x


__all__ = [
    "argpartition",
    "bincount",
    "diag_indices",
    "digitize",
    "finfo",
    "histogram",
    "iinfo",
    "indices",
    "isin",
    "isscalar",
    "issubdtype",
    "ix_",
    "lexsort",
    "ravel_multi_index",
    "result_type",
    "searchsorted",
    "tril_indices",
    "triu_indices",
    "unravel_index",
]
