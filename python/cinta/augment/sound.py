"""Sound: noise mixed into signals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import cinta as ct
from cinta._core import Tensor
from cinta.augment.draws import between, draw, interval, probability
from cinta.augment.transform import Transform


class RandomNoiseMix(Transform):
    """Signals with noise from a collection of recordings, at a ratio of powers drawn for every sample.

    Drawn for every sample: which recording, the place in it where it begins, and the signal-to-noise ratio. A recording
    that is longer than the signal is cut, a shorter one goes round.

    noises: arrays or tensors of one axis, of any lengths. snr_db: decibels, one number or (low, high). p: with this
    probability, for every sample. Signals: [N,T], or [N,C,T], whose channels count as one long signal.
    Errors: ValueError where a recording is empty or silent, and where a signal, or the noise beneath it, is silent.

    Example:
        >>> street, rain = ct.random.normal(shape=5000), ct.random.normal(shape=300)
        >>> mix = augment.RandomNoiseMix([street, rain], snr_db=(5, 20))
        >>> mix(ct.sin(ct.arange(2000.0)).reshape(2, 1000)).shape
        (2, 1000)
    """

    def __init__(self, noises: Sequence[Any], snr_db: Any = (0.0, 20.0), p: float = 1.0) -> None:
        clips = [np.asarray(n.detach() if isinstance(n, Tensor) else n) for n in noises]
        for i, clip in enumerate(clips):
            if clip.ndim != 1 or not np.issubdtype(clip.dtype, np.floating) or not np.any(clip):
                raise ValueError(
                    f"[RandomNoiseMix] noise {i} has shape {clip.shape} and dtype {clip.dtype}"
                    f"{' and is silent' if clip.size else ''}, expected floating samples [L] that are not all 0"
                )
        if not clips:
            raise ValueError("[RandomNoiseMix] noises got nothing, expected at least one recording")
        self.snr_db, self.p = interval(self.name, "snr_db", snr_db), probability(self.name, p)
        lengths = np.array([len(clip) for clip in clips], np.int64)
        self._noise = ct.tensor(np.concatenate(clips), dtype="float32")
        self._lengths, self._firsts = ct.tensor(lengths), ct.tensor(np.cumsum(lengths) - lengths)

    def apply(self, images: Any) -> Any:
        x = images if isinstance(images, Tensor) else ct.asarray(np.asarray(images))
        if x.ndim not in (2, 3):
            raise ValueError(f"[{self.name}] signals have shape {x.shape}, expected [N,T] or [N,C,T]")
        lines = x.reshape(x.shape[0], -1) if x.size else x.reshape(x.shape[0], 0)
        samples, u = lines.shape[1], draw(x.shape[0], 4)
        which = ct.floor(u[:, 0] * self._lengths.size).astype("int64")
        length, first = ct.take(self._lengths, which), ct.take(self._firsts, which)
        places = ct.where(length > samples, length - samples + 1, length)  # where it may begin
        start = ct.floor(u[:, 1] * places).astype("int64")
        y = ct.mix_noise(lines, self._noise, between(self.snr_db, u[:, 2]), first, length, start)
        y = ct.where((u[:, 3] < self.p).reshape(-1, 1), y, lines).reshape(x.shape)
        return y if isinstance(images, Tensor) else y.numpy()
