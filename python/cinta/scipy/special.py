"""Special functions, element by element, with gradients of any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff import defvjp, primitive
from cinta.numpy.promotion import float_of, pair

_TWO_OVER_SQRT_PI = 1.1283791670955126
_LOG_SQRT_2PI = 0.9189385332046727


def _by_scipy(name: str) -> primitive:
    """SciPy's function of that name; SciPy is loaded at the first call."""

    def compute(*args: Any) -> Any:
        try:
            from scipy import special
        except ImportError as error:
            raise ImportError(
                f"[scipy.special.{name}] SciPy is not installed, expected it (pip install scipy)"
            ) from error
        return getattr(special, name)(*args)

    compute.__name__ = name
    return primitive(compute)


def _of_one(name: str, rule: Callable[[Any, Tensor, Tensor], Tensor], text: str, at: float, gives: str) -> Any:
    """A function of one array by SciPy with its derivative `rule(ans, x, g)`."""
    inner = _by_scipy(name)
    defvjp(inner, lambda ans, x: lambda g: rule(ans, x, g))

    def function(x: Any) -> Tensor:
        return inner(float_of(x))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text}, element by element.\n\n    >>> round({name}({at}).item(), 12)\n    {gives}\n    "
    return function


def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False) -> Tensor:
    """log(sum b exp(a)) over all elements or along axes, without overflow.

    Shapes: b broadcasts to a. ValueError where they do not.

    >>> round(logsumexp([0.0, 0.0]).item(), 12)
    0.69314718056
    """
    x = float_of(a)
    if b is None:
        return _core.logsumexp(x, axis=axis, keepdims=keepdims)
    top = _core.max(x.detach(), axis=axis, keepdims=True)
    top = _core.where(_core.isfinite(top), top, 0.0)
    total = _core.log(_core.sum(_core.multiply(*pair(b, _core.exp(x - top))), axis=axis, keepdims=keepdims))
    return total + top.reshape(total.shape)


def softmax(x: Any, axis: Any = None) -> Tensor:
    """exp(x) / sum exp(x), over all elements or along an axis.

    >>> print(softmax([0.0, 0.0]))
    [0.5 0.5]
    """
    values = float_of(x)
    return _core.exp(values - _core.logsumexp(values, axis=axis, keepdims=True))


def log_softmax(x: Any, axis: Any = None) -> Tensor:
    """x - log(sum exp(x)), over all elements or along an axis.

    >>> round(log_softmax([0.0, 0.0])[0].item(), 12)
    -0.69314718056
    """
    values = float_of(x)
    return values - _core.logsumexp(values, axis=axis, keepdims=True)


def expit(x: Any) -> Tensor:
    """The logistic function 1 / (1 + exp(-x)), element by element.

    >>> expit(0.0).item()
    0.5
    """
    return _core.sigmoid(float_of(x))


def logit(x: Any) -> Tensor:
    """log(x / (1 - x)), the inverse of `expit`, element by element.

    >>> logit(0.5).item()
    0.0
    """
    p = float_of(x)
    return _core.log(p) - _core.log1p(-p)


def erf(x: Any) -> Tensor:
    """The error function 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x, element by element.

    >>> erf(0.0).item()
    0.0
    """
    return _core.erf(float_of(x))


def xlogy(x: Any, y: Any) -> Tensor:
    """x log(y), and 0 where x is 0; element by element, shapes broadcast.

    >>> xlogy(0.0, 0.0).item()
    0.0
    """
    left, right = pair(x, y)
    none = left == 0
    return _core.where(none, 0.0, left * _core.log(_core.where(none, 1.0, right)))


def entr(x: Any) -> Tensor:
    """-x log(x), and 0 at 0: one term of an entropy, element by element.

    >>> entr(1.0).item()
    -0.0
    """
    values = float_of(x)
    return -xlogy(values, values)


_polygamma = _by_scipy("polygamma")
defvjp(_polygamma, None, lambda ans, n, x: lambda g: g * _polygamma(n + 1, x))


def polygamma(n: int, x: Any) -> Tensor:
    """The n-th derivative of digamma, element by element.

    >>> round(polygamma(1, 1.0).item(), 12)
    1.644934066848
    """
    return _polygamma(n, float_of(x))


def digamma(x: Any) -> Tensor:
    """The derivative of log(gamma(x)), element by element.

    >>> round(digamma(1.0).item(), 12)
    -0.577215664902
    """
    return polygamma(0, x)


psi = digamma

gammaln = _of_one("gammaln", lambda ans, x, g: g * digamma(x), "log |gamma(x)|", 4.0, "1.791759469228")
gamma = _of_one("gamma", lambda ans, x, g: g * ans * digamma(x), "The gamma function, (x - 1)!", 4.0, "6.0")
erfc = _of_one(
    "erfc",
    lambda ans, x, g: g * -_TWO_OVER_SQRT_PI * _core.exp(-_core.square(x)),
    "1 - erf(x), exact far out",
    0.0,
    "1.0",
)
erfinv = _of_one(
    "erfinv", lambda ans, x, g: g / _TWO_OVER_SQRT_PI * _core.exp(_core.square(ans)), "The inverse of erf", 0.0, "0.0"
)
ndtr = _of_one(
    "ndtr",
    lambda ans, x, g: g * _core.exp(-0.5 * _core.square(x) - _LOG_SQRT_2PI),
    "The probability of a standard normal value not above x",
    0.0,
    "0.5",
)
log_ndtr = _of_one(
    "log_ndtr",
    lambda ans, x, g: g * _core.exp(-0.5 * _core.square(x) - _LOG_SQRT_2PI - ans),
    "log(ndtr(x)), exact far out",
    0.0,
    "-0.69314718056",
)
i0 = _of_one("i0", lambda ans, x, g: g * i1(x), "The modified Bessel function of order 0", 0.0, "1.0")
i1: Any = _of_one(
    "i1",
    lambda ans, x, g: g * (i0(x) - ans / x),
    "The modified Bessel function of order 1, x not 0",
    1.0,
    "0.565159103992",
)
j0 = _of_one("j0", lambda ans, x, g: -g * j1(x), "The Bessel function of order 0", 0.0, "1.0")
j1: Any = _of_one(
    "j1", lambda ans, x, g: g * (j0(x) - ans / x), "The Bessel function of order 1, x not 0", 1.0, "0.440050585745"
)


def betaln(a: Any, b: Any) -> Tensor:
    """log of the beta function: gammaln(a) + gammaln(b) - gammaln(a + b); element by element, shapes broadcast.

    >>> round(betaln(2.0, 3.0).item(), 12)
    -2.484906649788
    """
    x, y = float_of(a), float_of(b)
    return gammaln(x) + gammaln(y) - gammaln(x + y)


def beta(a: Any, b: Any) -> Tensor:
    """The beta function gamma(a) gamma(b) / gamma(a + b) of positive numbers; element by element, shapes broadcast.

    >>> round(beta(2.0, 3.0).item(), 12)
    0.083333333333
    """
    return _core.exp(betaln(a, b))


__all__ = [
    "beta",
    "betaln",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfinv",
    "expit",
    "gamma",
    "gammaln",
    "i0",
    "i1",
    "j0",
    "j1",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "ndtr",
    "polygamma",
    "psi",
    "softmax",
    "xlogy",
]
