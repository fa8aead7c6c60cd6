"""Rows of what makes images smaller or larger: fractional pooling, unpooling, power means, resampling, shuffled pixels.

The references go element by element.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from op_cases_nn import NUMBERLESS, avg_pool, both, pool_samples
from op_row import Op, Sample, sample


def borders(size: int, out: int, kernel: int | None, u: float, overlapping: bool) -> list[tuple[int, int]]:
    """Windows [begin, end) of one axis: PyTorch's of size kernel, or Graham's."""
    if kernel:
        step = (size - kernel) / max(out - 1, 1)
        begins = [math.floor((i + u) * step) - math.floor(u * step) for i in range(out - 1)] + [size - kernel]
        ends = [b + kernel for b in begins]
        return list(zip(begins, ends if overlapping else [min(e, b) for e, b in zip(ends, [*begins[1:], size])]))
    span = size - 1 if overlapping else size
    begins = [math.ceil((i + u) * span / out) - math.ceil(u * span / out) for i in range(out)] + [span]
    return [(b, e + overlapping) for b, e in itertools.pairwise(begins)]


def fractional(x: Any, kernel_size: Any = None, output_size: Any = None, output_ratio: Any = None,
               return_indices: bool = False, _random_samples: Any = None, pseudo_random: bool = True,
               overlapping: bool = True, shared: bool = True, training: bool = True) -> Any:  # fmt: skip
    height, width = x.shape[-2:]
    rows, columns = both(output_size, 2) if output_size else (int(height * output_ratio), int(width * output_ratio))
    kernel = both(kernel_size, 2)
    planes = x.reshape(-1, height, width)
    u = np.full(2, 0.5) if _random_samples is None else np.asarray(_random_samples)
    values, places = np.zeros((2, len(planes), rows, columns))
    for plane, (across, down), y, at in zip(
        planes, np.broadcast_to(u.reshape(-1, 2), (len(planes), 2)), values, places
    ):
        for i, (top, bottom) in enumerate(borders(height, rows, kernel[0], down, overlapping)):
            for j, (left, right) in enumerate(borders(width, columns, kernel[1], across, overlapping)):
                window = plane[top:bottom, left:right]
                best = np.unravel_index(window.argmax(), window.shape)
                y[i, j], at[i, j] = window[best], (top + best[0]) * width + left + best[1]
    shape = (*x.shape[:-2], rows, columns)
    return (values.reshape(shape), places.reshape(shape).astype(np.int64)) if return_indices else values.reshape(shape)


def fractional_samples(rng: np.random.Generator) -> Iterable[Sample]:
    fixed: dict[str, Any] = {"training": False}
    u = rng.uniform(size=(2, 3, 2)).astype(np.float32)  # not among the inputs that are cast and differentiated
    cases = pool_samples(
        ((2, 3, 9, 11), None, {"output_ratio": 0.6, **fixed}),
        ((2, 3, 9, 11), None, {"output_size": (5, 7), "overlapping": False, "return_indices": True, **fixed}),
        ((2, 3, 10, 8), 2, {"output_ratio": 0.7, "return_indices": True, **fixed}),
        ((2, 3, 10, 38), (3, 2), {"output_size": (6, 21), "_random_samples": u}),
        ((2, 3, 10, 9), None, {"output_size": 6, "_random_samples": u, "return_indices": True}),
        ((3, 9, 9), 3, {"output_size": 4, "overlapping": False, "_random_samples": u[0, 0]}),
        ((2, 2, 5, 5), 2, {"output_size": 1, **fixed}),
    )
    yield from cases(rng)
    yield sample(np.zeros((0, 3, 6, 6)), 2, output_size=3, return_indices=True)


def unpool(x: Any, indices: Any, output_size: Any) -> Any:
    size = tuple(both(output_size, 1))
    batch, inside = x.shape[: x.ndim - len(size)], math.prod(x.shape[x.ndim - len(size) :])
    y = np.zeros((math.prod(batch), math.prod(size)))
    for plane, values, at in zip(y, x.reshape(len(y), inside), indices.reshape(len(y), inside)):
        for value, i in zip(values, at):
            plane[i] = value
    return y.reshape(*batch, *size)


def unpool_samples(*cases: tuple[tuple[int, ...], tuple[int, ...]]) -> Any:
    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        for shape, size in cases:
            places = math.prod(size)
            for repeats in (False, True):
                planes = math.prod(shape[: len(shape) - len(size)])
                inside = math.prod(shape[len(shape) - len(size) :])
                at = (
                    np.stack([rng.choice(places, inside, repeats) for _ in range(planes)])
                    if planes
                    else np.zeros(0, int)
                )
                yield sample(rng.normal(size=shape), at.reshape(shape), size)

    return samples


def lp_pool(x: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    return (avg_pool(x**norm_type, kernel_size, stride, ceil_mode=ceil_mode)
            * math.prod(both(kernel_size, x.ndim - 2))) ** (1 / norm_type)  # fmt: skip


def lp_samples(*cases: tuple[Any, ...]) -> Any:
    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        for shape, *args, named in cases:
            yield sample(rng.uniform(0.2, 2, shape), *args, **named)

    return samples


def keys(x: Any, a: float) -> Any:
    """Keys's kernel of cubic convolution."""
    x = abs(x)
    inner, outer = (a + 2) * x**3 - (a + 3) * x**2 + 1, a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, inner, np.where(x < 2, outer, 0.0))


def resampling_matrix(size: int, out: int, mode: str, scale: float | None, align_corners: bool, antialias: bool) -> Any:
    """[out, size]: which weighted sum of old elements each new one is."""
    matrix = np.zeros((out, size))
    step = 1 / scale if scale else size / out
    if align_corners:
        step = (size - 1) / (out - 1) if out > 1 else 0.0
    for i in range(out):
        if mode in ("nearest", "nearest-exact"):
            at = (i + 0.5 * (mode != "nearest")) * step
            matrix[i, min(int(at + 1e-12), size - 1)] = 1
        elif mode == "area":
            begin, end = i * size // out, -(-(i + 1) * size // out)
            matrix[i, begin:end] = 1 / (end - begin)
        elif antialias:
            wide, centre = max(step, 1.0), step * (i + 0.5)
            support = (2 if mode == "bicubic" else 1) * wide
            first, end = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), size)
            x = (np.arange(first, end) + 0.5 - centre) / wide
            weights = keys(x, -0.5) if mode == "bicubic" else np.maximum(1 - abs(x), 0)
            matrix[i, first:end] = weights / weights.sum()
        else:
            at = i * step if align_corners else (i + 0.5) * step - 0.5
            at = at if mode == "bicubic" else max(at, 0.0)
            for tap in range(math.floor(at) - 1, math.floor(at) + 3):
                x = np.asarray(at - tap)
                weight = keys(x, -0.75) if mode == "bicubic" else np.maximum(1 - abs(x), 0)
                matrix[i, np.clip(tap, 0, size - 1)] += weight
    return matrix


def resample(x: Any, size: Any, mode: str = "nearest", scale: Any = None, align_corners: bool = False,
             antialias: bool = False) -> Any:  # fmt: skip
    sizes, scales = both(size, x.ndim - 2), both(scale, x.ndim - 2)
    for axis, (out, factor) in enumerate(zip(sizes, scales), 2):
        matrix = resampling_matrix(x.shape[axis], out, mode, factor, align_corners, antialias)
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T, -1, axis)
    return x


def resample_samples(rng: np.random.Generator) -> Iterable[Sample]:
    image = (2, 3, 7, 9)
    for mode in ("nearest", "nearest-exact", "area", "bilinear", "bicubic"):
        yield sample(rng.normal(size=image), (12, 20), mode)
        yield sample(rng.normal(size=image), (4, 3), mode)
    for mode in ("bilinear", "bicubic"):
        yield sample(rng.normal(size=image), (12, 5), mode, align_corners=True)
        yield sample(rng.normal(size=image), (4, 20), mode, antialias=True)
        yield sample(rng.normal(size=image), (9, 1), mode, scale=(1.3, 0.2))
        yield sample(rng.normal(size=(2, 35, 5, 6)), (8, 4), mode)
    yield sample(rng.normal(size=(2, 3, 9)), 14, "linear")
    yield sample(rng.normal(size=(2, 3, 9)), 4, "linear", align_corners=True)
    yield sample(rng.normal(size=(2, 3, 9)), 5, "area")
    yield sample(rng.normal(size=(1, 2, 40, 5)), (80, 5), "bilinear")
    yield sample(rng.normal(size=(1, 2, 3, 3)), (3, 3), "bicubic")
    yield sample(np.zeros((0, 3, 4, 4)), (8, 8), "bicubic")


def shuffle(x: Any, r: int) -> Any:
    y = np.zeros((x.shape[0], x.shape[1] // r**2, x.shape[2] * r, x.shape[3] * r), x.dtype)
    for c, i, j in np.ndindex(y.shape[1], r, r):
        y[:, c, i::r, j::r] = x[:, c * r * r + i * r + j]
    return y


def unshuffle(x: Any, r: int) -> Any:
    return np.concatenate(
        [x[:, c : c + 1, i::r, j::r] for c in range(x.shape[1]) for i in range(r) for j in range(r)], 1
    )


def shuffle_samples(*shapes: tuple[int, ...]) -> Any:
    return lambda rng: [sample(rng.normal(size=shape), r) for *shape, r in shapes]


def in_functional(name: str) -> Any:
    return {"call": lambda ct: getattr(ct.nn.functional, name), "method": False}


FLOATING = NUMBERLESS["dtypes"]
ROWS = [
    Op("fractional_max_pool2d", fractional, fractional_samples, constants=("_random_samples",), **NUMBERLESS),
    Op("max_unpool1d", unpool, unpool_samples(((2, 3, 4), (9,)), ((3, 2), (2,))), **NUMBERLESS),
    Op("max_unpool2d", unpool, unpool_samples(((2, 3, 4, 2), (5, 4)), ((2, 2, 2), (3, 3)), ((0, 2, 2, 2), (4, 4))),
       **NUMBERLESS),
    Op("lp_pool1d", lp_pool, lp_samples(((2, 3, 9), 2, 3, {}), ((2, 3, 9), 1.5, 2, {"stride": 1})), FLOATING,
       tolerance=32, **in_functional("lp_pool1d")),
    Op("lp_pool2d", lp_pool, lp_samples(((2, 3, 6, 8), 2, 2, {}), ((2, 3, 7, 8), 3, (2, 3), {"ceil_mode": True}),
                                        ((2, 3, 6, 8), 1, 2, {"stride": (1, 2)})), FLOATING,
       tolerance=32, **in_functional("lp_pool2d")),
    Op("resample", resample, resample_samples, tolerance=32, **NUMBERLESS),
    Op("pixel_shuffle", shuffle, shuffle_samples((2, 12, 3, 4, 2), (1, 9, 2, 2, 3)), **in_functional("pixel_shuffle")),
    Op("pixel_unshuffle", unshuffle, shuffle_samples((2, 3, 6, 4, 2), (1, 1, 6, 6, 3)),
       **in_functional("pixel_unshuffle")),
]  # fmt: skip
