"""Constants and dtypes: NumPy's own objects, which every `dtype=` here takes."""

from __future__ import annotations

from numpy import (
    bool_,
    float16,
    float32,
    float64,
    floating,
    inexact,
    int8,
    int16,
    int32,
    int64,
    integer,
    ndenumerate,
    ndindex,
    newaxis,
    number,
    uint8,
    uint16,
    uint32,
    uint64,
)

from cinta._core import Tensor

e = 2.718281828459045
euler_gamma = 0.5772156649015329
inf = float("inf")
nan = float("nan")
pi = 3.141592653589793

ndarray = Tensor
double, single, half = float64, float32, float16
int_ = intp = int64
bool = bool_

__all__ = [
    "bool",
    "bool_",
    "double",
    "e",
    "euler_gamma",
    "float16",
    "float32",
    "float64",
    "floating",
    "half",
    "inexact",
    "inf",
    "int8",
    "int16",
    "int32",
    "int64",
    "int_",
    "integer",
    "intp",
    "nan",
    "ndarray",
    "ndenumerate",
    "ndindex",
    "newaxis",
    "number",
    "pi",
    "single",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]
