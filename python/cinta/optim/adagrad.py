"""Adagrad: steps scaled by the sum of squared gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinta._core import Tensor, adagrad_step, full_like
from cinta.optim.checks import at_least_zero
from cinta.optim.optimizer import Optimizer, Run


class Adagrad(Optimizer):
    """Gradient descent scaled by the sum of all squared gradients so far.

    g = grad + weight_decay p (grad negated for maximize)
    s = s + g^2, starting from initial_accumulator_value
    p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    Errors: ValueError for a negative option.
    Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
    2011.

    Example:
        >>> p = nn.Parameter(ct.tensor([1.0]))
        >>> opt = optim.Adagrad([p], lr=0.25)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p.tolist()
        [0.75]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = dict(
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
            maximize=maximize,
        )
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("Adagrad", group, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("sum",)

    def _create(self, name: str, param: Tensor, group: dict[str, Any], entry: dict[str, Any]) -> Tensor:
        return full_like(param, group["initial_accumulator_value"])

    def _update(self, group: dict[str, Any], run: Run, grads: list[Tensor]) -> None:
        adagrad_step(
            run.params,
            grads,
            run.columns[0],
            group["lr"] / (1.0 + run.steps * group["lr_decay"]),
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
