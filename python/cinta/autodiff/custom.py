"""Functions with a gradient of the user's own: `custom_vjp`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

from cinta import _core
from cinta._core import Tensor

from . import tree
from .modes import no_grad
from .rules import attach, needs_gradient, pinned, replayed


class custom_vjp:
    """A function with a gradient by hand: `fwd(*args) -> (output, residuals)` and `bwd(residuals, dy) -> gradients`.

    `bwd` returns a tuple with one gradient for each argument, `None` for zero; arguments and output may be nested
    lists, tuples and dicts. Arguments numbered in `nondiff_argnums` have no gradient and come first in `bwd`.
    Gradients of gradients differentiate `bwd`, and `fwd` as far as the residuals come from it.
    Source: the form is JAX's `jax.custom_vjp`.

    >>> @custom_vjp
    ... def clipped_exp(x):
    ...     return x.exp()
    >>> clipped_exp.defvjp(lambda x: (x.exp(), x.exp()), lambda y, dy: (dy * y.clip(max=10.0),))
    >>> from cinta import grad
    >>> float(grad(clipped_exp)(100.0))
    10.0
    """

    def __init__(self, f: Callable[..., Any], nondiff_argnums: Sequence[int] = ()):
        update_wrapper(self, f)
        self.f = f
        self.nondiff_argnums = tuple(nondiff_argnums)
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None

    @property
    def op(self) -> str:
        return getattr(self.f, "__name__", type(self.f).__name__)

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Sets the rule: `fwd(*args) -> (output, residuals)` and `bwd(*nondiff, residuals, dy) -> gradients`."""
        self.fwd, self.bwd = fwd, bwd

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.fwd is None or self.bwd is None:
            raise RuntimeError(
                f"[{self.op}] got a call before its gradient rule (call {self.op}.defvjp(fwd, bwd) first)"
            )
        if kwargs:
            from inspect import signature

            bound = signature(self.f).bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        if not _core.is_grad_enabled() or not any(map(needs_gradient, tree.leaves(args))):
            return self.f(*args)
        return self._record(self.fwd, self.bwd, tree.rebuild(args, map(pinned, tree.leaves(args))))

    def _record(self, fwd: Callable[..., Any], bwd: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        state = _core.random.get_state()
        with no_grad():
            output, residuals = self._forward(fwd, args)
        shape = tree.skeleton(output)
        fixed = [args[i] for i in self.nondiff_argnums]
        free = tuple(arg for i, arg in enumerate(args) if i not in self.nondiff_argnums)
        leaves = tree.leaves(output)
        floating = [isinstance(leaf, Tensor) and leaf.dtype.is_floating for leaf in leaves]

        def rule(*dys: Tensor) -> list[Any]:
            saved = residuals
            if _core.is_grad_enabled():  # a higher order: residuals that remember how they came from the arguments
                with replayed(state):
                    saved = self._forward(fwd, args)[1]
            given = iter(dys)
            cotangent = tree.rebuild(shape, [next(given) if float_ else None for float_ in floating])
            gradients = bwd(*fixed, saved, cotangent)
            if not isinstance(gradients, (tuple, list)) or len(gradients) != len(free):
                count = f"{len(gradients)} gradients" if isinstance(gradients, (tuple, list)) else "no tuple"
                raise ValueError(
                    f"[{self.op}] bwd returned {count}, expected a tuple of {len(free)}, one for each argument "
                    "(None for an argument without a gradient)"
                )
            return tree.along(free, tuple(gradients), f"[{self.op}] gradients")

        return attach(self.op, output, tree.leaves(free), rule)

    def _forward(self, fwd: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, Any]:
        result = fwd(*args)
        if not isinstance(result, tuple) or len(result) != 2:
            raise ValueError(
                f"[{self.op}] fwd returned a {type(result).__name__}, expected the pair (output, residuals)"
            )
        return result
