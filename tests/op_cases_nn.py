"""Rows of convolution, pooling, normalization and embedding. The references are loops over the places of a window."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from op_row import FLOATS, Op, Sample, sample


def both(value: Any, dimensions: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * dimensions


def borders(
    padding: Any, size: tuple[int, ...], reach: tuple[int, ...], stride: tuple[int, ...]
) -> list[tuple[int, int]]:
    """Padding before and after each axis; "same" gives ceil(size / stride) outputs, the odd one going after."""
    if padding == "valid":
        return [(0, 0)] * len(size)
    if padding != "same":
        return [(p, p) for p in both(padding, len(size))]
    total = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(size, reach, stride)]
    return [(t // 2, t - t // 2) for t in total]


def windows(
    kernel: tuple[int, ...], out: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Iterator[Any]:
    """(place in the kernel, the strided slices of the padded input that this place meets)"""
    for place in np.ndindex(*kernel):
        yield place, tuple(slice(p * d, p * d + (n - 1) * s + 1, s) for p, d, n, s in zip(place, dilation, out, stride))


def conv(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    dims = x.ndim - 2
    kernel, stride, dilation = weight.shape[2:], both(stride, dims), both(dilation, dims)
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation))
    x = np.pad(x, [(0, 0), (0, 0), *borders(padding, x.shape[2:], reach, stride)])
    out = tuple((n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, stride))
    x = x.reshape(x.shape[0], groups, weight.shape[1], *x.shape[2:])
    w = weight.reshape(groups, -1, *weight.shape[1:])
    y = np.zeros((x.shape[0], groups, w.shape[1], *out), np.result_type(x, w))
    for place, where in windows(kernel, out, stride, dilation):
        y += np.einsum("ngc...,goc->ngo...", x[(..., *where)], w[(..., *place)])
    y = y.reshape(x.shape[0], weight.shape[0], *out)
    return y if bias is None else y + bias.reshape(-1, *(1,) * dims)


def sparse_conv(x: Any, weight: Any, connections: Any, bias: Any = None, **options: Any) -> Any:
    dense = np.zeros((*connections.shape, *weight.shape[2:]), weight.dtype)
    dense[connections] = weight[:, 0]
    return conv(x, dense, bias, **options)


def conv_transpose(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
                   groups: int = 1, dilation: Any = 1) -> Any:  # fmt: skip
    dims, kernel = x.ndim - 2, weight.shape[2:]
    stride, padding, extra, dilation = (both(v, dims) for v in (stride, padding, output_padding, dilation))
    full = tuple(
        (n - 1) * s + (k - 1) * d + 1 + e for n, s, k, d, e in zip(x.shape[2:], stride, kernel, dilation, extra)
    )
    grouped = x.reshape(x.shape[0], groups, -1, *x.shape[2:])
    w = weight.reshape(groups, -1, *weight.shape[1:])
    y = np.zeros((x.shape[0], groups, w.shape[2], *full), np.result_type(x, w))
    for place, where in windows(kernel, x.shape[2:], stride, dilation):
        y[(..., *where)] += np.einsum("ngc...,gco->ngo...", grouped, w[(..., *place)])
    y = y.reshape(x.shape[0], -1, *full)[(..., *(slice(p, n - p) for p, n in zip(padding, full)))]
    return y if bias is None else y + bias.reshape(-1, *(1,) * dims)


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    kernel, dilation, padding, stride = (both(v, 2) for v in (kernel_size, dilation, padding, stride))
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    out = tuple((n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(x.shape[2:], kernel, dilation, stride))
    columns = [x[(..., *where)] for _, where in windows(kernel, out, stride, dilation)]
    return np.stack(columns, 2).reshape(x.shape[0], -1, math.prod(out))


def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    kernel, dilation, padding, stride = (both(v, 2) for v in (kernel_size, dilation, padding, stride))
    padded = tuple(n + 2 * p for n, p in zip(output_size, padding))
    out = tuple((n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(padded, kernel, dilation, stride))
    columns = x.reshape(x.shape[0], -1, math.prod(kernel), *out)
    y = np.zeros((x.shape[0], columns.shape[1], *padded), x.dtype)
    for i, (_, where) in enumerate(windows(kernel, out, stride, dilation)):
        y[(..., *where)] += columns[:, :, i]
    return y[(..., *(slice(p, n - p) for p, n in zip(padding, padded)))]


def pooled_size(n: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """PyTorch's rule: with ceil_mode the last window must begin inside the input or its padding on the left."""
    span = n + 2 * padding - (kernel - 1) * dilation - 1
    out = (-(-span // stride) if ceil_mode else span // stride) + 1
    return out - 1 if ceil_mode and (out - 1) * stride >= n + padding else out


def pool_windows(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Iterator[Any]:
    """(output place, indices of its window inside the input per axis, size of the window inside the padded input)"""
    dims = x.ndim - 2
    kernel, padding, dilation = both(kernel, dims), both(padding, dims), both(dilation, dims)
    stride = kernel if stride is None else both(stride, dims)
    rule = list(zip(x.shape[2:], kernel, stride, padding, dilation))
    for place in np.ndindex(*(pooled_size(*r, ceil_mode) for r in rule)):
        reach = [[o * s - p + i * d for i in range(k)] for o, (_, k, s, p, d) in zip(place, rule)]
        inside = [[i for i in r if 0 <= i < n] for r, n in zip(reach, x.shape[2:])]
        counted = [sum(i < n + p for i in r) for r, (n, _, _, p, _) in zip(reach, rule)]
        yield place, inside, math.prod(counted)


def max_pool(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
             return_indices: bool = False) -> Any:  # fmt: skip
    plane = np.arange(math.prod(x.shape[2:])).reshape(x.shape[2:])
    cells = {}
    for place, inside, _ in pool_windows(x, kernel_size, stride, padding, dilation, ceil_mode):
        window = x[(..., *np.ix_(*inside))].reshape(*x.shape[:2], -1)
        cells[place] = window.max(-1), plane[np.ix_(*inside)].reshape(-1)[window.argmax(-1)]
    shape = (*x.shape[:2], *(i + 1 for i in max(cells)))
    values, indices = (np.stack([c[i] for c in cells.values()], -1).reshape(shape) for i in (0, 1))
    return (values, indices) if return_indices else values


def avg_pool(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
             count_include_pad: bool = True, divisor_override: int | None = None) -> Any:  # fmt: skip
    cells = {}
    for place, inside, counted in pool_windows(x, kernel_size, stride, padding, 1, ceil_mode):
        window = x[(..., *np.ix_(*inside))].reshape(*x.shape[:2], -1)
        cells[place] = window.sum(-1) / (divisor_override or (counted if count_include_pad else window.shape[-1]))
    return np.stack(list(cells.values()), -1).reshape(*x.shape[:2], *(i + 1 for i in max(cells)))


def adaptive(reduce: Any) -> Any:
    def pool(x: Any, output_size: Any) -> Any:
        out = both(output_size, x.ndim - 2)
        spans = [[slice(i * n // o, -(-(i + 1) * n // o)) for i in range(o)] for n, o in zip(x.shape[2:], out)]
        cells = [
            reduce(x[(..., *(s[i] for s, i in zip(spans, place)))].reshape(*x.shape[:2], -1), -1)
            for place in np.ndindex(*out)
        ]
        return np.stack(cells, -1).reshape(*x.shape[:2], *out)

    return pool


def normalized(x: Any, axes: tuple[int, ...], eps: float) -> Any:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def affine(x: Any, weight: Any, bias: Any, shape: tuple[int, ...]) -> Any:
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def batch_norm(x: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
               training: bool = False,
               momentum: float = 0.1, eps: float = 1e-5) -> Any:  # fmt: skip
    shape = (1, x.shape[1], *(1,) * (x.ndim - 2))
    if training:
        x = normalized(x, (0, *range(2, x.ndim)), eps)
    else:
        x = (x - running_mean.reshape(shape)) / np.sqrt(running_var.reshape(shape) + eps)
    return affine(x, weight, bias, shape)


def layer_norm(x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    axes = tuple(range(-len(both(normalized_shape, 1)), 0))
    return affine(normalized(x, axes, eps), weight, bias, both(normalized_shape, 1))


def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    groups = x.reshape(x.shape[0], num_groups, -1)
    return affine(normalized(groups, (2,), eps).reshape(x.shape), weight, bias, (1, -1, *(1,) * (x.ndim - 2)))


def local_response_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    spans = [(max(0, c - size // 2), c + (size - 1) // 2 + 1) for c in range(x.shape[1])]
    sums = np.stack([np.square(x[:, i:j]).sum(1) for i, j in spans], 1)
    return x * (k + alpha / size * sums) ** -beta


def conv_samples(*cases: tuple[Any, ...]) -> Any:
    """Cases are (shape of x, shape of weight, keywords, outputs); there is a bias unless a case says bias=None."""

    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        for x, w, named, out in cases:
            named = {"bias": rng.normal(size=out), **named}
            yield Sample((rng.normal(size=x), rng.normal(size=w)), named)

    return samples


def pool_samples(*cases: tuple[Any, ...]) -> Any:
    def samples(rng: np.random.Generator) -> Iterable[Sample]:
        for shape, kernel, named in cases:
            size = math.prod(shape)  # no ties, and no order within reach of a finite difference
            yield sample((rng.permutation(size) - size / 2).reshape(shape) * (4 / size), kernel, **named)

    return samples


def norm_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for shape in [(5, 3), (4, 3, 6), (2, 3, 4, 5), (33, 3), (0, 3, 4)]:
        stats = {"running_mean": rng.normal(size=3), "running_var": rng.uniform(0.5, 2, 3)}
        for training in (False, True)[: 1 + (shape[0] > 0)]:
            weights = {"weight": rng.normal(size=3), "bias": rng.normal(size=3)}
            yield sample(rng.normal(size=shape), **stats, **weights, training=training)
    yield sample(rng.normal(size=(4, 3, 6)), **stats, training=False, eps=1e-2)
    yield sample(
        rng.normal(size=(4, 3, 6)), running_mean=None, running_var=None, training=True, weight=rng.normal(size=3)
    )


def layer_norm_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for shape, inner in [((5, 8), (8,)), ((2, 3, 4), (3, 4)), ((3, 211), (211,)), ((0, 4), (4,))]:
        yield sample(rng.normal(size=shape), inner, rng.normal(size=inner), rng.normal(size=inner))
        yield sample(rng.normal(size=shape), inner, eps=1e-3)
    yield sample(rng.normal(size=(5, 8)), 8, rng.normal(size=8))


def group_norm_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for shape, groups in [
        ((2, 6, 5), 3),
        ((2, 6, 3, 4), 2),
        ((3, 6, 2), 1),
        ((2, 4, 5), 4),
        ((5, 6), 2),
    ]:
        yield sample(rng.normal(size=shape), groups, rng.normal(size=shape[1]), rng.normal(size=shape[1]))
    yield sample(rng.normal(size=(2, 6, 5)), 3)


def local_response_norm_samples(rng: np.random.Generator) -> Iterable[Sample]:
    for shape, size, named in [
        ((2, 7, 5), 5, {"alpha": 2.0}),
        ((2, 4, 3, 25), 4, {"alpha": 1.0, "beta": 0.6, "k": 0.5}),
        ((1, 3, 9, 9), 9, {"alpha": 1.0, "k": 2.0}),
        ((2, 2, 1), 1, {"alpha": 0.5, "beta": 0.5}),
        ((2, 3, 2, 2, 2), 2, {}),
        ((0, 3, 4), 5, {}),
    ]:
        yield sample(rng.normal(size=shape), size, **named)


def embedding_samples(rng: np.random.Generator) -> Iterable[Sample]:
    yield sample(rng.integers(0, 7, (3, 4)), rng.normal(size=(7, 5)))
    yield sample(np.array([1, 1, 6]), rng.normal(size=(7, 5)))
    yield sample(np.array(3), rng.normal(size=(7, 5)))
    yield sample(np.zeros((0,), int), rng.normal(size=(7, 5)))
    yield sample(np.array([[1, -1], [1, 6]]), rng.normal(size=(7, 5)), sparse=True)


def dropout_samples(rng: np.random.Generator) -> Iterable[Sample]:
    """Only what is certain: what is random about it is tested in test_random.py."""
    yield sample(rng.normal(size=(3, 4)), 0.5, False)
    yield sample(rng.normal(size=(3, 4)), 0.0, training=True)
    yield sample(rng.normal(size=(3, 4)), 1.0)


def locally_connected(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    dims, out = x.ndim - 2, weight.shape[: x.ndim - 2]
    kernel = weight.shape[dims + 1 : -1]
    stride, dilation = both(stride, dims), both(dilation, dims)
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation))
    x = np.pad(x, [(0, 0), (0, 0), *borders(padding, x.shape[2:], reach, stride)])
    grouped = x.reshape(x.shape[0], groups, weight.shape[-1], *x.shape[2:])
    w = weight.reshape(*out, groups, -1, *weight.shape[dims + 1 :])
    y = np.zeros((x.shape[0], groups, w.shape[dims + 1], *out), np.result_type(x, w))
    for place in np.ndindex(*out):
        at = tuple(slice(p * s, p * s + r, d) for p, s, r, d in zip(place, stride, reach, dilation))
        window = np.moveaxis(grouped[(..., *at)], 2, -1).reshape(x.shape[0], groups, w[place][0, 0].size)
        y[(..., *place)] = np.einsum("ngk,gok->ngo", window, w[place].reshape(*w[place].shape[:2], -1))
    y = y.reshape(x.shape[0], weight.shape[dims], *out)
    return y if bias is None else y + bias


CONV1D = conv_samples(
    ((2, 3, 9), (4, 3, 3), {}, 4), ((2, 4, 9), (4, 2, 3), {"groups": 2, "stride": 2, "padding": 1}, 4),
    ((2, 3, 9), (4, 3, 4), {"padding": "same", "bias": None}, 4),
    ((1, 3, 9), (4, 3, 2), {"dilation": 3, "padding": "valid"}, 4),
)  # fmt: skip
CONV2D = conv_samples(
    ((2, 3, 6, 7), (4, 3, 3, 3), {}, 4), ((2, 3, 6, 7), (4, 3, 3, 2), {"padding": (1, 2), "stride": (2, 1)}, 4),
    ((2, 3, 6, 7), (4, 3, 2, 3), {"padding": "same"}, 4), ((2, 3, 7, 8), (4, 3, 3, 4), {"padding": "same", "stride": 2},
                                                           4),
    ((2, 4, 6, 7), (6, 2, 3, 3), {"groups": 2, "padding": 1}, 6),
    ((2, 4, 6, 5), (4, 1, 3, 3), {"groups": 4, "padding": 1}, 4),
    ((5, 4, 6, 37), (6, 2, 3, 3), {"groups": 2, "padding": (1, 2), "stride": (1, 2)}, 6),
    ((3, 4, 7, 8), (8, 1, 2, 2), {"groups": 4, "stride": 3, "padding": 1}, 8),
    ((3, 26, 5, 6), (5, 26, 3, 3), {"padding": 1}, 5), ((2, 8, 9, 20), (5, 8, 3, 3), {"stride": 2}, 5),
    ((2, 3, 7, 9), (3, 1, 3, 2), {"groups": 3, "padding": (1, 0), "stride": (2, 1), "dilation": (1, 2)}, 3),
    ((1, 3, 8, 9), (4, 3, 3, 3), {"dilation": (2, 3), "padding": 2}, 4),
    ((2, 3, 5, 5), (4, 3, 1, 1), {"bias": None}, 4),
    ((1, 1, 12, 12), (6, 1, 5, 5), {"padding": 2}, 6), ((2, 3, 3, 3), (4, 3, 3, 3), {}, 4),
    ((0, 3, 4, 4), (4, 3, 3, 3), {}, 4),
    ((3, 6, 14, 14), (16, 6, 5, 5), {}, 16), ((2, 17, 9, 9), (33, 17, 3, 3), {"padding": "same", "dilation": 2}, 33),
)  # fmt: skip
LOCALLY_CONNECTED1D = conv_samples(
    ((2, 3, 9), (7, 4, 3, 3), {}, (4, 7)), ((2, 4, 9), (5, 4, 3, 2), {"groups": 2, "stride": 2, "padding": 1}, (4, 5)),
    ((2, 3, 9), (9, 4, 4, 3), {"padding": "same", "bias": None}, (4, 9)),
    ((1, 3, 9), (6, 4, 2, 3), {"dilation": 3, "padding": "valid"}, (4, 6)),
)  # fmt: skip
LOCALLY_CONNECTED2D = conv_samples(
    ((2, 3, 6, 7), (4, 5, 4, 3, 3, 3), {}, (4, 4, 5)),
    ((3, 3, 6, 7), (3, 10, 4, 3, 2, 3), {"padding": (1, 2), "stride": (2, 1)}, (4, 3, 10)),
    ((2, 3, 5, 6), (3, 3, 2, 2, 3, 3), {"padding": "same", "stride": 2}, (2, 3, 3)),
    ((2, 4, 5, 6), (5, 6, 6, 3, 3, 2), {"groups": 2, "padding": 1}, (6, 5, 6)),
    ((2, 4, 4, 5), (4, 5, 4, 3, 3, 1), {"groups": 4, "padding": 1, "bias": None}, (4, 4, 5)),
    ((1, 3, 8, 9), (8, 7, 2, 3, 3, 3), {"dilation": (2, 3), "padding": 2}, (2, 8, 7)),
    ((9, 2, 3, 4), (2, 3, 9, 2, 2, 2), {}, (9, 2, 3)),
    ((5, 16, 3, 3), (1, 1, 17, 3, 3, 16), {}, (17, 1, 1)), ((1, 3, 1, 2), (9, 10, 1, 1, 1, 3), {"padding": 4},
                                                            (1, 9, 10)),
    ((0, 3, 4, 4), (2, 2, 4, 3, 3, 3), {}, (4, 2, 2)),
)  # fmt: skip
CONV_TRANSPOSE1D = conv_samples(
    ((2, 3, 5), (3, 4, 3), {}, 4), ((2, 4, 5), (4, 2, 3), {"groups": 2, "stride": 2, "padding": 1}, 4)
)
CONV_TRANSPOSE2D = conv_samples(
    ((2, 3, 4, 5), (3, 4, 3, 3), {}, 4), ((2, 3, 4, 5), (3, 4, 3, 2),
                                          {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2)}, 4),
    ((2, 4, 4, 3), (4, 3, 3, 3), {"groups": 2, "padding": 1}, 6),
    ((1, 3, 4, 4), (3, 2, 3, 3), {"dilation": 2, "bias": None}, 2),
)  # fmt: skip
MAX1D = pool_samples(((2, 3, 9), 2, {}), ((2, 3, 10), 3, {"stride": 2, "padding": 1, "ceil_mode": True}),
                     ((2, 3, 9), 2, {"dilation": 3, "stride": 1, "return_indices": True}))  # fmt: skip
MAX2D = pool_samples(
    ((2, 3, 6, 8), 2, {}), ((2, 3, 7, 9), (3, 2), {"stride": (2, 3), "padding": (1, 0), "return_indices": True}),
    ((2, 3, 7, 8), 3, {"stride": 2, "ceil_mode": True}), ((1, 2, 8, 8), 3, {"stride": 1, "dilation": 2, "padding": 1}),
    ((2, 3, 5, 5), 2, {"stride": 3, "ceil_mode": True, "padding": 1, "return_indices": True}),
)  # fmt: skip
AVG1D = pool_samples(((2, 3, 9), 2, {}), ((2, 3, 10), 3, {"stride": 2, "padding": 1, "ceil_mode": True}),
                     ((2, 3, 9), 3, {"padding": 1, "count_include_pad": False}))  # fmt: skip
AVG2D = pool_samples(
    ((2, 3, 6, 8), 2, {}), ((2, 3, 7, 9), (3, 2), {"stride": (2, 3), "padding": (1, 0)}),
    ((2, 3, 7, 8), 3, {"stride": 2, "ceil_mode": True, "padding": 1}),
    ((2, 3, 7, 8), 3, {"padding": 1, "count_include_pad": False}),
    ((2, 3, 7, 8), 2, {"divisor_override": 3}), ((2, 3, 6, 6), 3,
                                                 {"stride": 2, "ceil_mode": True, "count_include_pad": False,
                                                  "padding": 1}),
)  # fmt: skip
LENET_C3 = np.array([[(i - o) % 6 < n for i in range(6)] for o, n in ((0, 3), (2, 3), (4, 4), (5, 4), (0, 6))])


def sparse_conv_samples(rng: np.random.Generator) -> Iterable[Sample]:
    """By connections, in blocks of 7, 5 and 8 rows; and, in the last two, as a whole convolution."""
    third = rng.random((4, 5)) < 0.3
    third[2] = False  # an output that sees nothing
    third[:, 1] = False  # an input that nothing sees
    for size, table, kernel, bias, options in (
        ((2, 6, 14, 14), LENET_C3, (5, 5), True, {}),
        ((2, 5, 9, 17), third, (3, 2), True, {"padding": (2, 1)}),
        ((1, 5, 16, 12), third, (3, 3), False, {"padding": "same", "dilation": 2}),
        ((2, 5, 9, 8), third, (3, 3), True, {"stride": 2, "padding": 1}),
        ((2, 6, 3, 2), LENET_C3, (1, 2), False, {}),
    ):
        weight = rng.normal(size=(int(table.sum()), 1, *kernel))
        biased = {"bias": rng.normal(size=len(table))} if bias else {}
        yield sample(rng.normal(size=size), weight, table, **biased, **options)


NUMBERLESS: dict[str, Any] = {"method": False, "dtypes": FLOATS}
STATISTICS = ("running_mean", "running_var")
ROWS = [
    Op("conv1d", conv, CONV1D, tolerance=32, **NUMBERLESS),
    Op("conv2d", conv, CONV2D, tolerance=32, **NUMBERLESS),
    Op("sparse_conv2d", sparse_conv, sparse_conv_samples, tolerance=32, **NUMBERLESS),
    Op("conv_transpose1d", conv_transpose, CONV_TRANSPOSE1D, tolerance=32, **NUMBERLESS),
    Op("conv_transpose2d", conv_transpose, CONV_TRANSPOSE2D, tolerance=32, **NUMBERLESS),
    Op("locally_connected1d", locally_connected, LOCALLY_CONNECTED1D, tolerance=32, **NUMBERLESS),
    Op("locally_connected2d", locally_connected, LOCALLY_CONNECTED2D, tolerance=32, **NUMBERLESS),
    Op("unfold", unfold, pool_samples(((2, 3, 5, 6), 3, {}), ((2, 3, 5, 6), (2, 3),
                                                              {"padding": (1, 2), "stride": (2, 1), "dilation": 2})),
       **NUMBERLESS),
    Op("fold", fold,
       lambda rng: [sample(rng.normal(size=(2, 27, 12)), (5, 6), 3),
                    sample(rng.normal(size=(2, 12, 8)), (4, 5), (2, 2), padding=1, stride=(2, 1), dilation=(2, 3))],
       tolerance=16, **NUMBERLESS),
    Op("max_pool1d", max_pool, MAX1D, **NUMBERLESS),
    Op("max_pool2d", max_pool, MAX2D, **NUMBERLESS),
    Op("avg_pool1d", avg_pool, AVG1D, tolerance=16, **NUMBERLESS),
    Op("avg_pool2d", avg_pool, AVG2D, tolerance=16, **NUMBERLESS),
    Op("adaptive_avg_pool1d", adaptive(np.mean), pool_samples(((2, 3, 9), 4, {}), ((2, 3, 9), 1, {}),
                                                              ((2, 3, 4), 7, {})),
       tolerance=16, **NUMBERLESS),
    Op("adaptive_avg_pool2d", adaptive(np.mean), pool_samples(((2, 3, 6, 9), (3, 4), {}), ((2, 3, 5, 7), 1, {}),
                                                              ((2, 3, 4, 4), 6, {})),
       tolerance=16, **NUMBERLESS),
    Op("adaptive_max_pool1d", adaptive(np.max), pool_samples(((2, 3, 9), 4, {}), ((2, 3, 9), 1, {})), **NUMBERLESS),
    Op("adaptive_max_pool2d", adaptive(np.max), pool_samples(((2, 3, 6, 9), (3, 4), {}), ((2, 3, 5, 7), 1, {})),
       **NUMBERLESS),
    Op("batch_norm", batch_norm, norm_samples, constants=STATISTICS, tolerance=64, **NUMBERLESS),
    Op("layer_norm", layer_norm, layer_norm_samples, tolerance=64, **NUMBERLESS),
    Op("group_norm", group_norm, group_norm_samples, tolerance=64, **NUMBERLESS),
    Op("local_response_norm", local_response_norm, local_response_norm_samples, tolerance=8, **NUMBERLESS),
    Op("embedding", lambda indices, weight, sparse=False: weight[indices], embedding_samples, method=False),
    Op("dropout", lambda x, p=0.5, training=True: x * (p == 0 or not training), dropout_samples, **NUMBERLESS),
]  # fmt: skip
