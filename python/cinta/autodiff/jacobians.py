"""Whole derivative matrices: `jacobian` and `hessian`."""

from __future__ import annotations

from math import prod
from typing import Any

from cinta import _core
from cinta._core import Tensor

from . import tree
from .gradients import Argnum, Function, grad
from .trace import Trace


def jacobian(f: Function, argnum: Argnum = 0) -> Function:
    """The function that computes all derivatives df_k/dx_i at its arguments, one backward walk for each output k.

    Shapes: f -> (out...), x (in...): the result is (out..., in...). Where f returns a tree, the result is that tree,
    each leaf replaced by the structure of x.

    >>> import cinta.numpy as np
    >>> print(jacobian(np.square)(np.array([1.0, 2.0])))
    [[2. 0.]
     [0. 4.]]
    """

    def matrix(*args: Any, **kwargs: Any) -> Any:
        trace = Trace("jacobian", f, args, kwargs, argnum)
        return tree.rebuild(trace.output, [_rows(trace, position) for position in range(len(trace.tensors))])

    return matrix


def hessian(f: Function, argnum: Argnum = 0) -> Function:
    """The function that computes all second derivatives d2f / dx_i dx_j of a function with one number as its result.

    Shapes: x (in...): the result is (in..., in...).

    >>> import cinta.numpy as np
    >>> print(hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0])))
    [[6. 2.]
     [2. 0.]]
    """
    return jacobian(grad(f, argnum), argnum)


def _rows(trace: Trace, position: int) -> Any:
    """The derivatives of output number `position` by every input, in the inputs' structure."""
    output = trace.tensors[position]
    if not output.requires_grad or output.size == 0:
        return tree.rebuild(trace.wrt, [_zeros(output, leaf) for leaf in trace.inputs])
    cotangents: list[Tensor | None] = [None] * len(trace.tensors)
    walks = []
    for k in range(output.size):
        unit = _core.zeros((output.size,), dtype=output.dtype)
        unit[k] = 1.0
        cotangents[position] = unit.reshape(output.shape)
        walks.append(trace.pull(cotangents, keep=True))
    columns = [
        _core.stack([walk[i] for walk in walks]).reshape(output.shape + leaf.shape)
        for i, leaf in enumerate(trace.inputs)
    ]
    return tree.rebuild(trace.wrt, columns)


def _zeros(output: Tensor, leaf: Tensor) -> Tensor:
    return _core.zeros((prod(output.shape), *leaf.shape), dtype=leaf.dtype).reshape(output.shape + leaf.shape)
