"""RAdam: Adam that warms up by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinta._core import Tensor, radam_step
from cinta.optim.checks import at_least_zero, rates
from cinta.optim.optimizer import Optimizer, Run


def rectification(beta2: float, step: int) -> float:
    """What the variance of Adam's step size asks for after so many steps; 0 where too few gradients were seen."""
    longest = 2.0 / (1.0 - beta2) - 1.0
    length = longest - 2.0 * step * beta2**step / (1.0 - beta2**step)
    if length <= 5.0:
        return 0.0
    return float(((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) ** 0.5)


class RAdam(Optimizer):
    """Adam whose first steps, when nothing is known of the gradient's variance, are those of plain momentum.

    g = grad + weight_decay p (grad negated for maximize); decoupled_weight_decay: p = p (1 - lr weight_decay) instead
    m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, n = 2 / (1 - beta2) - 1
    k = n - 2 t beta2^t / (1 - beta2^t), r^2 = (k - 4) (k - 2) n / ((n - 4) (n - 2) k)
    p = p - lr r m / (1 - beta1^t) sqrt(1 - beta2^t) / (sqrt(v) + eps) where k > 5, p = p - lr m / (1 - beta1^t) before

    Errors: ValueError for a negative option or a beta outside [0, 1).
    Source: Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2019.

    Example:
        >>> p = nn.Parameter(ct.tensor([1.0]))
        >>> opt = optim.RAdam([p], lr=0.25)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> round(p.item(), 4)
        0.5
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize,
        )
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("RAdam", group, "lr", "eps", "weight_decay")
        rates("RAdam", group["betas"])

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _update(self, group: dict[str, Any], run: Run, grads: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        step = run.steps + 1
        radam_step(
            run.params,
            grads,
            run.columns[0],
            run.columns[1],
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            1.0 - beta1**step,
            1.0 - beta2**step,
            rectification(beta2, step),
            group["decoupled_weight_decay"],
            group["maximize"],
        )
