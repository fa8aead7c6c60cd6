"""Gradient accumulation: one large batch's gradient from several small ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinta._core import Tensor, where
from cinta.autodiff import no_grad


class GradientAccumulation:
    """The gradient of a batch that does not fit into memory, from parts of it, each weighted by what it averages over.

    g = sum_i weight_i g_i / sum_i weight_i, g_i the gradient of part i's loss, a mean over weight_i samples or tokens

    With parts of one size, `(loss / parts).backward()` is all it takes. With a shorter last part, or losses that
    average over valid tokens alone (`ignore_index`), that is not the whole batch's gradient; this is, to rounding,
    without knowing the sum of weights in advance. The first `backward` starts from no gradient. Batch norm sees parts.
    Errors: ValueError for a negative weight or an `average` of nothing.

    Example:
        >>> net = nn.Linear(4, 3)
        >>> opt = optim.SGD(net.parameters(), lr=0.1)
        >>> accumulation = optim.GradientAccumulation(net.parameters())
        >>> for labels in ([0, 2, -100], [1, -100, -100]):  # two tokens count in one part, one in the other
        ...     labels = ct.tensor(labels)
        ...     loss = nn.functional.cross_entropy(net(ct.ones((3, 4))), labels, ignore_index=-100)
        ...     accumulation.backward(loss, weight=(labels != -100).sum())
        >>> accumulation.average()
        >>> opt.step()
    """

    def __init__(self, params: Tensor | Iterable[Tensor]) -> None:
        self._params = [params] if isinstance(params, Tensor) else list(params)
        if not self._params:
            raise ValueError("[GradientAccumulation] params got no parameters, expected at least one")
        self._total: Any = None

    def backward(self, loss: Tensor, weight: Any = 1) -> None:
        """Adds the gradient of weight times loss; `weight`, a number or a tensor [], is what the loss averages over."""
        if not isinstance(weight, Tensor) and not weight >= 0:
            raise ValueError(f"[GradientAccumulation] weight got {weight}, expected a number >= 0")
        if isinstance(weight, Tensor):
            if weight.size != 1:
                raise ValueError(f"[GradientAccumulation] weight has shape {list(weight.shape)}, expected one number")
            weight = weight.detach().astype(loss.dtype)
        if self._total is None:
            for param in self._params:
                param.grad = None
            self._total = 0
        (loss * weight).backward()
        self._total = self._total + weight

    def average(self) -> None:
        """Divides the gradients by the sum of weights; then clip, step, and begin anew.

        A sum of 0 leaves them as they are: where no token counts, the gradient is 0.
        """
        if self._total is None:
            raise ValueError("[GradientAccumulation] average() got nothing, expected a backward() before")
        total, self._total = self._total, None
        if not isinstance(total, Tensor):
            total = total or 1
        with no_grad():
            for param in self._params:
                if param.grad is not None:
                    divisor = where(total == 0, 1, total).astype(param.dtype) if isinstance(total, Tensor) else total
                    param.grad /= divisor
