"""ReduceLROnPlateau: a rate that is divided when the validation metric stalls, with the best weights put back."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from cinta._core import Tensor
from cinta.optim.checks import outside_recording
from cinta.optim.lr_scheduler.checks import fitted, integer, number, one_of, per_group
from cinta.optim.lr_scheduler.scheduler import LRScheduler
from cinta.optim.optimizer import Optimizer
from cinta.optim.state import as_tensor

if TYPE_CHECKING:
    from cinta.nn import Module

# What the state has beside PyTorch's.
_OWN = ("max_divisions", "divisions", "stopped", "best_weights", "best_optimizer")


class ReduceLROnPlateau(LRScheduler):
    """Divides the learning rate when the metric has not improved for more than `patience` epochs.

    better, mode "min": m < best (1 - threshold), "abs": m < best - threshold; mode "max": m > best (1 + threshold), ...
    on a plateau: lr = max(factor lr, min_lr), then `cooldown` epochs that do not count

    The advice of practice: when progress on the validation set stops, divide the rate by 2 (factor=0.5) or by 5
    (factor=0.2) and keep going; when it has become very small, stop. With `model`, its weights and buffers at the best
    metric are copied, and put back before going on at the smaller rate; with `restore_optimizer` the optimizer's state
    too. After `max_divisions`, the next plateau puts the best weights back and sets `stopped`: time to leave the loop.
    (`max_divisions=0` is early stopping at a constant rate.) The copies are part of the state.
    Errors: ValueError for options out of range; TypeError for a step without metric.
    Source: Sutskever, "Deep Learning", practical advice, 2013; arguments as in PyTorch.

    Example:
        >>> net = nn.Linear(1, 1)
        >>> opt = optim.SGD(net.parameters(), lr=1.0)
        >>> plateau = optim.lr_scheduler.ReduceLROnPlateau(opt, factor=0.5, patience=1, model=net, max_divisions=1)
        >>> for loss in [3.0, 2.0, 2.5, 2.5, 2.2, 2.1]:
        ...     plateau.step(loss)
        ...     print(opt.param_groups[0]["lr"], plateau.stopped)
        1.0 False
        1.0 False
        1.0 False
        0.5 False
        0.5 False
        0.5 True
    """

    _options = (
        *("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps", "default_min_lr", "min_lrs"),
        *("mode_worse", "best", "cooldown_counter", "num_bad_epochs", "last_epoch", "_last_lr"),
    )

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
        *,
        model: Module | None = None,
        restore_optimizer: bool = False,
        max_divisions: int | None = None,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"[{self._name}] optimizer got a {type(optimizer).__name__}, expected an Optimizer")
        if model is not None and not hasattr(model, "load_state_dict"):
            raise TypeError(f"[{self._name}] model got a {type(model).__name__}, expected a Module")
        self.optimizer, self.model, self.restore_optimizer = optimizer, model, restore_optimizer
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode, self.eps = threshold, threshold_mode, eps
        self.max_divisions = max_divisions
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.min_lrs = per_group(self._name, "min_lr", min_lr, len(optimizer.param_groups))
        self._check()
        self.mode_worse = inf if mode == "min" else -inf
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self._start()

    def _check(self) -> None:
        name = self._name
        one_of(name, "mode", self.mode, ("min", "max"))
        one_of(name, "threshold_mode", self.threshold_mode, ("rel", "abs"))
        number(name, "factor", self.factor)
        if self.factor >= 1:
            raise ValueError(f"[{name}] factor got {self.factor}, expected a number below 1 (0.5 divides by 2)")
        integer(name, "patience", self.patience, 0)
        integer(name, "cooldown", self.cooldown, 0)
        number(name, "threshold", self.threshold)
        number(name, "eps", self.eps)
        for least in self.min_lrs:
            number(name, "min_lr", least)
        if self.max_divisions is not None:
            integer(name, "max_divisions", self.max_divisions, 0)

    def _start(self, last_epoch: int = -1) -> None:
        self.last_epoch = self.cooldown_counter = self.num_bad_epochs = self.divisions = 0
        self.best = self.mode_worse
        self.stopped = False
        self.best_weights: dict[str, Tensor] | None = None
        self.best_optimizer: dict[int, dict[str, Any]] | None = None
        self._last_lr = self._rates()

    # Steps

    def step(self, metric: Any = None) -> None:
        """Looks at the validation metric of the epoch that ended."""
        self._ready(metric)
        current = float(metric)
        self.last_epoch += 1
        if self.stopped:
            return
        if self._is_better(current):
            self.best, self.num_bad_epochs = current, 0
            self._keep()
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.restore_best()
            if self.divisions == self.max_divisions:
                self.stopped = True
            else:
                self._divide()
            self.num_bad_epochs = 0
        self._last_lr = self._rates()

    def restore_best(self) -> None:
        """Puts the weights of the best metric back into the model, where there is one; after the last epoch, say."""
        if self.model is not None and self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)
        if self.best_optimizer is not None:
            groups = self.optimizer.state_dict()["param_groups"]
            self.optimizer.load_state_dict({"state": self.best_optimizer, "param_groups": groups})

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs without progress do not count, as they lie shortly after a division."""
        return self.cooldown_counter > 0

    def _ready(self, metric: Any) -> None:
        outside_recording(f"[{self._name}] step()")
        try:
            float(metric)
        except (TypeError, ValueError):
            raise TypeError(
                f"[{self._name}] step() got {metric!r:.60}, expected the validation metric: scheduler.step(loss)"
            ) from None

    def _is_better(self, current: float) -> bool:
        margin = self.threshold if self.threshold_mode == "abs" else None
        if self.mode == "min":
            return current < (self.best * (1.0 - self.threshold) if margin is None else self.best - margin)
        return current > (self.best * (1.0 + self.threshold) if margin is None else self.best + margin)

    def _divide(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise ValueError(
                    f"[{self._name}] min_lr got {len(self.min_lrs)} values, expected {len(groups)}, one for each group"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs):
            rate = max(group["lr"] * self.factor, least)
            if group["lr"] - rate > self.eps:
                group["lr"] = rate
        self.divisions += 1
        self.cooldown_counter = self.cooldown

    def _keep(self) -> None:
        if self.model is not None:
            self.best_weights = _copied(self.model.state_dict())
            if self.restore_optimizer:
                self.best_optimizer = _copied(self.optimizer.state_dict()["state"])

    # State

    def state_dict(self) -> dict[str, Any]:
        """Options, counts and the best weights so far, which are never written to again."""
        values = {name: getattr(self, name) for name in (*self._options, *_OWN)}
        return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}

    def _loaded(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        pytorchs = isinstance(state_dict, Mapping) and not any(name in state_dict for name in _OWN)
        self._require_keys(state_dict, self._options if pytorchs else (*self._options, *_OWN))
        mine = {name: getattr(self, name) for name in self._options}
        mine["default_min_lr"] = None if state_dict["default_min_lr"] is None else 0.0
        loaded = {key: fitted(self._name, key, state_dict[key], value) for key, value in mine.items()}
        if pytorchs:
            return {**loaded, "divisions": 0, "stopped": False, "best_weights": None, "best_optimizer": None}
        counts = {"divisions": 0, "stopped": False, "max_divisions": state_dict["max_divisions"] and 0}
        loaded |= {key: fitted(self._name, key, state_dict[key], value) for key, value in counts.items()}
        loaded["best_weights"] = self._fitted_weights(state_dict["best_weights"])
        loaded["best_optimizer"] = self._fitted_optimizer(state_dict["best_optimizer"])
        return loaded

    def _fitted_weights(self, given: Mapping[str, Any] | None) -> dict[str, Tensor] | None:
        if given is None:
            return None
        if not isinstance(given, Mapping):
            raise ValueError(f"[{self._name}] state 'best_weights' got {given!r:.60}, expected a dict of tensors")
        if self.model is None:
            raise ValueError(f"[{self._name}] state holds best weights, expected none: the schedule has no model")
        shapes = {name: tuple(tensor.shape) for name, tensor in self.model.state_dict().items()}
        kept = {name: as_tensor(value).detach().clone() for name, value in given.items()}
        wrong = [name for name in shapes | kept if name not in kept or tuple(kept[name].shape) != shapes.get(name)]
        if wrong:
            raise ValueError(f"[{self._name}] state 'best_weights' does not fit the model in {wrong}")
        return kept

    def _fitted_optimizer(self, given: Mapping[Any, Any] | None) -> dict[int, dict[str, Any]] | None:
        if given is None:
            return None
        if not isinstance(given, Mapping):
            raise ValueError(f"[{self._name}] state 'best_optimizer' got {given!r:.60}, expected states by number")
        self.optimizer._unpacked({"state": given, "param_groups": self.optimizer.state_dict()["param_groups"]})
        return {int(number): _copied(entry) for number, entry in given.items()}


def _copied(value: Any) -> Any:
    """The same nesting with tensors of its own."""
    if isinstance(value, Mapping):
        return {key: _copied(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(child) for child in value]
    return value.detach().clone() if isinstance(value, Tensor) else value
