"""Lion: steps of one size, by the sign of the momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinta._core import Tensor, lion_step
from cinta.optim.checks import at_least_zero, rates
from cinta.optim.optimizer import Optimizer, Run


class Lion(Optimizer):
    """Every weight moves by lr, in the direction of the sign of an interpolated momentum; half the state of Adam.

    g = grad (negated for maximize), c = sign(beta1 m + (1 - beta1) g)
    p = p (1 - lr weight_decay) - lr c, m = beta2 m + (1 - beta2) g

    Its steps are as long as lr says whatever the gradient, so lr is 3 to 10 times smaller than AdamW's and
    weight_decay as many times larger.
    Errors: ValueError for a negative option or a beta outside [0, 1).
    Source: Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023.

    Example:
        >>> p = nn.Parameter(ct.tensor([1.0]))
        >>> opt = optim.Lion([p], lr=0.25)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p.tolist()
        [0.75]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay, maximize=maximize))

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("Lion", group, "lr", "weight_decay")
        rates("Lion", group["betas"])

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg",)

    def _update(self, group: dict[str, Any], run: Run, grads: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        lion_step(
            run.params, grads, run.columns[0], group["lr"], beta1, beta2, group["weight_decay"], group["maximize"]
        )
