"""N networks of one architecture as one network: `stack`, and back: `unstack`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from cinta._core import Tensor, concat
from cinta.ensemble.layers import STACKED, StackedLayer, check_members
from cinta.nn.module import Module


class Looped(Module):
    """N networks, one after the other: what runs where they cannot be stacked.

    x [N B, ...], the members' examples one after the other; y [N B, ...]
    """

    def __init__(self, modules: Sequence[Module]) -> None:
        super().__init__()
        for n, module in enumerate(modules):
            self.add_module(str(n), module)
        self.count = len(modules)

    def forward(self, x: Tensor) -> Tensor:
        check_members(x, self.count)
        return concat([member(part) for member, part in zip(self.children(), x.split(self.count))])


def stack(modules: Sequence[Any]) -> Any:
    """One network that does the work of N of the same architecture; the weights are copied.

    y = [f(x_1; w_1), ..., f(x_N; w_N)], x [N B, ...] the members' examples one after the other, y [N B, ...]; each
    parameter and buffer of the result is the members' along a new first axis, under the same name

    Layers of the same kind become one (`ensemble.layers.STACKED` says how); containers and modules of your own keep
    their `forward`, which then sees N B examples instead of B. It must treat each example by itself.
    Errors: ValueError where the networks differ, have forward hooks, or a module has both parameters of its own and
    submodules.

    Example:
        >>> nets = [nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)) for _ in range(3)]
        >>> net = ct.ensemble.stack(nets)
        >>> net[0].weight.shape, net(ct.ones((3 * 5, 4))).shape
        ((3, 8, 4), (15, 2))
    """
    modules = list(modules)
    if not modules:
        raise ValueError("[stack] got no networks, expected at least one")
    for module in modules:
        if not isinstance(module, Module):
            raise TypeError(f"[stack] got a {type(module).__name__}, expected Modules")
    try:
        for module in modules:
            _check_tensors(module)
        return _stacked(modules, {})
    except ValueError as error:
        raise ValueError(f"[stack] {error}") from None


def _check_tensors(network: Module) -> None:
    """No parameter belongs to two layers: stacked, they would go separate ways."""
    owners: dict[int, Module] = {}
    for module in network.modules():
        for name in module._parameter_names:
            if owners.setdefault(id(module.__dict__[name]), module) is not module and module.__dict__[name] is not None:
                raise ValueError(f"a {type(module).__name__} shares its {name} with another layer")


def _stacked(modules: list[Module], done: dict[int, Module]) -> Module:
    """`done`: what was made of a module, by its id, as it may stand in several places."""
    first, kind = modules[0], type(modules[0])
    before = [done.get(id(module)) for module in modules]
    if any(stacked is not before[0] for stacked in before):
        raise ValueError(f"the members share a {kind.__name__} between different places")
    if before[0] is not None:
        return before[0]
    for other in modules:
        if type(other) is not kind or list(other._module_names) != list(first._module_names):
            raise ValueError(f"the members have different layers: {kind.__name__} and {type(other).__name__}")
        if "_hooks" in other.__dict__:
            raise ValueError(f"a {kind.__name__} has forward hooks, which would see all members at once")
    own = [*first._parameter_names, *first._buffer_names]
    if kind in STACKED or (own and not first._module_names):
        result: Module = STACKED.get(kind, StackedLayer)(modules)
    elif own:
        raise ValueError(f"a {kind.__name__} has both parameters of its own ({', '.join(own)}) and submodules")
    else:
        _check_settings(modules)
        result = copy.copy(first)
        for registry in ("_parameter_names", "_buffer_names", "_module_names"):
            result.__dict__[registry] = dict(result.__dict__[registry])
        for name in first._module_names:
            children = [module.__dict__[name] for module in modules]
            if any(child is None for child in children) != all(child is None for child in children):
                raise ValueError(f"the members' {kind.__name__} differs in {name}")
            if children[0] is not None:
                setattr(result, name, _stacked(children, done))
    result.training = first.training
    done.update((id(module), result) for module in modules)
    return result


def _check_settings(modules: list[Module]) -> None:
    """Numbers and texts of modules without parameters agree."""
    for name, value in modules[0].__dict__.items():
        if isinstance(value, (bool, int, float, str, tuple, type(None))) and not name.startswith("_"):
            for other in modules:
                if isinstance(value, tuple) and any(isinstance(entry, Module) for entry in value):
                    continue
                if name != "training" and other.__dict__.get(name) != value:
                    raise ValueError(f"the members' {type(other).__name__} differs in {name}")


def unstack(stacked: Any, like: Any, count: int | None = None) -> list[Any]:
    """The N networks that a stacked one stands for, as modules like `like`; the weights are copied.

    `count`: N, needed for a network without parameters and buffers.
    Errors: ValueError where N is unknown.

    Example:
        >>> nets = [nn.Linear(4, 2) for _ in range(3)]
        >>> again = ct.ensemble.unstack(ct.ensemble.stack(nets), nets[0])
        >>> bool((again[2].weight == nets[2].weight).all())
        True
    """
    tensors = dict(stacked.named_parameters(remove_duplicate=False))
    tensors.update(stacked.named_buffers(remove_duplicate=False))
    count = next((tensor.shape[0] for tensor in tensors.values()), count)
    if count is None:
        raise ValueError("[unstack] got a network without parameters, expected the count of its members with it")
    modes = {path: module.training for path, module in stacked.named_modules(remove_duplicate=False)}
    members = []
    for n in range(count):
        member = copy.deepcopy(like)
        own = dict(member.named_parameters(remove_duplicate=False))
        own.update(member.named_buffers(remove_duplicate=False))
        for name, tensor in own.items():
            tensor.data = tensors[name][n].detach().clone()  # of the stacked one's dtype, which may have changed
            if tensor.dtype.is_floating:
                tensor.requires_grad_(tensors[name].requires_grad)
        for path, module in member.named_modules(remove_duplicate=False):
            module.training = modes[path]
        members.append(member)
    return members
