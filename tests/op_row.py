"""What one row of the table of operations is: an operation, inputs for it, and an independent reference in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOATS = ("float32", "float64", "bfloat16", "float16")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
ALL_DTYPES = (*FLOATS, *INTEGERS, "bool")

# Relative error allowed per dtype for one operation: a few units in the last place.
TOLERANCE = {"float64": 4e-15, "float32": 1e-6, "float16": 2e-3, "bfloat16": 1.6e-2}


@dataclass(frozen=True)
class Sample:
    """Arguments of one call. Floating arrays are the inputs to cast, lay out and differentiate; the rest stays."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)

    def map(self, change: Callable[[np.ndarray], Any]) -> Sample:
        args, kwargs = map_arrays(change, (self.args, self.kwargs))
        return Sample(args, kwargs)

    def __str__(self) -> str:
        args, kwargs = map_arrays(lambda x: f"{x.dtype}{list(x.shape)}", (self.args, self.kwargs))
        return f"{args} {kwargs}"


def sample(*args: Any, **kwargs: Any) -> Sample:
    """A sample of these arguments; what NumPy turned into a scalar becomes the 0-d array that was meant."""
    return Sample(tuple(np.asarray(a) if isinstance(a, np.generic) else a for a in args), kwargs)


def map_arrays(change: Callable[[np.ndarray], Any], value: Any) -> Any:
    """`value` with every array in it, however deep in lists, tuples and dicts, replaced by `change(array)`."""
    if isinstance(value, (np.ndarray, np.generic)):
        return change(np.asarray(value))
    if isinstance(value, dict):
        return {key: map_arrays(change, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map_arrays(change, item) for item in value)
    return value


@dataclass(frozen=True)
class Op:
    """One row. `reference` takes the sample's own arguments in NumPy; `samples` draws them inside the op's domain."""

    name: str
    reference: Callable[..., Any]
    samples: Callable[[np.random.Generator], Iterable[Sample]]
    dtypes: tuple[str, ...] = ALL_DTYPES  # every other dtype must raise TypeError
    gradient: bool = True  # False: listed in NON_DIFFERENTIABLE with its reason
    constants: tuple[str, ...] = ()  # keyword arguments that are data, never differentiated
    tolerance: float = 4.0  # factor on TOLERANCE
    elementwise: bool = False  # errors are relative to each value, not to the largest of the result
    floor: float = 0.0  # size of the terms that may cancel in the result: errors are relative to this at least
    method: bool = True  # also a method of Tensor
    call: Callable[[Any], Callable[..., Any]] | None = None  # namespace -> function, where it is not just its name
    order: int = 2  # highest derivative that exists at the samples

    def function(self, ct: Any) -> Callable[..., Any]:
        return self.call(ct) if self.call else getattr(ct, self.name)

    def draw(self) -> list[Sample]:
        return list(self.samples(np.random.default_rng(20240607)))
