"""An optimizer's state as plain dictionaries `{"state": {0: {...}}, "param_groups": [{..., "params": [0]}]}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cinta._core import Tensor, asarray, float64, from_dlpack

# What schedules note in a group beside the optimizer's own options.
SCHEDULED = ("initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum")


def as_tensor(value: Any) -> Tensor:
    """Tensors, those of other libraries, arrays and numbers."""
    if isinstance(value, Tensor):
        return value
    return from_dlpack(value) if hasattr(value, "__dlpack__") else asarray(value)


def pack(groups: list[dict[str, Any]], state: Mapping[Tensor, dict[str, Any]]) -> dict[str, Any]:
    """Groups and state with parameters replaced by their numbers."""
    params = [param for group in groups for param in group["params"]]
    numbers = {id(param): number for number, param in enumerate(params)}
    packed_groups = [{**group, "params": [numbers[id(param)] for param in group["params"]]} for group in groups]
    packed_state = {number: dict(state[param]) for number, param in enumerate(params) if param in state}
    return {"state": packed_state, "param_groups": packed_groups}


def _entry(
    name: str, number: int, param: Tensor, values: Mapping[str, Any], scalars: tuple[str, ...]
) -> dict[str, Any]:
    """One parameter's state, copied; PyTorch keeps counts as tensors and writes None for state not begun."""
    entry: dict[str, Any] = {}
    for key, value in values.items():
        if value is None:
            continue
        if key == "step":
            entry[key] = int(value)
            continue
        value = as_tensor(value)
        shape, dtype = ((), float64) if key in scalars else (param.shape, param.dtype)
        if value.shape != shape:
            raise ValueError(
                f"[{name}] state {key!r} of parameter {number} has shape {list(value.shape)}, expected {list(shape)}"
            )
        entry[key] = value.detach().astype(dtype).clone()
    # PyTorch's SGD keeps no count; that there is a momentum buffer says that the first step is over.
    entry.setdefault("step", 1 if entry else 0)
    return entry


def unpack(
    name: str, groups: list[dict[str, Any]], packed: Mapping[str, Any], scalars: tuple[str, ...] = ()
) -> tuple[list[dict[str, Any]], dict[Tensor, dict[str, Any]]]:
    """The options of each group and the state by parameter that `packed` holds, checked against `groups`."""
    if not isinstance(packed, Mapping) or "state" not in packed or "param_groups" not in packed:
        raise ValueError(f"[{name}] state_dict got {packed!r:.60}, expected a dict with 'state' and 'param_groups'")
    given = packed["param_groups"]
    sizes, expected = [len(group["params"]) for group in given], [len(group["params"]) for group in groups]
    if sizes != expected:
        raise ValueError(f"[{name}] state_dict has groups of {sizes} parameters, expected {expected}")
    options = [
        {option: loaded.get(option, value) for option, value in group.items() if option != "params"}
        | {option: loaded[option] for option in SCHEDULED if option in loaded}
        for loaded, group in zip(given, groups, strict=True)
    ]
    numbers = [number for group in given for number in group["params"]]
    params = [param for group in groups for param in group["params"]]
    # Files keep the keys of dictionaries as text.
    values = {int(number): entry for number, entry in packed["state"].items()}
    state = {
        param: _entry(name, number, param, values[number], scalars)
        for number, param in zip(numbers, params, strict=True)
        if number in values
    }
    return options, state
