"""Every differentiable row: gradients of each order by random projection, against finite differences in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cinta as ct
from op_cases import BY_NAME, DIFFERENTIABLE
from op_row import Op, Sample, map_arrays
from op_run import LAYOUTS, TOLERANCE, Layout, flat, inputs_of, is_input, plain, repeated, rounded, to_numpy

ROW = pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
THIRD_ORDER = ["exp", "tanh", "sigmoid", "power", "divide", "arctan2", "erf", "gelu", "silu", "rsqrt", "prod",
               "logsumexp", "std",
               "matmul", "einsum", "softmax", "cross_entropy", "conv2d", "layer_norm", "batch_norm",
               "getitem"]  # fmt: skip
STEP = 1e-6
Arrays = list[np.ndarray]


def leaves_of(values: Arrays, dtype: str = "float64", layout: Layout = plain) -> list[ct.Tensor]:
    return [layout(v, lambda x: ct.tensor(x, dtype=dtype)).detach().requires_grad_() for v in values]


def floating_results(op: Op, s: Sample, inputs: list[ct.Tensor], dtype: str = "float64") -> list[ct.Tensor]:
    """The operation's floating results with `inputs`, in order, for the sample's differentiable arrays."""
    supply = iter(inputs)

    def given(x: np.ndarray, constant: bool) -> Any:
        return ct.tensor(x, dtype=dtype if is_input(x) else None) if constant or not is_input(x) else next(supply)

    args = map_arrays(lambda x: given(x, False), s.args)
    kwargs = {key: map_arrays(lambda x, c=key in op.constants: given(x, c), value) for key, value in s.kwargs.items()}
    return [y for y in flat(op.function(ct)(*args, **kwargs)) if y.dtype.is_floating]


def gradients(op: Op, s: Sample, values: Arrays, order: int, weights: Arrays, directions: list[Arrays],
              dtype: str = "float64",
              layout: Layout = plain) -> Arrays:  # fmt: skip
    """`order` times the gradient of a projection: of the results on `weights`, then of each gradient on a direction."""
    leaves = leaves_of(values, dtype, layout)
    results: list[ct.Tensor | None] = list(floating_results(op, s, leaves, dtype))
    for k, onto in enumerate([weights, *directions][:order]):
        pairs = [(y, ct.tensor(w, dtype=y.dtype)) for y, w in zip(results, onto) if y is not None and y.requires_grad]
        if not pairs:
            return [np.zeros(v.shape) for v in values]
        ys, ws = map(list, zip(*pairs))
        results = ct._core.backward(ys, ws, inputs=leaves, create_graph=k + 1 < order)
    for y, v in zip(results, values):
        assert y is None or order == 0 or (y.shape == v.shape and str(y.dtype) == dtype), (
            f"gradient {y.shape} {y.dtype} of {v.shape}"
        )
    return [np.zeros(v.shape) if y is None else to_numpy(y) for y, v in zip(results, values if order else results)]


def drawn(like: list[Any], rng: np.random.Generator) -> Arrays:
    return [np.asarray(rng.normal(size=x.shape)) for x in like]


def inner(a: Arrays, b: Arrays) -> float:
    return float(sum(np.sum(x * y) for x, y in zip(a, b)))


def check_order(op: Op, s: Sample, order: int, atol: float = 1e-6) -> None:
    """Gradients of every order up to this one, along random directions."""
    values = inputs_of(s, op.constants)

    def results(*inputs: ct.Tensor) -> list[ct.Tensor]:
        return floating_results(op, s, list(inputs))

    ct.gradcheck(results, *values, order=order, fast_mode=True, atol=atol, rtol=1e-6)


def differentiable_samples(op: Op) -> list[Sample]:
    return [s for s in op.draw() if inputs_of(s, op.constants)]


@ROW
def test_first_and_second_gradient(op: Op) -> None:
    for s in differentiable_samples(op):
        check_order(op, s, 2)


@pytest.mark.parametrize("name", THIRD_ORDER)
def test_third_gradient(name: str) -> None:
    for s in differentiable_samples(BY_NAME[name])[:4]:
        check_order(BY_NAME[name], s, 3)


@ROW
def test_jvp_is_the_transpose_of_vjp(op: Op, rng: np.random.Generator) -> None:
    for s in differentiable_samples(op)[:6]:
        values = inputs_of(s, op.constants)
        results, tangents = drawn_jvp(op, s, values, directions := drawn(values, rng))
        weights = drawn(results, rng)
        forward = inner([to_numpy(t) for t in tangents], weights)
        backward = inner(gradients(op, s, values, 1, weights, []), directions)
        assert abs(forward - backward) <= 1e-9 * (1 + abs(forward)), f"{op.name} {s}: jvp {forward}, vjp {backward}"


def drawn_jvp(op: Op, s: Sample, values: Arrays, directions: Arrays) -> tuple[list[ct.Tensor], list[ct.Tensor]]:
    primals = tuple(ct.tensor(v) for v in values)
    return ct.jvp(lambda *xs: floating_results(op, s, list(xs)), primals, tuple(ct.tensor(d) for d in directions))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@ROW
def test_gradients_in_lower_precision(op: Op, dtype: str, rng: np.random.Generator) -> None:
    """Against the float64 gradients at the same, already rounded, inputs."""
    for s in differentiable_samples(op):
        s = s.map(lambda x: rounded(x, dtype) if is_input(x) else x)
        values = inputs_of(s, op.constants)
        weights = [rounded(w, dtype) for w in drawn(floating_results(op, s, leaves_of(values)), rng)]
        exact = gradients(op, s, values, 1, weights, [])
        for got, wanted in zip(gradients(op, s, values, 1, weights, [], dtype), exact):
            reach = np.abs(wanted) + np.max(np.abs(wanted), initial=1)
            near = np.abs(got - wanted) <= 8 * op.tolerance * TOLERANCE[dtype] * reach
            wrong = ~(near | (np.isnan(got) & np.isnan(wanted)))  # std of values that rounding made equal
            assert not wrong.any(), f"{op.name} {s}: got {got[wrong][:4]}, expected {wanted[wrong][:4]}"


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@ROW
def test_gradients_do_not_depend_on_memory_layout(op: Op, layout: Layout, rng: np.random.Generator) -> None:
    for s in differentiable_samples(op)[:5]:
        s = s.map(repeated) if layout.__name__ == "spread" else s
        values = inputs_of(s, op.constants)
        weights = drawn(floating_results(op, s, leaves_of(values)), rng)
        exact = gradients(op, s, values, 1, weights, [])
        for got, wanted in zip(gradients(op, s, values, 1, weights, [], layout=layout), exact):
            np.testing.assert_allclose(
                got, wanted, rtol=1e-9, atol=1e-9 * np.max(np.abs(wanted), initial=1), err_msg=f"{op.name} {s}"
            )


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_learns(dtype: str) -> None:
    x = ct.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=dtype, requires_grad=True)
    ct.sum(ct.tanh(x @ x.T)).backward()
    assert str(x.grad.dtype) == dtype
    y = ct.tensor([[1.0, 2.0], [3.0, -1.0]], dtype="float64", requires_grad=True)
    ct.sum(ct.tanh(y @ y.T)).backward()
    np.testing.assert_allclose(to_numpy(x.grad), y.grad.numpy(), atol=0.1)


def test_ties_share_no_gradient_twice() -> None:
    """At a tie of max the parts of the gradient add up to one, however they are dealt out."""
    for function in (ct.max, ct.min):
        x = ct.tensor([2.0, 2.0, 2.0], requires_grad=True)
        function(x).backward()
        assert abs(float(x.grad.sum()) - 1) < 1e-6


@pytest.mark.parametrize(("name", "at", "wanted"), [("relu", 0.0, 0.0), ("abs", 0.0, 0.0), ("sign", 0.0, 0.0),
                                                    ("sqrt", 0.0, np.inf),
                                            ("sigmoid", 1e4, 0.0), ("softplus", -1e4, 0.0), ("tanh", 1e4, 0.0),
                                            ("log1p", 0.0, 1.0), ("expm1", 0.0, 1.0)])  # fmt: skip
def test_gradients_at_the_edge(name: str, at: float, wanted: float) -> None:
    x = ct.tensor([at], requires_grad=True)
    getattr(ct, name)(x).sum().backward()
    assert x.grad.tolist() == [wanted]
