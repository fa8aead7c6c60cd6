"""New primitives from functions of NumPy arrays, with gradient rules in autograd's form: `primitive` and `defvjp`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from itertools import count
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

from . import tree
from .modes import no_grad
from .products import vjp
from .rules import attach, needs_gradient, pinned

# vjpmaker(argnums, ans, args, kwargs) -> (g -> one gradient for each of argnums)
VjpMaker = Callable[[Sequence[int], Any, tuple[Any, ...], dict[str, Any]], Callable[[Any], Any]]


class primitive:
    """A function differentiated by a rule instead of by what it does inside: it gets NumPy arrays for its tensors.

    Give the rule with `defvjp`. Any order: a rule written in recorded operations is differentiated itself.

    >>> import numpy
    >>> cube = primitive(lambda x: numpy.power(x, 3))
    >>> defvjp(cube, lambda ans, x: lambda g: g * 3 * x**2)
    >>> from cinta import grad
    >>> float(grad(cube)(2.0)), float(grad(grad(cube))(2.0))
    (12.0, 12.0)
    """

    def __init__(self, f: Callable[..., Any]):
        update_wrapper(self, f)
        self.f = f
        self.vjpmaker: VjpMaker | None = None
        self.jvprules: dict[int, Any] = {}

    @property
    def op(self) -> str:
        return getattr(self.f, "__name__", type(self.f).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        host = [arg.detach().numpy() if isinstance(arg, Tensor) else arg for arg in args]
        with no_grad():
            raw = self.f(*host, **kwargs)
        values = tree.rebuild(raw, [_as_tensor(leaf) for leaf in tree.leaves(raw)])
        argnums = [i for i, arg in enumerate(args) if needs_gradient(arg)] if _core.is_grad_enabled() else []
        if not argnums:
            return values
        return self._recorded(values, tuple(map(pinned, args)), kwargs, argnums)

    def _recorded(self, values: Any, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: list[int]) -> Any:
        return attach(self.op, values, args, lambda *dys: self._pull(values, args, kwargs, argnums, dys))

    def _pull(
        self, values: Any, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: list[int], dys: tuple[Tensor, ...]
    ) -> list[Any]:
        # For a higher order the rule needs `ans` as a function of the arguments: the same values, recorded again.
        ans = self._recorded(values, args, kwargs, argnums) if _core.is_grad_enabled() else values
        given = iter(dys)
        cotangent = tree.rebuild(values, [next(given) if v.dtype.is_floating else None for v in tree.leaves(values)])
        pull = (self.vjpmaker or self._transposed)(argnums, ans, args, kwargs)
        gradients: list[Any] = [None] * len(args)
        for i, gradient in zip(argnums, pull(cotangent)):
            gradients[i] = gradient
        return gradients

    def _transposed(self, argnums: Sequence[int], ans: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The vjp that follows from `defjvp` rules: each is linear in its tangent, and vjp of it is its transpose."""
        missing = [i for i in argnums if i not in self.jvprules]
        if missing:
            raise RuntimeError(
                f"[{self.op}] got argument {missing[0]} with a gradient to compute, expected a rule for it "
                f"(call defvjp({self.op}, ...), with None for a zero gradient)"
            )

        def transposed(g: Any) -> list[Any]:
            gradients: list[Any] = []
            for i in argnums:
                jvprule = self.jvprules[i]
                if jvprule is None:
                    gradients.append(None)
                    continue
                pull = vjp(lambda v, rule=jvprule: rule(v, ans, *args, **kwargs), _core.zeros_like(args[i]))[1]
                gradients.append(pull(g)[0])
            return gradients

        return transposed


def defvjp(fun: primitive, *vjpmakers: Callable[..., Any] | None, argnums: Sequence[int] | None = None) -> None:
    """Sets the rules of a primitive: `vjpmaker(ans, *args, **kwargs) -> (g -> gradient)`, one for each argument.

    `argnums` says which arguments the rules are for (0, 1, ... by default); `None` as a rule is a zero gradient.
    """
    _check(fun, "defvjp")
    rules = dict(zip(count() if argnums is None else argnums, vjpmakers))

    def maker(numbers: Sequence[int], ans: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[Any], Any]:
        missing = [i for i in numbers if i not in rules]
        if missing:
            raise RuntimeError(
                f"[{fun.op}] got argument {missing[0]} with a gradient to compute, expected a rule for it "
                "(give defvjp one rule for each argument, None for a zero gradient)"
            )
        makers = [rules[i] for i in numbers]
        pulls = [None if make is None else make(ans, *args, **kwargs) for make in makers]
        return lambda g: [None if pull is None else pull(g) for pull in pulls]

    fun.vjpmaker = maker


def defvjp_argnum(fun: primitive, vjpmaker: Callable[..., Any]) -> None:
    """Sets one rule for all arguments: `vjpmaker(argnum, ans, args, kwargs) -> (g -> gradient)`."""
    _check(fun, "defvjp_argnum")

    def maker(numbers: Sequence[int], ans: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[Any], Any]:
        pulls = [vjpmaker(number, ans, args, kwargs) for number in numbers]
        return lambda g: [pull(g) for pull in pulls]

    fun.vjpmaker = maker


def defvjp_argnums(fun: primitive, vjpmaker: VjpMaker) -> None:
    """Sets one rule for all arguments at once: `vjpmaker(argnums, ans, args, kwargs) -> (g -> gradients)`."""
    _check(fun, "defvjp_argnums")
    fun.vjpmaker = vjpmaker


def defjvp(fun: primitive, *jvprules: Callable[..., Any] | str | None, argnums: Sequence[int] | None = None) -> None:
    """Sets forward rules: `jvprule(v, ans, *args, **kwargs) -> tangent`; `None` is zero, `"same"` is fun itself at v.

    Forward derivatives come from the vjp here (two walks), so a primitive with `defvjp` needs none of this; one
    without it gets its vjp by transposing these rules.
    """
    _check(fun, "defjvp")
    for number, jvprule in zip(count() if argnums is None else argnums, jvprules):
        if jvprule == "same":
            fun.jvprules.pop(number, None)  # the transpose of fun itself is what defvjp gives
        else:
            fun.jvprules[number] = jvprule


def notrace_primitive(f: Callable[..., Any]) -> primitive:
    """A primitive whose result has no gradient by any argument: indices, counts, decisions."""
    fun = primitive(f)
    fun.vjpmaker = lambda argnums, ans, args, kwargs: lambda g: [None] * len(argnums)
    return fun


def _as_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else _core.asarray(numpy.asarray(value))  # NumPy's dtype for a float


def _check(fun: Any, name: str) -> None:
    if not isinstance(fun, primitive):
        raise TypeError(
            f"[{name}] got a {type(fun).__name__}, expected a primitive (decorate it with @primitive first)"
        )
