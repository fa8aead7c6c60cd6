"""Gradients of functions with one number as their result: `grad` and its relatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from cinta import _core
from cinta._core import Tensor

from . import tree
from .trace import Trace

Function = Callable[..., Any]
Argnum = int | Sequence[int]


def grad(f: Function, argnum: Argnum = 0, *, create_graph: bool = False) -> Function:
    """The function that computes df/dx at its arguments, x being argument `argnum` of `f`.

    Shapes: f(..., x, ...) has one element; the gradient has the structure, shapes and dtypes of x. x may be an
    array, a Python float (float64), or nested lists, tuples and dicts of those; a tuple of argnums gives a tuple.
    Nests to any order. The result is recorded when another transform traces this call, or with `create_graph=True`
    (for a later `.backward()` through it).
    Errors: TypeError for integer arguments and for outputs of more than one element.

    >>> import cinta.numpy as np
    >>> float(grad(lambda x: x**3)(2.0)), float(grad(grad(lambda x: x**3))(2.0))
    (12.0, 12.0)
    """

    @_named("grad", f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return _value_and_gradient("grad", f, argnum, create_graph, args, kwargs)[1]

    return gradient


def value_and_grad(f: Function, argnum: Argnum = 0, *, create_graph: bool = False) -> Function:
    """The function that computes the pair (f, df/dx); arguments and errors as `grad`.

    >>> value, gradient = value_and_grad(lambda x: x**2)(3.0)
    >>> float(value), float(gradient)
    (9.0, 6.0)
    """

    @_named("value_and_grad", f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        trace, gradient = _value_and_gradient("value_and_grad", f, argnum, create_graph, args, kwargs)
        return trace.value(create_graph), gradient

    return value_and_gradient


def elementwise_grad(f: Function, argnum: Argnum = 0) -> Function:
    """The function that computes sum_k df_k/dx: for an elementwise `f`, its derivative at every element.

    Shapes: f of any shape; the result has the shape of x.

    >>> import cinta.numpy as np
    >>> print(elementwise_grad(np.square)(np.array([1.0, 2.0])))
    [2. 4.]
    """

    @_named("elementwise_grad", f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        trace = Trace("elementwise_grad", f, args, kwargs, argnum)
        return tree.rebuild(trace.wrt, trace.pull([_core.ones_like(t) for t in trace.tensors]))

    return gradient


def grad_and_aux(f: Function, argnum: Argnum = 0) -> Function:
    """For `f` returning (y, aux): the function that computes (dy/dx, aux), aux carried along untouched.

    >>> gradient, aux = grad_and_aux(lambda x: (x**2, {"x": x}))(3.0)
    >>> float(gradient), float(aux["x"])
    (6.0, 3.0)
    """

    @_named("grad_and_aux", f)
    def gradient_and_aux(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        trace = Trace("grad_and_aux", f, args, kwargs, argnum)
        if not isinstance(trace.output, (tuple, list)) or len(trace.output) != 2:
            raise TypeError(
                f"[grad_and_aux] the function returned a {type(trace.output).__name__}, expected a pair "
                "(return (y, aux), or use grad)"
            )
        gradients = trace.pull([_one("grad_and_aux", trace.tensors[:1])])
        return tree.rebuild(trace.wrt, gradients), trace.value()[1]

    return gradient_and_aux


def grad_named(f: Function, argname: str) -> Function:
    """`grad` by the argument called `argname`.

    >>> float(grad_named(lambda a, b: a * b, "b")(2.0, 5.0))
    2.0
    """
    from inspect import signature

    return grad(f, list(signature(f).parameters).index(argname))


def multigrad_dict(f: Function) -> Function:
    """The function that computes the gradients by all arguments, as a dict from argument name to gradient.

    >>> {name: float(g) for name, g in multigrad_dict(lambda a, b: a * b)(2.0, 5.0).items()}
    {'a': 5.0, 'b': 2.0}
    """
    from inspect import BoundArguments, signature

    @_named("multigrad_dict", f)
    def gradients(*args: Any, **kwargs: Any) -> Any:
        bound = signature(f).bind(*args, **kwargs)
        bound.apply_defaults()

        def of_dict(values: Any) -> Any:
            call = BoundArguments(bound.signature, values)
            return f(*call.args, **call.kwargs)

        return grad(of_dict)(dict(bound.arguments))

    return gradients


def _value_and_gradient(
    op: str, f: Function, argnum: Argnum, create_graph: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Trace, Any]:
    trace = Trace(op, f, args, kwargs, argnum, create_graph)
    gradients = trace.pull([_one(op, trace.tensors)], record=create_graph)
    return trace, tree.rebuild(trace.wrt, gradients)


def _one(op: str, tensors: list[Tensor]) -> Tensor:
    """The cotangent of a function with one number as its result; anything else is refused with a way out."""
    if len(tensors) == 1 and tensors[0].size == 1:
        return _core.ones_like(tensors[0])
    got = f"shape {tensors[0].shape}" if len(tensors) == 1 else f"{len(tensors)} arrays"
    raise TypeError(
        f"[{op}] the function returned {got}, expected one number (reduce it, for example with .sum(); "
        "for every output's gradient use jacobian, for an elementwise function elementwise_grad)"
    )


def _named(op: str, f: Function) -> Callable[[Function], Function]:
    def rename(wrapper: Function) -> Function:
        wrapper = wraps(f, assigned=("__module__",), updated=())(wrapper)
        wrapper.__name__ = wrapper.__qualname__ = f"{op}_of_{getattr(f, '__name__', type(f).__name__)}"
        wrapper.__doc__ = f"{op} of {getattr(f, '__name__', type(f).__name__)}: takes the same arguments."
        return wrapper

    return rename
