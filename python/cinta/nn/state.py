"""State dictionaries: a module's tensors by dotted name, PyTorch's names and layouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from cinta._core import Tensor, asarray, from_dlpack
from cinta.autodiff import no_grad

if TYPE_CHECKING:
    from cinta.nn.module import Module


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` left aside."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def _entries(module: Module, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Parameters, persistent buffers, then submodules: PyTorch's order. Shared tensors appear under each name."""
    attributes = module.__dict__
    persistent = [name for name, kept in module._buffer_names.items() if kept]
    for name in [*module._parameter_names, *persistent]:
        if attributes[name] is not None:
            yield prefix + name, attributes[name]
    for name in module._module_names:
        if attributes[name] is not None:
            yield from _entries(attributes[name], f"{prefix}{name}.")


def state_dict(module: Module, prefix: str = "") -> dict[str, Tensor]:
    """Parameters and persistent buffers by dotted name.

    The tensors share storage with the module, so later training shows in them; `clone()` them for a snapshot.

    Example:
        >>> {name: t.shape for name, t in nn.Linear(3, 2).state_dict().items()}
        {'weight': (2, 3), 'bias': (2,)}
    """
    return {name: tensor.detach() for name, tensor in _entries(module, prefix)}


def _as_tensor(name: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach()
    try:
        # DLPack first: PyTorch's bfloat16 has no NumPy dtype to pass through.
        return from_dlpack(value) if hasattr(value, "__dlpack__") else asarray(value)
    except Exception as error:
        raise TypeError(f"[load_state_dict] {name} got a {type(value).__name__}, expected a tensor or array") from error


def load_state_dict(module: Module, values: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
    """Copies tensors or arrays into the module's parameters and buffers by name.

    Everything is checked before anything is written: after an error the module is as it was. Values are cast to the
    dtype of the tensor they go to. With `strict=False` missing and unexpected names are returned, not refused;
    shapes must agree either way.

    Errors: ValueError that lists missing names, unexpected names and both shapes where they differ.

    Example:
        >>> a, b = nn.Linear(3, 2), nn.Linear(3, 2)
        >>> b.load_state_dict(a.state_dict())
        IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"[load_state_dict] got a {type(values).__name__}, expected a dict of tensors by name")
    own = dict(_entries(module, ""))
    given = {name: _as_tensor(name, values[name]) for name in own if name in values}
    missing = [name for name in own if name not in values]
    unexpected = [name for name in values if name not in own]
    wrong = [
        f"{name} has shape {list(tensor.shape)}, expected {list(own[name].shape)}"
        for name, tensor in given.items()
        if tensor.shape != own[name].shape
    ]
    problems = list(wrong)
    if strict and missing:
        problems.append("missing: " + ", ".join(missing))
    if strict and unexpected:
        problems.append("unexpected: " + ", ".join(unexpected))
    if problems:
        raise ValueError(f"[load_state_dict] {type(module).__name__} was not loaded:\n  " + "\n  ".join(problems))
    with no_grad():
        for name, tensor in given.items():
            own[name].copy_(tensor)
    return IncompatibleKeys(missing, unexpected)
