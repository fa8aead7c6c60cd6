"""Functions of two arrays, element by element, shapes broadcast: arithmetic, comparisons, logic, bits.

Each row of the tables below is one function: its core operation, its formula, an example.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

from .elementwise import signbit
from .promotion import float_of, host, mean_float_of, pair, refuse_out, tensor_of

Binary = Callable[..., Tensor]


def _binary(name: str, core: Callable[[Any, Any], Tensor], text: str, at: tuple[Any, Any], gives: str) -> Binary:
    """A function in the dtype its operands promote to."""

    def function(x1: Any, x2: Any, /, out: Any = None, *, dtype: Any = None) -> Tensor:
        refuse_out(name, out)
        x1, x2 = pair(x1, x2) if dtype is None else (tensor_of(x1).astype(dtype), tensor_of(x2).astype(dtype))
        return core(x1, x2)

    return _documented(function, name, text, at, gives)


def _binary_floating(
    name: str, core: Callable[[Any, Any], Tensor], text: str, at: tuple[Any, Any], gives: str
) -> Binary:
    """A function computed in floats, whatever its operands are; an integer operand takes the other's float type."""

    def function(x1: Any, x2: Any, /, out: Any = None, *, dtype: Any = None) -> Tensor:
        refuse_out(name, out)
        x1, x2 = pair(x1, x2)
        if dtype is not None:
            return core(tensor_of(x1).astype(dtype), tensor_of(x2).astype(dtype))
        x1 = mean_float_of(x1) if isinstance(x1, Tensor) else x1
        x2 = mean_float_of(x2) if isinstance(x2, Tensor) else x2
        return core(x1, x2)

    return _documented(function, name, text, at, gives)


def _documented(function: Binary, name: str, text: str, at: tuple[Any, Any], gives: str) -> Binary:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{text}, element by element; shapes broadcast. TypeError for `out=`.\n\n"
        f"    >>> np.{name}({at[0]!r}, {at[1]!r}).item()\n    {gives}\n    "
    )
    return function


_LOG2 = 0.6931471805599453

add = _binary("add", _core.add, "x1 + x2", (1.0, 2.0), "3.0")
subtract = _binary("subtract", _core.subtract, "x1 - x2", (1.0, 2.0), "-1.0")
multiply = _binary("multiply", _core.multiply, "x1 x2", (2.0, 3.0), "6.0")
power = pow = _binary("power", _core.power, "x1^x2", (2.0, 3.0), "8.0")
maximum = _binary("maximum", _core.maximum, "The larger of two, not a number if either is", (1.0, 2.0), "2.0")
minimum = _binary("minimum", _core.minimum, "The smaller of two, not a number if either is", (1.0, 2.0), "1.0")
floor_divide = _binary("floor_divide", _core.floor_divide, "floor(x1 / x2)", (7.0, 2.0), "3.0")
mod = remainder = _binary(
    "remainder", _core.remainder, "x1 - x2 floor(x1 / x2), with the sign of x2", (-7.0, 3.0), "2.0"
)
fmod = _binary("fmod", _core.fmod, "x1 - x2 trunc(x1 / x2), with the sign of x1", (-7.0, 3.0), "-1.0")
equal = _binary("equal", _core.equal, "Whether x1 == x2", (1.0, 1.0), "True")
not_equal = _binary("not_equal", _core.not_equal, "Whether x1 != x2", (1.0, 1.0), "False")
less = _binary("less", _core.less, "Whether x1 < x2", (1.0, 2.0), "True")
less_equal = _binary("less_equal", _core.less_equal, "Whether x1 <= x2", (1.0, 2.0), "True")
greater = _binary("greater", _core.greater, "Whether x1 > x2", (1.0, 2.0), "False")
greater_equal = _binary("greater_equal", _core.greater_equal, "Whether x1 >= x2", (1.0, 2.0), "False")
logical_and = _binary("logical_and", _core.logical_and, "Whether both are true", (True, False), "False")
logical_or = _binary("logical_or", _core.logical_or, "Whether at least one is true", (True, False), "True")
logical_xor = _binary("logical_xor", _core.logical_xor, "Whether exactly one is true", (True, False), "True")
bitwise_and = _binary("bitwise_and", _core.bitwise_and, "The bits set in both", (6, 3), "2")
bitwise_or = _binary("bitwise_or", _core.bitwise_or, "The bits set in either", (6, 3), "7")
bitwise_xor = _binary("bitwise_xor", _core.bitwise_xor, "The bits set in one alone", (6, 3), "5")
left_shift = _binary("left_shift", _core.left_shift, "x1 2^x2 by moving bits", (1, 3), "8")
right_shift = _binary("right_shift", _core.right_shift, "floor(x1 / 2^x2) by moving bits", (8, 3), "1")

divide = true_divide = _binary_floating("divide", _core.divide, "x1 / x2", (1.0, 2.0), "0.5")
float_power = _binary_floating("float_power", _core.power, "x1^x2 in floats", (2, 3), "8.0")
arctan2 = atan2 = _binary_floating(
    "arctan2", _core.arctan2, "The angle of the point (x2, x1) from the x2 axis, in radians", (0.0, 1.0), "0.0"
)
hypot = _binary_floating("hypot", _core.hypot, "sqrt(x1^2 + x2^2)", (3.0, 4.0), "5.0")
logaddexp = _binary_floating("logaddexp", _core.logaddexp, "log(e^x1 + e^x2)", (0.0, -1000.0), "0.0")
logaddexp2 = _binary_floating(
    "logaddexp2",
    lambda x1, x2: _core.logaddexp(x1 * _LOG2, x2 * _LOG2) / _LOG2,
    "log2(2^x1 + 2^x2)",
    (1.0, 1.0),
    "2.0",
)


def fmax(x1: Any, x2: Any, /, out: Any = None) -> Tensor:
    """The larger of two, the other one if one is not a number; element by element, shapes broadcast.

    >>> np.fmax(1.0, np.nan).item()
    1.0
    """
    refuse_out("fmax", out)
    return _ignoring_nan(_core.maximum, x1, x2)


def fmin(x1: Any, x2: Any, /, out: Any = None) -> Tensor:
    """The smaller of two, the other one if one is not a number; element by element, shapes broadcast.

    >>> np.fmin(1.0, np.nan).item()
    1.0
    """
    refuse_out("fmin", out)
    return _ignoring_nan(_core.minimum, x1, x2)


def _ignoring_nan(choose: Callable[[Any, Any], Tensor], x1: Any, x2: Any) -> Tensor:
    a, b = pair(x1, x2)
    return choose(_core.where(_core.isnan(a), b, a), _core.where(_core.isnan(b), a, b))


def heaviside(x1: Any, x2: Any, /, out: Any = None) -> Tensor:
    """0 below zero, 1 above, x2 at zero; element by element, shapes broadcast; differentiable by x2 alone.

    >>> np.heaviside(-1.5, 0.5).item()
    0.0
    """
    refuse_out("heaviside", out)
    x, at_zero = float_of(x1).detach(), float_of(x2)
    step = _core.where(_core.isnan(x), x, (x > 0).astype(x.dtype))
    return _core.where(x == 0, at_zero, step)


def copysign(x1: Any, x2: Any, /, out: Any = None) -> Tensor:
    """|x1| with the sign of x2; element by element, shapes broadcast.

    >>> np.copysign(1.0, -0.0).item()
    -1.0
    """
    refuse_out("copysign", out)
    size = _core.abs(float_of(x1))
    return _core.where(signbit(x2), -size, size)


def divmod(x1: Any, x2: Any, /) -> tuple[Tensor, Tensor]:
    """The pair (floor_divide, remainder); element by element, shapes broadcast.

    >>> [v.item() for v in np.divmod(7.0, 2.0)]
    [3.0, 1.0]
    """
    return floor_divide(x1, x2), mod(x1, x2)


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether |a - b| <= atol + rtol |b|; element by element, shapes broadcast.

    >>> np.isclose(1.0, 1.0 + 1e-9).item()
    True
    """
    return _core.asarray(numpy.isclose(host(tensor_of(a)), host(tensor_of(b)), rtol, atol, equal_nan))


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether |a - b| <= atol + rtol |b| everywhere.

    >>> np.allclose([1.0, 2.0], [1.0, 2.0 + 1e-9])
    True
    """
    return bool(numpy.allclose(host(tensor_of(a)), host(tensor_of(b)), rtol, atol, equal_nan))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """Whether two arrays have the same shape and values.

    >>> np.array_equal([1, 2], [1, 2])
    True
    """
    return bool(numpy.array_equal(host(tensor_of(a1)), host(tensor_of(a2)), equal_nan))


def array_equiv(a1: Any, a2: Any) -> bool:
    """Whether two arrays have the same values once broadcast.

    >>> np.array_equiv([1, 1], 1)
    True
    """
    return bool(numpy.array_equiv(host(tensor_of(a1)), host(tensor_of(a2))))


__all__ = [
    "add",
    "allclose",
    "arctan2",
    "array_equal",
    "array_equiv",
    "atan2",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "copysign",
    "divide",
    "divmod",
    "equal",
    "float_power",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "greater",
    "greater_equal",
    "heaviside",
    "hypot",
    "isclose",
    "left_shift",
    "less",
    "less_equal",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "not_equal",
    "pow",
    "power",
    "remainder",
    "right_shift",
    "subtract",
    "true_divide",
]
