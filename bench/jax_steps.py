"""JAX's side of compiled.py: pure steps under `jax.jit`, whose state is donated."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable
from timeit import Timer
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jax_nn
import logistic
import training


class Dispatched(Timer):
    """Counts until what the steps have dispatched is done."""

    def __init__(self, step: Callable[[], Any]) -> None:
        super().__init__(step)
        self.step = step

    def timeit(self, number: int = 1) -> float:
        start = time.perf_counter()
        for _ in itertools.repeat(None, number):
            last = self.step()
        jax.block_until_ready(last)
        return time.perf_counter() - start


def training_step(network: training.Network, weights, batches, images: str) -> training.Step:
    """A step on the next batch; `images`: NCHW or NHWC."""
    model = network.build(jax_nn)
    parameters, buffers = jax_nn.load(model, weights, images)
    loss_of = getattr(jax_nn, network.loss)

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(parameters, velocity, buffers, x, y):
        def loss(parameters):
            prediction, after = jax_nn.apply(model, parameters, buffers, x)
            return loss_of(prediction, y), after

        (value, after), gradients = jax.value_and_grad(loss, has_aux=True)(parameters)
        velocity = jax.tree.map(lambda v, g: training.MOMENTUM * v + g, velocity, gradients)
        parameters = jax.tree.map(lambda p, v: p - training.LR * v, parameters, velocity)
        return value, parameters, velocity, after

    def arranged(array: np.ndarray) -> jax.Array:
        if array.ndim == 4 and images == "NHWC":
            array = array.transpose(0, 2, 3, 1)
        return jnp.array(array)

    forever = itertools.cycle([(arranged(x), arranged(y)) for x, y in batches])
    state = (parameters, jax.tree.map(jnp.zeros_like, parameters), buffers)

    def on_next():
        nonlocal state
        loss, *state = step(*state, *next(forever))
        return loss

    return on_next


def training_steps(network: training.Network, weights, batches) -> dict[str, training.Step]:
    orders = ("NCHW", "NHWC") if batches[0][0].ndim == 4 else ("NCHW",)
    return {order if len(orders) > 1 else "": training_step(network, weights, batches, order) for order in orders}


def regression() -> Callable[[], jax.Array]:
    inputs, targets = jnp.array(logistic.INPUTS), jnp.array(logistic.TARGETS)
    gradient = jax.grad(lambda weights: logistic.loss(jnp, weights, inputs, targets))

    @functools.partial(jax.jit, donate_argnums=0)
    def step(weights):
        return weights - gradient(weights) * logistic.LR

    start = np.zeros(3, np.float32)

    def run():
        weights = jnp.array(start)
        for _ in range(logistic.STEPS):
            weights = step(weights)
        return weights

    return run
