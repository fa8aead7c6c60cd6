"""Noise added to signals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import cinta as ct
from cinta._core import Tensor
from cinta.augment.functional.images import per_sample


def add_noise(signal: Any, noise: Any, snr_db: Any, start: Any = 0) -> Any:
    """Signals with noise added at a given ratio of their powers.

    y[t] = x[t] + g n[(start + t) mod L], g = sqrt(mean x^2 / mean n^2) 10^(-snr_db / 20)

    The means are taken over the signal and over what lies beneath it: a longer noise is cut, a shorter one goes round.

    signal: [..., T], a tensor or array. noise: [L], or [..., L] with an own one for every signal. snr_db: decibels,
    start: samples, 0 <= start < L; one number each, or [...] with one for every signal.
    Errors: ValueError for a silent signal or noise, which has no ratio to anything, and for shapes that do not fit;
    IndexError for a start outside the noise; TypeError for integers.

    Example:
        >>> signal, hiss = ct.sin(ct.arange(1000.0)), ct.random.normal(shape=300)
        >>> y = add_noise(signal, hiss, snr_db=20.0)
        >>> round(10 * math.log10(float((signal**2).mean() / ((y - signal) ** 2).mean())), 3)
        20.0
    """
    x, below = (v if isinstance(v, Tensor) else ct.asarray(np.asarray(v)) for v in (signal, noise))
    if not x.ndim or not below.ndim or below.shape[:-1] not in ((), x.shape[:-1]) or 0 in below.shape:
        raise ValueError(
            f"[add_noise] signal has shape {x.shape} and noise {below.shape}, expected [..., T] and [L] or [..., L]"
        )
    outer = x.shape[:-1]
    signals, length = math.prod(outer), below.shape[-1]

    def numbers(name: str, value: Any, dtype: str) -> Tensor:
        one = np.ndim(value) == 0 and not isinstance(value, Tensor)
        return per_sample("add_noise", name, value if one else ct.asarray(value).reshape(-1), signals, dtype)

    clips = ct.arange(signals) * (length if below.ndim > 1 else 0)
    y = ct.mix_noise(
        x.reshape(signals, x.shape[-1]), below.reshape(-1), numbers("snr_db", snr_db, "float64"), clips,
        ct.full((signals,), length, dtype="int64"), numbers("start", start, "int64"),
    ).reshape(x.shape)  # fmt: skip
    return y if isinstance(signal, Tensor) else y.numpy()
