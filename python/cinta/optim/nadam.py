"""NAdam: Adam that looks ahead along its momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinta._core import Tensor, full, nadam_step, zeros_like
from cinta.optim.checks import at_least_zero, rates
from cinta.optim.optimizer import Optimizer, Run


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: the step takes the momentum that the next gradient will find.

    g = grad + weight_decay p (grad negated for maximize); decoupled_weight_decay: p = p (1 - lr weight_decay) instead
    mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), M_t = mu_1 mu_2 ... mu_t
    m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2
    p = p - lr ((1 - mu_t) g / (1 - M_t) + mu_{t+1} m / (1 - M_{t+1})) / (sqrt(v / (1 - beta2^t)) + eps)

    Errors: ValueError for a negative option or a beta outside [0, 1).
    Source: Dozat, "Incorporating Nesterov Momentum into Adam", 2016.

    Example:
        >>> p = nn.Parameter(ct.tensor([1.0]))
        >>> opt = optim.NAdam([p], lr=0.25, betas=(0.0, 0.999))
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p.tolist()
        [0.75]
    """

    _scalars = ("mu_product",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize,
        )
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("NAdam", group, "lr", "eps", "weight_decay", "momentum_decay")
        rates("NAdam", group["betas"])

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", "mu_product")

    def _create(self, name: str, param: Tensor, group: dict[str, Any], entry: dict[str, Any]) -> Tensor:
        return full((), 1.0, dtype="float64") if name == "mu_product" else zeros_like(param)

    def _update(self, group: dict[str, Any], run: Run, grads: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        step, decay = run.steps + 1, group["momentum_decay"]
        nadam_step(
            run.params,
            grads,
            run.columns[0],
            run.columns[1],
            run.columns[2],
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            1.0 - beta2**step,
            beta1 * (1.0 - 0.5 * 0.96 ** (step * decay)),
            beta1 * (1.0 - 0.5 * 0.96 ** ((step + 1) * decay)),
            group["decoupled_weight_decay"],
            group["maximize"],
        )
