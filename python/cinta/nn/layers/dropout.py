"""Dropout: noise that keeps features from relying on each other."""

from __future__ import annotations

from cinta._core import Tensor, dropout, ones
from cinta.nn.module import Module


class Dropout(Module):
    """Zeroes each element with probability p while training, and scales the rest up to keep the mean.

    y = x m / (1 - p), m ~ Bernoulli(1 - p) per element; y = x in evaluation. x, y [...]

    Errors: ValueError where p is outside [0, 1].
    Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.

    Example:
        >>> sorted(set(nn.Dropout(0.5)(ct.ones((100,))).tolist()))
        [0.0, 2.0]
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"[Dropout] p got {p}, expected a probability in [0, 1]")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"{self.p:g}"


class VariationalDropout(Module):
    """Zeroes the same features at every step of a sequence, for each sequence others, and scales the rest up.

    y_t = x_t m / (1 - p), m ~ Bernoulli(1 - p) per sequence and feature; y = x in evaluation
    x, y [T, B, F], [B, T, F] with batch_first, [T, F] for one sequence

    Before and behind recurrent layers; on their recurrent connections `nn.LSTM(recurrent_dropout=...)` does the same.
    Errors: ValueError where p is outside [0, 1] or x has another rank.
    Source: Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", 2016.

    Example:
        >>> y = nn.VariationalDropout(0.5)(ct.ones((7, 2, 100)))
        >>> bool((y == y[0]).all()), sorted(set(y.reshape(-1).tolist()))
        (True, [0.0, 2.0])
    """

    def __init__(self, p: float = 0.5, batch_first: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"[VariationalDropout] p got {p}, expected a probability in [0, 1]")
        self.p, self.batch_first = p, bool(batch_first)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in (2, 3):
            layout = "[B,T,F]" if self.batch_first else "[T,B,F]"
            raise ValueError(f"[VariationalDropout] input has shape {list(x.shape)}, expected {layout} or [T,F]")
        if not self.training or self.p == 0:
            return x
        shape = list(x.shape)
        shape[1 if self.batch_first and x.ndim == 3 else 0] = 1
        return x * dropout(ones(shape, dtype=x.dtype), self.p)

    def extra_repr(self) -> str:
        return f"{self.p:g}" + (", batch_first=True" if self.batch_first else "")
