"""Warping beside PyTorch's affine_grid and grid_sample: values and gradients, of every border that both have."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct

torch = pytest.importorskip("torch")
F = torch.nn.functional


THEIRS = {"constant": "zeros", "edge": "border", "reflect": "reflection"}


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("padding_mode", THEIRS)
def test_warp_is_grid_sample(padding_mode: str, interpolation: str, rng: np.random.Generator) -> None:
    x, dy = rng.normal(size=(3, 2, 9, 12)), rng.normal(size=(3, 2, 7, 10))
    matrices = np.array([[1, 0.2, -1], [-0.1, 0.9, 1.3]]) + 0.4 * rng.normal(size=(3, 2, 3))
    row, column = np.mgrid[:7, :10]
    places = np.einsum("nab,bij->nija", matrices, np.stack([column, row, np.ones_like(row)]))
    grid = torch.tensor(2 * places / [11, 8] - 1)
    leaf = torch.tensor(x, requires_grad=True)
    wanted = F.grid_sample(leaf, grid, interpolation, THEIRS[padding_mode], align_corners=True)
    wanted.backward(torch.tensor(dy))
    ours = ct.tensor(x, requires_grad=True)
    got = ct.warp(ours, matrices, size=(7, 10), interpolation=interpolation, padding_mode=padding_mode)
    got.backward(ct.tensor(dy))
    np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(ours.grad.numpy(), leaf.grad.numpy(), atol=1e-12)
