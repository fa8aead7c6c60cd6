"""Forward hooks: a hooked module gets its own `forward`, so modules without hooks pay nothing for them."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cinta.nn.module import Module


class Handle:
    """What registering a hook returns; `remove()` takes the hook off again."""

    def __init__(self, module: Module, hook: tuple[str, Callable[..., Any]]) -> None:
        self._module = module
        self._hook = hook

    def remove(self) -> None:
        """Takes the hook off; a second call does nothing."""
        hooks: list[Any] = self._module.__dict__.get("_hooks", [])
        if any(hook is self._hook for hook in hooks):
            rest = [hook for hook in hooks if hook is not self._hook]
            self._module._hooks = rest  # set, never changed: recordings notice
            if not rest:
                delattr(self._module, "_hooks")
                del self._module.forward

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def _hooked_forward(module: Module, *args: Any, **kwargs: Any) -> Any:
    hooks = list(module.__dict__["_hooks"])
    for when, hook in hooks:
        if when == "before":
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    output = type(module).forward(module, *args, **kwargs)
    for when, hook in hooks:
        if when == "after":
            changed = hook(module, args, output)
            if changed is not None:
                output = changed
    return output


def add(module: Module, when: str, hook: Callable[..., Any]) -> Handle:
    """Registers `hook` to run "before" or "after" the module's forward."""
    if not callable(hook):
        raise TypeError(f"[{type(module).__name__}] hook got a {type(hook).__name__}, expected a function")
    entry = (when, hook)
    module._hooks = [*module.__dict__.get("_hooks", []), entry]  # set, never changed: recordings notice
    module.forward = MethodType(_hooked_forward, module)
    return Handle(module, entry)
