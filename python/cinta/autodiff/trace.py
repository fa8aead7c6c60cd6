"""One call of a function, recorded so that derivatives can be taken along it: the base of every transform here.

Nested transforms work because each call gives the function fresh inputs of its own: two nested traces never
share a leaf, so their derivatives cannot be confused. A transform called while another one traces is itself
recorded; one called on its own is not, and frees its graph as it walks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import local
from typing import Any

import numpy

from cinta import _core
from cinta._core import Tensor

from . import tree


class _Depth(local):
    value = 0


_depth = _Depth()


def is_nested() -> bool:
    """Whether an outer transform is tracing here, so that what is computed now must stay differentiable."""
    return _depth.value > 0 and _core.is_grad_enabled()


@contextmanager
def traced(active: bool = True) -> Iterator[None]:
    """What runs inside is traced by somebody (where `active`): transforms called there are recorded themselves."""
    _depth.value += active
    try:
        yield
    finally:
        _depth.value -= active


class Trace:
    """`f(*args, **kwargs)`, recorded with respect to the arguments numbered `argnum`.

    output: what `f` returned; tensors: its leaves as tensors; wrt: the chosen arguments as they were given.
    Raises IndexError for an argnum that is not there, TypeError for an argument that has no gradient.
    """

    __slots__ = ("inputs", "op", "output", "start", "tensors", "wrt")

    def __init__(
        self,
        op: str,
        f: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnum: int | Sequence[int],
        record: bool = False,
    ):
        record = record or is_nested()
        numbers = [argnum] if isinstance(argnum, int) else list(argnum)
        for number in numbers:
            if not -len(args) <= number < len(args):
                raise IndexError(
                    f"[{op}] got argnum {number}, expected one of the {len(args)} positional arguments "
                    "(pass the argument to differentiate by position)"
                )
        arguments = list(args)
        self.op = op
        self.wrt = arguments[argnum] if isinstance(argnum, int) else tuple(arguments[i] for i in numbers)
        self.inputs: list[Tensor] = []
        self.start = _core.tape_position()  # nothing recorded before it can lead to the inputs
        _depth.value += 1
        previous = _core.set_grad_enabled(True)
        try:
            for number in numbers:
                fresh = [
                    _fresh_input(_as_floating(op, value, number, arguments[number], i), record)
                    for i, value in enumerate(tree.leaves(arguments[number]))
                ]
                self.inputs += fresh
                # f gets aliases: assigning to its argument must not move the tensor the gradient is taken by.
                arguments[number] = tree.rebuild(arguments[number], [_alias(leaf) for leaf in fresh])
            self.output = f(*arguments, **kwargs)
        finally:
            _core.set_grad_enabled(previous)
            _depth.value -= 1
        self.tensors = [leaf if isinstance(leaf, Tensor) else _core.asarray(leaf) for leaf in tree.leaves(self.output)]

    def value(self, record: bool = False) -> Any:
        """What `f` returned; cut from this trace unless something outside still differentiates it."""
        if record or is_nested():
            return self.output
        return tree.rebuild(self.output, [tensor.detach() for tensor in self.tensors])

    def pull(self, cotangents: Sequence[Tensor | None], keep: bool = False, record: bool = False) -> list[Tensor]:
        """The gradients of sum_k <cotangents[k], output k> by every input; zeros where nothing depends on it."""
        record = record or is_nested()
        return _gradients(self.tensors, cotangents, self.inputs, self.start, keep or record, record)

    def push(self, tangents: Sequence[Tensor | None]) -> list[Tensor]:
        """The directional derivatives of every output: J v as the gradient of u -> <u^T J, v>.

        Source: J. Townsend, "A new trick for calculating Jacobian vector products", 2017.
        """
        record = is_nested()
        start = _core.tape_position()
        probes = [_core.zeros_like(tensor).requires_grad_() for tensor in self.tensors if tensor.requires_grad]
        by_output = iter(probes)
        cotangents = [next(by_output) if tensor.requires_grad else None for tensor in self.tensors]
        pulled = _gradients(self.tensors, cotangents, self.inputs, self.start, True, True)
        pushed = iter(_gradients(pulled, tangents, probes, start, record, record))
        return [next(pushed) if t.requires_grad else _core.zeros_like(t) for t in self.tensors]

    def cotangents(self, given: Any) -> list[Tensor | None]:
        """Cotangents for the outputs from a user's tree, checked against the outputs' structure and shapes."""
        values = tree.along(self.output, given, f"[{self.op}] cotangent")
        return [as_like(self.op, "cotangent", v, t, "the output") for v, t in zip(values, self.tensors)]

    def tangents(self, given: Any) -> list[Tensor | None]:
        """Tangents for the inputs from a user's tree, checked against the inputs' structure and shapes."""
        values = tree.along(self.wrt, given, f"[{self.op}] tangent")
        return [as_like(self.op, "tangent", v, t, "its argument") for v, t in zip(values, self.inputs)]


def _gradients(
    outputs: Sequence[Tensor],
    cotangents: Sequence[Tensor | None],
    inputs: list[Tensor],
    start: int,
    keep: bool,
    record: bool,
) -> list[Tensor]:
    """The gradients of sum_k <cotangents[k], outputs[k]> by the inputs, found on the tape from position `start` on."""
    live = [(y, dy) for y, dy in zip(outputs, cotangents) if y.requires_grad and dy is not None]
    if not live:
        return [_core.zeros_like(x) for x in inputs]
    ys, dys = [y for y, _ in live], [dy for _, dy in live]
    found = _core.backward(ys, dys, inputs=inputs, retain_graph=keep, create_graph=record, since=start)
    return [_core.zeros_like(x) if g is None else g for g, x in zip(found, inputs)]


def as_like(op: str, what: str, value: Any, reference: Tensor, owner: str) -> Tensor | None:
    """`value` as a tensor of the reference's dtype; ValueError unless it has the reference's shape."""
    if value is None:
        return None
    tensor = value if isinstance(value, Tensor) else _core.asarray(value, dtype=reference.dtype)
    if tensor.dtype != reference.dtype:
        tensor = tensor.astype(reference.dtype)
    if tensor.shape != reference.shape:
        raise ValueError(
            f"[{op}] {what} has shape {tensor.shape}, expected {reference.shape}, the shape of {owner} "
            "(reshape or broadcast it)"
        )
    return tensor


def _as_floating(op: str, value: Any, number: int, argument: Any, position: int) -> Tensor:
    if isinstance(value, Tensor):
        tensor = value
    elif isinstance(value, float):
        tensor = _core.tensor(value, dtype=_core.float64)
    elif isinstance(value, (numpy.ndarray, numpy.number, numpy.bool_)):
        tensor = _core.asarray(value)
    else:
        raise TypeError(
            f"[{op}] argument {number}{tree.path(argument, position)} is a {type(value).__name__}, expected floats or "
            "arrays of floats (write 3.0 for 3; leave arguments without a gradient out of argnum)"
        )
    if not tensor.dtype.is_floating:
        raise TypeError(
            f"[{op}] argument {number}{tree.path(argument, position)} has dtype {tensor.dtype}, expected a floating "
            "dtype (convert it with .astype(float), or leave it out of argnum)"
        )
    return tensor


def _fresh_input(tensor: Tensor, record: bool) -> Tensor:
    """A tensor of its own over the same values; linked to what the argument came from if that is differentiated."""
    return _alias(tensor) if record and tensor.requires_grad else tensor.detach().requires_grad_()


def _alias(tensor: Tensor) -> Tensor:
    return tensor[...]
