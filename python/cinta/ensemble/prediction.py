"""What is averaged over members or samples, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cinta._core import Tensor, sigmoid, softmax

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda y: softmax(y, axis=1),
    "sigmoid": sigmoid,
    "identity": lambda y: y,
}


class Prediction(NamedTuple):
    """A prediction and how far the members, or the samples, lie around it.

    mean = 1/N sum_n p[n], std = sqrt(1/N sum_n (p[n] - mean)^2); p [N, B, ...], mean, std [B, ...]

    Example:
        >>> ensemble = ct.Ensemble(lambda: nn.Linear(4, 3), members=5)
        >>> mean, std = ensemble.predict(ct.ones((2, 4)), return_std=True)
        >>> mean.shape, std.shape
        ((2, 3), (2, 3))
    """

    mean: Tensor
    std: Tensor


def activation_of(name: Any, where: str) -> Callable[[Tensor], Tensor]:
    """From a network's output [B, C, ...] to what is averaged."""
    if name not in ACTIVATIONS:
        raise ValueError(f"[{where}] activation got {name!r}, expected one of {list(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def parts_of(x: Any, size: int, where: str) -> list[Any]:
    """The examples in parts of at most `size`."""
    if size < 1:
        raise ValueError(f"[{where}] batch_size got {size}, expected at least 1")
    return [x[start : start + size] for start in range(0, max(len(x), 1), size)]
