"""LambdaLR: rates by a function of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

from cinta.optim.lr_scheduler.checks import per_group
from cinta.optim.lr_scheduler.scheduler import LRScheduler
from cinta.optim.optimizer import Optimizer


class LambdaLR(LRScheduler):
    """Multiplies the first learning rate by a function of the epoch, one for all groups or one for each.

    lr_t = lr_0 lr_lambda(t)

    Functions are not part of the state. Callable objects are, by their attributes; where those are plain values and
    arrays, `ct.save` can write them. `state_dict()["lr_lambdas"]` says None for what is not kept.
    Errors: TypeError for something that cannot be called; ValueError for another number of functions than groups.

    Example:
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.LambdaLR(opt, lambda epoch: 1 / (1 + epoch))
        >>> opt.step(), scheduler.step()
        (None, None)
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = len(optimizer.param_groups) if isinstance(optimizer, Optimizer) else 1
        self.lr_lambdas = per_group("LambdaLR", "lr_lambda", lr_lambda, groups)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(
                    f"[LambdaLR] lr_lambda got a {type(function).__name__}, expected a function of the epoch"
                )
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The first rates times what the functions say of this epoch."""
        return [base * function(self.last_epoch) for function, base in zip(self.lr_lambdas, self.base_lrs)]

    def state_dict(self) -> dict[str, Any]:
        """Position, and the attributes of callable objects; None for functions, which are not kept."""
        kept = [None if isinstance(f, FunctionType) else dict(getattr(f, "__dict__", {})) for f in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": kept}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a `state_dict`; the functions themselves stay those given to the constructor.

        Errors: ValueError naming what is missing or unknown, or where functions and objects are exchanged.
        """
        super().load_state_dict(state_dict)
        for function, attributes in zip(self.lr_lambdas, state_dict["lr_lambdas"]):
            if attributes is not None:
                function.__dict__.update(attributes)

    def _loaded(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        loaded, given, mine = super()._loaded(state_dict), state_dict["lr_lambdas"], self.state_dict()["lr_lambdas"]
        kinds = [None if entry is None else "attributes" for entry in mine]
        if not isinstance(given, (list, tuple)) or kinds != [
            "attributes" if isinstance(entry, Mapping) else entry for entry in given
        ]:
            raise ValueError(f"[LambdaLR] state 'lr_lambdas' got {given!r:.60}, expected {kinds}, as it was made")
        return loaded
