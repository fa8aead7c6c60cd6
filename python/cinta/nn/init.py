"""Filling parameters before training: every function writes into its tensor, records nothing and returns the tensor.

The random ones draw from `ct.random`, so `ct.random.seed(n)` fixes a whole network.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cinta._core import Tensor, asarray, random
from cinta.autodiff import no_grad

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance of activations steady through a nonlinearity.

    1 for linear, convolutions and sigmoid, 5/3 for tanh, sqrt(2) for relu, 3/4 for selu and
    sqrt(2 / (1 + param^2)) for leaky_relu with slope `param` (0.01 unless given).

    Errors: ValueError for another name.
    Source: He et al., "Delving Deep into Rectifiers", 2015.

    Example:
        >>> round(nn.init.calculate_gain("leaky_relu", 0.2), 4)
        1.3868
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise ValueError(
            f"[calculate_gain] nonlinearity got {nonlinearity!r}, expected leaky_relu or one of {list(_GAINS)}"
        )
    return _GAINS[nonlinearity]


def _write(t: Tensor, values: Any) -> Tensor:
    with no_grad():
        t.copy_(asarray(values))
    return t


def uniform_(t: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Fills with U(a, b).

    Example:
        >>> t = nn.init.uniform_(ct.empty((100,)), -1, 1)
        >>> bool((abs(t) <= 1).all())
        True
    """
    with no_grad():
        random.uniform_(t, a, b)
    return t


def normal_(t: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fills with N(mean, std^2).

    Example:
        >>> nn.init.normal_(ct.empty((2, 3)), std=0.1).shape
        (2, 3)
    """
    if not std >= 0:
        raise ValueError(f"[normal_] std got {std}, expected >= 0")
    with no_grad():
        random.normal_(t, mean, std)
    return t


def constant_(t: Tensor, val: float) -> Tensor:
    """Fills with one value.

    Example:
        >>> nn.init.constant_(ct.empty((2,)), 0.5).tolist()
        [0.5, 0.5]
    """
    with no_grad():
        t.fill_(val)
    return t


def zeros_(t: Tensor) -> Tensor:
    """Fills with 0; `nn.init.zeros_(layer.bias)`."""
    return constant_(t, 0.0)


def ones_(t: Tensor) -> Tensor:
    """Fills with 1; `nn.init.ones_(norm.weight)`."""
    return constant_(t, 1.0)


def eye_(t: Tensor) -> Tensor:
    """Fills a matrix [N, M] with 1 on the diagonal and 0 elsewhere, so that a Linear keeps its input.

    Example:
        >>> nn.init.eye_(ct.empty((2, 3))).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    if t.ndim != 2:
        raise ValueError(f"[eye_] tensor has shape {list(t.shape)}, expected a matrix [N, M]")
    rows, columns = t.shape
    return _write(t, np.eye(rows, columns))


def _fans(name: str, t: Tensor) -> tuple[int, int]:
    """Inputs that reach one output and outputs that one input reaches, for a weight [O, I, *kernel]."""
    if t.ndim < 2:
        raise ValueError(
            f"[{name}] tensor has shape {list(t.shape)}, expected two dimensions or more (a weight [O, I, ...])"
        )
    kernel = math.prod(t.shape[2:])
    return t.shape[1] * kernel, t.shape[0] * kernel


def xavier_uniform_(t: Tensor, gain: float = 1.0) -> Tensor:
    """Fills with U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    Example:
        >>> t = nn.init.xavier_uniform_(ct.empty((30, 20)))
        >>> bool(abs(t).max() <= (6 / 50) ** 0.5)
        True
    """
    bound = gain * math.sqrt(6.0 / max(sum(_fans("xavier_uniform_", t)), 1))
    return uniform_(t, -bound, bound)


def xavier_normal_(t: Tensor, gain: float = 1.0) -> Tensor:
    """Fills with N(0, s^2), s = gain sqrt(2 / (fan_in + fan_out)).

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    Example:
        >>> nn.init.xavier_normal_(ct.empty((3, 2)), nn.init.calculate_gain("tanh")).shape
        (3, 2)
    """
    return normal_(t, 0.0, gain * math.sqrt(2.0 / max(sum(_fans("xavier_normal_", t)), 1)))


def _kaiming_std(name: str, t: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"[{name}] mode got {mode!r}, expected 'fan_in' or 'fan_out'")
    fan = _fans(name, t)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def kaiming_uniform_(t: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Fills with U(-b, b), b = gain(nonlinearity, a) sqrt(3 / fan).

    `mode="fan_in"` keeps the variance going forward, `"fan_out"` going backward; `a` is leaky_relu's slope.
    Source: He et al., "Delving Deep into Rectifiers", 2015.

    Example:
        >>> t = nn.init.kaiming_uniform_(ct.empty((10, 24)), nonlinearity="relu")
        >>> bool(abs(t).max() <= 0.5)
        True
    """
    bound = math.sqrt(3.0) * _kaiming_std("kaiming_uniform_", t, a, mode, nonlinearity)
    return uniform_(t, -bound, bound)


def kaiming_normal_(t: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Fills with N(0, s^2), s = gain(nonlinearity, a) / sqrt(fan); `mode` and `a` as in `kaiming_uniform_`.

    Source: He et al., "Delving Deep into Rectifiers", 2015.

    Example:
        >>> nn.init.kaiming_normal_(ct.empty((6, 1, 5, 5)), mode="fan_out", nonlinearity="relu").shape
        (6, 1, 5, 5)
    """
    return normal_(t, 0.0, _kaiming_std("kaiming_normal_", t, a, mode, nonlinearity))


def orthogonal_(t: Tensor, gain: float = 1.0) -> Tensor:
    """Fills with gain * Q, Q a random orthogonal matrix; dimensions after the first count as one.

    Q Q^T = I for O <= I, Q^T Q = I otherwise. The signs of R's diagonal go into Q, which makes it uniform.
    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear networks", 2013.

    Example:
        >>> q = nn.init.orthogonal_(ct.empty((3, 5)))
        >>> bool(abs(q @ q.T - ct.eye(3)).max() < 1e-5)
        True
    """
    if t.ndim < 2:
        raise ValueError(f"[orthogonal_] tensor has shape {list(t.shape)}, expected two dimensions or more")
    rows, columns = t.shape[0], math.prod(t.shape[1:])
    if rows * columns == 0:
        return t
    draws = random.normal(shape=(max(rows, columns), min(rows, columns)), dtype="float64").numpy()
    q, r = np.linalg.qr(draws)
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return _write(t, gain * (q if rows >= columns else q.T).reshape(t.shape))


def _truncated(count: int, low: float, high: float) -> np.ndarray:
    """`count` draws of N(0, 1) within [low, high], by rejection."""
    # Normal proposals suit an interval that holds much of the distribution, uniform ones any other: the density,
    # relative to its peak within the interval, is then the chance to accept. Further than 9 from the peak it is
    # below 1e-17 and left out, which also makes the interval finite.
    peak = min(max(0.0, low), high)
    low, high = max(low, peak - 9.0), min(high, peak + 9.0)
    share = 0.5 * (math.erf(high / math.sqrt(2.0)) - math.erf(low / math.sqrt(2.0)))
    drawn = np.empty(count)
    pending = np.arange(count)
    while pending.size:
        if share > 0.25:
            x = random.normal(shape=(pending.size,), dtype="float64").numpy()
            accepted = (x >= low) & (x <= high)
        else:
            x = random.uniform(low, high, shape=(pending.size,), dtype="float64").numpy()
            chance = random.uniform(shape=(pending.size,), dtype="float64").numpy()
            accepted = chance <= np.exp(0.5 * (peak * peak - x * x))
        drawn[pending[accepted]] = x[accepted]
        pending = pending[~accepted]
    return drawn


def trunc_normal_(t: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """Fills with N(mean, std^2) restricted to [a, b].

    Errors: ValueError unless std > 0 and a < b.

    Example:
        >>> t = nn.init.trunc_normal_(ct.empty((1000,)), std=0.02, a=-0.04, b=0.04)
        >>> bool(abs(t).max() <= 0.04)
        True
    """
    if not std > 0 or not a < b:
        raise ValueError(f"[trunc_normal_] got std {std}, a {a}, b {b}, expected std > 0 and a < b")
    values = mean + std * _truncated(t.size, (a - mean) / std, (b - mean) / std)
    # Rounding to the tensor's dtype may step over a bound that it cannot represent; the bound itself may not.
    return _write(t, np.clip(values, a, b).reshape(t.shape))


def small_normal_(t: Tensor) -> Tensor:
    """Fills with 0.02 * randn, the lecture's first choice for a small network.

    Example:
        >>> nn.init.small_normal_(ct.empty((100, 10))).shape
        (100, 10)
    """
    return normal_(t, 0.0, 0.02)


def scaled_normal_(t: Tensor, init_scale: float = 1.0) -> Tensor:
    """Fills a weight [O, I, ...] with init_scale / sqrt(layer_width) * randn, layer_width being its fan_in.

    `init_scale` is 0.1 or 1 or thereabouts; sqrt(2) gives He's initialisation for relu.

    Example:
        >>> nn.init.scaled_normal_(ct.empty((10, 100)), init_scale=0.1).shape
        (10, 100)
    """
    return normal_(t, 0.0, init_scale / math.sqrt(max(_fans("scaled_normal_", t)[0], 1)))
