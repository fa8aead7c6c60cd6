"""Every function of cinta.numpy, in its argument forms: one row each, compared with NumPy's function of that name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy

_rng = numpy.random.default_rng(7)


def u(*shape: int) -> Any:
    """Values in (0.1, 0.9), all different, each function's gradient well conditioned there."""
    return _rng.permutation(numpy.linspace(0.1, 0.9, int(numpy.prod(shape)))).reshape(shape)


def s(*shape: int) -> Any:
    """Values in (-2, 2), all different, none near 0, 1 or -1."""
    values = numpy.linspace(0.15, 1.85, int(numpy.prod(shape)))
    values[numpy.abs(values - 1) < 0.02] += 0.05
    signs = numpy.where(numpy.arange(values.size) % 2, -1.0, 1.0)
    return _rng.permutation(values * signs).reshape(shape)


def words(text: str) -> list[str]:
    return text.split()


@dataclass(frozen=True)
class Case:
    """`name(*args, **kwargs)`; `wrt` numbers the arguments to differentiate by (into lists of arrays too)."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    wrt: tuple[int, ...] = ()
    rtol: float = 1e-12
    like: str | None = None  # NumPy's name, where it has another or none any more

    def __repr__(self) -> str:
        def short(a: Any) -> str:
            return str(a.shape) if isinstance(a, numpy.ndarray) else repr(a)[:24]

        parts = [short(a) for a in self.args] + [f"{k}={short(v)}" for k, v in self.kwargs.items()]
        return f"{self.name}({', '.join(parts)})"


CASES: list[Case] = []


def case(name: str, *args: Any, wrt: Any = (), rtol: float = 1e-12, like: str | None = None, **kwargs: Any) -> None:
    CASES.append(Case(name, args, kwargs, (wrt,) if isinstance(wrt, int) else wrt, rtol, like))


INTS = numpy.array([[3, -1, 4], [1, -5, 9]])
BOOLS = numpy.array([[True, False, True], [False, False, True]])

# functions of one array: differentiable ones on a good domain, then an integer, a list, a number
for name in words(
    "exp exp2 expm1 log log2 log10 log1p sqrt sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arctanh asin acos"
    " atan asinh atanh deg2rad rad2deg degrees radians square reciprocal cbrt negative positive absolute abs fabs sinc"
):
    case(name, u(2, 3), wrt=0)
    case(name, u(4).astype("float32"), rtol=1e-5)
    case(name, 0.5, wrt=0)
    case(name, [0.25, 0.5])
case("sinc", numpy.array([0.0, 0.01, -0.03, 0.5, 1.5, -2.25]), wrt=0)
for name in ("arccosh", "acosh"):
    case(name, 1.0 + u(2, 3), wrt=0)
for name in words("exp sqrt sin arctan negative absolute square positive sign isnan isfinite"):
    case(name, numpy.abs(INTS))
    case(name, 2)
case("exp", numpy.array([1, 2], dtype="int8"), rtol=1e-2)
case("exp", numpy.array([1, 2], dtype="int16"), rtol=1e-5)
case("exp", u(3), dtype="float32", rtol=1e-5)
for name in words("sign floor ceil trunc fix rint"):
    case(name, s(2, 3), wrt=0)
    case(name, -1.5)
for name in words("isnan isinf isfinite isposinf isneginf signbit logical_not"):
    case(name, numpy.array([1.0, numpy.nan, numpy.inf, -numpy.inf, -0.0]))
for name in words("invert bitwise_not"):
    case(name, INTS)
    case(name, BOOLS)
case("logical_not", BOOLS)
case("reciprocal", numpy.array([1, 2, 4]))
for name in words("around round"):
    case(name, s(2, 3), wrt=0)
    case(name, s(2, 3), 1)
    case(name, numpy.array([0.5, 1.5, 2.5]))
    case(name, INTS)
case("round_", s(3), like="round")
case("clip", s(2, 3), -1.0, 1.0, wrt=0)
case("clip", s(2, 3), None, 0.5, wrt=0)
case("clip", s(2, 3), a_min=-0.5, a_max=None, wrt=0)
case("clip", s(2, 3), min=-0.5, max=0.5, wrt=0)
case("clip", s(2, 3), numpy.array([-1.0, 0.0, -0.3]), 1.2, wrt=(0, 1))
case("clip", INTS, 0, 4)
case("nan_to_num", numpy.array([numpy.nan, 1.0, numpy.inf, -numpy.inf]))
case("nan_to_num", numpy.array([numpy.nan, 1.0, numpy.inf]), nan=3.0, posinf=9.0)
case("nan_to_num", s(3), wrt=0)
case("nan_to_num", INTS)
for name in words("real imag conj conjugate real_if_close"):
    case(name, s(2, 3), wrt=0)

# functions of two arrays
for name in words(
    "add subtract multiply divide true_divide maximum minimum fmax fmin arctan2 atan2 hypot logaddexp logaddexp2"
):
    case(name, s(2, 3), u(3), wrt=(0, 1))
    case(name, s(2, 1), u(1, 3), wrt=(0, 1))
    case(name, s(3), 0.7, wrt=(0, 1))
    case(name, 0.7, s(3).astype("float32"), rtol=1e-5)
    case(name, [1.0, 2.0], 3)
    case(name, 1.5, 2.5, wrt=(0, 1))
for name in words("logaddexp logaddexp2"):
    case(name, numpy.array([0.5, 2.0]), numpy.array([0.5, 2.0]), wrt=(0, 1))
    case(name, numpy.array([numpy.inf, -numpy.inf, 800.0]), numpy.array([numpy.inf, -numpy.inf, -800.0]))
for name in words("add subtract multiply divide true_divide maximum minimum floor_divide mod remainder fmod"):
    case(name, INTS, numpy.array([2, 3, 4]))
    case(name, INTS, 2)
    case(name, INTS, 2.5)
for name in words("power pow float_power"):
    case(name, u(2, 3), s(3), wrt=(0, 1))
    case(name, u(3), 2.0, wrt=0)
    case(name, s(3), 3, wrt=0)
    case(name, 2.0, s(3), wrt=1)
    case(name, numpy.array([1, 2, 3]), 2)
for name in words("floor_divide mod remainder fmod"):
    case(name, s(2, 3), 0.7)
    case(name, -7.0, numpy.array([2.0, -3.0]))
for name in words("mod remainder fmod"):
    case(name, s(2, 3), numpy.array([0.7, 1.3, -0.4]), wrt=(0, 1))
for name in words("equal not_equal less less_equal greater greater_equal"):
    case(name, INTS, numpy.array([3, 2, 4]))
    case(name, s(3), 0.5)
    case(name, 1.0, 1)
for name in words("logical_and logical_or logical_xor"):
    case(name, BOOLS, numpy.array([True, True, False]))
    case(name, s(3), numpy.array([0.0, 1.0, 2.0]))
for name in words("bitwise_and bitwise_or bitwise_xor"):
    case(name, INTS, 5)
    case(name, BOOLS, True)
for name in words("left_shift right_shift"):
    case(name, numpy.abs(INTS), numpy.array([1, 2, 0]))
for name in words("fmax fmin"):
    case(name, numpy.array([numpy.nan, 1.0, numpy.nan]), numpy.array([2.0, numpy.nan, numpy.nan]))
case("heaviside", numpy.array([-1.5, 0.0, 2.0]), 0.5, wrt=1)
case("copysign", s(3), numpy.array([-1.0, 1.0, -0.0]), wrt=0)
case("divmod", s(3), 0.7)
case("isclose", numpy.array([1.0, 2.0]), numpy.array([1.0 + 1e-9, 2.1]))
case("allclose", numpy.array([1.0, 2.0]), [1.0, 2.0])
case("array_equal", INTS, INTS)
case("array_equal", INTS, INTS[0])
case("array_equiv", INTS, INTS)

# creation
for name in words("zeros ones"):
    case(name, 3)
    case(name, (2, 3), dtype="int32")
    case(name, [2, 3], numpy.float32)
case("full", (2, 3), 7)
case("full", 3, 0.5, wrt=1)
case("full", (2, 3), numpy.array([1.0, 2.0, 3.0]), wrt=1)
case("full", 2, 3, dtype=float)
for name in words("zeros_like ones_like"):
    case(name, INTS)
    case(name, [1.0, 2.0])
    case(name, INTS, dtype=float)
case("full_like", INTS, 2.7)
case("full_like", [1.0], 2)
for name in words("array asarray copy"):
    case(name, [1.0, 2.0], wrt=0)
    case(name, [[1, 2], [3, 4]])
    case(name, s(2, 3), wrt=0)
    case(name, 2.5, wrt=0)
case("array", [True, False])
case("array", [1, 2], dtype=float)
case("array", [1.0, 2.0], dtype="float32")
case("array", [1.0], ndmin=3)
case("asarray", [1, 2], float)
case("arange", 5)
case("arange", 1.0, 2.0, 0.25)
case("arange", 5, 0, -2)
case("arange", 3, dtype=float)
case("linspace", 0, 1, 5, wrt=())
case("linspace", -0.5, 2.0, wrt=(0, 1))
case("linspace", 0.5, 2.0, 4, endpoint=False, wrt=(0, 1))
case("linspace", numpy.array([0.0, 1.0]), 3.0, 4, axis=-1, wrt=(0, 1))
case("linspace", 0, 1, 3, retstep=True)
case("logspace", 0.0, 2.0, 4)
case("logspace", 0.5, 1.0, 3, base=2.0)
case("geomspace", 1.0, 8.0, 4)
case("eye", 3)
case("eye", 2, 4, 1, dtype=int)
case("identity", 2)
case("tri", 3, 4, -1)
case("meshgrid", s(2), s(3), wrt=(0, 1))
case("meshgrid", s(2), s(3), s(4), indexing="ij", wrt=(0, 1, 2))

# reductions
for name in words("sum prod mean std var max min amax amin ptp"):
    for kwargs in ({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}):
        case(name, s(2, 3, 2), wrt=0, **kwargs)
    case(name, INTS)
    case(name, INTS, axis=1)
    case(name, [1.0, 2.0, 4.0])
    case(name, s(2, 3).astype("float32"), 0, rtol=1e-5)
for name in words("sum prod mean std var"):
    case(name, BOOLS)
    case(name, INTS, dtype=float)
case("var", s(2, 3), ddof=1, wrt=0)
case("std", s(2, 3), axis=1, ddof=1, wrt=0)
MASK = numpy.array([[True, False, True], [True, True, False]])
for name, initial in (("sum", 0.5), ("prod", 2.0), ("max", 0.3), ("min", -0.3)):
    case(name, s(2, 3), initial=initial, wrt=0)
    case(name, s(2, 3), axis=1, keepdims=True, initial=initial, wrt=0)
    case(name, s(2, 3), axis=0, initial=initial, where=MASK, wrt=0)
    case(name, s(2, 3), initial=initial, where=MASK[0], wrt=0)
    case(name, INTS, axis=1, initial=2, where=MASK)
    case(name, numpy.zeros((0, 3)), axis=0, initial=initial)
for name in words("sum prod"):
    case(name, s(2, 3), axis=1, where=MASK, wrt=0)
    case(name, BOOLS, where=MASK)
for name in words("all any count_nonzero argmax argmin"):
    case(name, INTS > 2)
    case(name, INTS, axis=1)
    case(name, s(2, 3), axis=0, keepdims=True)
for name in words("cumsum cumprod"):
    case(name, s(2, 3), wrt=0)
    case(name, s(2, 3), axis=0, wrt=0)
    case(name, s(2, 3), -1, wrt=0)
    case(name, INTS, axis=1)
    case(name, [True, True])
case("average", s(2, 3), wrt=0)
case("average", s(2, 3), axis=1, wrt=0)
case("average", s(2, 3), axis=0, weights=numpy.array([1.0, 3.0]), wrt=0)
case("average", s(2, 3), 1, u(2, 3), wrt=(0, 2))
case("average", s(2, 3), 1, u(3), True)
case("average", s(2, 3), returned=True)
case("average", [1, 2, 4])
for name, q in (("quantile", 0.3), ("percentile", 30)):
    case(name, s(2, 5), q, wrt=0)
    case(name, s(2, 5), q, axis=1, wrt=0)
    case(name, s(2, 5), [q, 2 * q], axis=0, wrt=0)
    case(name, s(2, 5), q, axis=1, keepdims=True)
    case(name, s(2, 5), [[q], [q]], keepdims=True)
case("median", s(2, 5), wrt=0)
case("median", s(4, 5), axis=0, wrt=0)
case("median", INTS, keepdims=True)
NANS = numpy.array([[1.0, numpy.nan, 3.0], [0.5, 2.0, -1.0]])
for name in words("nansum nanprod nanmean nanstd nanvar nanmax nanmin"):
    case(name, NANS)
    case(name, NANS, axis=0)
    case(name, s(2, 3), axis=1, keepdims=True, wrt=0)
case("nanvar", NANS, axis=1, ddof=1)
case("cov", s(3, 5), wrt=0)
case("cov", s(5))
case("cov", s(5, 2), rowvar=False, bias=True, wrt=0)
case("cov", s(5), u(5), wrt=(0, 1))
case("corrcoef", s(3, 5), wrt=0)
case("corrcoef", s(5), u(5), wrt=(0, 1))

# differences
case("diff", s(2, 5), wrt=0)
case("diff", s(2, 5), n=2, wrt=0)
case("diff", s(3, 5), axis=0, wrt=0)
case("diff", s(5), prepend=0.0, append=s(2), wrt=0)
case("diff", INTS, n=0)
case("diff", BOOLS)
case("ediff1d", s(2, 3), wrt=0)
case("ediff1d", s(5), to_end=numpy.array([1.0, 2.0]), to_begin=0.5, wrt=0)
case("gradient", s(5), wrt=0)
case("gradient", s(5), 0.5, wrt=0)
case("gradient", s(4, 5), wrt=0)
case("gradient", s(4, 5), 0.5, numpy.array([0.0, 0.5, 1.5, 2.0, 4.0]), wrt=0)
case("gradient", s(4, 5), axis=1, edge_order=2, wrt=0)
case("gradient", s(5), numpy.array([0.0, 0.5, 1.5, 2.0, 4.0]), edge_order=2, wrt=(0, 1), rtol=1e-11)
case("gradient", s(2))
for name, like in (("trapezoid", None), ("trapz", "trapezoid")):
    case(name, s(2, 5), wrt=0, like=like)
    case(name, s(2, 5), dx=0.5, axis=0, wrt=0, like=like)
    case(name, s(4, 5), numpy.array([0.0, 0.5, 1.5, 2.0]), axis=0, wrt=(0, 1), like=like)
    case(name, [1, 2, 3], like=like)
for mode in ("full", "same", "valid"):
    case("convolve", s(6), u(3), mode, wrt=(0, 1))
    case("convolve", s(3), u(4), mode, wrt=(0, 1))
    case("correlate", s(6), u(3), mode, wrt=(0, 1))
    case("correlate", s(3), u(4), mode, wrt=(0, 1))
case("convolve", [1, 2, 3], [0, 1, 2])
case("interp", numpy.array([0.3, 1.7, -1.0, 3.5]), numpy.array([0.0, 1.0, 3.0]), s(3), wrt=(0, 1, 2))
case(
    "interp",
    numpy.array([[0.3, 1.7], [-1.0, 3.5]]),
    numpy.array([0.0, 1.0, 3.0]),
    s(3),
    left=5.0,
    right=6.0,
    wrt=(0, 2),
)
case("interp", 0.5, [0.0, 1.0], [2.0, 4.0])
case("polyval", s(4), s(3), wrt=(0, 1))
case("vander", s(3), wrt=0)
case("vander", s(3), 2, increasing=True, wrt=0)

# shapes
for name in words("shape ndim size"):
    case(name, s(2, 3))
    case(name, [[1, 2]])
case("size", s(2, 3), 1)
case("reshape", s(2, 3), (3, 2), wrt=0)
case("reshape", s(2, 3), -1, wrt=0)
case("reshape", s(2, 3), (3, -1), order="F", wrt=0)
case("ravel", s(2, 3), wrt=0)
case("ravel", s(2, 3), "F", wrt=0)
for name in words("transpose permute_dims"):
    case(name, s(2, 3, 4), wrt=0) if name == "transpose" else None
    case(name, s(2, 3, 4), (2, 0, 1), wrt=0)
case("matrix_transpose", s(2, 3, 4), wrt=0)
case("swapaxes", s(2, 3, 4), 0, -1, wrt=0)
case("moveaxis", s(2, 3, 4), 0, -1, wrt=0)
case("moveaxis", s(2, 3, 4), (0, 1), (-1, 0), wrt=0)
for axis, start in ((2, 0), (0, 3), (1, 2), (-1, 1), (0, -1)):
    case("rollaxis", s(2, 3, 4), axis, start, wrt=0)
case("squeeze", s(1, 3, 1), wrt=0)
case("squeeze", s(1, 3, 1), axis=-1, wrt=0)
case("expand_dims", s(2, 3), 1, wrt=0)
case("expand_dims", s(2, 3), (0, -1), wrt=0)
for name in words("atleast_1d atleast_2d atleast_3d"):
    for x in (0.5, s(3), s(2, 3), s(2, 3, 4)):
        case(name, x, wrt=0)
    case(name, 0.5, s(3), wrt=(0, 1))
case("broadcast_to", s(3), (2, 3), wrt=0)
case("broadcast_to", 1.5, 4, wrt=0)
case("broadcast_shapes", (2, 1), (3,))
case("broadcast_arrays", s(2, 1), s(3), wrt=(0, 1))
case("flip", s(2, 3), wrt=0)
case("flip", s(2, 3), 1, wrt=0)
case("flip", s(2, 3, 2), (0, 2), wrt=0)
case("flipud", s(2, 3), wrt=0)
case("fliplr", s(2, 3), wrt=0)
for k in range(-1, 4):
    case("rot90", s(2, 3), k, wrt=0)
case("rot90", s(2, 3, 2), 1, (1, 2), wrt=0)
case("roll", s(2, 3), 2, wrt=0)
case("roll", s(2, 3), -1, 1, wrt=0)
case("roll", s(2, 3), (1, 2), (0, 1), wrt=0)
case("roll", s(2, 3), 1, axis=(0, 1), wrt=0)
case("pad", s(3), 2, wrt=0)
case("pad", s(2, 3), ((1, 0), (2, 1)), "constant", constant_values=0.5, wrt=0)
case("pad", s(2, 3), (1, 2), "edge", wrt=0)
case("pad", s(3, 4), 1, mode="reflect", wrt=0)
case("pad", s(3, 4), 1, mode="wrap", wrt=0)

# joining and splitting
for name, like in (("concatenate", None), ("concat", None)):
    case(name, [s(2, 3), s(1, 3)], wrt=0, like=like)
    case(name, [s(2, 3), s(2, 2)], axis=1, wrt=0, like=like)
    case(name, [s(2, 3), s(2)], axis=None, wrt=0, like=like)
    case(name, [[1, 2], [3.5]], like=like)
case("stack", [s(2, 3), s(2, 3)], wrt=0)
case("stack", [s(2, 3), s(2, 3)], axis=-1, wrt=0)
for name, like in (
    ("vstack", None),
    ("row_stack", "vstack"),
    ("hstack", None),
    ("dstack", None),
    ("column_stack", None),
):
    case(name, [s(3), s(3)], wrt=0, like=like)
    case(name, [s(2, 3), s(2, 3)], wrt=0, like=like)
    case(name, (s(2, 2), s(2, 2)), wrt=0, like=like)
case("hstack", [1.0, s(3)], wrt=0)
case("append", s(2, 3), s(2), wrt=(0, 1))
case("insert", s(4), 1, 5.0, wrt=0)
case("insert", s(4), -1, s(2), wrt=(0, 2))
case("insert", s(2, 3), 2, 7.0)
case("insert", s(2, 3), 1, s(3), axis=0, wrt=(0, 2))
case("insert", s(2, 3), 1, s(2), axis=1, wrt=(0, 2))
case("insert", s(2, 3), [0, 2], s(2, 2), axis=1, wrt=(0, 2))
case("insert", s(2, 3), [3, 0, 1], s(3), axis=1, wrt=(0, 2))
case("insert", s(2, 3), [1], s(2, 2), axis=1, wrt=(0, 2))
case("insert", s(6), slice(0, 5, 2), s(3), wrt=(0, 2))
case("insert", INTS, 0, 7, axis=-1)
case("block", [[s(2, 2), s(2, 1)], [s(1, 3)]], wrt=0)
case("block", [s(2), s(3)], wrt=0)
case("block", [[s(2)], [s(2)]], wrt=0)
case("block", [[[s(1, 2, 2)], [s(1, 1, 2)]], [[s(2, 3, 2)]]], wrt=0)
case("block", s(2, 3), wrt=0)
case("block", [1, 2, 3])
case("append", s(2, 3), s(1, 3), axis=0, wrt=(0, 1))
case("array_split", s(7), 3, wrt=0)
case("array_split", s(2, 5), [1, 3], axis=1, wrt=0)
case("split", s(6), 3, wrt=0)
case("split", s(6, 2), [2, 3], wrt=0)
case("vsplit", s(4, 2), 2, wrt=0)
case("hsplit", s(2, 4), 2, wrt=0)
case("hsplit", s(4), [1], wrt=0)
case("dsplit", s(2, 2, 4), 2, wrt=0)
case("unstack", s(2, 3), wrt=0)
case("unstack", s(2, 3), axis=1, wrt=0)
case("tile", s(3), 2, wrt=0)
case("tile", s(2, 3), (2, 1, 2), wrt=0)
case("repeat", s(3), 2, wrt=0)
case("repeat", s(2, 3), 2, axis=0, wrt=0)
case("repeat", s(2, 3), [1, 0, 2], axis=1, wrt=0)

# choosing
case("take", s(2, 3), [5, 0, 0], wrt=0)
case("take", s(2, 3), numpy.array([[0, 2], [1, 1]]), axis=1, wrt=0)
case("take", s(2, 3), 1, axis=0, wrt=0)
case("take_along_axis", s(2, 3), numpy.array([[2], [0]]), 1, wrt=0)
case("take_along_axis", s(2, 3), numpy.array([2, 0]), None, wrt=0)
case("where", BOOLS, s(2, 3), s(3), wrt=(1, 2))
case("where", BOOLS, s(2, 3), 0.0, wrt=1)
case("where", BOOLS, 1, 0)
case("where", BOOLS, 1.0, 0)
case("where", s(2, 3), 1.0, s(3).astype("float32"))
case("where", INTS > 2)
case("select", [INTS > 3, INTS < 0], [INTS * 2.0, s(2, 3)], wrt=1)
case("select", [INTS > 3], [INTS], 7)
case("choose", numpy.array([1, 0, 1]), [s(3), s(3)], wrt=1)
case("compress", [True, False, True], s(2, 3), axis=1, wrt=1)
case("compress", [True, False, True], s(2, 3), wrt=1)
case("extract", BOOLS, s(2, 3), wrt=1)
case("delete", s(5), 1, wrt=0)
case("delete", s(2, 5), [1, 3], axis=1, wrt=0)
case("delete", s(2, 5), slice(1, 3), 1, wrt=0)
for name in words("nonzero flatnonzero argwhere"):
    case(name, INTS > 2)
for name in ("sort", "argsort"):
    wrt = 0 if name == "sort" else ()
    case(name, s(2, 5), wrt=wrt)
    case(name, s(2, 5), axis=0, wrt=wrt)
    case(name, s(2, 5), axis=None, wrt=wrt)
    case(name, INTS)
case("partition", numpy.array([3.0, 1.0, 2.0]), 1, wrt=0)
for name in ("tril", "triu"):
    case(name, s(3, 4), wrt=0)
    case(name, s(3, 4), 1, wrt=0)
    case(name, s(2, 3, 3), -1, wrt=0)
case("diag", s(3), wrt=0)
case("diag", s(3), -1, wrt=0)
case("diag", s(3, 4), 1, wrt=0)
case("diagflat", s(2, 2), 1, wrt=0)
case("diagonal", s(3, 4), wrt=0)
case("diagonal", s(2, 3, 4), 1, 0, 2, wrt=0)
case("unique", INTS)
case("unique", numpy.array([1.5, 0.5, 1.5]), return_index=True, return_inverse=True, return_counts=True)
case("unique", numpy.array([[1, 2], [1, 2]]), axis=0)

# products
for name in words("dot inner"):
    case(name, s(3), u(3), wrt=(0, 1))
    case(name, s(2, 3), u(3), wrt=(0, 1))
    case(name, 2.0, s(2, 3), wrt=(0, 1))
case("dot", s(2, 3), u(3, 4), wrt=(0, 1))
case("dot", s(3), u(3, 4), wrt=(0, 1))
case("dot", s(2, 2, 3), u(4, 3, 2), wrt=(0, 1))
case("dot", s(2, 2, 3), u(3), wrt=(0, 1))
case("dot", INTS, INTS.T)
case("dot", [1, 2], [0.5, 1.5])
case("dot", s(2, 3).astype("float32"), u(3), rtol=1e-6)
case("inner", s(2, 3), u(4, 3), wrt=(0, 1))
case("inner", s(2, 2, 3), u(4, 3), wrt=(0, 1))
case("vdot", s(2, 3), u(2, 3), wrt=(0, 1))
case("vecdot", s(2, 3), u(3), wrt=(0, 1))
case("vecdot", s(2, 3), u(2, 1), axis=0, wrt=(0, 1))
case("outer", s(2), u(3), wrt=(0, 1))
case("outer", s(2, 2), u(3), wrt=(0, 1))
case("kron", s(2), u(3), wrt=(0, 1))
case("kron", s(2, 3), u(2, 2), wrt=(0, 1))
case("kron", s(2, 3), u(2), wrt=(0, 1))
case("matmul", s(2, 3), u(3, 4), wrt=(0, 1))
case("matmul", s(3), u(3, 4), wrt=(0, 1))
case("matmul", s(2, 3), u(3), wrt=(0, 1))
case("matmul", s(2, 1, 2, 3), u(3, 3, 2), wrt=(0, 1))
case("matmul", INTS, INTS.T)
case("tensordot", s(2, 3, 4), u(3, 4, 2), wrt=(0, 1))
case("tensordot", s(2, 3), u(3, 4), 1, wrt=(0, 1))
case("tensordot", s(2, 3, 4), u(4, 2), axes=([2, 0], [0, 1]), wrt=(0, 1))
case("tensordot", s(2), u(3), 0, wrt=(0, 1))
case("einsum", "ij,jk->ik", s(2, 3), u(3, 4), wrt=(1, 2))
case("einsum", "ii", s(3, 3), wrt=1)
case("einsum", "...ij,...jk", s(2, 2, 3), u(3, 2), wrt=(1, 2))
case("einsum", "i,i,i->", s(3), u(3), u(3), wrt=(1, 2, 3))
case("einsum", "ij->ji", s(2, 3), wrt=1)
case("einsum", s(2, 3), [0, 1], u(3), [1], [0], wrt=(0, 2))
case("cross", s(3), u(3), wrt=(0, 1))
case("cross", s(2, 3), u(3), wrt=(0, 1))
case("cross", s(3, 2), u(3, 2), axis=0, wrt=(0, 1))
case("trace", s(3, 4), wrt=0)
case("trace", s(2, 3, 4), 1, 1, 2, wrt=0)
case("trace", INTS)

# linear algebra
SQUARE = s(3, 3) + 4 * numpy.eye(3)
STACK = s(2, 3, 3) + 4 * numpy.eye(3)
SPD = STACK @ STACK.swapaxes(-1, -2)
for x in (SQUARE, STACK):
    for name in words("inv det slogdet pinv"):
        case(f"linalg.{name}", x, wrt=0, rtol=1e-10)
    case("linalg.solve", x, s(3, 2), wrt=(0, 1), rtol=1e-10)
    case("linalg.svdvals", x, wrt=0, rtol=1e-10)
case("linalg.solve", SQUARE, s(3), wrt=(0, 1), rtol=1e-10)
case("linalg.solve", SQUARE, s(2, 3, 2), wrt=(0, 1), rtol=1e-10)
case("linalg.cholesky", SPD, rtol=1e-10)
case("linalg.eigvalsh", SPD[0], rtol=1e-10)
case("linalg.pinv", s(4, 2), wrt=0, rtol=1e-10)
case("linalg.svd", SQUARE, compute_uv=False, wrt=0, rtol=1e-10)
case("linalg.matrix_power", SQUARE, 5, wrt=0, rtol=1e-10)
case("linalg.matrix_power", SQUARE, -2, wrt=0, rtol=1e-10)
case("linalg.matrix_power", SQUARE, 0)
case("linalg.matrix_rank", SQUARE)
case("linalg.multi_dot", [s(2, 3), u(3, 4), s(4, 2)], wrt=0)
for x in (s(5), s(2, 3)):
    case("linalg.norm", x, wrt=0)
    case("linalg.norm", x, keepdims=True, wrt=0)
for p in (None, 1, 2, 3, 0, numpy.inf, -numpy.inf):
    case("linalg.norm", s(2, 5), p, axis=1, wrt=0)
    case("linalg.norm", s(5), p, wrt=0)
for p in (None, "fro", "nuc", 1, -1, 2, -2, numpy.inf, -numpy.inf):
    case("linalg.norm", s(3, 2), p, wrt=0, rtol=1e-10)
case("linalg.norm", s(3, 2, 4), "fro", axis=(0, 2), keepdims=True, wrt=0)

# computed by NumPy
case("searchsorted", [1.0, 2.0, 3.0], numpy.array([0.5, 2.5]))
case("digitize", numpy.array([0.5, 1.5]), [0.0, 1.0])
case("bincount", numpy.array([0, 2, 2]))
case("isin", INTS, [1, 3])
case("argpartition", numpy.array([3, 1, 2]), 0)
case("lexsort", ([1, 0], [0, 0]))
case("histogram", s(10), 3)
case("unravel_index", numpy.array([5, 1]), (2, 3))
case("ravel_multi_index", ([1, 0], [2, 1]), (2, 3))
case("tril_indices", 3)
case("triu_indices", 3, 1)
case("diag_indices", 3)
case("indices", (2, 3))
case("ix_", [0, 1], [2])
case("isscalar", 3.0)
case("issubdtype", numpy.float32, numpy.floating)
case("result_type", numpy.float32, numpy.int64)
