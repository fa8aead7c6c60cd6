"""PSNR and SSIM beside scikit-image's."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cinta as ct
from cinta import training

metrics = pytest.importorskip("skimage.metrics")


@pytest.mark.parametrize(("data_range", "border"), [(1.0, 0), (255.0, 3)])
def test_beside_scikit_image(data_range: float, border: int) -> None:
    rng = np.random.default_rng(0)
    t = np.cumsum(rng.normal(size=(3, 2, 40, 33)), axis=2) * 0.02 * data_range
    y = t + rng.normal(size=t.shape) * 0.05 * data_range
    inside = (..., slice(border, 40 - border), slice(border, 33 - border))
    psnr, ssim = (kind(data_range, border) for kind in (training.PeakSignalNoiseRatio, training.StructuralSimilarity))
    for part in (slice(0, 2), slice(2, 3)):
        for metric in (psnr, ssim):
            metric.update(ct.tensor(y[part]), ct.tensor(t[part]))
    pairs = list(zip(t[inside], y[inside], strict=True))
    expected = np.mean([metrics.peak_signal_noise_ratio(a, b, data_range=data_range) for a, b in pairs])
    np.testing.assert_allclose(psnr.compute(), expected, rtol=1e-12)
    how = dict(data_range=data_range, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=0)
    expected = np.mean([metrics.structural_similarity(a, b, **how) for a, b in pairs])
    np.testing.assert_allclose(ssim.compute(), expected, rtol=1e-10)


def test_equal_images_and_no_images() -> None:
    x = ct.ones((2, 1, 12, 12))
    psnr = training.PeakSignalNoiseRatio()
    psnr.update(ct.zeros((0, 1, 12, 12)), ct.zeros((0, 1, 12, 12)))
    assert math.isnan(psnr.compute())
    psnr.update(x, x)
    assert psnr.compute() == math.inf


def test_errors_name_what_was_got() -> None:
    x = ct.ones((2, 1, 12, 12))
    with pytest.raises(ValueError, match="expected the same"):
        training.PeakSignalNoiseRatio().update(x, ct.ones((2, 1, 12, 11)))
    with pytest.raises(ValueError, match="a border of 6 leaves nothing"):
        training.PeakSignalNoiseRatio(border=6).update(x, x)
    with pytest.raises(ValueError, match="expected 11 x 11 at least"):
        training.StructuralSimilarity(border=1).update(x, x)
    with pytest.raises(ValueError, match="data_range got 0"):
        training.StructuralSimilarity(data_range=0)
