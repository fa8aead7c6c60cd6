"""Monte-Carlo dropout: predictions with dropout left on, and their spread."""

from __future__ import annotations

from typing import Any

from cinta.ensemble.passes import predictions_of
from cinta.ensemble.prediction import Prediction
from cinta.nn.layers.dropout import DropoutLayer
from cinta.nn.module import Module


def mc_dropout(
    model: Module,
    x: Any,
    samples: int = 30,
    seed: int | None = None,
    activation: str = "softmax",
    batch_size: int = 256,
) -> Prediction:
    """Mean and standard deviation of predictions over passes with dropout on, all else in evaluation mode.

    p_s = activation(f(x; masks_s)), mean = 1/S sum_s p_s, std = sqrt(1/S sum_s (p_s - mean)^2)
    x [B, ...]; p_s, mean, std [B, ...]

    Args:
        model: a network with dropout layers; its modes are afterwards what they were.
        samples: S, the passes.
        seed: of the masks; `ct.random` then stays where it was. None draws on from there.
        activation: "softmax" over axis 1, "sigmoid" or "identity" (regression).
        batch_size: examples that go through the network at a time.

    Errors: ValueError for a model without dropout layers, or fewer than one sample.
    Source: Gal and Ghahramani, "Dropout as a Bayesian Approximation", 2016.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3))
        >>> prediction = ct.mc_dropout(net, ct.ones((2, 4)), samples=10, seed=0)
        >>> prediction.mean.shape, bool((prediction.std > 0).all())
        ((2, 3), True)
    """
    if samples < 1:
        raise ValueError(f"[mc_dropout] samples got {samples}, expected at least 1")
    layers: list[Module] = [module for module in model.modules() if isinstance(module, DropoutLayer)]
    if not layers:
        raise ValueError(f"[mc_dropout] {type(model).__name__} has no dropout layers, expected at least one")
    return predictions_of("mc_dropout", model, layers, x, samples, seed, activation, batch_size)
