"""Metrics of images: how far one is from another, as a signal and as it looks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinta.training.metrics import Mean

Array = NDArray[np.float64]


class _ImageMetric(Mean):
    """The mean over images of a number for each."""

    def __init__(self, data_range: float, border: int, name: str) -> None:
        super().__init__(self._mean, name)
        if not data_range > 0:
            raise ValueError(f"[{type(self).__name__}] data_range got {data_range}, expected a number above 0")
        if border < 0:
            raise ValueError(f"[{type(self).__name__}] border got {border}, expected 0 or more")
        self.data_range, self.border = data_range, border

    def _mean(self, outputs: Any, targets: Any) -> float:
        if outputs.shape != targets.shape or outputs.ndim != 4:
            raise ValueError(
                f"[{type(self).__name__}] got outputs of shape {list(outputs.shape)} and targets of shape "
                f"{list(targets.shape)}, expected the same [N, C, H, W]"
            )
        rows, columns = (slice(self.border, n - self.border) for n in outputs.shape[2:])
        y, t = (np.asarray(x.detach().numpy(), np.float64)[:, :, rows, columns] for x in (outputs, targets))
        if y.size == 0 and len(outputs):
            raise ValueError(
                f"[{type(self).__name__}] a border of {self.border} leaves nothing of images of {outputs.shape[2:]}"
            )
        return float(np.mean([self._of_image(a, b) for a, b in zip(y, t, strict=True)])) if len(y) else 0.0

    def _of_image(self, y: Array, t: Array) -> float:
        raise NotImplementedError


class PeakSignalNoiseRatio(_ImageMetric):
    """How strong an image is beside what is wrong with it, in decibels; the mean over images.

    PSNR = 10 log10(data_range^2 / mean (y - t)^2), outputs y and targets t [N, C, H, W]; inf for equal images

    Args:
        data_range: the largest value minus the smallest: 1, or 255 for bytes.
        border: pixels at every edge that do not count, usual where images were enlarged.

    Errors: ValueError for shapes that differ or are not [N, C, H, W], or a border that leaves nothing.

    Example:
        >>> metric = ct.training.PeakSignalNoiseRatio(data_range=255)
        >>> metric.update(ct.full((1, 1, 8, 8), 100.0), ct.full((1, 1, 8, 8), 105.0))
        >>> round(metric.compute(), 2)
        34.15
    """

    def __init__(self, data_range: float = 1.0, border: int = 0, name: str = "psnr") -> None:
        super().__init__(data_range, border, name)

    def _of_image(self, y: Array, t: Array) -> float:
        error = float(np.mean((y - t) ** 2))
        return float("inf") if error == 0 else 10 * float(np.log10(self.data_range**2 / error))


class StructuralSimilarity(_ImageMetric):
    """How alike images look: brightness, contrast and structure around each pixel; 1 for equal images.

    SSIM = mean of (2 m_y m_t + c_1) (2 s_yt + c_2) / ((m_y^2 + m_t^2 + c_1) (s_y^2 + s_t^2 + c_2)) over pixels and
    channels; means m, variances s^2 and covariance s_yt are those under a Gaussian window of 11x11, sigma 1.5, that
    lies inside the image; c_1 = (0.01 data_range)^2, c_2 = (0.03 data_range)^2, outputs y and targets t [N, C, H, W]

    Args:
        data_range: the largest value minus the smallest: 1, or 255 for bytes.
        border: pixels at every edge that do not count, usual where images were enlarged.

    Errors: ValueError for shapes that differ or are not [N, C, H, W], or images below 11x11.
    Source: Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
    Similarity", 2004.

    Example:
        >>> metric = ct.training.StructuralSimilarity()
        >>> x = ct.random.uniform(shape=(2, 3, 16, 16))
        >>> metric.update(x, x)
        >>> round(metric.compute(), 6)
        1.0
    """

    SIZE, SIGMA = 11, 1.5

    def __init__(self, data_range: float = 1.0, border: int = 0, name: str = "ssim") -> None:
        super().__init__(data_range, border, name)

    def _of_image(self, y: Array, t: Array) -> float:
        if min(y.shape[1:]) < self.SIZE:
            raise ValueError(
                f"[StructuralSimilarity] images have {y.shape[1:]} pixels inside the border, expected {self.SIZE} x "
                f"{self.SIZE} at least"
            )
        m_y, m_t = self._blurred(y), self._blurred(t)
        v_y, v_t = self._blurred(y * y) - m_y**2, self._blurred(t * t) - m_t**2
        c_1, c_2 = (0.01 * self.data_range) ** 2, (0.03 * self.data_range) ** 2
        above = (2 * m_y * m_t + c_1) * (2 * (self._blurred(y * t) - m_y * m_t) + c_2)
        return float(np.mean(above / ((m_y**2 + m_t**2 + c_1) * (v_y + v_t + c_2))))

    def _blurred(self, x: Array) -> Array:
        """Means under the window, wherever it lies inside."""
        weights = np.exp(-0.5 * ((np.arange(self.SIZE) - self.SIZE // 2) / self.SIGMA) ** 2)
        weights /= weights.sum()
        for axis in (1, 2):
            n = x.shape[axis] - self.SIZE + 1
            x = sum(w * np.take(x, np.arange(k, k + n), axis) for k, w in enumerate(weights))
        return x
