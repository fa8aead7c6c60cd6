"""Adamax: Adam that scales by the largest gradient, not by the mean square."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinta._core import Tensor, adamax_step
from cinta.optim.checks import at_least_zero, rates
from cinta.optim.optimizer import Optimizer, Run


class Adamax(Optimizer):
    """Gradient descent along a running mean of the gradient, scaled by a slowly forgotten maximum of its size.

    g = grad + weight_decay p (grad negated for maximize)
    m = beta1 m + (1 - beta1) g, u = max(beta2 u, |g| + eps)
    p = p - lr / (1 - beta1^t) m / u

    Errors: ValueError for a negative option or a beta outside [0, 1).
    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", section 7.1, 2014.

    Example:
        >>> p = nn.Parameter(ct.tensor([1.0]))
        >>> opt = optim.Adamax([p], lr=0.25)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> round(p.item(), 4)
        0.75
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize))

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("Adamax", group, "lr", "eps", "weight_decay")
        rates("Adamax", group["betas"])

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_inf")

    def _update(self, group: dict[str, Any], run: Run, grads: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        adamax_step(
            run.params,
            grads,
            run.columns[0],
            run.columns[1],
            run.steps + 1,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
