"""Fractional pooling, unpooling and interpolation beside PyTorch's: values, indices and gradients in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cinta as ct
from cinta import nn

torch = pytest.importorskip("torch")
F = torch.nn.functional
Function = Callable[[Any], Any]


def same(ours: Function, theirs: Function, x: np.ndarray, rtol: float = 1e-10) -> None:
    """The same results, and the same gradient for the sum of squares of the first."""
    a, b = ct.tensor(x).requires_grad_(), torch.from_numpy(x.copy()).requires_grad_()
    found, wanted = ours(a), theirs(b)
    results = [found] if isinstance(found, ct.Tensor) else found
    peers = [wanted] if isinstance(wanted, torch.Tensor) else wanted
    for y, z in zip(results, peers, strict=True):
        np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=rtol, atol=1e-12)
    (results[0] * results[0]).sum().backward()
    (peers[0] * peers[0]).sum().backward()
    assert a.grad is not None
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("kernel", [2, 3, (2, 4)])
@pytest.mark.parametrize("shape", [(2, 3, 19, 40), (3, 12, 9)])
def test_fractional_pooling(shape: tuple[int, ...], kernel: Any) -> None:
    """PyTorch's windows, with the same numbers for them; NaN and ties too."""
    rng = np.random.default_rng(0)
    u = rng.uniform(size=(shape[0] if len(shape) == 4 else 1, shape[-3], 2))
    for x in (rng.normal(size=shape), rng.integers(0, 3, shape).astype(float)):
        for size in ({"output_ratio": 0.6}, {"output_size": (6, 5)}):
            ours = nn.FractionalMaxPool2d(kernel, **size, return_indices=True, _random_samples=ct.tensor(u))
            theirs = torch.nn.FractionalMaxPool2d(
                kernel, **size, return_indices=True, _random_samples=torch.from_numpy(u)
            )
            same(ours, theirs, x)
            x = np.where(rng.uniform(size=shape) < 0.05, np.nan, x)
            values, places = ours(ct.tensor(x))
            expected, at = theirs(torch.from_numpy(x))
            np.testing.assert_array_equal(values.numpy(), expected.numpy())
            np.testing.assert_array_equal(places.numpy(), at.numpy())
            x = np.nan_to_num(x)


INTERPOLATIONS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    *(((2, 3, 11), {"mode": mode, **size}) for mode in ("nearest", "nearest-exact", "linear", "area")
      for size in ({"size": 17}, {"size": 4}, {"scale_factor": 2.3}, {"scale_factor": 0.37})),
    *(((2, 3, 11, 14), {"mode": mode, **size}) for mode in ("nearest", "nearest-exact", "area", "bilinear", "bicubic")
      for size in ({"size": (17, 3)}, {"size": 8}, {"scale_factor": (1.7, 3)}, {"scale_factor": 0.4})),
    *(((2, 3, 11, 14), {"mode": mode, **size, **how}) for mode in ("bilinear", "bicubic")
      for size in ({"size": (17, 5)}, {"scale_factor": (1.7, 3)}, {"scale_factor": 0.4})
      for how in ({"antialias": True}, {"align_corners": True}, {"recompute_scale_factor": True} if "size" not in size
                  else {}, {"antialias": True, "align_corners": True})),
    ((2, 40, 6, 5), {"mode": "nearest", "size": (13, 9)}),
    ((2, 40, 6, 5), {"mode": "nearest-exact", "size": (4, 10)}),
    ((2, 3, 6, 1), {"mode": "bicubic", "size": (3, 9)}),
    ((2, 3, 6, 5), {"mode": "bilinear", "size": (1, 1), "align_corners": True}),
]  # fmt: skip


@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
@pytest.mark.parametrize(("shape", "how"), INTERPOLATIONS, ids=str)
def test_interpolation(shape: tuple[int, ...], how: dict[str, Any], layout: str) -> None:
    if layout == "channels last" and len(shape) < 4:
        return

    def ours(x: ct.Tensor) -> ct.Tensor:
        if layout == "channels last":
            x = x.transpose(0, 2, 3, 1).contiguous().transpose(0, 3, 1, 2)
        return nn.functional.interpolate(x, **how)

    same(ours, lambda x: F.interpolate(x, **how), np.random.default_rng(1).normal(size=shape))


def test_interpolation_of_common_sizes() -> None:
    """Where rounding decides which pixel is nearest, PyTorch's float arithmetic and whole numbers agree."""
    for old in (7, 10, 28, 32, 33, 224):
        x = np.arange(float(old)).reshape(1, 1, old)
        for mode in ("nearest", "nearest-exact"):
            for new in (1, 3, 13, 14, 20, 56, 64, 96, 224, 300):
                ours = nn.functional.interpolate(ct.tensor(x), new, mode=mode)
                np.testing.assert_array_equal(ours.numpy(), F.interpolate(torch.from_numpy(x), new, mode=mode).numpy())


@pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), [((2, 3, 9, 12), 2, 2, 0), ((3, 10, 9), 3, 2, 1)])
def test_unpooling(shape: tuple[int, ...], kernel: int, stride: int, padding: int) -> None:
    x = np.random.default_rng(2).normal(size=shape)
    if padding:  # windows overlap: keep maxima that no two of them share, whose order PyTorch leaves open
        x = np.sort(x.ravel()).reshape(shape)

    def through(library: Any) -> Function:
        pool = library.MaxPool2d(kernel, stride, padding, return_indices=True)
        unpool = library.MaxUnpool2d(kernel, stride, padding)
        return lambda x: unpool(*pool(x), output_size=x.shape[-2:])

    same(through(nn), through(torch.nn), x)
