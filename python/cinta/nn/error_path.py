"""Where in a network an error happened: runs only once something has failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cinta.nn.module import Module

# Errors with other constructors keep their text: rewriting their arguments could break their own __str__.
_REWRITTEN = (ValueError, TypeError, IndexError, RuntimeError)


class _Origin:
    """What is known so far: the failing module's label and message, and its path as seen from `seen_from`."""

    __slots__ = ("label", "message", "path", "seen_from")

    def __init__(self, module: Module, message: str) -> None:
        self.seen_from = module
        self.path = ""
        self.label = label(module)
        self.message = message

    def __str__(self) -> str:
        if not self.path:
            return f"{self.label}: {self.message}"
        return f"{type(self.seen_from).__name__}.{self.path} ({self.label}): {self.message}"


def label(module: Module) -> str:
    """The module in a few words, `Linear 100 -> 10`."""
    return f"{type(module).__name__} {module.extra_repr()}".rstrip()


def add_path(module: Module, error: Any) -> None:
    """Puts the failing module's dotted path, as seen from `module`, before the error's message."""
    origin = getattr(error, "_origin", None)
    if origin is None:
        if type(error) not in _REWRITTEN or len(error.args) != 1 or not isinstance(error.args[0], str):
            return
        error._origin = origin = _Origin(module, error.args[0])
    else:
        name = next((name for name, below in module.named_modules() if below is origin.seen_from), "")
        if not name:  # called, but not registered as a submodule: the path known so far is all there is
            return
        origin.path = f"{name}.{origin.path}" if origin.path else name
        origin.seen_from = module
    error.args = (str(origin),)


def add_input(error: Any, failing: Module, before: Module | None, x: Any) -> None:
    """Says what the layer before the failing one gave, where the failing one is itself the origin of the error."""
    origin = getattr(error, "_origin", None)
    if before is None or origin is None or origin.seen_from is not failing or origin.path:
        return
    shape = getattr(x, "shape", None)
    if shape is not None:
        origin.message += f"; the {label(before)} before it gives {list(shape)}"
        error.args = (str(origin),)
