"""Dropout: noise that keeps features from relying on each other."""

from __future__ import annotations

from cinta._core import Tensor, dropout, ones
from cinta.nn.module import Module

_SATURATED = -1.7580993408473766  # SELU of -inf: what AlphaDropout puts in the place of what it drops


class DropoutLayer(Module):
    """What all dropout layers share: a probability, and that they act in training only."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"[{type(self).__name__}] p got {p}, expected a probability in [0, 1]")
        self.p = p

    def extra_repr(self) -> str:
        return f"{self.p:g}"


class Dropout(DropoutLayer):
    """Zeroes each element with probability p while training, and scales the rest up to keep the mean.

    y = x m / (1 - p), m ~ Bernoulli(1 - p) per element; y = x in evaluation. x, y [...]

    This is "inverted" dropout: dividing in training saves multiplying by 1 - p at test time, as the paper does.
    Errors: ValueError where p is outside [0, 1].
    Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.

    Example:
        >>> sorted(set(nn.Dropout(0.5)(ct.ones((100,))).tolist()))
        [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, self.training)


class _ChannelDropout(DropoutLayer):
    ndim: int
    layout: str

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in (self.ndim, self.ndim - 1):
            raise ValueError(f"input has shape {list(x.shape)}, expected {self.layout}")
        if not self.training or self.p == 0:
            return x
        channels = x.shape[: x.ndim - self.ndim + 2]
        return x * dropout(ones((*channels, *[1] * (self.ndim - 2)), dtype=x.dtype), self.p, True)


class Dropout1d(_ChannelDropout):
    """Zeroes whole channels of sequences with probability p while training: neighbours in a channel are alike.

    y = x m / (1 - p), m ~ Bernoulli(1 - p) per channel; y = x in evaluation. x, y [N, C, L] or [C, L]

    Errors: ValueError where p is outside [0, 1], or for another rank.
    Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.

    Example:
        >>> y = nn.Dropout1d(0.5)(ct.ones((1, 3, 4)))
        >>> [len(set(channel)) for channel in y[0].tolist()]
        [1, 1, 1]
    """

    ndim = 3
    layout = "[N, C, L] or [C, L]"


class Dropout2d(_ChannelDropout):
    """Zeroes whole channels of images with probability p while training: neighbouring pixels are alike.

    y = x m / (1 - p), m ~ Bernoulli(1 - p) per channel; y = x in evaluation. x, y [N, C, H, W] or [C, H, W]

    Errors: ValueError where p is outside [0, 1], or for another rank.
    Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.

    Example:
        >>> y = nn.Dropout2d(0.5)(ct.ones((2, 6, 5, 5)))
        >>> sorted(set(y.sum((2, 3)).flatten().tolist())) in ([0.0], [50.0], [0.0, 50.0])
        True
    """

    ndim = 4
    layout = "[N, C, H, W] or [C, H, W]"


class AlphaDropout(DropoutLayer):
    """Dropout that keeps mean 0 and variance 1, for networks of SELU: what it drops becomes SELU's lowest value.

    y = a (x m + s (1 - m)) + b, m ~ Bernoulli(1 - p) per element, s = -1.7581,
    a = ((1 - p) (1 + p s^2))^(-1/2), b = -a p s; y = x in evaluation. x, y [...]

    Errors: ValueError where p is outside [0, 1].
    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017.

    Example:
        >>> y = nn.AlphaDropout(0.2)(ct.random.normal(shape=(10000,)))
        >>> abs(y.mean().item()) < 0.05, abs(y.std().item() - 1) < 0.05
        (True, True)
    """

    def forward(self, x: Tensor) -> Tensor:
        p, s = self.p, _SATURATED
        if not self.training or p == 0:
            return x
        if p == 1:
            return x * 0.0
        a = ((1 - p) * (1 + p * s * s)) ** -0.5
        kept = dropout(ones(x.shape, dtype=x.dtype), p, True) * (1 - p)
        return (x * kept + (1 - kept) * s) * a - a * p * s
