"""Dropout: noise that keeps features from relying on each other."""

from __future__ import annotations

from cinta._core import Tensor, dropout
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
