"""Rows of the operations that make tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_row import Op, Sample, sample


def made(*calls: Sample) -> Callable[[np.random.Generator], list[Sample]]:
    return lambda rng: list(calls)


def copied(rng: np.random.Generator) -> list[Sample]:
    return [sample(np.asarray(rng.normal(size=shape))) for shape in ((2, 3), (0, 3), ())]


def like(*rest: Any) -> Callable[[np.random.Generator], list[Sample]]:
    return lambda rng: [sample(rng.normal(size=(2, 3)), *rest), sample(rng.normal(size=(0, 3)), *rest, dtype="int16"),
                        sample(np.asarray(rng.normal()), *rest)]  # fmt: skip


def single(make: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function with float32 where NumPy itself would choose float64."""

    def reference(*args: Any, dtype: Any = None, **kwargs: Any) -> Any:
        result = make(*args, dtype=dtype, **kwargs)
        return result.astype(np.float32) if dtype is None and result.dtype == np.float64 else result

    return reference


SHAPES = made(
    sample((2, 3)), sample(4), sample(()), sample((0, 2)), sample([2, 2], dtype="int8"), sample((2,), dtype="bool")
)
ROWS = [
    Op("zeros", single(np.zeros), SHAPES, gradient=False, method=False),
    Op("ones", single(np.ones), SHAPES, gradient=False, method=False),
    Op("full", single(np.full), made(sample((2, 3), 2.5), sample(4, 7), sample((), True),
                                     sample((2,), 3, dtype="float64")),
       gradient=False, method=False),
    Op("arange", single(np.arange), made(sample(5), sample(2, 9), sample(9, 2, -3), sample(0.0, 1.0, 0.125),
                                         sample(3, 3),
       sample(5, dtype="uint8"), sample(5, dtype="float64")), gradient=False, method=False),
    Op("linspace", single(np.linspace), made(sample(0, 1), sample(-1.0, 3.0, 9), sample(0, 1, 4, endpoint=False),
       sample(2, 5, 1), sample(2, 5, 0), sample(0, 1, 7, dtype="float64")), gradient=False, method=False),
    Op("eye", single(np.eye), made(sample(3), sample(2, 4), sample(3, 3, 1), sample(4, k=-2), sample(2, dtype="int64")),
       gradient=False, method=False,
       call=lambda ct: ct.eye),
    Op("tensor", lambda x: x, copied, gradient=False, method=False),
    Op("asarray", lambda x: x, copied, method=False),
    Op("clone", lambda x: x, copied),
    Op("contiguous", lambda x: x, copied),
    Op("astype", lambda x, dtype: x.astype(dtype), lambda rng: [sample(rng.normal(size=(2, 3)), dtype="float64")]),
    Op("zeros_like", np.zeros_like, like(), gradient=False, method=False),
    Op("ones_like", np.ones_like, like(), gradient=False, method=False),
    Op("full_like", np.full_like, like(3), gradient=False, method=False),
]  # fmt: skip
