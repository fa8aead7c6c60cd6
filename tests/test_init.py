"""Initialisation: moments, bounds and exact properties of what is drawn."""

import math

import numpy as np
import pytest

import cinta as ct
from cinta import nn

init = nn.init


@pytest.fixture(autouse=True)
def _seeded():
    ct.random.seed(7)


def drawn(fill, shape=(300, 200), *args, **options):
    parameter = nn.Parameter(ct.zeros(shape))
    assert fill(parameter, *args, **options) is parameter
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert parameter.grad is None
    return parameter.detach().numpy().astype(np.float64)


def assert_normal(x, mean, std):
    """First four moments, within five standard errors."""
    z = (x - mean).ravel() / std
    n = math.sqrt(z.size)
    assert abs(z.mean()) < 5 / n
    assert abs((z**2).mean() - 1) < 5 * math.sqrt(2) / n
    assert abs((z**3).mean()) < 5 * math.sqrt(15) / n
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96) / n


def assert_uniform(x, low, high):
    """Range, mean, variance and evenness over ten bins."""
    span = high - low
    assert x.min() >= low - 1e-6 * span
    assert x.max() <= high + 1e-6 * span
    u = (x.ravel() - low) / span
    n = u.size
    assert abs(u.mean() - 0.5) < 5 / math.sqrt(12 * n)
    counts = np.histogram(u, 10, (0, 1))[0]
    assert ((counts - n / 10) ** 2 / (n / 10)).sum() < 40  # chi squared, 9 degrees of freedom: p < 1e-5


def test_uniform():
    assert_uniform(drawn(init.uniform_), 0, 1)
    assert_uniform(drawn(init.uniform_, (300, 200), -3, 5), -3, 5)


def test_normal():
    assert_normal(drawn(init.normal_), 0, 1)
    assert_normal(drawn(init.normal_, (300, 200), mean=2, std=0.5), 2, 0.5)
    assert (drawn(init.normal_, (3,), 1.5, 0.0) == 1.5).all()


def test_constants():
    assert (drawn(init.constant_, (2, 3), 0.25) == 0.25).all()
    assert (drawn(init.ones_) == 1).all()
    assert (drawn(init.zeros_) == 0).all()
    np.testing.assert_array_equal(drawn(init.eye_, (3, 5)), np.eye(3, 5))


def test_xavier():
    std = 2 * math.sqrt(2 / (40 * 9 + 60 * 9))
    assert_normal(drawn(init.xavier_normal_, (60, 40, 3, 3), gain=2), 0, std)
    bound = math.sqrt(6 / 500)
    assert_uniform(drawn(init.xavier_uniform_), -bound, bound)


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 40 * 9), ("fan_out", 60 * 9)])
@pytest.mark.parametrize(
    ("nonlinearity", "a", "gain"),
    [("relu", 0, math.sqrt(2)), ("leaky_relu", 0.3, math.sqrt(2 / 1.09)), ("tanh", 0, 5 / 3), ("linear", 0, 1)],
)
def test_kaiming(mode, fan, nonlinearity, a, gain):
    std = gain / math.sqrt(fan)
    assert_normal(drawn(init.kaiming_normal_, (60, 40, 3, 3), a, mode, nonlinearity), 0, std)
    bound = math.sqrt(3) * std
    assert_uniform(drawn(init.kaiming_uniform_, (60, 40, 3, 3), a, mode, nonlinearity), -bound, bound)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3, 3)])
def test_orthogonal(shape):
    q = drawn(init.orthogonal_, shape, gain=2.0).reshape(shape[0], -1) / 2
    product = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(product, np.eye(min(q.shape)), atol=1e-6)


def test_orthogonal_is_uniform():
    """Without the signs of R, the first entry of a Householder Q would always be negative."""
    first = [drawn(init.orthogonal_, (2, 2))[0, 0] for _ in range(200)]
    assert 60 < sum(value > 0 for value in first) < 140


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"), [(0, 1, -2, 2), (1, 0.5, 0, 1.5), (0, 1, 3, 5), (0, 1, 2, math.inf)]
)
def test_trunc_normal(mean, std, a, b):
    x = drawn(init.trunc_normal_, (300, 200), mean, std, a, b).ravel()
    assert x.min() >= a
    assert x.max() <= b
    z = np.linspace((a - mean) / std, min((b - mean) / std, 12.0), 200_001)
    density = np.exp(-(z**2) / 2)
    density /= density.sum()
    expected = mean + std * (density * z).sum()
    spread = std * math.sqrt((density * z**2).sum() - (density * z).sum() ** 2)
    assert abs(x.mean() - expected) < 5 * spread / math.sqrt(x.size)
    assert x.std() == pytest.approx(spread, rel=0.03)


def test_the_lectures_choices():
    assert_normal(drawn(init.small_normal_), 0, 0.02)
    assert_normal(drawn(init.scaled_normal_, (60, 40, 3, 3), init_scale=0.1), 0, 0.1 / math.sqrt(360))
    assert_normal(drawn(init.scaled_normal_), 0, 1 / math.sqrt(200))


def test_other_dtypes():
    parameter = init.orthogonal_(ct.empty((4, 4), dtype="float64"))
    np.testing.assert_allclose(parameter.numpy() @ parameter.numpy().T, np.eye(4), atol=1e-14)
    assert_normal(init.normal_(ct.empty((300, 200), dtype="float64")).numpy(), 0, 1)
    assert str(init.uniform_(ct.empty((3,), dtype="bfloat16")).dtype) == "bfloat16"


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda: init.eye_(ct.zeros(3)), r"\[eye_\] tensor has shape \[3\], expected a matrix"),
        (lambda: init.xavier_normal_(ct.zeros(3)), "expected two dimensions"),
        (lambda: init.orthogonal_(ct.zeros(3)), "expected two dimensions"),
        (lambda: init.kaiming_normal_(ct.zeros((3, 3)), mode="fan"), "mode got 'fan'"),
        (lambda: init.kaiming_normal_(ct.zeros((3, 3)), nonlinearity="sine"), "nonlinearity got 'sine'"),
        (lambda: init.normal_(ct.zeros(3), std=-1), "std got -1, expected >= 0"),
        (lambda: init.trunc_normal_(ct.zeros(3), a=2, b=1), "expected std > 0 and a < b"),
    ],
)
def test_wrong_arguments(fill, message):
    with pytest.raises(ValueError, match=message):
        fill()
