"""Adadelta: steps as long as the last ones, scaled by running means of squares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinta._core import Tensor, adadelta_step
from cinta.optim.checks import at_least_zero, share
from cinta.optim.optimizer import Optimizer, Run


class Adadelta(Optimizer):
    """Gradient descent whose steps have the size of the steps before them, with no learning rate to choose.

    g = grad + weight_decay p (grad negated for maximize)
    s = rho s + (1 - rho) g^2, d = sqrt(u + eps) / sqrt(s + eps) g
    u = rho u + (1 - rho) d^2, p = p - lr d

    Errors: ValueError for a negative option or rho outside [0, 1].
    Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.

    Example:
        >>> p = nn.Parameter(ct.tensor([1.0]))
        >>> opt = optim.Adadelta([p], rho=0.75, eps=1.0)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> round(p.item(), 4)
        -0.4142
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize))

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("Adadelta", group, "lr", "eps", "weight_decay")
        share("Adadelta", "rho", group["rho"])

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("square_avg", "acc_delta")

    def _update(self, group: dict[str, Any], run: Run, grads: list[Tensor]) -> None:
        adadelta_step(
            run.params,
            grads,
            run.columns[0],
            run.columns[1],
            group["lr"],
            group["rho"],
            group["eps"],
            group["weight_decay"],
            group["maximize"],
        )
