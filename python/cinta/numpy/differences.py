"""Differences, slopes and areas of sampled functions; convolution and interpolation in one dimension."""

from __future__ import annotations

from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

from .promotion import host, mean_float_of, tensor_of, tensors


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """Differences of neighbours along an axis, taken `n` times: a[i+1] - a[i]; of booleans, whether they differ.

    Shapes: the axis is `n` shorter. `prepend` and `append` are joined on first.

    >>> print(np.diff([1, 4, 9]))
    [3 5]
    """
    if n < 0:
        raise ValueError(f"[numpy.diff] got n = {n}, expected 0 or more")
    values = tensor_of(a)
    if values.ndim == 0:
        raise ValueError("[numpy.diff] got a number, expected an array of one dimension or more")
    parts = [_edge(prepend, values, axis), values, _edge(append, values, axis)]
    if prepend is not None or append is not None:
        values = _core.concat(tensors([part for part in parts if part is not None]), axis=axis)
    for _ in range(n):
        high, low = _span(values, axis, 1, None), _span(values, axis, None, -1)
        values = high != low if str(values.dtype) == "bool" else high - low
    return values


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Tensor:
    """Differences of neighbours in the flattened array, with values put before and after.

    >>> print(np.ediff1d([1, 4, 9], to_begin=0))
    [0 3 5]
    """
    flat = tensor_of(ary).ravel()
    parts = [to_begin, flat[1:] - flat[:-1], to_end]
    found = [tensor_of(part).ravel().astype(flat.dtype) for part in parts if part is not None]
    return _core.concat(found, axis=0) if len(found) > 1 else found[0]


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Slopes of a sampled function: central differences inside, one-sided ones of order `edge_order` at the ends.

    `varargs`: nothing (spacing 1), one spacing, or one for each axis; a spacing is a number or the coordinates.
    Returns one array for one axis, else a list with one array for each. ValueError for too few samples.
    Source: B. Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids", 1988.

    >>> print(np.gradient(np.array([1.0, 2.0, 4.0])))
    [1.  1.5 2. ]
    """
    values = mean_float_of(f)
    axes = range(values.ndim) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if len(varargs) not in (0, 1, len(axes)):
        raise TypeError(
            f"[numpy.gradient] got {len(varargs)} spacings, expected none, one, or one for each of {len(axes)} axes"
        )
    if edge_order not in (1, 2):
        raise ValueError(f"[numpy.gradient] got edge_order {edge_order}, expected 1 or 2")
    spacings = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    slopes = [_slope(values, spacing, along, edge_order) for along, spacing in zip(axes, spacings)]
    return slopes[0] if len(slopes) == 1 else slopes


def _slope(values: Tensor, spacing: Any, axis: int, edge_order: int) -> Tensor:
    n = values.shape[axis]
    if n < edge_order + 1:
        raise ValueError(
            f"[numpy.gradient] axis {axis} has {n} samples, expected {edge_order + 1} for edge_order {edge_order}"
        )
    y = values.moveaxis(axis, 0)
    grid = tensor_of(spacing)
    if grid.ndim > 1 or (grid.ndim == 1 and grid.size != n):
        raise ValueError(f"[numpy.gradient] coordinates have shape {grid.shape}, expected a number or ({n},)")
    # steps between neighbours, one per row of y, as columns that broadcast over y's other axes
    steps = grid.broadcast_to((n - 1,)) if grid.ndim == 0 else grid[1:] - grid[:-1]
    h = steps.reshape((n - 1,) + (1,) * (y.ndim - 1))
    rise = (y[1:] - y[:-1]) / h
    before, after = h[:-1], h[1:]
    inner = (rise[:-1] * after + rise[1:] * before) / (before + after)
    if edge_order == 1:
        first, last = rise[:1], rise[-1:]
    else:  # the slope of the parabola through the three outermost samples
        first = rise[:1] + (rise[:1] - rise[1:2]) * h[:1] / (h[:1] + h[1:2])
        last = rise[-1:] + (rise[-1:] - rise[-2:-1]) * h[-1:] / (h[-1:] + h[-2:-1])
    return _core.concat([first, inner, last], axis=0).moveaxis(0, axis)


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor:
    """The integral of a sampled function by the trapezoidal rule: sum_i (x_{i+1} - x_i) (y_i + y_{i+1}) / 2.

    >>> np.trapezoid([1.0, 2.0, 3.0]).item()
    4.0
    """
    values = mean_float_of(y)
    width: Any = dx
    if x is not None:
        width = diff(mean_float_of(x), axis=-1 if tensor_of(x).ndim == 1 else axis)
        if width.ndim == 1 and values.ndim > 1:
            width = width.reshape((-1,) + (1,) * (values.ndim - 1 - axis % values.ndim))
    return _core.sum(width * (_span(values, axis, 1, None) + _span(values, axis, None, -1)) / 2.0, axis=axis)


trapz = trapezoid


def convolve(a: Any, v: Any, mode: str = "full") -> Tensor:
    """The convolution of two sequences: sum_m a[m] v[n - m].

    Shapes: a (n), v (m): `full` gives n + m - 1 values, `same` max(n, m), `valid` |n - m| + 1.

    >>> print(np.convolve([1.0, 2.0, 3.0], [0.0, 1.0, 0.5]))
    [0.  1.  2.5 4.  1.5]
    """
    x, w = tensors((a, v))
    if x.ndim != 1 or w.ndim != 1 or not x.size or not w.size:
        raise ValueError(
            f"[numpy.convolve] got shapes {x.shape} and {w.shape}, expected two sequences that are not empty"
        )
    if w.size > x.size:
        x, w = w, x
    x, w = mean_float_of(x), mean_float_of(w)
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"[numpy.convolve] got mode {mode!r}, expected 'full', 'same' or 'valid'")
    pads = 0 if mode == "valid" else w.size - 1
    result = _core.conv1d(x.reshape(1, 1, -1), _core.flip(w).reshape(1, 1, -1), padding=pads).reshape(-1)
    start = (w.size - 1) // 2
    result = result[start : start + x.size] if mode == "same" else result
    return result if tensors((a, v))[0].dtype.is_floating else result.astype(_core.int64)


def correlate(a: Any, v: Any, mode: str = "valid") -> Tensor:
    """The cross-correlation of two sequences: sum_n a[n + k] v[n]; shapes as `convolve`.

    >>> print(np.correlate([1.0, 2.0, 3.0], [0.0, 1.0, 0.5]))
    [3.5]
    """
    x, w = tensor_of(a), tensor_of(v)
    if w.size > x.size:  # convolve exchanges the two, which turns the result round
        return _core.flip(convolve(_core.flip(x), w, mode))
    return convolve(x, _core.flip(w), mode)


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Tensor:
    """Linear interpolation at x of samples fp at increasing coordinates xp; outside `left` and `right`, or the ends.

    Shapes: xp and fp (n), x (x...): the result is (x...). Differentiable by x, xp and fp.

    >>> np.interp(1.5, [1.0, 2.0], [10.0, 20.0]).item()
    15.0
    """
    at, knots, samples = mean_float_of(x), mean_float_of(xp), mean_float_of(fp)
    if knots.ndim != 1 or knots.shape != samples.shape or not knots.size:
        raise ValueError(
            f"[numpy.interp] xp and fp have shapes {knots.shape} and {samples.shape}, expected two equal lengths"
        )
    if knots.size > 1:
        place = numpy.clip(numpy.searchsorted(host(knots), host(at), side="right") - 1, 0, knots.size - 2)
        low, high = _core.asarray(place), _core.asarray(place + 1)
        slope = (samples[high] - samples[low]) / (knots[high] - knots[low])
        result = samples[low] + slope * (at - knots[low])
    else:
        result = samples[0].broadcast_to(at.shape)
    result = _core.where(at < knots[0], samples[0] if left is None else left, result)
    return _core.where(at > knots[-1], samples[-1] if right is None else right, result)


def polyval(p: Any, x: Any) -> Tensor:
    """The polynomial p[0] x^(n-1) + ... + p[n-1] at x, by Horner's rule; differentiable by both.

    >>> np.polyval([1.0, 2.0, 3.0], 2.0).item()
    11.0
    """
    coefficients, at = tensor_of(p), tensor_of(x)
    result = _core.zeros_like(at)
    for coefficient in coefficients:
        result = result * at + coefficient
    return result


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:
    """The Vandermonde matrix of a sequence: powers x^(N-1), ..., x, 1 as columns (increasing: 1, x, ...).

    >>> print(np.vander([1.0, 2.0], 3))
    [[1. 1. 1.]
     [4. 2. 1.]]
    """
    values = tensor_of(x)
    n = values.size if N is None else N
    columns = [_core.ones_like(values)]
    for _ in range(1, n):
        columns.append(columns[-1] * values)
    columns = columns[:n]
    return _core.stack(columns if increasing else columns[::-1], axis=1)


def _span(values: Tensor, axis: int, start: int | None, stop: int | None) -> Tensor:
    index = [slice(None)] * values.ndim
    index[axis] = slice(start, stop)
    return values[tuple(index)]


def _edge(part: Any, values: Tensor, axis: int) -> Tensor | None:
    if part is None:
        return None
    tensor = tensor_of(part)
    if tensor.ndim:
        return tensor
    return tensor.broadcast_to(tuple(1 if i == axis % values.ndim else n for i, n in enumerate(values.shape)))


__all__ = [
    "convolve",
    "correlate",
    "diff",
    "ediff1d",
    "gradient",
    "interp",
    "polyval",
    "trapezoid",
    "trapz",
    "vander",
]
