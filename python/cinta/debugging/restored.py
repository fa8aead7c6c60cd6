"""Trying something out on a network: afterwards everything is as it was before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff import no_grad
from cinta.nn.module import Module
from cinta.optim.optimizer import Optimizer


@contextmanager
def restored(model: Module, optimizer: Optimizer | None = None, loader: Any = None) -> Iterator[None]:
    """Restores parameters, buffers, gradients, modes, the optimizer's state and options, the loader's position and the
    stream of random numbers, whatever happened inside."""
    tensors = [*model.parameters(), *model.buffers()]
    params = list({id(p): p for p in (*tensors, *_params(optimizer))}.values())
    values = [(x, x.detach().clone()) for x in params]
    gradients = [(x, x.grad, None if x.grad is None else x.grad.detach().clone()) for x in params if x.requires_grad]
    modes = [(module, module.training) for module in model.modules()]
    state = _copied(optimizer.state_dict()) if optimizer is not None else {}
    position = loader.state_dict() if hasattr(loader, "state_dict") else None
    random = _core.random.get_state()
    try:
        yield
    finally:
        with no_grad():
            for x, value in values:
                x.data.copy_(value)
            for x, gradient, was in gradients:
                if isinstance(gradient, Tensor):
                    gradient.data.copy_(was)
                    x.grad = gradient
                else:  # none, or row-sparse
                    x.grad = was
        for module, mode in modes:
            module.training = mode
        if optimizer is not None:
            optimizer.load_state_dict(state)
        if position is not None:
            loader.load_state_dict(position)
        _core.random.set_state(random)


def _params(optimizer: Optimizer | None) -> list[Tensor]:
    return [param for group in optimizer.param_groups for param in group["params"]] if optimizer else []


def _copied(tree: Any) -> Any:
    if isinstance(tree, Tensor):
        return tree.detach().clone()
    if isinstance(tree, dict):
        return {key: _copied(value) for key, value in tree.items()}
    return [_copied(value) for value in tree] if isinstance(tree, list) else tree
