"""Fixtures of the whole suite: every test starts from the same seed, with gradients on, and one thread setting."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import numpy as np
import pytest

import cinta as ct


def pytest_sessionstart() -> None:
    # Where a shell starts the tests in its background, Ctrl-C is ignored by them and by what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def fresh_state() -> Iterator[None]:
    ct.random.seed(0)
    threads = ct.get_num_threads()
    yield
    ct.set_num_threads(threads)
    assert ct.is_grad_enabled(), "a test left gradients switched off"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
