"""The functions that a Trainer calls for each batch, as one would write them by hand; recorded where that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cinta.nn.module import Module
from cinta.optim.accumulation import GradientAccumulation
from cinta.optim.clip import clip_grad_norm_
from cinta.optim.optimizer import Optimizer


def training_step(
    model: Any, optimizer: Optimizer, loss: Callable[..., Any], clip: float | None, outputs: bool
) -> Callable[[Any, Any], Any]:
    """One update for one batch; returns the loss, or with `outputs` (loss, the model's outputs)."""
    params = [param for group in optimizer.param_groups for param in group["params"]]

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        output = model(x)
        value = loss(output, y)
        value.backward()
        if clip is not None:
            clip_grad_norm_(params, clip)
        optimizer.step()
        return (value.detach(), _detached(output)) if outputs else value.detach()

    return step


def accumulated_step(
    model: Any, optimizer: Optimizer, loss: Callable[..., Any], clip: float | None, outputs: bool
) -> Callable[..., list[Any]]:
    """One update for several batches, `step(x1, y1, w1, x2, y2, w2, ...)` with how much each counts.

    Returns what `training_step` does, in a list.
    """
    params = [param for group in optimizer.param_groups for param in group["params"]]

    def step(*flat: Any) -> list[Any]:
        accumulation = GradientAccumulation(params)
        results = []
        for x, y, weight in zip(flat[::3], flat[1::3], flat[2::3]):
            output = model(x)
            value = loss(output, y)
            accumulation.backward(value, weight)
            results.append((value.detach(), _detached(output)) if outputs else value.detach())
        accumulation.average()
        if clip is not None:
            clip_grad_norm_(params, clip)
        optimizer.step()
        return results

    return step


def evaluation_step(model: Any, loss: Callable[..., Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Loss and outputs for one batch."""

    def step(x: Any, y: Any) -> tuple[Any, Any]:
        output = model(x)
        return loss(output, y), output

    return step


def prediction_step(model: Any) -> Callable[[Any], Any]:
    """Outputs for one batch."""

    def step(x: Any) -> Any:
        return model(x)

    return step


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode inside; after it every module is in the mode it was in."""
    modules = list(model.modules()) if isinstance(model, Module) else []
    training = [module for module in modules if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _detached(output: Any) -> Any:
    if isinstance(output, (tuple, list)):
        return tuple(map(_detached, output))
    if isinstance(output, dict):
        return {key: _detached(value) for key, value in output.items()}
    return output.detach()
