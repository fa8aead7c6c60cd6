"""Rprop: a step size for every weight, by the signs of its gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinta._core import Tensor, full_like, rprop_step, zeros_like
from cinta.optim.checks import at_least_zero, pair
from cinta.optim.optimizer import Optimizer, Run


class Rprop(Optimizer):
    """Every weight has a step size, which grows while its gradient keeps its sign and shrinks when the sign turns.

    g = grad (negated for maximize), q = g g_before
    d = d etas[1] where q > 0, d etas[0] where q < 0, kept within step_sizes, starting from lr
    g = 0 where q < 0, p = p - d sign(g), g_before = g

    For gradients of the whole data set: noise turns signs.
    Errors: ValueError for a negative option, or etas other than 0 < etas[0] < 1 < etas[1].
    Source: Riedmiller and Braun, "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm",
    1993.

    Example:
        >>> p = nn.Parameter(ct.tensor([1.0]))
        >>> opt = optim.Rprop([p], lr=0.25)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p.tolist()
        [0.75]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, etas=etas, step_sizes=step_sizes, maximize=maximize))

    def _check(self, group: dict[str, Any]) -> None:
        at_least_zero("Rprop", group, "lr")
        shrink, grow = pair("Rprop", "etas", group["etas"])
        least, most = pair("Rprop", "step_sizes", group["step_sizes"])
        if not 0 < shrink < 1 < grow:
            raise ValueError(f"[Rprop] etas got {group['etas']!r}, expected 0 < etas[0] < 1 < etas[1]")
        if not 0 <= least <= most:
            raise ValueError(f"[Rprop] step_sizes got {group['step_sizes']!r}, expected 0 <= least <= most")

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("prev", "step_size")

    def _create(self, name: str, param: Tensor, group: dict[str, Any], entry: dict[str, Any]) -> Tensor:
        return full_like(param, group["lr"]) if name == "step_size" else zeros_like(param)

    def _update(self, group: dict[str, Any], run: Run, grads: list[Tensor]) -> None:
        before, sizes = run.columns
        (shrink, grow), (least, most) = group["etas"], group["step_sizes"]
        rprop_step(run.params, grads, before, sizes, shrink, grow, least, most, group["maximize"])
