"""The networks that make images larger: sizes, numbers of parameters, where they begin."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from cinta import models, nn


def weights(model: nn.Module) -> int:
    return sum(p.size for name, p in model.named_parameters() if name.endswith("weight") and p.ndim == 4)


def parameters(model: nn.Module) -> int:
    return sum(p.size for p in model.parameters())


def test_numbers_of_parameters() -> None:
    """Dong et al. count weights alone: 8,032 for SRCNN 9-1-5, 57,184 for 9-5-5, 12,464 for FSRCNN(56, 12, 4)."""
    srcnn = models.SRCNN()
    assert (weights(srcnn), parameters(srcnn)) == (8032, 8129)
    srcnn = models.SRCNN(kernel_sizes=(9, 5, 5))
    assert (weights(srcnn), parameters(srcnn)) == (57_184, 57_281)
    assert parameters(models.ESPCN(scale=3)) == 22_729
    for scale in (2, 3, 4):
        fsrcnn = models.FSRCNN(scale)
        assert (weights(fsrcnn), parameters(fsrcnn)) == (12_464, 12_809)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", models.super_resolution.__all__)
def test_sizes_and_the_beginning(name: str, scale: int, channels: int) -> None:
    """With `residual` an untrained network is about bicubic interpolation, and all weights get a gradient."""
    model = getattr(models, name)(scale=scale, channels=channels, residual=True)
    x = ct.random.uniform(shape=(2, channels, 11, 14))
    y = model(x)
    bicubic = nn.functional.interpolate(x, scale_factor=scale, mode="bicubic", antialias=True)
    assert y.shape == (2, channels, 11 * scale, 14 * scale)
    np.testing.assert_allclose(y.detach().numpy(), bicubic.numpy(), atol=0.5)
    (y * y).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_srcnn_takes_enlarged_images() -> None:
    x = ct.random.uniform(shape=(1, 1, 12, 10))
    assert models.SRCNN()(x).shape == x.shape


def test_errors() -> None:
    with pytest.raises(ValueError, match="kernel_sizes got"):
        models.SRCNN(kernel_sizes=(9, 2, 5))
    for name in models.super_resolution.__all__:
        with pytest.raises(ValueError, match="scale got 0"):
            getattr(models, name)(scale=0)
