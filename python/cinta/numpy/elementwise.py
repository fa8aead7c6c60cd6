"""Functions of one array, element by element.

Each row of the tables below is one function: its core operation, its formula, an example.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

from .promotion import float_of, host, refuse_out, tensor_of

Unary = Callable[..., Tensor]

_PI = 3.141592653589793


def _floating(name: str, core: Callable[[Tensor], Tensor], text: str, at: float, gives: str) -> Unary:
    """A function computed in floats: integers are converted first, as NumPy's ufuncs do."""

    def function(x: Any, /, out: Any = None, *, dtype: Any = None) -> Tensor:
        refuse_out(name, out)
        return core(float_of(x, dtype))

    return _documented(function, name, text, at, gives)


def _keeping(name: str, core: Callable[[Tensor], Tensor], text: str, at: Any, gives: str) -> Unary:
    """A function that keeps the dtype of its argument (or answers with booleans)."""

    def function(x: Any, /, out: Any = None, *, dtype: Any = None) -> Tensor:
        refuse_out(name, out)
        return core(tensor_of(x) if dtype is None else tensor_of(x).astype(dtype))

    return _documented(function, name, text, at, gives)


def _documented(function: Unary, name: str, text: str, at: Any, gives: str) -> Unary:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"{text}, element by element; the result has the shape of x. TypeError for `out=`.\n\n"
        f"    >>> np.{name}({at!r}).item()\n    {gives}\n    "
    )
    return function


exp = _floating("exp", _core.exp, "e^x", 0.0, "1.0")
exp2 = _floating("exp2", _core.exp2, "2^x", 3.0, "8.0")
expm1 = _floating("expm1", _core.expm1, "e^x - 1, accurate near 0", 0.0, "0.0")
log = _floating("log", _core.log, "The natural logarithm", 1.0, "0.0")
log2 = _floating("log2", _core.log2, "The logarithm to base 2", 8.0, "3.0")
log10 = _floating("log10", _core.log10, "The logarithm to base 10", 100.0, "2.0")
log1p = _floating("log1p", _core.log1p, "log(1 + x), accurate near 0", 0.0, "0.0")
sqrt = _floating("sqrt", _core.sqrt, "The square root", 9.0, "3.0")
sin = _floating("sin", _core.sin, "The sine of radians", 0.0, "0.0")
cos = _floating("cos", _core.cos, "The cosine of radians", 0.0, "1.0")
tan = _floating("tan", _core.tan, "The tangent of radians", 0.0, "0.0")
arcsin = asin = _floating("arcsin", _core.asin, "The angle in radians, from -pi/2 to pi/2, whose sine is x", 0.0, "0.0")
arccos = acos = _floating("arccos", _core.acos, "The angle in radians, from 0 to pi, whose cosine is x", 1.0, "0.0")
arctan = atan = _floating("arctan", _core.atan, "The angle in radians whose tangent is x", 0.0, "0.0")
sinh = _floating("sinh", _core.sinh, "The hyperbolic sine (e^x - e^-x) / 2", 0.0, "0.0")
cosh = _floating("cosh", _core.cosh, "The hyperbolic cosine (e^x + e^-x) / 2", 0.0, "1.0")
tanh = _floating("tanh", _core.tanh, "The hyperbolic tangent sinh(x) / cosh(x)", 0.0, "0.0")
arcsinh = asinh = _floating("arcsinh", _core.asinh, "The number whose hyperbolic sine is x", 0.0, "0.0")
arccosh = acosh = _floating("arccosh", _core.acosh, "The positive number whose hyperbolic cosine is x >= 1", 1.0, "0.0")
arctanh = atanh = _floating("arctanh", _core.atanh, "The number whose hyperbolic tangent is x", 0.0, "0.0")
rint = _floating("rint", _core.round, "The nearest integer, halves to even", 2.5, "2.0")
deg2rad = radians = _floating("radians", lambda x: x * (_PI / 180.0), "Degrees as radians: x pi / 180", 0.0, "0.0")
rad2deg = degrees = _floating("degrees", lambda x: x * (180.0 / _PI), "Radians as degrees: 180 x / pi", 0.0, "0.0")
fabs = _floating("fabs", _core.abs, "The absolute value, as a float", -2.0, "2.0")

negative = _keeping("negative", _core.neg, "-x", 1.0, "-1.0")
positive = _keeping("positive", lambda x: x.clone(), "+x, a copy", 1.0, "1.0")
absolute = abs = _keeping("absolute", _core.abs, "The absolute value", -2.0, "2.0")
sign = _keeping("sign", _core.sign, "-1, 0 or 1 with the sign of x", -2.0, "-1.0")
square = _keeping("square", _core.square, "x^2", 3.0, "9.0")
floor = _keeping("floor", _core.floor, "The largest integer not above x", 1.7, "1.0")
ceil = _keeping("ceil", _core.ceil, "The smallest integer not below x", 1.2, "2.0")
trunc = fix = _keeping("trunc", _core.trunc, "x without its fraction", -1.7, "-1.0")
isnan = _keeping("isnan", _core.isnan, "Whether x is not a number", 1.0, "False")
isinf = _keeping("isinf", _core.isinf, "Whether x is infinite", 1.0, "False")
isfinite = _keeping("isfinite", _core.isfinite, "Whether x is neither infinite nor not a number", 1.0, "True")
logical_not = _keeping("logical_not", _core.logical_not, "Whether x is zero or False", 1.0, "False")
invert = bitwise_not = _keeping("invert", lambda x: ~x, "Every bit the other way", True, "False")


def reciprocal(x: Any, /, out: Any = None, *, dtype: Any = None) -> Tensor:
    """1 / x, element by element; integers divide as integers. TypeError for `out=`.

    >>> np.reciprocal(4.0).item()
    0.25
    """
    refuse_out("reciprocal", out)
    tensor = tensor_of(x) if dtype is None else tensor_of(x).astype(dtype)
    return _core.reciprocal(tensor) if tensor.dtype.is_floating else _core.asarray(numpy.reciprocal(host(tensor)))


def cbrt(x: Any, /, out: Any = None) -> Tensor:
    """The real cube root, sign(x) |x|^(1/3), element by element; its derivative at 0 is not finite.

    >>> f"{np.cbrt(-8.0).item():.9f}"
    '-2.000000000'
    """
    refuse_out("cbrt", out)
    tensor = float_of(x)
    return _core.sign(tensor) * _core.abs(tensor) ** (1.0 / 3.0)


def sinc(x: Any) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0, smooth there to every order used; element by element.

    Near 0 (|pi x| < 0.1) by its Taylor series, whose first dropped term is below 3e-18.

    >>> np.sinc(0.0).item()
    1.0
    """
    angle = float_of(x) * _PI
    near = _core.abs(angle.detach()) < 0.1
    away = _core.where(near, 1.0, angle)
    s = _core.square(_core.where(near, angle, 0.0))
    series = 1.0 - s / 6.0 * (1.0 - s / 20.0 * (1.0 - s / 42.0 * (1.0 - s / 72.0)))
    return _core.where(near, series, _core.sin(away) / away)


def around(a: Any, decimals: int = 0, out: Any = None) -> Tensor:
    """Rounded to `decimals` places, halves to even; gradient zero.

    >>> np.around(1.267, 2).item()
    1.27
    """
    refuse_out("round", out)
    tensor = tensor_of(a)
    if decimals == 0:
        return _core.round(tensor) if tensor.dtype.is_floating else tensor.clone()
    return _core.asarray(numpy.round(host(tensor), decimals))


round = round_ = around


def clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None, max: Any = None) -> Tensor:
    """Limited to [a_min, a_max], element by element; bounds broadcast, None is no bound; no gradient where it limits.

    >>> print(np.clip(np.array([-1.0, 0.5, 2.0]), 0.0, 1.0))
    [0.  0.5 1. ]
    """
    refuse_out("clip", out)
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    plain = (type(None), bool, int, float)
    if isinstance(low, plain) and isinstance(high, plain):
        return _core.clip(tensor_of(a), low, high)
    from .operators import maximum, minimum

    result = tensor_of(a)
    result = result if low is None else maximum(result, low)
    return result if high is None else minimum(result, high)


def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor:
    """Not-a-numbers replaced by `nan`, infinities by the largest finite values (or `posinf`, `neginf`).

    Gradient: one where x is finite, zero elsewhere.

    >>> print(np.nan_to_num(np.array([np.nan, 1.0])))
    [0. 1.]
    """
    tensor = tensor_of(x)
    if not tensor.dtype.is_floating:
        return tensor.clone() if copy else tensor
    values = numpy.nan_to_num(host(tensor), nan=nan, posinf=posinf, neginf=neginf)
    return _core.where(_core.isfinite(tensor), tensor, _core.asarray(values))


def signbit(x: Any) -> Tensor:
    """Whether the sign bit is set (also that of -0.0), element by element.

    >>> np.signbit(-0.0).item()
    True
    """
    return _core.asarray(numpy.signbit(host(tensor_of(x))))


def isposinf(x: Any) -> Tensor:
    """Whether x is plus infinity, element by element.

    >>> np.isposinf(np.inf).item()
    True
    """
    return tensor_of(x) == numpy.inf


def isneginf(x: Any) -> Tensor:
    """Whether x is minus infinity, element by element.

    >>> np.isneginf(np.inf).item()
    False
    """
    return tensor_of(x) == -numpy.inf


def real(val: Any) -> Tensor:
    """The real part: the array itself, complex numbers having no dtype here.

    >>> np.real(2.0).item()
    2.0
    """
    return tensor_of(val)


conj = conjugate = real_if_close = real


def imag(val: Any) -> Tensor:
    """The imaginary part: zeros, complex numbers having no dtype here.

    >>> np.imag(2.0).item()
    0.0
    """
    return _core.zeros_like(tensor_of(val))


__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "around",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "bitwise_not",
    "cbrt",
    "ceil",
    "clip",
    "conj",
    "conjugate",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "fix",
    "floor",
    "imag",
    "invert",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "log",
    "log1p",
    "log2",
    "log10",
    "logical_not",
    "nan_to_num",
    "negative",
    "positive",
    "rad2deg",
    "radians",
    "real",
    "real_if_close",
    "reciprocal",
    "rint",
    "round",
    "round_",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
]
