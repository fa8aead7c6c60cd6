"""Averaging passes: predictions with the pooling windows of fractional max pooling drawn anew in each."""

from __future__ import annotations

from typing import Any

from cinta.ensemble.passes import predictions_of
from cinta.ensemble.prediction import Prediction
from cinta.nn.layers.fractional_pooling import FractionalMaxPool2d
from cinta.nn.module import Module


def average_passes(
    model: Module,
    x: Any,
    passes: int = 12,
    seed: int | None = None,
    activation: str = "softmax",
    batch_size: int = 256,
) -> Prediction:
    """Mean and standard deviation of predictions over passes with fractional pooling's windows drawn anew in each.

    p_s = activation(f(x; windows_s)), mean = 1/S sum_s p_s, std = sqrt(1/S sum_s (p_s - mean)^2)
    x [B, ...]; p_s, mean, std [B, ...]

    Args:
        model: a network with `nn.FractionalMaxPool2d` layers; its modes are afterwards what they were, and all other
            layers are in evaluation mode.
        passes: S; the paper takes 1 to 12.
        seed: of the windows; `ct.random` then stays where it was. None draws on from there.
        activation: "softmax" over axis 1, "sigmoid" or "identity" (regression).
        batch_size: examples that go through the network at a time, each batch with windows of its own.

    Errors: ValueError for a model without fractional pooling, or fewer than one pass.
    Source: Graham, "Fractional Max-Pooling", 2014 (model averaging).

    Example:
        >>> net = nn.Sequential(nn.FractionalMaxPool2d(output_ratio=0.7), nn.Flatten(), nn.Linear(36, 3))
        >>> prediction = ct.ensemble.average_passes(net, ct.random.normal(shape=(2, 1, 9, 9)), passes=4, seed=0)
        >>> prediction.mean.shape, bool((prediction.std > 0).all())
        ((2, 3), True)
    """
    if passes < 1:
        raise ValueError(f"[average_passes] passes got {passes}, expected at least 1")
    layers: list[Module] = [module for module in model.modules() if isinstance(module, FractionalMaxPool2d)]
    if not layers:
        raise ValueError(f"[average_passes] {type(model).__name__} has no FractionalMaxPool2d, expected at least one")
    return predictions_of("average_passes", model, layers, x, passes, seed, activation, batch_size)
