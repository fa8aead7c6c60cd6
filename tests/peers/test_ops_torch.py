"""Against PyTorch: the table's losses and layers in float64; float32 results at least as accurate, at working sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cinta as ct
from op_cases import BY_NAME
from op_row import map_arrays
from op_run import flat, to_numpy

torch = pytest.importorskip("torch")
F = torch.nn.functional

# Rows whose arguments PyTorch takes as they are.
SAME_ARGUMENTS = [
    "softplus", "gelu", "silu", "elu", "leaky_relu", "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "huber_loss",
    "smooth_l1_loss",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div", "conv1d", "conv2d", "conv_transpose1d",
    "conv_transpose2d",
    "unfold", "fold", "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d", "batch_norm", "group_norm", "local_response_norm", "embedding",
]  # fmt: skip


@pytest.mark.parametrize("name", SAME_ARGUMENTS)
@pytest.mark.filterwarnings("ignore")
def test_rows_agree(name: str) -> None:
    for s in BY_NAME[name].draw():
        if s.kwargs.get("padding") == "same" and s.kwargs.get("stride", 1) != 1:
            continue  # PyTorch has no "same" with a stride
        if name == "embedding" and (s.args[0] < 0).any():
            continue  # nor indices from the end
        args, kwargs = map_arrays(lambda x: torch.from_numpy(x.copy()), (s.args, s.kwargs))
        ours_args, ours_kwargs = map_arrays(ct.tensor, (s.args, s.kwargs))
        theirs = flat(getattr(F, name)(*args, **kwargs))
        ours = flat(getattr(ct, name)(*ours_args, **ours_kwargs))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(to_numpy(a), b.numpy(), rtol=1e-10, atol=1e-11, err_msg=str(s))


def normal(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.normal(size=shape).astype(np.float32)


def positive(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: np.exp(rng.uniform(-20, 20, shape)).astype(np.float32)


def wide(low: float, high: float) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.uniform(low, high, 200_000).astype(np.float32)


Draw = Callable[[np.random.Generator], np.ndarray]
Case = tuple[Callable[..., Any], Callable[..., Any], list[Draw]]
# ours, theirs, inputs: error measured against theirs in float64
ACCURACY: dict[str, Case] = {
    **{name: (getattr(ct, name), getattr(torch, name), [draw]) for name, draw in {
        "exp": wide(-80, 80), "exp2": wide(-100, 100), "expm1": wide(-10, 10), "log": positive(200_000),
        "log2": positive(200_000),
        "log10": positive(200_000), "log1p": wide(-0.99, 50), "sqrt": positive(200_000), "rsqrt": positive(200_000),
        "sin": wide(-100, 100),
        "cos": wide(-100, 100), "tan": wide(-1.5, 1.5), "asin": wide(-1, 1), "acos": wide(-1, 1), "atan": wide(-50, 50),
        "sinh": wide(-20, 20),
        "cosh": wide(-20, 20), "tanh": wide(-10, 10), "asinh": wide(-100, 100), "acosh": wide(1, 100),
        "atanh": wide(-0.999, 0.999),
        "sigmoid": wide(-30, 30), "erf": wide(-4, 4)}.items()},
    "softplus": (ct.softplus, F.softplus, [wide(-30, 30)]),
    "gelu": (ct.gelu, F.gelu, [wide(-6, 6)]),
    "silu": (ct.silu, F.silu, [wide(-30, 30)]),
    "power": (ct.power, torch.pow, [wide(0.1, 10), wide(-8, 8)]),
    "arctan2": (ct.arctan2, torch.arctan2, [wide(-5, 5), wide(-5, 5)]),
    "logaddexp": (ct.logaddexp, torch.logaddexp, [wide(-20, 20), wide(-20, 20)]),
    "sum": (lambda x: ct.sum(x, (1, 2)), lambda x: x.sum((1, 2)), [normal(64, 300, 503)]),
    "sum of columns": (lambda x: ct.sum(x, 0), lambda x: x.sum(0), [normal(5000, 203)]),
    "sum of rows": (lambda x: ct.sum(x, 1), lambda x: x.sum(1), [normal(203, 5000)]),
    "mean": (lambda x: ct.mean(x + 100), lambda x: (x + 100).mean(), [normal(1000, 1003)]),
    "var": (lambda x: ct.var(x + 100, axis=1), lambda x: (x + 100).var(1, correction=0), [normal(100, 5003)]),
    "logsumexp": (lambda x: ct.logsumexp(x * 5, 1), lambda x: (x * 5).logsumexp(1), [normal(100, 5003)]),
    "cumsum": (lambda x: ct.cumsum(x, 0), lambda x: x.cumsum(0), [normal(100_003)]),
    "softmax": (lambda x: ct.softmax(x * 5), lambda x: (x * 5).softmax(-1), [normal(300, 1003)]),
    "log_softmax": (lambda x: ct.log_softmax(x * 5), lambda x: (x * 5).log_softmax(-1), [normal(300, 1003)]),
    "matmul": (ct.matmul, torch.matmul, [normal(300, 701), normal(701, 301)]),
    "matmul 512": (ct.matmul, torch.matmul, [normal(512, 512), normal(512, 512)]),
    "batched matmul": (ct.matmul, torch.matmul, [normal(16, 50, 300), normal(16, 300, 60)]),
    "conv2d 3x3": (lambda x, w: ct.conv2d(x, w, padding=1), lambda x, w: F.conv2d(x, w, padding=1),
                   [normal(4, 64, 16, 16), normal(64, 64, 3, 3)]),
    "conv2d strided": (lambda x, w: ct.conv2d(x, w, stride=2), lambda x, w: F.conv2d(x, w, stride=2),
                       [normal(4, 16, 33, 33), normal(32, 16, 5, 5)]),
    "layer_norm": (lambda x: ct.layer_norm(x + 10, 1003), lambda x: F.layer_norm(x + 10, (1003,)), [normal(300, 1003)]),
}  # fmt: skip


def errors(got: np.ndarray, exact: np.ndarray, elementwise: bool) -> tuple[float, float]:
    """Root mean square and largest error, relative to each value or, where terms cancel, to all of them."""
    size = np.maximum(np.abs(exact), (1e-3 if elementwise else 1.0) * np.sqrt(np.mean(exact**2)))
    relative = np.abs(got - exact) / size
    return float(np.sqrt(np.mean(relative**2))), float(relative.max())


@pytest.mark.parametrize("name", ACCURACY)
def test_float32_is_at_least_as_accurate(name: str) -> None:
    """Within the last bits of the best: PyTorch's error with a margin of a quarter ulp, and half as much again."""
    ours, theirs, draws = ACCURACY[name]
    inputs = [draw(np.random.default_rng(i)) for i, draw in enumerate(draws)]
    exact = theirs(*(torch.from_numpy(x).double() for x in inputs)).numpy()
    elementwise = name in BY_NAME and BY_NAME[name].elementwise
    ours_rms, ours_max = errors(ours(*map(ct.tensor, inputs)).numpy(), exact, elementwise)
    theirs_rms, theirs_max = errors(theirs(*map(torch.from_numpy, inputs)).numpy(), exact, elementwise)
    assert ours_rms <= 1.1 * theirs_rms + 1.5e-8, f"rms {ours_rms:.3g}, torch {theirs_rms:.3g}"
    assert ours_max <= 1.5 * theirs_max + 1.2e-7, f"max {ours_max:.3g}, torch {theirs_max:.3g}"


def test_dlpack_with_torch() -> None:
    t = ct.ones((3, 4))
    shared = torch.from_dlpack(t)
    shared[0, 0] = 7
    assert t[0, 0].item() == 7
    back = ct.from_dlpack(torch.arange(6.0).reshape(2, 3).T)
    assert back.tolist() == [[0, 3], [1, 4], [2, 5]]
    halves = ct.from_dlpack(torch.ones(3, dtype=torch.bfloat16))
    assert str(halves.dtype) == "bfloat16"
    assert torch.from_dlpack(halves).dtype == torch.bfloat16
