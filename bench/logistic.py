"""The logistic regression of examples/logistic_regression.py: each run takes a hundred steps from zero weights."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

import cinta as ct
import cinta.numpy as cnp

INPUTS = [[0.52, 1.12, 0.77], [0.88, -1.08, 0.15], [0.52, 0.06, -1.30], [0.74, -2.49, 1.39]]
TARGETS = [True, True, False, True]
LR, STEPS = 0.01, 100


def loss(np: Any, weights: Any, inputs: Any, targets: Any) -> Any:
    """By cinta.numpy, jax.numpy or torch."""
    preds = 0.5 * (np.tanh(inputs @ weights) + 1)
    label_probabilities = preds * targets + (1 - preds) * (1 - targets)
    return -np.sum(np.log(label_probabilities))


def cinta(compiled: Callable[..., Any]) -> Callable[[], Any]:
    inputs, targets = cnp.array(INPUTS), cnp.array(TARGETS)

    def training_loss(weights):
        return loss(cnp, weights, inputs, targets)

    gradient = ct.grad(training_loss)

    @compiled
    def step(weights):
        weights -= gradient(weights) * LR

    def run():
        weights = cnp.zeros(3)
        for _ in range(STEPS):
            step(weights)
        return weights

    return run


def pytorch(compiled: Callable[..., Any]) -> Callable[[], torch.Tensor]:
    inputs, targets = torch.tensor(INPUTS, dtype=torch.float64), torch.tensor(TARGETS, dtype=torch.float64)
    training_loss = functools.partial(loss, torch, inputs=inputs, targets=targets)

    @compiled
    def step(weights):
        [gradient] = torch.autograd.grad(training_loss(weights), weights)
        with torch.no_grad():
            weights -= gradient * LR

    def run():
        weights = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        for _ in range(STEPS):
            step(weights)
        return weights

    return run
