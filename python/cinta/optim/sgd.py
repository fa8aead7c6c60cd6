"""SGD: stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinta._core import Tensor, sgd_step
from cinta.optim.checks import at_least_zero
from cinta.optim.optimizer import Optimizer, Run


class SGD(Optimizer):
    """Gradient descent with momentum, Nesterov's look ahead and weight decay.

    g = grad + weight_decay p (grad negated for maximize)
    v = momentum v + (1 - dampening) g, in the first step v = g
    p = p - lr v, with nesterov p = p - lr (g + momentum v), without momentum p = p - lr g

    A row-sparse gradient (`nn.Embedding(..., sparse=True)`) gives the bits of the dense one. Without momentum, decay
    and maximize only its rows are touched; else the rows that still have a velocity, or decay, are gone over too. With
    `lazy` momentum and decay wait until a row has a gradient again, and no other row is touched; dense gradients go on
    as ever.

    Errors: ValueError for a negative option, or nesterov without momentum or with dampening.
    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.

    Example:
        >>> p = nn.Parameter(ct.tensor([1.0]))
        >>> opt = optim.SGD([p], lr=0.5)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p.tolist()
        [0.0]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        lazy: bool = False,
    ) -> None:
        defaults = dict(
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
            lazy=lazy,
        )
        super().__init__(params, defaults)

    _takes_rows = True

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("SGD", group, "lr", "momentum", "weight_decay")
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError("[SGD] nesterov got momentum 0 or a dampening, expected momentum > 0 and dampening 0")

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def _create(self, name: str, param: Tensor, group: dict[str, Any], entry: dict[str, Any]) -> Tensor:
        entry["step"] = 0  # the velocity's first step, also where momentum is switched on later
        return super()._create(name, param, group, entry)

    def _update(self, group: dict[str, Any], run: Run, grads: list[Tensor]) -> None:
        sgd_step(
            run.params,
            grads,
            run.columns[0] if run.columns else [],
            group["lr"],
            group["momentum"],
            group["dampening"],
            group["weight_decay"],
            group["nesterov"],
            group["maximize"],
            run.steps == 0,
            group["lazy"],
        )
