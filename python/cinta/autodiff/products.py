"""Products with Jacobians and Hessians, without building them: `vjp`, `jvp`, `hvp` and autograd's names for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cinta import _core

from . import tree
from .gradients import Argnum, Function, grad
from .trace import Trace


def vjp(f: Function, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value f(*primals) and the function u -> u^T J, one gradient for each primal.

    Shapes: u has the structure and shapes of the output; the result is a tuple like `primals`.
    The returned function may be called many times.

    >>> y, pull = vjp(lambda x: x**2, 3.0)
    >>> float(y), [float(g) for g in pull(10.0)]
    (9.0, [60.0])
    """
    trace = Trace("vjp", f, primals, {}, range(len(primals)))

    def pull(cotangent: Any) -> tuple[Any, ...]:
        gradients = trace.pull(trace.cotangents(cotangent), keep=True)
        return tuple(tree.rebuild(trace.wrt, gradients))

    return trace.value(), pull


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value f(*primals) and its directional derivative J v along `tangents`.

    Shapes: `tangents` has the structure and shapes of `primals`; the derivative has those of the output.

    >>> y, dy = jvp(lambda x: x**2, (3.0,), (10.0,))
    >>> float(y), float(dy)
    (9.0, 60.0)
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            f"[jvp] got primals {type(primals).__name__} and tangents {type(tangents).__name__}, expected two tuples, "
            "one entry for each argument (write jvp(f, (x,), (v,)))"
        )
    trace = Trace("jvp", f, primals, {}, range(len(primals)))
    pushed = trace.push(trace.tangents(tuple(tangents)))
    return trace.value(), tree.rebuild(trace.output, pushed)


def hvp(f: Function, primals: Any, vectors: Any) -> Any:
    """The Hessian of `f` times a vector, H v, for about the cost of two gradients.

    `primals` is the tuple of f's arguments, or its one argument; `vectors` and the result have its structure.

    >>> float(hvp(lambda x: x**3, 2.0, 10.0))
    120.0
    """
    alone = not isinstance(primals, tuple)
    arguments = (primals,) if alone else primals
    trace = Trace("hvp", grad(f, range(len(arguments))), arguments, {}, range(len(arguments)))
    vector = trace.tangents((vectors,) if alone else vectors)
    products = tree.rebuild(trace.wrt, trace.pull(vector))
    return products[0] if alone else products


def make_vjp(f: Function, argnum: Argnum = 0) -> Function:
    """The function that computes the pair (u -> u^T J, f) at its arguments: autograd's form of `vjp`.

    >>> pull, y = make_vjp(lambda x: x**2)(3.0)
    >>> float(pull(1.0)), float(y)
    (6.0, 9.0)
    """

    def make(*args: Any, **kwargs: Any) -> tuple[Callable[[Any], Any], Any]:
        trace = Trace("make_vjp", f, args, kwargs, argnum)

        def pull(cotangent: Any) -> Any:
            return tree.rebuild(trace.wrt, trace.pull(trace.cotangents(cotangent), keep=True))

        return pull, trace.value()

    return make


def make_jvp(f: Function, argnum: Argnum = 0) -> Function:
    """The function that computes v -> (f, J v) at its arguments: autograd's form of `jvp`.

    >>> y, dy = make_jvp(lambda x: x**2)(3.0)(1.0)
    >>> float(y), float(dy)
    (9.0, 6.0)
    """

    def make(*args: Any, **kwargs: Any) -> Callable[[Any], tuple[Any, Any]]:
        trace = Trace("make_jvp", f, args, kwargs, argnum)

        def push(tangent: Any) -> tuple[Any, Any]:
            return trace.value(), tree.rebuild(trace.output, trace.push(trace.tangents(tangent)))

        return push

    return make


def deriv(f: Function, argnum: Argnum = 0) -> Function:
    """The function that computes df/dx along x's all-ones direction: the derivative, for a number x.

    >>> import cinta.numpy as np
    >>> print(deriv(lambda x: np.array([1.0, 2.0]) * x)(3.0))
    [1. 2.]
    """

    def derivative(*args: Any, **kwargs: Any) -> Any:
        trace = Trace("deriv", f, args, kwargs, argnum)
        return tree.rebuild(trace.output, trace.push([_core.ones_like(leaf) for leaf in trace.inputs]))

    return derivative


def make_hvp(f: Function, argnum: Argnum = 0) -> Function:
    """The function that computes the pair (v -> H v, gradient) at its arguments; one trace serves many v.

    >>> times, gradient = make_hvp(lambda x: x**3)(2.0)
    >>> float(times(1.0)), float(gradient)
    (12.0, 12.0)
    """
    return make_vjp(grad(f, argnum), argnum)


def hessian_tensor_product(f: Function, argnum: int = 0) -> Function:
    """The function (*args, v) -> H v: the Hessian by argument `argnum` contracted with a tensor of its shape.

    >>> float(hessian_tensor_product(lambda x: x**3)(2.0, 10.0))
    120.0
    """

    def product(*args: Any, **kwargs: Any) -> Any:
        *arguments, vector = args
        return make_hvp(f, argnum)(*arguments, **kwargs)[0](vector)

    return product


hessian_vector_product = hessian_tensor_product


def tensor_jacobian_product(f: Function, argnum: int = 0) -> Function:
    """The function (*args, u) -> u^T J: the Jacobian by argument `argnum` contracted with a tensor from the left.

    Shapes: u of f's shape gives x's shape; u of f's leading axes leaves f's other axes in front.

    >>> import cinta.numpy as np
    >>> x = np.array([1.0, 2.0])
    >>> print(tensor_jacobian_product(np.square)(x, np.array([1.0, 10.0])))
    [ 2. 40.]
    """
    from .jacobians import jacobian

    def product(*args: Any, **kwargs: Any) -> Any:
        *arguments, given = args
        tensor = _core.asarray(given)
        return jacobian(lambda *a, **k: _core.tensordot(tensor, f(*a, **k), axes=tensor.ndim), argnum)(
            *arguments, **kwargs
        )

    return product


vector_jacobian_product = tensor_jacobian_product


def make_ggnvp(f: Function, g: Function | None = None, f_argnum: int = 0) -> Function:
    """The function that gives v -> J^T H_g J v at its arguments: products with the generalized Gauss-Newton matrix
    of g(f(x)); without `g`, of half the sum of squares (H_g = 1).

    Source: N. Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent", 2002.

    >>> float(make_ggnvp(lambda x: x**2)(3.0)(1.0))
    36.0
    """

    def make(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        trace = Trace("make_ggnvp", f, args, kwargs, f_argnum)

        def product(vector: Any) -> Any:
            pushed = tree.rebuild(trace.output, trace.push(trace.tangents(vector)))
            curved = pushed if g is None else hvp(lambda y: g(y).sum(), trace.value(), pushed)
            return tree.rebuild(trace.wrt, trace.pull(trace.cotangents(curved), keep=True))

        return product

    return make
