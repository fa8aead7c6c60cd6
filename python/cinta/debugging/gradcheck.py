"""`ct.gradcheck`: gradients against finite differences in float64."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff import enable_grad, tree
from cinta.autodiff.rules import replayed
from cinta.nn.module import Module

Array = numpy.ndarray[Any, Any]


class GradientError(ArithmeticError):
    """What `ct.gradcheck` raises where a gradient is wrong.

    Attributes: `input`, by name; `index`, of the element; `order`, of the gradient; `numeric` and `analytic` values.

    Example:
        >>> from cinta.debugging import GradientError
        >>> @ct.custom_vjp
        ... def square(x):
        ...     return x * x
        >>> square.defvjp(lambda x: (x * x, x), lambda x, dy: (dy * x,))  # forgets the 2
        >>> try:
        ...     ct.gradcheck(square, ct.tensor([3.0]))
        ... except GradientError as error:
        ...     print(error.index, round(error.numeric / error.analytic, 6))
        (0,) 2.0
    """

    def __init__(self, input: str, index: tuple[int, ...], order: int, numeric: float, analytic: float, message: str):
        super().__init__(message)
        self.input = input
        self.index = index
        self.order = order
        self.numeric = numeric
        self.analytic = analytic


def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    order: int = 1,
    fast_mode: bool = False,
) -> bool:
    """True where the gradients of f at the inputs agree with finite differences.

    |(s(x + eps e_i) - s(x - eps e_i)) / (2 eps) - ds/dx_i| <= atol + rtol |numeric| for each element i of each input,
    where s = sum_k w_k y_k over all floating results y of f, with fixed random weights w (1 for one scalar). Floating
    inputs are converted to float64 first. For order 2 the gradient itself takes the place of f.

    Args:
        f: takes the inputs; tensors in nested lists, tuples and dicts come out. Where f is a module, a copy of it in
            float64 is checked, its parameters too.
        inputs: tensors, arrays or numbers; those of an integer or bool dtype are passed on as they are.
        eps: the step; atol, rtol: what is allowed, absolute and relative.
        order: 1, or 2 for the gradients of gradients too (any higher one in the same way).
        fast_mode: one random direction in place of every element: two calls of f in all.

    Random numbers (dropout) are drawn alike in every call. f must be smooth around the inputs: a ReLU at 0 is not.
    Errors: GradientError at the first wrong element, naming input, index, numeric and analytic value; ValueError where
    nothing can be differentiated, or for an argument out of range.

    Example:
        >>> ct.gradcheck(lambda x, y: ct.tanh(x) @ y, ct.random.normal(shape=(2, 3)), ct.random.normal(shape=(3,)))
        True
        >>> ct.gradcheck(nn.Linear(3, 2), ct.random.normal(shape=(4, 3)), order=2)
        True
    """
    if order < 1:
        raise ValueError(f"[gradcheck] order got {order}, expected 1 or more")
    if not eps > 0:
        raise ValueError(f"[gradcheck] eps got {eps}, expected a step above 0")
    given = [_as_leaf(x) for x in inputs]
    names = [f"input {k}" for k in range(len(given))]
    varied = list(given)
    if isinstance(f, Module):
        f = deepcopy(f).double()
        parameters = dict(f.named_parameters())
        names += [f"parameter {name}" for name in parameters]
        varied += parameters.values()
    chosen = [k for k, x in enumerate(varied) if isinstance(x, Tensor) and x.requires_grad]
    if not chosen:
        raise ValueError("[gradcheck] got no input of a floating dtype, expected something to differentiate by")
    check = _Check([varied[k] for k in chosen], [names[k] for k in chosen], eps, atol, rtol, fast_mode)
    state = _core.random.get_state()

    def results(create_graph: bool) -> list[Tensor]:
        with enable_grad(), replayed(state):
            found = tree.leaves(f(*given))
        return [y for y in found if isinstance(y, Tensor) and y.dtype.is_floating]

    step: Callable[[bool], list[Tensor]] = results
    for n in range(1, order + 1):
        step = check.order(n, step)
    return True


class _Check:
    """The leaves that are varied, and how closely is looked."""

    def __init__(
        self, leaves: list[Tensor], names: list[str], eps: float, atol: float, rtol: float, fast_mode: bool
    ) -> None:
        self.leaves, self.names = leaves, names
        self.eps, self.atol, self.rtol = eps, atol, rtol
        self.fast_mode = fast_mode
        self.rng = numpy.random.default_rng(0)

    def order(self, order: int, results: Callable[[bool], list[Tensor]]) -> Callable[[bool], list[Tensor]]:
        """Checks the gradient of these results, and returns a function that gives it."""
        first = results(order > 1)
        if not any(y.requires_grad for y in first):
            if order > 1:  # a gradient that does not depend on the inputs: its own is zero
                first = []
            else:
                raise ValueError("[gradcheck] no result depends on the inputs, expected a floating one that does")
        alone = len(first) == 1 and first[0].size == 1
        weights = [numpy.ones(y.shape) if alone else self.rng.normal(size=y.shape) for y in first]

        def projection() -> float:
            return sum(float(numpy.sum(w * _numbers(y))) for w, y in zip(weights, results(False)))

        def gradient(create_graph: bool) -> list[Tensor]:
            pairs = [(y, w) for y, w in zip(results(True), weights) if y.requires_grad]
            if not pairs:
                return [_core.zeros_like(x) for x in self.leaves]
            seeds = [_core.tensor(w, dtype=y.dtype) for y, w in pairs]
            found = _core.backward([y for y, _ in pairs], seeds, inputs=self.leaves, create_graph=create_graph)
            return [_core.zeros_like(x) if g is None else g for x, g in zip(self.leaves, found)]

        analytic = [_numbers(g) for g in gradient(False)]
        if self.fast_mode:
            self._along(order, projection, analytic)
        else:
            self._elements(order, projection, analytic)
        return gradient

    def _elements(self, order: int, projection: Callable[[], float], analytic: list[Array]) -> None:
        for leaf, name, wanted in zip(self.leaves, self.names, analytic):
            values = leaf.detach().numpy()
            for index in numpy.ndindex(values.shape):
                direction = numpy.zeros_like(values)
                direction[index] = 1.0
                numeric = self._difference(projection, [(leaf, direction)])
                self._compare(name, index, order, numeric, float(wanted[index]))

    def _along(self, order: int, projection: Callable[[], float], analytic: list[Array]) -> None:
        directions = [self.rng.normal(size=x.shape) for x in self.leaves]
        numeric = self._difference(projection, list(zip(self.leaves, directions)))
        along = sum(float(numpy.sum(g * d)) for g, d in zip(analytic, directions))
        self._compare("all inputs along a random direction", (), order, numeric, along)

    def _difference(self, projection: Callable[[], float], moves: list[tuple[Tensor, Array]]) -> float:
        before = [(leaf, leaf.detach().numpy().copy()) for leaf, _ in moves]
        sides = []
        try:
            for step in (self.eps, -self.eps):
                for (leaf, values), (_, direction) in zip(before, moves):
                    leaf.data.copy_(values + step * direction)
                sides.append(projection())
        finally:
            for leaf, values in before:
                leaf.data.copy_(values)
        return (sides[0] - sides[1]) / (2 * self.eps)

    def _compare(self, name: str, index: tuple[int, ...], order: int, numeric: float, analytic: float) -> None:
        if abs(numeric - analytic) <= self.atol + self.rtol * abs(numeric):
            return
        at = f" at index {index}" if index else ""
        which = "gradient" if order == 1 else f"gradient of order {order}"
        raise GradientError(
            name, index, order, numeric, analytic,
            f"[gradcheck] {name}{at}: the {which} is {analytic:.10g}, finite differences give {numeric:.10g} "
            f"(they differ by {abs(numeric - analytic):.3g}, allowed {self.atol + self.rtol * abs(numeric):.3g})",
        )  # fmt: skip


def _numbers(x: Tensor) -> Array:
    return x.detach().astype("float64").numpy()


def _as_leaf(x: Any) -> Any:
    """A float64 copy that requires grad; what is not floating as it is."""
    if isinstance(x, float):
        return _core.tensor(x, dtype="float64").requires_grad_()
    if not isinstance(x, (Tensor, numpy.ndarray)):
        return x
    tensor = x if isinstance(x, Tensor) else _core.tensor(x)
    if not tensor.dtype.is_floating:
        return tensor
    return _core.tensor(tensor.detach().astype("float64").numpy().copy()).requires_grad_()
