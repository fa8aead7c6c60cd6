"""Every row of the table, forward: values, result dtypes, memory layouts, special values, refused dtypes."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from op_cases import BY_NAME, OPS
from op_row import FLOATS, Op, sample
from op_run import (
    LAYOUTS,
    assert_close,
    check_forward,
    flat,
    has_inputs,
    inputs_of,
    is_input,
    refused,
    repeated,
    rounded,
    tensors,
    to_numpy,
)

ROW = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
WITH_INPUTS = [op for op in OPS if any(has_inputs(s) for s in op.draw())]
ELEMENTWISE_FLOAT = [op for op in OPS if op.elementwise and op.gradient and set(FLOATS) <= set(op.dtypes)]
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1e-40, -1e-40, 1e-30, 1e-8, -1e-8, 3e-5, 9.0, -9.0, 20.5, 89.5,
                    -89.5,
                    -104.5, 1e4, -1e4, 1e30, -1e30, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan])  # fmt: skip
# How far out a function is compared: beyond it an angle in float32 does not tell where in the period it is, gelu is
# the difference of nearly equal numbers, and silu at -inf is nan in its formula, as in PyTorch.
FARTHEST = {"sin": 1e5, "cos": 1e5, "tan": 1e5, "gelu": 1.0, "silu": 1e38}
# The variance of equal values is nothing but rounding errors.
UNFIT_TO_SPREAD = {"var", "std", "batch_norm"}


@ROW
def test_values_in_every_dtype(op: Op) -> None:
    for s in op.draw():
        for dtype in op.dtypes if has_inputs(s) else ("float32",):
            try:
                check_forward(op, s, dtype)
            except AssertionError as failure:
                raise AssertionError(f"{op.name} {dtype} {s}: {failure}") from None


@ROW
def test_other_dtypes_are_refused(op: Op) -> None:
    s = next((s for s in op.draw() if has_inputs(s)), None)
    for dtype in refused(op) if s else ():
        given = tensors(s.map(lambda x, dtype=dtype: rounded(x, dtype) if is_input(x) else x), dtype)
        with pytest.raises(TypeError, match=rf"^\[\w+\] .*\b{dtype}\b.*expected"):  # the op, the dtype, and what to do
            op.function(ct)(*given.args, **given.kwargs)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("op", WITH_INPUTS, ids=lambda op: op.name)
def test_memory_layouts(op: Op, layout) -> None:
    for s in op.draw() if layout.__name__ != "spread" or op.name not in UNFIT_TO_SPREAD else ():
        values = s.map(repeated) if layout.__name__ == "spread" else s
        for dtype in ("float32", "float64", "bfloat16", "int32", "bool"):
            if dtype in op.dtypes:
                try:
                    check_forward(op, values, dtype, layout)
                except AssertionError as failure:
                    raise AssertionError(f"{op.name} {dtype} {s}: {failure}") from None


@pytest.mark.parametrize("op", [op for op in WITH_INPUTS if op.method], ids=lambda op: op.name)
def test_method_is_the_function(op: Op) -> None:
    for s in op.draw():
        given = tensors(s, "float32" if "float32" in op.dtypes else "int32") if op.dtypes[0] == "float32" else None
        if given is None or not isinstance(given.args[0], ct.Tensor):
            continue
        by_method = getattr(given.args[0], op.name)(*given.args[1:], **given.kwargs)
        by_function = op.function(ct)(*given.args, **given.kwargs)
        for a, b in zip(flat(by_method), flat(by_function), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", ELEMENTWISE_FLOAT, ids=lambda op: op.name)
def test_special_values(op: Op, dtype: str) -> None:
    """Zeros, denormals, huge values, infinities and nan, alone and against each other."""
    points = SPECIAL[np.abs(SPECIAL) <= FARTHEST[op.name]] if op.name in FARTHEST else SPECIAL
    points = rounded(points, dtype)
    arity = len(inputs_of(op.draw()[0]))
    if op.name == "clip":
        s = sample(points, -1, 2)
    elif op.name == "where":
        s = sample(points[:, None] > 0, points[:, None], points)
    else:
        s = sample(points) if arity == 1 else sample(points[:, None], points)
    given = tensors(s, dtype)
    with np.errstate(all="ignore"):
        wanted = np.asarray(op.reference(*s.args))
        # NumPy rounds the exact result once to the dtype; so a tiny one may become a denormal or zero
        wanted = wanted.astype(dtype).astype(np.float64)
    assert_close(op.function(ct)(*given.args), wanted, 2 * op.tolerance, True)


@pytest.mark.parametrize("name", ["max", "min", "sum", "mean", "prod", "cumsum", "argmax", "argmin"])
def test_reductions_pass_nan_and_infinity_on(name: str) -> None:
    for bad in (np.nan, np.inf, -np.inf):
        for place in (0, 5, 18, 40):
            x = np.linspace(1, 2, 41)
            x[place] = bad
            table = np.stack([np.linspace(1, 2, 41), x], 1)
            for values, axis in ((x, 0), (table, 0), (table.T, 1)):
                reference = BY_NAME[name].reference(values, axis)
                got = to_numpy(getattr(ct, name)(ct.tensor(values, dtype="float32"), axis))
                np.testing.assert_allclose(got, reference, rtol=1e-5)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "logsumexp"])
def test_reductions_without_identity_refuse_nothing(name: str) -> None:
    for shape, axis in [((0,), None), ((2, 0), 1), ((0, 3), 0)]:
        if name == "logsumexp":  # the sum over nothing is 0, its logarithm -inf
            assert np.all(ct.logsumexp(ct.zeros(shape), axis).numpy() == -np.inf)
        else:
            with pytest.raises(ValueError, match=rf"\[{name}\]"):
                getattr(ct, name)(ct.zeros(shape), axis)


def test_logsumexp_and_softmax_of_huge_and_infinite_values() -> None:
    x = ct.tensor([[1e30, 1e30], [-np.inf, -np.inf], [-np.inf, 0.0], [np.inf, 0.0]])
    np.testing.assert_array_equal(ct.logsumexp(x, 1).numpy(), np.float32([1e30, -np.inf, 0, np.inf]))
    np.testing.assert_array_equal(ct.softmax(x[:3:2], 1).numpy(), [[0.5, 0.5], [0, 1]])


def test_activations_far_from_zero() -> None:
    x = ct.tensor([-np.inf, -1e4, -40.0, 40.0, 1e4, np.inf])
    for f in (ct.sigmoid, lambda t: ct.tanh(t) / 2 + 0.5):
        np.testing.assert_allclose(f(x).numpy(), [0, 0, 0, 1, 1, 1], atol=1e-17)
    for f in (ct.relu, ct.softplus, lambda t: ct.elu(t) + (t < 0), ct.gelu, ct.silu):
        np.testing.assert_allclose(f(x[1:]).numpy(), [0, 0, 40, 1e4, np.inf], atol=1e-15)


def test_batch_norm_updates_its_running_statistics(rng: np.random.Generator) -> None:
    x = rng.normal(size=(5, 3, 4)) * 2 + 1
    mean, var = ct.zeros(3, dtype="float64"), ct.ones(3, dtype="float64")
    ct.batch_norm(ct.tensor(x), mean, var, training=True, momentum=0.25)
    np.testing.assert_allclose(mean.numpy(), 0.25 * x.mean((0, 2)))
    np.testing.assert_allclose(var.numpy(), 0.75 + 0.25 * x.var((0, 2), ddof=1))
    before = mean.numpy().copy()
    ct.batch_norm(ct.tensor(x), mean, var, training=False)
    np.testing.assert_array_equal(mean.numpy(), before)


def test_results_are_fresh_where_values_change() -> None:
    """An elementwise result never shares memory with its input, whatever the identity of the values."""
    x = ct.ones(4)
    for y in (ct.relu(x), x + 0, x * 1, ct.clip(x, 0, 2), ct.pad(x, 0), ct.concat([x])):
        y.fill_(7)
        assert x.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_norms_keep_channels_last(dtype: str, rng: np.random.Generator) -> None:
    memory = rng.normal(size=(4, 5, 3, 6))
    w, dy = ct.tensor(rng.normal(size=6), dtype=dtype), ct.tensor(rng.normal(size=(4, 6, 5, 3)), dtype=dtype)
    for norm in (
        lambda x, w: ct.batch_norm(x, None, None, w, training=True),
        lambda x, w: ct.batch_norm(x, ct.zeros(6), ct.ones(6), w),
        lambda x, w: ct.group_norm(x, 3, w),
    ):
        results = []
        for order in (lambda x: x, lambda x: x.contiguous()):
            leaf = ct.tensor(memory, dtype=dtype, requires_grad=True)
            weight = w.clone().requires_grad_()
            y = norm(order(leaf.transpose(0, 3, 1, 2)), weight)
            assert y.dtype == leaf.dtype
            y.backward(dy)
            results.append([y, leaf.grad, weight.grad])
        assert results[0][0].strides == leaf.transpose(0, 3, 1, 2).strides
        for ours, plain in zip(*results):
            tolerance = {"float32": 3e-6, "float64": 1e-13, "bfloat16": 3e-2}[dtype]
            a, b = (t.detach().astype("float64").numpy() for t in (ours, plain))
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * 10)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_pooling_keeps_channels_last(dtype: str, rng: np.random.Generator) -> None:
    """Forwards, backwards and at the second order the same values as on planes, which other tests know."""
    memory = rng.normal(size=(2, 9, 7, 21))
    for pool in (
        lambda x: ct.max_pool2d(x, 2),
        lambda x: ct.max_pool2d(x, 3, 2, 1),
        lambda x: ct.max_pool2d(x, 3, 2, 1, return_indices=True)[0],
        lambda x: ct.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        lambda x: ct.nn.functional.adaptive_avg_pool2d(x, 1),
        lambda x: ct.nn.functional.adaptive_avg_pool2d(x, (4, 3)),
        lambda x: ct.nn.functional.adaptive_max_pool2d(x, (4, 3)),
    ):
        results = []
        for order in (lambda x: x, lambda x: x.contiguous()):
            x = order(ct.tensor(memory, dtype=dtype).transpose(0, 3, 1, 2)).requires_grad_()
            y = pool(x)
            (y**3).sum().backward()
            second = ct.hvp(lambda x, pool=pool: (pool(x) ** 3).sum(), x.detach(), x.detach())
            results.append([y, x.grad, second])
        (y, grad, _), plain = results
        assert y.dtype == x.dtype
        assert y.strides[1] == 1 or y.shape[2:] == (1, 1)
        assert grad.strides == ct.tensor(memory).transpose(0, 3, 1, 2).strides
        for ours, other in zip(results[0], plain):
            a, b = (t.detach().astype("float64").numpy() for t in (ours, other))
            tolerance = {"float32": 1e-6, "float64": 1e-14, "bfloat16": 1e-2}[dtype]
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * abs(b).max())


def test_pooling_gives_positions_in_either_order(rng: np.random.Generator) -> None:
    images = ct.tensor(rng.normal(size=(2, 11, 9, 5))).transpose(0, 3, 1, 2)
    planes = images.contiguous()
    for pool in (
        lambda x: ct.max_pool2d(x, 3, 2, 1, return_indices=True),
        lambda x: ct.nn.functional.adaptive_max_pool2d(x, (4, 2), return_indices=True),
    ):
        for x in (images, planes):
            y, index = pool(x)
            flat = planes.numpy().reshape(2, 5, -1)
            found = np.take_along_axis(flat, index.numpy().reshape(2, 5, -1), 2)
            np.testing.assert_array_equal(found.reshape(y.shape), y.numpy())


def test_gradients_with_channels_last_add_up_beside_what_was_given(rng: np.random.Generator) -> None:
    image = ct.tensor(rng.normal(size=(2, 5, 4, 3))).transpose(0, 3, 1, 2)
    x, seed = image.clone(), ct.tensor(rng.integers(-9, 9, (2, 5, 4, 3)) + 0.0).transpose(0, 3, 1, 2)
    given = seed.numpy().copy()
    for layout in (image, x):  # images and planes, each with a gradient in the order of images
        leaf = layout.detach().requires_grad_()
        for times in (3, 6):
            (leaf + leaf + leaf).backward(seed)
            np.testing.assert_array_equal(leaf.grad.numpy(), times * given)
            np.testing.assert_array_equal(seed.numpy(), given)
        leaf.grad.fill_(0)
        np.testing.assert_array_equal(seed.numpy(), given)


def test_norms_of_nothing() -> None:
    for shape in [(0, 4), (0, 4, 5), (0, 4, 5, 6), (2, 4, 0)]:
        x = ct.zeros(shape).requires_grad_()
        weight, bias = ct.ones(4).requires_grad_(), ct.ones(4).requires_grad_()
        for y in (ct.group_norm(x, 2, weight, bias), ct.batch_norm(x, ct.zeros(4), ct.ones(4), weight, bias)):
            assert y.shape == shape
            y.sum().backward()
            assert weight.grad.tolist() == bias.grad.tolist() == [0, 0, 0, 0]
