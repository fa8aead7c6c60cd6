"""LRScheduler: the protocol of all schedules, and the learning rates that they write into an optimizer's groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cinta.optim.checks import outside_recording
from cinta.optim.lr_scheduler.checks import fitted, integer
from cinta.optim.optimizer import Optimizer

# Marks that PyTorch's schedules leave among their state, without meaning here.
_PASSED_OVER = ("_get_lr_called_within_step", "_is_initial", "verbose")


class LRScheduler:
    """What all schedules share; a subclass computes the next learning rates in `get_lr`.

    Schedules scale the rates that they find, as PyTorch's do, so that several act together on one optimizer.

    Args:
        optimizer: the optimizer whose `param_groups` get new rates; each group's first rate is kept as `initial_lr`.
        last_epoch: the epochs behind a training that goes on without the schedule's state, -1 for none.

    Errors: TypeError for something that is no optimizer; ValueError for options out of range; RuntimeError for a
    `step` before the optimizer's first.

    Example:
        >>> class Halving(optim.lr_scheduler.LRScheduler):
        ...     def get_lr(self):
        ...         return [base * 0.5**self.last_epoch for base in self.base_lrs]
        >>> opt = optim.SGD([nn.Parameter(ct.zeros(1))], lr=1.0)
        >>> scheduler = Halving(opt)
        >>> for epoch in range(3):
        ...     opt.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.125]
    """

    _options: tuple[str, ...] = ()  # attributes that belong to the state beside those of every schedule
    _is_initial = False
    stopped = False  # True where a plateau says that training should end

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"[{self._name}] optimizer got a {type(optimizer).__name__}, expected an Optimizer")
        self._check()
        integer(self._name, "last_epoch", last_epoch, -1)
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch >= 0 and "initial_lr" not in group:
                raise ValueError(
                    f"[{self._name}] last_epoch got {last_epoch}, but group {number} of the optimizer has no "
                    "'initial_lr'; load the optimizer's state first, or start with last_epoch=-1"
                )
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        optimizer._stepped = False
        self._start(last_epoch)

    @property
    def _name(self) -> str:
        return type(self).__name__

    # What subclasses define

    def _check(self) -> None:
        """Raises ValueError where an option is out of range."""

    def get_lr(self) -> list[float]:
        """The learning rates of epoch `last_epoch`, one for each group, from those before it."""
        raise NotImplementedError(f"[{self._name}] a schedule defines get_lr")

    # Steps

    def step(self, metric: Any = None) -> None:
        """Goes on to the next epoch, or batch; only a plateau looks at `metric`."""
        self._ready(metric)
        before = dict(self.__dict__)
        try:
            self._step_count += 1
            self._advance()
        except BaseException:
            self.__dict__.update(before)
            raise

    def get_last_lr(self) -> list[float]:
        """The learning rates that were set last, one for each group."""
        return list(self._last_lr)

    def _ready(self, metric: Any) -> None:
        """Raises where a step cannot be, before anything changes."""
        outside_recording(f"[{self._name}] step()")
        known = type(self.optimizer).step.__module__.startswith("cinta.")  # a step of one's own may not tell
        if known and self._step_count == 1 and not self.optimizer._stepped:
            raise RuntimeError(
                f"[{self._name}] step() got called before the optimizer's step(), expected the other order: the "
                "schedule's first learning rate would never be used"
            )

    def _start(self, last_epoch: int = -1) -> None:
        """Sets the first rates."""
        self.last_epoch = last_epoch
        self._step_count = 1
        self._is_initial = True
        self._advance()
        del self._is_initial

    def _restart(self) -> None:
        """Begins anew, with the groups' initial rates."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self._start()

    def _advance(self) -> None:
        self.last_epoch += 1
        self._set(self.get_lr())

    def _set(self, rates: list[float]) -> None:
        groups = self.optimizer.param_groups
        if len(rates) != len(groups):
            raise ValueError(
                f"[{self._name}] optimizer has {len(groups)} parameter groups, expected {len(rates)}, as when the "
                "schedule was made; make a new schedule after add_param_group"
            )
        for group, rate in zip(groups, rates):
            group["lr"] = rate
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    # State

    def state_dict(self) -> dict[str, Any]:
        """Options and position as plain values, in PyTorch's structure; the rates themselves are the optimizer's."""
        names = (*self._options, "base_lrs", "last_epoch", "_step_count", "_last_lr")
        values = {name: getattr(self, name) for name in names}
        return {name: list(value) if isinstance(value, list) else value for name, value in values.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a `state_dict` of the same schedule, cinta's or PyTorch's, all of it or nothing.

        Load the optimizer's state too: it holds the present learning rates.
        Errors: ValueError naming what is missing, unknown or out of range.
        """
        loaded = self._loaded(state_dict)
        before = dict(self.__dict__)
        self.__dict__.update(loaded)
        try:
            self._check()
            integer(self._name, "last_epoch", self.last_epoch, -1)
        except ValueError:
            self.__dict__.update(before)
            raise

    def _loaded(self, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        self._require_keys(state_dict, tuple(self.state_dict()))
        mine = LRScheduler.state_dict(self)
        return {key: fitted(self._name, key, state_dict[key], value) for key, value in mine.items()}

    def _require_keys(self, state_dict: Mapping[str, Any], keys: tuple[str, ...]) -> None:
        if not isinstance(state_dict, Mapping):
            raise ValueError(f"[{self._name}] state_dict got {state_dict!r:.60}, expected a dict with {list(keys)}")
        for problem, names in (
            ("lacks", [key for key in keys if key not in state_dict]),
            ("has unknown", [key for key in state_dict if key not in (*keys, *_PASSED_OVER)]),
        ):
            if names:
                raise ValueError(f"[{self._name}] state_dict {problem} {names}, expected {list(keys)}")
