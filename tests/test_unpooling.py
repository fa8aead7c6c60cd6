"""Max unpooling: sizes, meeting indices, errors."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from cinta import nn


def test_pooling_and_back_keeps_the_maxima() -> None:
    x = ct.random.normal(shape=(2, 3, 9, 12))
    y, places = nn.MaxPool2d(2, return_indices=True)(x)
    back = nn.MaxUnpool2d(2)(y, places, output_size=x.shape).numpy()
    assert np.count_nonzero(back) == y.size
    np.testing.assert_array_equal(back[back != 0], x.numpy()[back != 0])
    assert nn.MaxUnpool2d(2)(y, places).shape == (2, 3, 8, 12)


def test_where_indices_meet_the_last_counts_and_has_the_gradient() -> None:
    x = ct.tensor([[[1.0, 2.0, 3.0]]], requires_grad=True)
    y = ct.max_unpool1d(x, ct.tensor([[[1, 1, 0]]]), 3)
    assert y.tolist() == [[[3.0, 2.0, 0.0]]]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[[0.0, 1.0, 1.0]]]


def test_errors_name_what_was_got() -> None:
    x, places = ct.ones((1, 1, 2, 2)), ct.zeros((1, 1, 2, 2), dtype="int64")
    with pytest.raises(ValueError, match=r"output_size got 9, expected \[4, 4\], each less than the stride"):
        nn.MaxUnpool2d(2)(x, places, output_size=9)
    with pytest.raises(IndexError, match="index 16 is out of range, expected 0 to 15"):
        nn.MaxUnpool2d(2)(x, places + 16)
    with pytest.raises(ValueError, match=r"indices have shape \[1,1,4\]"):
        nn.MaxUnpool2d(2)(x, places.reshape(1, 1, 4))
    with pytest.raises(TypeError, match="an integer dtype for indices"):
        nn.MaxUnpool2d(2)(x, x)
