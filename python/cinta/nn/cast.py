"""Changing the dtype or the device of a module's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cinta._core import Tensor

if TYPE_CHECKING:
    from cinta.nn.module import Module


def _is_device(value: Any) -> bool:
    return isinstance(value, str) and value.split(":")[0] in ("cpu", "cuda")


def _converted(tensor: Tensor, targets: list[Any]) -> Tensor:
    values = tensor.detach()
    for target in targets:
        if _is_device(target) or values.dtype.is_floating:
            values = values.to(target)
    return values


def to(module: Module, *args: Any, dtype: Any = None, device: str | None = None) -> None:
    """Converts the module's tensors in place; integer and boolean tensors keep their dtype.

    Parameters stay the same objects, so an optimizer built before goes on with them; their gradients are dropped.
    Nothing changes where dtype and device are what they were.
    """
    targets = [target for target in (*args, device, dtype) if target is not None]
    if not targets:
        raise TypeError(f"[{type(module).__name__}] to() got no dtype and no device, expected at least one")
    changes: dict[int, tuple[Tensor, Tensor]] = {}  # by identity: shared tensors are converted once
    for owner in module.modules():
        for name in (*owner._parameter_names, *owner._buffer_names):
            tensor = owner.__dict__[name]
            if tensor is None or id(tensor) in changes:
                continue
            changed = _converted(tensor, targets)
            if changed.dtype is not tensor.dtype or changed.device != tensor.device:
                changes[id(tensor)] = tensor, changed
    for tensor, changed in changes.values():
        tensor.data = changed
