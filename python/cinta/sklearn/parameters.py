"""What the parameters of an estimator may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy

from cinta import nn
from cinta.sklearn.training import SCHEDULES, SOLVERS

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def check_parameters(estimator: Any) -> None:
    """ValueError for a parameter out of range."""
    name = type(estimator).__name__

    def expect(parameter: str, fine: bool, expected: str) -> None:
        if not fine:
            raise ValueError(f"[{name}] {parameter} got {getattr(estimator, parameter)!r}, expected {expected}")

    def number(parameter: str, low: float, high: float = math.inf, kind: Any = Real) -> bool:
        value = getattr(estimator, parameter)
        return isinstance(value, kind) and not isinstance(value, bool) and low <= value <= high

    sizes = numpy.atleast_1d(numpy.asarray(estimator.hidden_layer_sizes, dtype=object)).tolist()
    fine = all(isinstance(n, Integral) and not isinstance(n, bool) and int(n) > 0 for n in sizes)
    expect("hidden_layer_sizes", fine, "positive ints")
    expect("activation", estimator.activation in ACTIVATIONS, f"one of {list(ACTIVATIONS)}")
    builds = estimator.module is None or callable(estimator.module)
    expect("module", builds, "a function of (n_features, n_outputs) or None")
    expect("dropout", number("dropout", 0, 1) and estimator.dropout < 1, "a probability in [0, 1)")
    known = callable(estimator.solver) or estimator.solver in SOLVERS
    expect("solver", known, f"one of {list(SOLVERS)} or a function of parameter groups")
    expect("alpha", number("alpha", 0), "a number of 0 or more")
    auto = isinstance(estimator.batch_size, str) and estimator.batch_size == "auto"
    expect("batch_size", auto or number("batch_size", 1, kind=Integral), "'auto' or an int of 1 or more")
    expect("learning_rate", estimator.learning_rate in SCHEDULES, f"one of {list(SCHEDULES)}")
    rate = number("learning_rate_init", 0) and estimator.learning_rate_init > 0
    expect("learning_rate_init", rate, "a positive number")
    expect("momentum", number("momentum", 0, 1), "a number in [0, 1]")
    expect("max_iter", number("max_iter", 1, kind=Integral), "an int of 1 or more")
    expect("tol", number("tol", 0), "a number of 0 or more")
    expect("n_iter_no_change", number("n_iter_no_change", 1), "a number of 1 or more")
    fraction = number("validation_fraction", 0, 1) and 0 < estimator.validation_fraction < 1
    expect("validation_fraction", fraction, "a fraction between 0 and 1")
    dtypes = (None, numpy.dtype("float32"), numpy.dtype("float64"))
    expect("dtype", estimator.dtype is None or numpy.dtype(estimator.dtype) in dtypes, "'float32', 'float64' or None")
