"""Module: what every layer and network is built from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from cinta._core import Tensor
from cinta.nn import cast, hooks, state
from cinta.nn.calls import followed, following
from cinta.nn.error_path import add_path
from cinta.nn.parameter import Parameter

_ABSENT = object()
changes = [0]  # how often an attribute of any module was set or deleted; recordings look at their modules again then
Self = TypeVar("Self", bound="Module")


def _forward_missing(self: Module, *args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError(f"{type(self).__name__} has no forward method")


class Module:
    """A layer or a network: parameters, buffers and submodules by name, and a `forward`.

    Subclasses assign `Parameter`s and `Module`s to attributes and define `forward`; calling the module runs it.
    All of these live in the instance's own `__dict__`, so `self.weight` costs what any attribute costs; three
    ordered registries hold nothing but the names.

    Errors raised inside `forward` gain the dotted path of the module: `Net.body.3 (Linear 100 -> 10): ...`.

    Example:
        >>> class Scale(nn.Module):
        ...     def __init__(self, features):
        ...         super().__init__()
        ...         self.factor = nn.Parameter(ct.ones(features))
        ...     def forward(self, x):
        ...         return x * self.factor
        >>> [name for name, _ in nn.Sequential(Scale(3), nn.Tanh()).named_parameters()]
        ['0.factor']
    """

    training: bool
    _parameter_names: dict[str, None]
    _buffer_names: dict[str, bool]
    _module_names: dict[str, None]
    forward: Callable[..., Any] = _forward_missing

    def __new__(cls, *args: Any, **kwargs: Any) -> Module:
        # Here and not in __init__, so that a subclass that forgets super().__init__() still works.
        self = super().__new__(cls)
        self.__dict__.update(training=True, _parameter_names={}, _buffer_names={}, _module_names={})
        return self

    def __init__(self) -> None:
        pass

    def __call__(self, x: Any = _ABSENT, /, *args: Any, **kwargs: Any) -> Any:
        if following:
            return followed(self, *args, **kwargs) if x is _ABSENT else followed(self, x, *args, **kwargs)
        # One positional argument is the hot path: passing it on as *args would cost 100 ns more.
        try:
            if args or kwargs:
                return self.forward(*args, **kwargs) if x is _ABSENT else self.forward(x, *args, **kwargs)
            return self.forward() if x is _ABSENT else self.forward(x)
        except Exception as error:
            add_path(self, error)
            raise

    # Registration

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._enlist(self._parameter_names, name, None)
        elif isinstance(value, Module):
            self._enlist(self._module_names, name, None)
        elif value is not None:
            if name in self._parameter_names:
                raise TypeError(
                    f"[{type(self).__name__}] parameter {name!r} got a {type(value).__name__}, expected a Parameter or "
                    f"None (wrap it in nn.Parameter, or write into it with {name}.copy_ under ct.no_grad())"
                )
            if name in self._module_names:
                raise TypeError(
                    f"[{type(self).__name__}] submodule {name!r} got a {type(value).__name__}, "
                    "expected a Module or None"
                )
            if name in self._buffer_names and not isinstance(value, Tensor):
                raise TypeError(
                    f"[{type(self).__name__}] buffer {name!r} got a {type(value).__name__}, expected a Tensor or None"
                )
        object.__setattr__(self, name, value)
        changes[0] += 1

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        changes[0] += 1
        for names in (self._parameter_names, self._buffer_names, self._module_names):
            names.pop(name, None)

    def _enlist(self, names: dict[str, Any], name: str, flag: bool | None) -> None:
        for other in (self._parameter_names, self._buffer_names, self._module_names):
            if other is not names:
                other.pop(name, None)
        names[name] = flag

    def _register(self, names: dict[str, Any], kind: type, name: str, value: Any, flag: bool | None) -> None:
        what = f"[{type(self).__name__}] {kind.__name__.lower()}"
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"{what} name got {name!r}, expected a string that is not empty and has no dot")
        if name not in names and hasattr(self, name):
            raise ValueError(f"{what} name got {name!r}, expected a free one (the attribute exists already)")
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{what} {name!r} got a {type(value).__name__}, expected a {kind.__name__} or None")
        self._enlist(names, name, flag)
        object.__setattr__(self, name, value)
        changes[0] += 1

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under `name`; None keeps the name for a parameter that is switched off."""
        self._register(self._parameter_names, Parameter, name, param, None)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that is state but not a parameter; `state_dict` holds it where `persistent`."""
        self._register(self._buffer_names, Tensor, name, tensor, persistent)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a submodule under `name`."""
        self._register(self._module_names, Module, name, module, None)

    register_module = add_module

    # Traversal

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Direct submodules with their names, each once."""
        seen = set()
        for name in self._module_names:
            child = self.__dict__[name]
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        """Direct submodules, each once."""
        return (child for _, child in self.named_children())

    def named_modules(
        self, memo: set[int] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and everything below it, parents first, with dotted names; each once unless told otherwise."""
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        if remove_duplicate:
            memo.add(id(self))
        yield prefix, self
        for name in self._module_names:
            child = self.__dict__[name]
            if child is not None:
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and everything below it, each once."""
        return (module for _, module in self.named_modules())

    def _named_tensors(
        self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        owners = self.named_modules(None, prefix, remove_duplicate) if recurse else iter([(prefix, self)])
        seen = set()
        for path, owner in owners:
            for name in getattr(owner, registry):
                tensor = owner.__dict__[name]
                if tensor is None or id(tensor) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(tensor))
                yield f"{path}.{name}" if path else name, tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Parameters with dotted names, in the order of registration; a shared one appears once."""
        return self._named_tensors("_parameter_names", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Parameters, in the order of registration; a shared one appears once."""
        return (param for _, param in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Buffers with dotted names, persistent or not."""
        return self._named_tensors("_buffer_names", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers, persistent or not."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path, "" being this one; AttributeError names the part that is missing."""
        module = self
        for part in target.split(".") if target else ():
            if module.__dict__.get(part) is None or part not in module._module_names:
                raise AttributeError(
                    f"[get_submodule] {type(module).__name__} has no submodule {part!r} (in {target!r})"
                )
            module = module.__dict__[part]
        return module

    # State

    def state_dict(self, *, prefix: str = "") -> dict[str, Tensor]:
        """Parameters and persistent buffers by dotted name, sharing storage with the module; see `nn.state`."""
        return state.state_dict(self, prefix)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> state.IncompatibleKeys:
        """Copies a `state_dict` (cinta's, PyTorch's or arrays) into this module, all or nothing; see `nn.state`."""
        return state.load_state_dict(self, state_dict, strict)

    def train(self: Self, mode: bool = True) -> Self:
        """Sets `training` here and below; Dropout and BatchNorm act on it."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Sets evaluation mode: `train(False)`."""
        return self.train(False)

    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Calls `fn` on every submodule, children first, and on this module last."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Freezes (False) or frees every parameter."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops every parameter's gradient, or fills it with zeros."""
        for param in self.parameters():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad = param.grad.detach().zero_()

    def to(self: Self, *args: Any, dtype: Any = None, device: str | None = None) -> Self:
        """Casts floating parameters and buffers to a dtype, or moves all to a device; see `nn.cast`."""
        cast.to(self, *args, dtype=dtype, device=device)
        return self

    def float(self: Self) -> Self:
        """Casts floating parameters and buffers to float32."""
        return self.to(dtype="float32")

    def double(self: Self) -> Self:
        """Casts floating parameters and buffers to float64."""
        return self.to(dtype="float64")

    # Hooks and text

    def register_forward_hook(self, hook: Callable[[Module, tuple[Any, ...], Any], Any]) -> hooks.Handle:
        """Calls `hook(module, args, output)` after each forward; what it returns, unless None, replaces the output."""
        return hooks.add(self, "after", hook)

    def register_forward_pre_hook(self, hook: Callable[[Module, tuple[Any, ...]], Any]) -> hooks.Handle:
        """Calls `hook(module, args)` before each forward; what it returns, unless None, replaces the arguments."""
        return hooks.add(self, "before", hook)

    def extra_repr(self) -> str:
        """What stands between the brackets of this module's repr: `100 -> 10` for a Linear."""
        return ""

    def __repr__(self) -> str:
        lines = []
        for name in self._module_names:
            lines.append(f"({name}): " + repr(self.__dict__[name]).replace("\n", "\n  "))
        extra = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}(" + "\n  ".join([extra, *lines]) + "\n)"
