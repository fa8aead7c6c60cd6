"""SRCNN, ESPCN and FSRCNN beside twins of PyTorch with the same weights: outputs and gradients in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cinta as ct
from cinta import models

torch = pytest.importorskip("torch")
tnn = torch.nn


def srcnn(scale: int) -> Any:
    return tnn.Sequential(
        tnn.Upsample(scale_factor=scale, mode="bicubic"), tnn.Conv2d(1, 64, 9, padding=4), tnn.ReLU(),
        tnn.Conv2d(64, 32, 1), tnn.ReLU(), tnn.Conv2d(32, 1, 5, padding=2),
    )  # fmt: skip


def espcn(scale: int) -> Any:
    return tnn.Sequential(
        tnn.Conv2d(1, 64, 5, padding=2), tnn.Tanh(), tnn.Conv2d(64, 32, 3, padding=1), tnn.Tanh(),
        tnn.Conv2d(32, scale**2, 3, padding=1), tnn.PixelShuffle(scale),
    )  # fmt: skip


def fsrcnn(scale: int) -> Any:
    layers = [tnn.Conv2d(1, 56, 5, padding=2), tnn.PReLU(56), tnn.Conv2d(56, 12, 1), tnn.PReLU(12)]
    for _ in range(4):
        layers += [tnn.Conv2d(12, 12, 3, padding=1), tnn.PReLU(12)]
    extra = (scale - 1) % 2
    last = tnn.ConvTranspose2d(56, 1, 9, stride=scale, padding=(9 - scale + extra) // 2, output_padding=extra)
    return tnn.Sequential(*layers, tnn.Conv2d(12, 56, 1), tnn.PReLU(56), last)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("name", "twin"), [("SRCNN", srcnn), ("ESPCN", espcn), ("FSRCNN", fsrcnn)])
def test_twins(name: str, twin: Any, scale: int) -> None:
    rng = np.random.default_rng(0)
    ours, theirs = getattr(models, name)(scale=scale).double(), twin(scale).double()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        values = rng.normal(size=p.shape) * 0.2
        with ct.no_grad():
            p.copy_(ct.tensor(values))
        q.data = torch.from_numpy(values)
    x = rng.uniform(size=(2, 1, 9, 11))
    if name == "SRCNN":  # the antialiased filter enlarges with a = -1/2, which tnn.Upsample cannot say
        theirs[0] = tnn.Identity()
        enlarged = torch.nn.functional.interpolate(
            torch.from_numpy(x), scale_factor=scale, mode="bicubic", antialias=True
        )
        z = theirs(enlarged)
    else:
        z = theirs(torch.from_numpy(x))
    y = ours(ct.tensor(x))
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-9, atol=1e-10)
    (y * y).sum().backward()
    (z * z).sum().backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-8, atol=1e-9)
