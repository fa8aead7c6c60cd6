"""RMSprop: steps scaled by a running mean of the squared gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinta._core import Tensor, rmsprop_step
from cinta.optim.checks import at_least_zero, below_one
from cinta.optim.optimizer import Optimizer, Run


class RMSprop(Optimizer):
    """Gradient descent scaled by a running mean of the squared gradient.

    g = grad + weight_decay p (grad negated for maximize)
    s = alpha s + (1 - alpha) g^2, d = g / (sqrt(s) + eps)
    centered: m = alpha m + (1 - alpha) g, d = g / (sqrt(s - m^2) + eps)
    p = p - lr d, with momentum b = momentum b + d, p = p - lr b

    Errors: ValueError for a negative option or alpha outside [0, 1).
    Source: Hinton, "Neural Networks for Machine Learning", lecture 6e, 2012; centered: Graves, "Generating Sequences
    With Recurrent Neural Networks", 2013.

    Example:
        >>> p = nn.Parameter(ct.tensor([1.0]))
        >>> opt = optim.RMSprop([p], lr=0.025)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> round(p.item(), 4)
        0.75
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = dict(
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
            maximize=maximize,
        )
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("RMSprop", group, "lr", "eps", "weight_decay", "momentum")
        below_one("RMSprop", "alpha", group["alpha"])

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        if group["momentum"]:
            return (
                ("square_avg", "momentum_buffer", "grad_avg")
                if group["centered"]
                else ("square_avg", "momentum_buffer")
            )
        return ("square_avg", "grad_avg") if group["centered"] else ("square_avg",)

    def _update(self, group: dict[str, Any], run: Run, grads: list[Tensor]) -> None:
        columns = run.columns
        rmsprop_step(
            run.params,
            grads,
            columns[0],
            columns[1] if group["momentum"] else [],
            columns[-1] if group["centered"] else [],
            group["lr"],
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            group["momentum"],
            group["maximize"],
        )
