"""Adam and AdamW: steps scaled by running moments of the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinta._core import Tensor, adam_step
from cinta.optim.checks import at_least_zero, rates
from cinta.optim.optimizer import Optimizer, Run


class Adam(Optimizer):
    """Gradient descent scaled by running means of the gradient and of its square.

    g = grad + weight_decay p (grad negated for maximize)
    m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2
    p = p - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps), with amsgrad the largest v so far

    A row-sparse gradient (`nn.Embedding(..., sparse=True)`) gives the bits of the dense one; rows that never had a
    gradient are read but not written, the others move on by their moments. With `lazy` moments, weights and decay of a
    row wait until it has a gradient again: only those rows are touched, t counts all steps (as in PyTorch's
    SparseAdam); dense gradients go on as ever.

    Errors: ValueError for a negative option or a beta outside [0, 1).
    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2014; Reddi, Kale and Kumar, "On the
    Convergence of Adam and Beyond", 2018.

    Example:
        >>> p = nn.Parameter(ct.tensor([1.0]))
        >>> opt = optim.Adam([p], lr=0.25)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p.tolist()
        [0.75]
    """

    decoupled = False
    _takes_rows = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        lazy: bool = False,
    ) -> None:
        defaults = dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize, lazy=lazy
        )
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero(self._name, group, "lr", "eps", "weight_decay")
        rates(self._name, group["betas"])

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def _update(self, group: dict[str, Any], run: Run, grads: list[Tensor]) -> None:
        columns = run.columns
        beta1, beta2 = group["betas"]
        adam_step(
            run.params,
            grads,
            columns[0],
            columns[1],
            columns[2] if len(columns) == 3 else [],
            run.steps + 1,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            self.decoupled,
            group["maximize"],
            group["lazy"],
        )


class AdamW(Adam):
    """Adam with weight decay applied to the parameters directly, not through the gradient's moments.

    p = p (1 - lr weight_decay), then Adam's step with g = grad; row-sparse gradients and `lazy` as there

    Errors: ValueError for a negative option or a beta outside [0, 1).
    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2017.

    Example:
        >>> p = nn.Parameter(ct.tensor([1.0]))
        >>> opt = optim.AdamW([p], lr=0.25, weight_decay=0.0)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p.tolist()
        [0.75]
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        lazy: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, lazy=lazy)
