"""Rows of the elementwise operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy import special

from op_row import FLOATS, INTEGERS, Op, Sample, sample

NO_BOOL = (*FLOATS, *INTEGERS)
INTEGERS_AND_BOOL = (*INTEGERS, "bool")
SHAPES = [(), (5,), (3, 4), (2, 3, 17), (3, 1031), (0,), (2, 0, 3)]
SHAPE_PAIRS = [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((), (3,)), ((2, 3, 4), (3, 1)), ((5, 211), (5, 1)),
               ((1031,), (1031,)), ((0, 3), (1, 3)), ((), ())]  # fmt: skip


def between(low: float, high: float, away_from: tuple[float, ...] = ()) -> Callable[[Any, tuple[int, ...]], np.ndarray]:
    """Uniform values, none within 0.02 of a kink."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        x = rng.uniform(low, high, shape)
        for kink in away_from:
            x = np.where(np.abs(x - kink) < 0.02, kink + 0.05, x)
        return np.asarray(x)

    return draw


def unary(name: str, reference: Callable[..., Any], low: float, high: float, *, kinks: tuple[float, ...] = (),
          options: tuple[dict[str, Any], ...] = (), **row: Any) -> Op:  # fmt: skip
    draw = between(low, high, kinks)

    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        yield from (sample(draw(rng, shape)) for shape in SHAPES)
        yield from (sample(draw(rng, (3, 7)), **option) for option in options)

    return Op(name, reference, samples, **{"elementwise": True, **row})


def binary(name: str, reference: Callable[..., Any], a: tuple[float, float], b: tuple[float, float], *,
           kinks: tuple[float, ...] = (), scalars: tuple[Any, ...] = (2.5, 2), **row: Any) -> Op:  # fmt: skip
    draw_a, draw_b = between(*a), between(*b, kinks)

    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        yield from (sample(draw_a(rng, left), draw_b(rng, right)) for left, right in SHAPE_PAIRS)
        for scalar in scalars:
            yield sample(draw_a(rng, (2, 19)), scalar)
            yield sample(scalar, draw_b(rng, (2, 19)))

    return Op(name, reference, samples, **{"elementwise": True, "method": False, **row})


def power(a: Any, b: Any) -> Any:
    """NumPy's, and for integers to negative powers, which NumPy refuses, the true value rounded toward zero."""
    if np.result_type(a, b).kind in "iu" and np.any(np.asarray(b) < 0):
        return np.trunc(np.power(np.asarray(a, float), b)).astype(np.result_type(a, b))
    return np.power(a, b)


def sigmoid(x: Any) -> Any:
    return special.expit(np.asarray(x, dtype=float))


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    return np.where(x * beta > threshold, x, np.logaddexp(0.0, x * beta) / beta)


def gelu(x: Any, approximate: str = "none") -> Any:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * special.ndtr(x)


def round_away_from_half(rng: np.random.Generator) -> Iterable[Sample]:
    """Steps at the integers and at the halves are kept out of reach of a finite difference."""
    for shape in SHAPES:
        yield sample(np.asarray(rng.integers(-6, 6, shape) + rng.choice([0.2, 0.3, 0.7, 0.8], shape)))


def power_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for left, right in SHAPE_PAIRS:
        yield sample(rng.uniform(0.3, 3, left), rng.uniform(-2, 3, right))
    for exponent in (2, 3.0, 1.0, 0.5, 4):
        yield sample(rng.uniform(0.3, 3, (2, 19)), exponent)
    yield sample(-rng.uniform(0.3, 3, (2, 19)), 3)  # a negative base with an integer exponent
    yield sample(2, rng.uniform(0, 3, (2, 19)))


def clip_samples(rng: np.random.Generator) -> Iterable[Sample]:
    draw = between(-4, 4, (1.0, 3.0))
    for shape in SHAPES:
        yield sample(draw(rng, shape), 1, 3)
    yield sample(draw(rng, (3, 7)), min=1)
    yield sample(draw(rng, (3, 7)), max=3)
    yield sample(draw(rng, (3, 7)), None, 3)


def where_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for left, right in SHAPE_PAIRS:
        shape = np.broadcast_shapes(left, right)
        yield sample(np.asarray(rng.random(shape) < 0.5), rng.normal(size=left), rng.normal(size=right))
    yield sample(rng.random((3, 1)) < 0.5, rng.normal(size=(3, 4)), 2)
    yield sample(rng.random(4) < 0.5, 1, rng.normal(size=(3, 4)))


def classify_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield sample(np.array([0.0, -0.0, 1.5, np.inf, -np.inf, np.nan]))
    yield from (sample(rng.normal(size=shape)) for shape in SHAPES)


def logical_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield from (
        sample(rng.integers(-1, 2, left) * 1.0, rng.integers(-1, 2, right) * 1.0) for left, right in SHAPE_PAIRS
    )


def compare_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield from logical_samples(rng)
    yield sample(rng.integers(-2, 3, (3, 7)) * 1.0, 1)
    yield sample(np.array([0.0, -0.0, np.inf, np.nan]), np.array([-0.0, 0.0, np.inf, np.nan]))


def integer_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield from (sample(rng.integers(0, 6, left) * 1.0, rng.integers(0, 6, right) * 1.0) for left, right in SHAPE_PAIRS)


ROWS = [
    unary("neg", np.negative, -4, 4, dtypes=NO_BOOL),
    unary("negative", np.negative, -4, 4, dtypes=NO_BOOL, method=False),
    unary("abs", np.abs, -4, 4, kinks=(0,)),
    unary("sign", np.sign, -4, 4, kinks=(0,), dtypes=NO_BOOL),
    unary("square", lambda x: x * x, -4, 4),
    unary("reciprocal", lambda x: 1 / x, 0.3, 4),
    unary("sqrt", np.sqrt, 0.1, 9),
    unary("rsqrt", lambda x: 1 / np.sqrt(x), 0.1, 9),
    unary("exp", np.exp, -5, 5),
    unary("exp2", np.exp2, -5, 5),
    unary("expm1", np.expm1, -3, 4),
    unary("log", np.log, 0.1, 9, tolerance=8),
    unary("log2", np.log2, 0.1, 9, tolerance=8),
    unary("log10", np.log10, 0.1, 9, tolerance=8),
    unary("log1p", np.log1p, -0.9, 9),
    unary("sin", np.sin, -6, 6),
    unary("cos", np.cos, -6, 6),
    unary("tan", np.tan, -1.3, 1.3),
    unary("asin", np.arcsin, -0.95, 0.95),
    unary("acos", np.arccos, -0.95, 0.95),
    unary("atan", np.arctan, -5, 5),
    unary("sinh", np.sinh, -4, 4),
    unary("cosh", np.cosh, -4, 4),
    unary("asinh", np.arcsinh, -5, 5),
    unary("acosh", np.arccosh, 1.1, 9),
    unary("atanh", np.arctanh, -0.9, 0.9),
    unary("tanh", np.tanh, -4, 4),
    unary("sigmoid", sigmoid, -6, 6),
    unary("softplus", softplus, -6, 6, options=({"beta": 2.0}, {"beta": 3.0, "threshold": 4.0}), kinks=(4 / 3,)),
    unary("relu", lambda x: np.maximum(x, np.zeros_like(x)), -4, 4, kinks=(0,)),
    unary("gelu", gelu, -3, 3, options=({"approximate": "tanh"},), tolerance=32),
    unary("silu", lambda x: x * sigmoid(x), -6, 6),
    unary("erf", special.erf, -3, 3),
    Op("floor", np.floor, round_away_from_half, elementwise=True),
    Op("ceil", np.ceil, round_away_from_half, elementwise=True),
    Op("round", lambda x: np.round(x) if x.dtype.kind == "f" else x, round_away_from_half, elementwise=True),
    Op("trunc", np.trunc, round_away_from_half, elementwise=True),
    unary("leaky_relu", lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x), -4, 4, kinks=(0,),
          options=({"negative_slope": 0.3},)),
    unary("elu", lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), -4, 4, kinks=(0,),
          options=({"alpha": 0.7},)),
    Op("clip", lambda x, min=None, max=None: np.clip(x, min, max), clip_samples, elementwise=True, dtypes=NO_BOOL),
    Op("isnan", np.isnan, classify_samples, gradient=False, elementwise=True),
    Op("isinf", np.isinf, classify_samples, gradient=False, elementwise=True),
    Op("isfinite", np.isfinite, classify_samples, gradient=False, elementwise=True),
    unary("logical_not", np.logical_not, -1, 1, gradient=False),
    Op("invert", np.invert, lambda rng: [sample(rng.integers(0, 9, s) * 1.0) for s in SHAPES], gradient=False,
       dtypes=INTEGERS_AND_BOOL, elementwise=True, method=False, call=lambda ct: lambda x: ~x),
    binary("add", np.add, (-4, 4), (-4, 4)),
    binary("subtract", np.subtract, (-4, 4), (-4, 4), dtypes=NO_BOOL),
    binary("multiply", np.multiply, (-4, 4), (-4, 4)),
    binary("divide", np.divide, (-4, 4), (0.5, 4)),
    Op("power", power, power_samples, elementwise=True, method=False, tolerance=8),
    binary("minimum", np.minimum, (-4, 4), (-4, 4)),
    binary("maximum", np.maximum, (-4, 4), (-4, 4)),
    binary("arctan2", np.arctan2, (-4, 4), (0.5, 4)),
    binary("hypot", np.hypot, (-4, 4), (0.5, 4)),
    binary("floor_divide", np.floor_divide, (-4, 4), (0.5, 4), scalars=(2,)),
    binary("remainder", np.remainder, (-4, 4), (0.5, 4), scalars=(2,)),
    binary("fmod", np.fmod, (-4, 4), (0.5, 4), scalars=(2,)),
    *(Op(f.__name__, f, compare_samples, gradient=False, elementwise=True, method=False)
      for f in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)),
    *(Op(f.__name__, f, logical_samples, gradient=False, elementwise=True, method=False)
      for f in (np.logical_and, np.logical_or, np.logical_xor)),
    *(Op(f.__name__, f, integer_samples, gradient=False, elementwise=True, method=False, dtypes=INTEGERS_AND_BOOL)
      for f in (np.bitwise_and, np.bitwise_or, np.bitwise_xor)),
    *(Op(f.__name__, f, integer_samples, gradient=False, elementwise=True, method=False, dtypes=INTEGERS_AND_BOOL)
      for f in (np.left_shift, np.right_shift)),
    binary("logaddexp", np.logaddexp, (-4, 4), (-4, 4), elementwise=False),
    Op("where", np.where, where_samples, elementwise=True, method=False),
]  # fmt: skip
