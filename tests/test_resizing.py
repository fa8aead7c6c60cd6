"""Interpolation and pixel shuffling: what stays, what is refused, what tiles of an image have to do with the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cinta as ct
from cinta import nn
from cinta.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "area", "bilinear", "bicubic"])
def test_the_same_size_is_the_same_image(mode: str) -> None:
    x = ct.random.normal(shape=(2, 3, 5, 7))
    assert bool((interpolate(x, scale_factor=1, mode=mode) == x).all())
    taller = interpolate(x, size=(10, 7), mode=mode).numpy()
    np.testing.assert_array_equal(interpolate(ct.tensor(x.numpy()[:, :, :, :1]), (10, 1), mode=mode), taller[..., :1])


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "area"])
@pytest.mark.parametrize("size", [(3, 4), (12, 21)])
def test_constants_stay(mode: str, size: tuple[int, int]) -> None:
    """Weights add up to one, whatever the size."""
    for antialias in (False, True)[: 1 + (mode != "area")]:
        y = interpolate(ct.full((1, 1, 7, 9), 3.0, dtype="float64"), size, mode=mode, antialias=antialias)
        np.testing.assert_allclose(y.numpy(), 3, rtol=1e-14)


def test_orders_and_threads_give_the_same_bits() -> None:
    x = ct.random.normal(shape=(9, 40, 30, 30))
    last = x.transpose(0, 2, 3, 1).contiguous().transpose(0, 3, 1, 2)
    before = ct.get_num_threads()
    try:
        for size in ((61, 55), (11, 60)):
            ct.set_num_threads(1)
            one = interpolate(x, size, mode="bicubic").numpy()
            ct.set_num_threads(2)
            np.testing.assert_array_equal(interpolate(x, size, mode="bicubic").numpy(), one)
            np.testing.assert_array_equal(interpolate(last, size, mode="bicubic").numpy(), one)
    finally:
        ct.set_num_threads(before)


def test_shuffling_and_back() -> None:
    x = ct.random.normal(shape=(2, 18, 4, 5))
    assert bool((pixel_unshuffle(pixel_shuffle(x, 3), 3) == x).all())
    assert pixel_shuffle(x[0], 3).shape == (2, 12, 15)
    assert pixel_shuffle(ct.zeros((0, 4, 2, 2)), 2).shape == (0, 1, 4, 4)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({}, "expected one of them"),
        ({"size": 3, "scale_factor": 2}, "expected one of them"),
        ({"size": (3, 3, 3)}, r"size got \(3, 3, 3\), expected one number or 2"),
        ({"scale_factor": -1}, "scale_factor got -1, expected numbers above 0"),
        ({"scale_factor": 0.1}, "0 elements of 4"),
        ({"size": 3, "mode": "cubic"}, "mode is 'cubic', expected 'nearest'"),
        ({"size": 3, "mode": "linear"}, r"expected \[N,C,L\] for mode 'linear'"),
        ({"size": 3, "align_corners": True}, "got align_corners with mode 'nearest'"),
        ({"size": 3, "mode": "area", "antialias": True}, "got antialias with mode 'area'"),
        ({"size": 3, "recompute_scale_factor": True}, "expected it with scale_factor"),
    ],
)
def test_errors_name_what_was_got(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        interpolate(ct.ones((1, 1, 4, 4)), **how)


def test_errors_of_ranks_and_factors() -> None:
    with pytest.raises(ValueError, match="expected \\[N,C,L\\] or \\[N,C,H,W\\]"):
        interpolate(ct.ones((4, 4)), 3)
    with pytest.raises(ValueError, match="input has 6 channels, expected a multiple of 2\\^2"):
        pixel_shuffle(ct.ones((1, 6, 2, 2)), 2)
    with pytest.raises(ValueError, match="5x4 pixels, expected multiples of 2"):
        pixel_unshuffle(ct.ones((1, 1, 5, 4)), 2)
    with pytest.raises(ValueError, match="got size None and scale_factor None"):
        nn.Upsample()
