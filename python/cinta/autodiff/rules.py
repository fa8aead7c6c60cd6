"""Attaching a Python gradient rule to computed values: what `custom_vjp`, `primitive` and `checkpoint` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cinta import _core
from cinta._core import Tensor

from . import tree
from .trace import as_like, traced

Rule = Callable[..., Sequence[Any]]


def attach(op: str, values: Any, arguments: Sequence[Any], rule: Rule) -> Any:
    """The tree `values` as fresh tensors whose gradient is `rule(*dys) -> one gradient per argument` (None is zero).

    There is one dy for each leaf of `values` that has a floating dtype; the other leaves pass through.
    """
    wanted = [i for i, argument in enumerate(arguments) if needs_gradient(argument)]
    leaves = tree.leaves(values)
    floating = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.dtype.is_floating]

    def vjp(*dys: Tensor) -> list[Tensor | None]:
        with traced(_core.is_grad_enabled()):
            gradients = rule(*dys)
        return [as_like(op, "gradient", gradients[i], arguments[i], f"tensor argument {i}") for i in wanted]

    fresh = _core.custom_node([leaves[i] for i in floating], [arguments[i] for i in wanted], vjp)
    for i, tensor in zip(floating, fresh):
        leaves[i] = tensor
    return tree.rebuild(values, leaves)


def needs_gradient(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def pinned(value: Any) -> Any:
    """The value as it stands: a later in-place write through the caller's name does not move it."""
    return value[...] if isinstance(value, Tensor) else value


@contextmanager
def replayed(state: Any) -> Iterator[None]:
    """Draws random numbers again as they were drawn from `state`, then goes on where the generator stood."""
    current = _core.random.get_state()
    _core.random.set_state(state)
    try:
        yield
    finally:
        _core.random.set_state(current)
