"""Optimizer: parameter groups, state by parameter, and one call into the core per group and step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cinta._core import Tensor, zeros_like
from cinta.autodiff import enable_grad, no_grad
from cinta.optim import state
from cinta.row_sparse import RowSparse

following: list[Any] = []  # the recording under way (replay/hosts), which is told of plans and updates


class Run:
    """Parameters of a group that the core updates in one call: the same state names, as many steps behind them.

    `columns` holds, for each state name, the list of its tensors; `indices` says which gradients of the group are
    theirs, None meaning all.
    """

    __slots__ = ("columns", "indices", "params", "steps")

    def __init__(
        self, params: list[Tensor], columns: list[list[Tensor]], indices: list[int] | None, steps: int
    ) -> None:
        self.params = params
        self.columns = columns
        self.indices = indices
        self.steps = steps


class Plan:
    """The runs of a group, good for as long as the same parameters have gradients and the same state is asked for."""

    __slots__ = ("mask", "names", "runs")

    def __init__(self, mask: tuple[bool, ...] | None, names: tuple[str, ...], runs: list[Run]) -> None:
        self.mask = mask
        self.names = names
        self.runs = runs


def refuse_rows(optimizer: str, param: Tensor) -> None:
    """Raises TypeError where the parameter's gradient is row-sparse, for optimizers that take dense ones alone."""
    if type(param.grad) is RowSparse:
        raise TypeError(
            f"[{optimizer}] a parameter of shape {list(param.shape)} has a row-sparse gradient, which SGD, Adam and "
            "AdamW take: make its embedding with sparse=False, or call p.grad = p.grad.to_dense() before step()"
        )


class Optimizer:
    """What all optimizers share; a subclass names its state and calls the core's fused step.

    Args:
        params: parameters, or dicts `{"params": [...], "lr": ...}` that override defaults for a group.
        defaults: the options of groups that do not set them.

    Errors: ValueError for no parameters, a parameter twice or an option out of range; TypeError for something that is
    no tensor.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
        >>> opt = optim.SGD([{"params": net[0].parameters(), "lr": 0.01}, {"params": net[1].parameters()}], lr=0.1)
        >>> [group["lr"] for group in opt.param_groups]
        [0.01, 0.1]
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self._state: dict[Tensor, dict[str, Any]] = {}
        self._plans: list[Plan | None] = []
        self._stepped = False  # since a schedule began
        if isinstance(params, (Tensor, Mapping)):
            raise TypeError(
                f"[{self._name}] params got one {type(params).__name__}, expected an iterable (put it in a list)"
            )
        entries = list(params)
        if not entries:
            raise ValueError(f"[{self._name}] params got no parameters, expected at least one")
        for group in entries if isinstance(entries[0], Mapping) else [{"params": entries}]:
            self.add_param_group(group)

    # What subclasses define

    _scalars: tuple[str, ...] = ()  # names of state that is one float64 per parameter
    _takes_rows = False  # whether the core's step takes row-sparse gradients

    def _check(self, group: dict[str, Any]) -> None:
        """Raises ValueError where an option of the group is out of range."""
        raise NotImplementedError

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The state tensors that the group's options call for."""
        raise NotImplementedError

    def _create(self, name: str, param: Tensor, group: dict[str, Any], entry: dict[str, Any]) -> Tensor:
        """A state tensor's value before the first step."""
        return zeros_like(param)

    def _update(self, group: dict[str, Any], run: Run, grads: list[Any]) -> None:
        """Calls the core; `run.steps` counts the steps before this one."""
        raise NotImplementedError

    # Groups

    @property
    def _name(self) -> str:
        return type(self).__name__

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Adds a group `{"params": [...], option: value, ...}`; options left out take the defaults."""
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise TypeError(f"[{self._name}] param group got {param_group!r:.60}, expected a dict with 'params'")
        given = param_group["params"]
        params = [given] if isinstance(given, Tensor) else list(given)
        if not params:
            raise ValueError(f"[{self._name}] params got no parameters, expected at least one")
        known = {"params", *self.defaults, *state.SCHEDULED}
        unknown = [option for option in param_group if option not in known]
        if unknown:
            raise ValueError(
                f"[{self._name}] param group got option {unknown[0]!r}, expected some of {list(self.defaults)}"
            )
        taken = {id(param) for group in self.param_groups for param in group["params"]}
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(f"[{self._name}] params got a {type(param).__name__}, expected tensors")
            if not param.is_leaf:
                raise ValueError(f"[{self._name}] params got the result of an operation, expected leaf tensors")
            if not param.dtype.is_floating:
                raise TypeError(f"[{self._name}] params got a tensor of {param.dtype}, expected a floating dtype")
            if id(param) in taken:
                raise ValueError(
                    f"[{self._name}] params got a tensor of shape {list(param.shape)} twice, expected it once"
                )
            taken.add(id(param))
        group = {**self.defaults, **param_group, "params": params}
        self._check(group)
        self.param_groups.append(group)
        self._plans.append(None)

    # Steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates every parameter that has a gradient; returns what `closure`, if given, returned beforehand."""
        loss = None
        self._stepped = True
        if closure is not None:
            with enable_grad():
                loss = closure()
        found = []
        for group in self.param_groups:
            grads = []
            complete = True
            for param in group["params"]:
                grad = param.grad
                if grad is None:
                    complete = False
                elif type(grad) is RowSparse and not self._takes_rows:
                    refuse_rows(self._name, param)
                grads.append(grad)
            found.append((grads, None if complete else tuple(grad is not None for grad in grads)))
        for number, (grads, mask) in enumerate(found):
            group = self.param_groups[number]
            names = self._names(group)
            plan = self._plans[number]
            if plan is None or plan.names != names or plan.mask != mask:
                make = following[-1].paused(self._plan) if following else self._plan
                plan = self._plans[number] = make(group, names, mask)
            for run in plan.runs:
                self._run(number, plan, run, grads if run.indices is None else [grads[i] for i in run.indices])
        return loss

    def _run(self, number: int, plan: Plan, run: Run, grads: list[Any]) -> None:
        if following:
            following[-1].updating(self, number, plan, run)
        self._update(self.param_groups[number], run, grads)
        run.steps += 1

    def _plan(self, group: dict[str, Any], names: tuple[str, ...], mask: tuple[bool, ...] | None) -> Plan:
        self._settle()
        params = group["params"]
        by_steps: dict[int, list[int]] = {}
        with no_grad():
            for index, param in enumerate(params):
                if mask is not None and not mask[index]:
                    continue
                entry = self._state.setdefault(param, {"step": 0})
                for name in names:
                    if name not in entry:
                        entry[name] = self._create(name, param, group, entry)
                by_steps.setdefault(entry["step"], []).append(index)
        runs = []
        for steps, indices in by_steps.items():
            chosen = [params[i] for i in indices]
            columns = [[self._state[param][name] for param in chosen] for name in names]
            runs.append(Run(chosen, columns, None if len(indices) == len(params) else indices, steps))
        return Plan(mask, names, runs)

    def _settle(self) -> None:
        """Writes the runs' step counts back into the state by parameter."""
        for plan in self._plans:
            for run in plan.runs if plan is not None else ():
                for param in run.params:
                    self._state[param]["step"] = run.steps

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops the parameters' gradients, or fills them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad = param.grad.detach().zero_()

    # State

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """State by parameter, `{"step": int, "exp_avg": tensor, ...}`; changes to it count from the next step on."""
        self._settle()
        self._plans = [None] * len(self.param_groups)
        return self._state

    def state_dict(self) -> dict[str, Any]:
        """State and options in PyTorch's structure, parameters numbered in order; tensors share storage."""
        self._settle()
        return state.pack(self.param_groups, self._state)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a `state_dict` of the same optimizer, cinta's or PyTorch's, all of it or nothing.

        Errors: ValueError where groups, parameter counts, shapes or options do not fit.
        """
        groups, entries = self._unpacked(state_dict)
        for group, loaded in zip(self.param_groups, groups, strict=True):
            group.update(loaded)
        self._state = entries
        self._stepped |= any(entry.get("step", 0) for entry in entries.values())  # a schedule may be the next to step
        self._plans = [None] * len(self.param_groups)

    def _unpacked(self, state_dict: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[Tensor, dict[str, Any]]]:
        """Options of each group and state by parameter, checked and copied; nothing is changed."""
        groups, entries = state.unpack(self._name, self.param_groups, state_dict, self._scalars)
        for group in groups:
            self._check(group)
        return groups, entries

    def __repr__(self) -> str:
        lines = [f"{self._name}("]
        for group in self.param_groups:
            options = ", ".join(f"{option}={value!r}" for option, value in group.items() if option != "params")
            lines.append(f"  {len(group['params'])} parameters: {options}")
        return "\n".join([*lines, ")"])
