"""Predictions over several passes through a network whose layers draw anew in each."""

from __future__ import annotations

from typing import Any

from cinta._core import asarray, concat, random
from cinta._core import stack as stack_tensors
from cinta.autodiff import no_grad
from cinta.ensemble.prediction import Prediction, activation_of, parts_of
from cinta.nn.module import Module


def predictions_of(
    function: str,
    model: Module,
    layers: list[Module],
    x: Any,
    passes: int,
    seed: int | None,
    activation: str,
    batch_size: int,
) -> Prediction:
    """Mean and standard deviation over passes with `layers` in training mode, the rest of the model in evaluation."""
    transform = activation_of(activation, function)
    modes = [(module, module.training) for module in model.modules()]
    state = random.get_state()
    try:
        model.eval()
        for layer in layers:
            layer.training = True
        if seed is not None:
            random.seed(seed)
        parts = parts_of(asarray(x), batch_size, function)
        with no_grad():
            every = [concat([transform(model(part)) for part in parts]) for _ in range(passes)]
    finally:
        for module, mode in modes:
            module.training = mode
        if seed is not None:
            random.set_state(state)
    drawn = stack_tensors(every)
    return Prediction(drawn.mean(0), drawn.std(0))
