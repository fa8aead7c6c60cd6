"""How exactly float32 matrix products and convolutions are computed."""

from __future__ import annotations

import threading
from types import TracebackType

from cinta._core import _set_float32_matmul_precision, get_float32_matmul_precision


def _choose(precision: str) -> None:
    # Only one thread sets what others begin with: blocks of several would undo each other's choices in any order.
    _set_float32_matmul_precision(precision, threading.current_thread() is threading.main_thread())


class set_float32_matmul_precision:
    """Chooses how float32 matrix products and convolutions are computed, from now on or inside a `with` block.

    "strict"   float32 multiply-add only
    "highest"  the default: as exact as that or more. Where the CPU multiplies bfloat16 tiles (AMX), a float32 is the
               exact sum of three bfloat16, and six of the nine products are kept: relative error 1e-7 to 2e-7.
               Operands with inf, nan or magnitudes outside 2^-100 .. 2^127, or whose largest products lie below
               2^-90, go by multiply-add.
    "high"     two parts, three products: relative error about 4e-6, up to twice as fast
    "medium"   one part, plain bfloat16 products summed in float32: relative error about 2e-3

    Without AMX all of them are float32 multiply-add. With it, a product below about 1e-38 counts as zero, and a row
    whose products all lie below 1e-31, in a matrix with ordinary rows, keeps fewer digits.
    `ct.config()["float32_matmul"]` says which way products went. The choice holds for this thread; made in the main
    thread, it also holds for threads that have made none.

    Errors: ValueError for another name.
    Source: Henry, Tang, Heinecke, "Leveraging the bfloat16 Artificial Intelligence Datatype", 2019.

    >>> import cinta as ct
    >>> with ct.set_float32_matmul_precision("strict"):
    ...     ct.get_float32_matmul_precision()
    'strict'
    >>> ct.get_float32_matmul_precision()
    'highest'
    """

    def __init__(self, precision: str) -> None:
        self._before = get_float32_matmul_precision()
        _choose(precision)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _choose(self._before)
