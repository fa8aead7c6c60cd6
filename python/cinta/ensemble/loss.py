"""EnsembleLoss: every member's own loss, added up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cinta import nn
from cinta._core import Tensor, asarray, broadcast_to, stack
from cinta.nn.module import Module

_CLASSES: dict[Any, str] = {
    nn.BCELoss: "binary_cross_entropy",
    nn.BCEWithLogitsLoss: "binary_cross_entropy_with_logits",
    nn.CrossEntropyLoss: "cross_entropy",
    nn.HingeLoss: "hinge_loss",
    nn.HuberLoss: "huber_loss",
    nn.KLDivLoss: "kl_div",
    nn.L1Loss: "l1_loss",
    nn.MSELoss: "mse_loss",
    nn.MultiMarginLoss: "multi_margin_loss",
    nn.NLLLoss: "nll_loss",
    nn.SmoothL1Loss: "smooth_l1_loss",
}
_FUNCTIONS = {getattr(nn.functional, name) for name in _CLASSES.values()}


class EnsembleLoss(Module):
    """The sum of the members' losses: its gradient gives each member what its loss alone would give.

    L = sum_n loss(y_n, t_n), y [N, B, ...], t [B, ...] for all or [N, B, ...] with `each`

    Args:
        loss: a function or module of (output, target), such as `nn.functional.cross_entropy`.
        reduction: "sum", or "none" for the N losses by themselves.

    This library's losses run once on all members' examples; others run once for each member.

    Example:
        >>> loss_of = ct.ensemble.EnsembleLoss(nn.functional.mse_loss, reduction="none")
        >>> loss_of(ct.tensor([[[1.0], [2.0]], [[0.0], [0.0]]]), ct.zeros((2, 1))).tolist()
        [2.5, 0.0]
    """

    def __init__(self, loss: Callable[[Any, Any], Any], reduction: str = "sum") -> None:
        super().__init__()
        if not callable(loss):
            raise TypeError(f"[EnsembleLoss] loss got a {type(loss).__name__}, expected a function (output, target)")
        if reduction not in ("sum", "none"):
            raise ValueError(f"[EnsembleLoss] reduction got {reduction!r}, expected 'sum' or 'none'")
        self.loss: Any = loss
        self.reduction = reduction

    def forward(self, y: Tensor, target: Any, each: bool = False) -> Tensor:
        target = asarray(target)
        count = y.shape[0]
        if each and target.shape[:1] != y.shape[:1]:
            raise ValueError(f"target has shape {list(target.shape)}, expected [{count}, ...] for each=True")
        mean = self._mean()
        if self.reduction == "sum" and (mean == "examples" or (mean and not each)):
            # All members have as many examples (or the same targets) to divide by, so theirs is the mean over all.
            targets = target if each else broadcast_to(target, (count, *target.shape))
            total: Tensor = self.loss(_merged(y), _merged(targets)) * float(count)
            return total
        every = stack([self.loss(y[n], target[n] if each else target) for n in range(count)])
        return every.sum() if self.reduction == "sum" else every

    def _mean(self) -> str:
        """What the loss is known to be a mean over: "examples", "targets" that count (some may be ignored), or ""."""
        name = _CLASSES.get(type(self.loss)) or (self.loss in _FUNCTIONS and self.loss.__name__)
        if not name or getattr(self.loss, "reduction", "mean") not in ("mean", "batchmean"):
            return ""
        return "targets" if name in ("cross_entropy", "nll_loss") else "examples"


def _merged(x: Tensor) -> Tensor:
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])
