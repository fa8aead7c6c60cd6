"""Changing the dtype or the device of a module's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cinta._core import Tensor
from cinta.nn.parameter import Parameter

if TYPE_CHECKING:
    from cinta.nn.module import Module


def _is_device(value: Any) -> bool:
    return isinstance(value, str) and value.split(":")[0] in ("cpu", "cuda")


def _converted(tensor: Tensor, targets: list[Any]) -> Tensor:
    values = tensor.detach()
    for target in targets:
        if _is_device(target) or values.dtype.is_floating:
            values = values.to(target)
    return Parameter(values, tensor.requires_grad) if isinstance(tensor, Parameter) else values


def to(module: Module, *args: Any, dtype: Any = None, device: str | None = None) -> None:
    """Replaces the module's tensors by converted ones; integer and boolean tensors keep their dtype.

    Parameters are new objects afterwards (a parameter shared by two modules stays shared), so build the optimizer
    after the call. Nothing changes where dtype and device are what they were.
    """
    targets = [target for target in (*args, device, dtype) if target is not None]
    if not targets:
        raise TypeError(f"[{type(module).__name__}] to() got no dtype and no device, expected at least one")
    done: dict[int, Tensor] = {}
    changes: list[tuple[Module, str, Tensor]] = []
    for owner in module.modules():
        for name in (*owner._parameter_names, *owner._buffer_names):
            tensor = owner.__dict__[name]
            if tensor is None:
                continue
            if id(tensor) not in done:
                done[id(tensor)] = _converted(tensor, targets)
            changed = done[id(tensor)]
            if changed.dtype is not tensor.dtype or changed.device != tensor.device:
                changes.append((owner, name, changed))
    for owner, name, changed in changes:
        setattr(owner, name, changed)
