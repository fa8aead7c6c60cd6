"""conv2d on large channel counts, in both memory orders and all directions, against the float64 im2col reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cinta as ct

# N, C, O, H, W, kernel, stride, padding, dilation
CASES = [
    (32, 64, 64, 8, 8, 3, 1, 1, 1),
    (32, 32, 48, 5, 7, 3, 1, 1, 1),
    (16, 40, 33, 6, 6, 3, 2, 1, 1),
    (20, 64, 32, 9, 9, 5, 1, 2, 1),
    (100, 32, 32, 4, 4, 3, 1, 1, 1),
    (33, 96, 64, 7, 7, 3, 1, 0, 2),
    (32, 64, 128, 8, 8, 1, 2, 0, 1),
    (16, 512, 32, 4, 4, 3, 1, 1, 1),
    (5, 96, 48, 7, 6, 1, 1, 0, 1),
    (32, 64, 40, 1, 1, 1, 1, 0, 1),
    (32, 640, 32, 3, 3, 3, 1, 1, 1),
    (32, 32, 32, 33, 35, 3, 1, 1, 1),
    (32, 64, 64, 8, 8, 7, 2, 3, 1),
    (32, 32, 32, 2, 2, 3, 1, 3, 3),
    (3, 70, 45, 21, 18, 3, 1, 1, 1),
    (4, 48, 33, 14, 13, 5, 1, 2, 1),
    (2, 32, 64, 17, 17, 9, 1, 4, 1),
    (8, 3, 64, 30, 31, 7, 2, 3, 1),
    (6, 20, 40, 15, 16, 3, 3, 1, 2),
    (9, 5, 7, 11, 12, 4, 2, 1, 1),
    (40, 130, 9, 3, 3, 1, 1, 0, 1),
    (3, 6, 16, 14, 14, 5, 1, 0, 1),
    (1, 5, 20, 12, 9, 3, 1, 0, 2),
    (4, 96, 80, 17, 17, (1, 7), 1, (0, 3), 1),
    (4, 96, 80, 17, 17, (7, 1), 1, (3, 0), 1),
    (4, 224, 48, 8, 9, (1, 3), 1, (0, 1), 1),
    (4, 224, 48, 9, 8, (3, 1), 1, (1, 0), 1),
    (4, 24, 48, 12, 15, (5, 1), 1, (2, 0), 1),
]
ORDERS = ["channels first", "channels last"]


def normal(*shape: int, seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def in_order(x: Any, order: str) -> ct.Tensor:
    if order == "channels first":
        return ct.tensor(x)
    return ct.tensor(np.ascontiguousarray(x.transpose(0, 2, 3, 1))).transpose((0, 3, 1, 2))


def conv_and_gradients(x: ct.Tensor, w: Any, b: Any, dy: Any, dtype: str, **options: Any) -> list[Any]:
    """y, dx, dw, db; dy lies as y does."""
    x = x.astype(dtype).detach()
    x.requires_grad = True
    weight, bias = (ct.tensor(a.astype(dtype), requires_grad=True) for a in (w, b))
    y = ct.conv2d(x, weight, bias, **options)
    y.backward(ct.asarray(dy(y.shape)).astype(dtype))
    gradients = [t.grad for t in (x, weight, bias)]
    return [y.detach().numpy(), *(g.numpy() for g in gradients if g is not None)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_direction(case: tuple[Any, ...], order: str) -> None:
    n, c, o, h, w, kernel, stride, padding, dilation = case
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    taps = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    x, weight, bias = normal(n, c, h, w, seed=0), normal(o, c, *taps, seed=1), normal(o, seed=2)

    def dy(shape: tuple[int, ...]) -> Any:
        return normal(*shape, seed=3)

    got = conv_and_gradients(in_order(x, order), weight, bias, dy, "float32", **options)
    expected = conv_and_gradients(ct.tensor(x), weight, bias, dy, "float64", **options)
    for name, value, exact in zip(("y", "dx", "dw", "db"), got, expected, strict=True):
        assert np.linalg.norm(value - exact) < 5e-7 * np.linalg.norm(exact), name


@pytest.mark.parametrize(("mode", "least", "most"), [("strict", 0, 1e-6), ("high", 1e-6, 1e-5), ("medium", 5e-4, 5e-3)])
def test_precision_modes(mode: str, least: float, most: float) -> None:
    x, weight = normal(32, 64, 6, 6, seed=0), normal(64, 64, 3, 3, seed=1)
    exact = ct.conv2d(ct.tensor(x.astype("float64")), ct.tensor(weight.astype("float64")), padding=1).numpy()
    with ct.set_float32_matmul_precision(mode):
        got = ct.conv2d(ct.tensor(x), ct.tensor(weight), padding=1).numpy()
    error = np.linalg.norm(got - exact) / np.linalg.norm(exact)
    assert error < most
    assert error > least or ct.config()["isa"] != "amx"


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("value", [np.inf, np.nan, 3.4e38])
def test_values_out_of_range_give_what_fma_gives(value: float, kernel: int) -> None:
    """One such value in x and in dy: every direction starts over."""
    x, weight, bias = normal(32, 32, 6, 6, seed=0), normal(32, 32, kernel, kernel, seed=1), normal(32, seed=2)
    x[3, 4, 2, 2] = value

    def results(mode: str) -> list[Any]:
        with ct.set_float32_matmul_precision(mode):
            return conv_and_gradients(ct.tensor(x), weight, bias, lambda _: x, "float32", padding=kernel // 2)

    for got, expected in zip(results("highest"), results("strict"), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_denormal_images_give_what_fma_gives() -> None:
    x, weight = normal(32, 32, 5, 5, seed=0) * np.float32(1e-42), normal(32, 32, 3, 3, seed=1)
    with ct.set_float32_matmul_precision("strict"):
        expected = ct.conv2d(ct.tensor(x), ct.tensor(weight), padding=1).numpy()
    np.testing.assert_array_equal(ct.conv2d(ct.tensor(x), ct.tensor(weight), padding=1).numpy(), expected)


def test_config_counts_convolutions_with_fewer_products() -> None:
    def counts() -> tuple[int, int]:
        paths = ct.config()["float32_matmul"]
        return paths["winograd"], paths["out_of_range"]

    if ct.config()["isa"] not in ("avx2", "avx512"):
        pytest.skip("the tile unit has ways of its own, and the scalar level has none")
    x, weight = normal(2, 32, 16, 16, seed=0), ct.tensor(normal(32, 32, 3, 3, seed=1))
    start = counts()
    ct.conv2d(ct.tensor(x), weight, padding=1)
    with ct.set_float32_matmul_precision("strict"):
        ct.conv2d(ct.tensor(x), weight, padding=1)
    x[1, 2, 3, 4] = np.inf
    ct.conv2d(ct.tensor(x), weight, padding=1)
    assert tuple(now - then for now, then in zip(counts(), start, strict=True)) == (1, 1)


def test_same_bits_on_any_number_of_threads() -> None:
    x, weight, bias = normal(40, 64, 9, 9, seed=0), normal(96, 64, 3, 3, seed=1), normal(96, seed=2)
    threads = ct.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3):
            ct.set_num_threads(count)
            results.append(
                conv_and_gradients(
                    ct.tensor(x), weight, bias, lambda shape: normal(*shape, seed=3), "float32", padding=1
                )
            )
    finally:
        ct.set_num_threads(threads)
    for values in zip(*results, strict=True):
        np.testing.assert_array_equal(values[0], values[1])
        np.testing.assert_array_equal(values[0], values[2])


# N, C, H, W, kernel, stride, padding, dilation
DEPTHWISE = [
    (3, 64, 14, 14, 3, 1, 1, 1),
    (2, 17, 7, 7, 3, 1, 1, 1),
    (2, 3, 30, 41, 5, 1, 2, 1),
    (2, 40, 28, 28, 3, 2, 1, 1),
    (1, 24, 15, 9, 7, 1, 3, 1),
    (2, 8, 20, 20, 3, 1, 2, 2),
    (2, 33, 1, 1, 3, 1, 1, 1),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", DEPTHWISE, ids=str)
def test_depthwise_in_every_direction(case: tuple[int, ...], order: str) -> None:
    n, c, h, w, kernel, stride, padding, dilation = case
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": c}
    x, weight, bias = normal(n, c, h, w, seed=0), normal(c, 1, kernel, kernel, seed=1), normal(c, seed=2)

    def dy(shape: tuple[int, ...]) -> Any:
        return normal(*shape, seed=3)

    got = conv_and_gradients(in_order(x, order), weight, bias, dy, "float32", **options)
    expected = conv_and_gradients(ct.tensor(x), weight, bias, dy, "float64", **options)
    for name, value, exact in zip(("y", "dx", "dw", "db"), got, expected, strict=True):
        assert np.linalg.norm(value - exact) < 4e-7 * np.linalg.norm(exact), name


# N, C, O, H, W, kernel, stride, padding, dilation, groups
GROUPS = [
    (3, 64, 128, 14, 14, 3, 1, 1, 1, 64),  # several filters for every channel: rows, narrow rows, strides
    (2, 24, 72, 9, 7, 3, 1, 1, 1, 24),
    (2, 70, 140, 15, 15, 4, 2, 1, 1, 70),
    (3, 5, 40, 8, 8, 3, 1, 1, 1, 5),
    (40, 12, 20, 6, 5, 3, 2, 1, 1, 4),  # images side by side
    (19, 18, 12, 9, 9, 2, 3, 2, 2, 6),
    (9, 20, 30, 4, 4, 1, 1, 0, 1, 10),
    (33, 12, 8, 20, 50, 3, 3, 1, 1, 4),
    (5, 64, 12, 8, 9, 1, 2, 0, 1, 1),  # the pixels that a 1x1 kernel meets
    (5, 24, 12, 9, 9, 1, 3, 0, 1, 4),
    (12, 160, 10, 6, 6, 5, 1, 2, 1, 1),
    (7, 9, 300, 3, 3, 3, 2, 0, 1, 1),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", [*ORDERS, "sliced"])
@pytest.mark.parametrize("case", GROUPS, ids=str)
def test_groups_in_every_direction(case: tuple[int, ...], order: str, dtype: str) -> None:
    n, c, o, h, w, kernel, stride, padding, dilation, groups = case
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    x, weight, bias = normal(n, c, h, w, seed=0), normal(o, c // groups, kernel, kernel, seed=1), normal(o, seed=2)
    image = ct.tensor(np.pad(x, 1))[1:-1, 1:-1, 1:-1, 1:-1] if order == "sliced" else in_order(x, order)
    got = conv_and_gradients(image, weight, bias, lambda s: normal(*s, seed=3), dtype, groups=groups, **options)

    def of_group(a: Any, g: int, axis: int) -> Any:
        return np.split(a, groups, axis)[g]

    parts = [
        conv_and_gradients(
            ct.tensor(np.ascontiguousarray(of_group(x, g, 1))),
            of_group(weight, g, 0),
            of_group(bias, g, 0),
            lambda s, g=g: np.ascontiguousarray(of_group(normal(s[0], o, *s[2:], seed=3), g, 1)),
            "float64",
            **options,
        )
        for g in range(groups)
    ]
    for name, axis, value, exact in zip(("y", "dx", "dw", "db"), (1, 1, 0, 0), got, zip(*parts), strict=True):
        expected = np.concatenate(exact, axis)
        bound = 6e-7 if dtype == "float32" else 1e-14
        assert np.linalg.norm(value - expected) < bound * np.linalg.norm(expected), name


def lies_channels_last(x: ct.Tensor) -> bool:
    return bool(x.transpose((0, 2, 3, 1)).numpy().flags.c_contiguous)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("order", ORDERS)
def test_depthwise_keeps_the_order_of_images(order: str, stride: int) -> None:
    x = in_order(normal(2, 24, 12, 12, seed=0), order)
    x.requires_grad = True
    y = ct.conv2d(x, ct.tensor(normal(24, 1, 3, 3, seed=1)), stride=stride, padding=1, groups=24)
    y.backward(in_order(normal(*y.shape, seed=2), order))
    assert x.grad is not None
    assert lies_channels_last(y.detach()) == lies_channels_last(x.grad) == (order == "channels last")


@pytest.mark.parametrize("order", ORDERS)
def test_depthwise_gradients_of_mixed_orders(order: str) -> None:
    x, weight, dy = normal(2, 24, 9, 9, seed=0), normal(24, 1, 3, 3, seed=1), normal(2, 24, 9, 9, seed=2)
    other = ORDERS[1 - ORDERS.index(order)]
    grads = []
    for order_of_dy in (order, other):
        w = ct.tensor(weight, requires_grad=True)
        y = ct.conv2d(in_order(x, order), w, padding=1, groups=24)
        y.backward(in_order(dy, order_of_dy))
        assert w.grad is not None
        grads.append(w.grad.numpy())
    np.testing.assert_array_equal(*grads)


def test_concat_keeps_channels_last_and_its_gradients_lie_so() -> None:
    a, b = normal(2, 5, 4, 6, seed=0), normal(2, 3, 4, 6, seed=1)
    parts = [in_order(a, "channels last"), in_order(b, "channels first")]
    for part in parts:
        part.requires_grad = True
    y = ct.concat([part.relu() for part in parts], axis=1)
    assert y.transpose((0, 2, 3, 1)).detach().numpy().flags.c_contiguous
    np.testing.assert_array_equal(y.detach().numpy(), np.maximum(np.concatenate([a, b], axis=1), 0))
    weights = normal(2, 8, 4, 6, seed=2)
    (y * ct.tensor(weights)).sum().backward()
    np.testing.assert_array_equal(parts[0].grad.numpy(), weights[:, :5] * (a > 0))
    np.testing.assert_array_equal(parts[1].grad.numpy(), weights[:, 5:] * (b > 0))


@pytest.mark.parametrize("outputs", [32, 48])
def test_images_of_colours_become_channels_last(outputs: int) -> None:
    x, weight = normal(2, 3, 40, 41, seed=0), normal(outputs, 3, 3, 3, seed=1)
    y = ct.conv2d(ct.tensor(x), ct.tensor(weight), stride=2, padding=1)
    assert y.transpose((0, 2, 3, 1)).numpy().flags.c_contiguous or ct.config()["isa"] == "scalar"
