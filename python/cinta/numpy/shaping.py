"""The same elements in another shape or order; where the order stays, a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cinta import _core
from cinta._core import Tensor

from .promotion import tensor_of


def shape(a: Any) -> tuple[int, ...]:
    """The lengths of the axes.

    >>> np.shape([[1.0, 2.0]])
    (1, 2)
    """
    return tensor_of(a).shape


def ndim(a: Any) -> int:
    """The number of axes.

    >>> np.ndim([[1.0, 2.0]])
    2
    """
    return tensor_of(a).ndim


def size(a: Any, axis: int | None = None) -> int:
    """The number of elements, or the length of an axis.

    >>> np.size([[1.0, 2.0]])
    2
    """
    return tensor_of(a).size if axis is None else tensor_of(a).shape[axis]


def reshape(a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None) -> Tensor:
    """The elements in a new shape, one length may be -1; read and filled by rows ("C") or by columns ("F").

    >>> np.reshape(np.zeros((2, 3)), (3, -1)).shape
    (3, 2)
    """
    wanted = newshape if shape is None else shape
    wanted = (wanted,) if isinstance(wanted, int) else tuple(wanted)
    if _by_columns("reshape", order):
        return tensor_of(a).T.reshape(wanted[::-1]).T
    return tensor_of(a).reshape(wanted)


def ravel(a: Any, order: str = "C") -> Tensor:
    """The elements in one row, read by rows ("C") or by columns ("F").

    >>> print(np.ravel([[1, 2], [3, 4]], "F"))
    [1 3 2 4]
    """
    return tensor_of(a).T.ravel() if _by_columns("ravel", order) else tensor_of(a).ravel()


def _by_columns(op: str, order: str) -> bool:
    if order not in ("C", "F", "A", "K"):
        raise ValueError(f"[numpy.{op}] got order {order!r}, expected 'C' or 'F'")
    return order == "F"


def transpose(a: Any, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in another order, reversed by default.

    >>> np.transpose(np.zeros((2, 3))).shape
    (3, 2)
    """
    return _core.transpose(tensor_of(a), axes)


permute_dims = transpose


def matrix_transpose(x: Any, /) -> Tensor:
    """The last two axes exchanged.

    >>> np.matrix_transpose(np.zeros((4, 2, 3))).shape
    (4, 3, 2)
    """
    return _core.swapaxes(tensor_of(x), -1, -2)


def swapaxes(a: Any, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged.

    >>> np.swapaxes(np.zeros((1, 2, 3)), 0, 2).shape
    (3, 2, 1)
    """
    return _core.swapaxes(tensor_of(a), axis1, axis2)


def moveaxis(a: Any, source: Any, destination: Any) -> Tensor:
    """Axes moved to new places, the others in their order.

    >>> np.moveaxis(np.zeros((1, 2, 3)), 0, -1).shape
    (2, 3, 1)
    """
    return _core.moveaxis(tensor_of(a), source, destination)


def rollaxis(a: Any, axis: int, start: int = 0) -> Tensor:
    """One axis moved to lie before position `start`.

    >>> np.rollaxis(np.zeros((1, 2, 3)), 2).shape
    (3, 1, 2)
    """
    tensor = tensor_of(a)
    axis, start = axis % tensor.ndim, start + tensor.ndim if start < 0 else start
    return _core.moveaxis(tensor, axis, start - 1 if axis < start else start)


def squeeze(a: Any, axis: Any = None) -> Tensor:
    """Without axes of length 1: all of them, or those named.

    >>> np.squeeze(np.zeros((1, 2, 1))).shape
    (2,)
    """
    return _core.squeeze(tensor_of(a), axis)


def expand_dims(a: Any, axis: Any) -> Tensor:
    """With new axes of length 1 at the given places.

    >>> np.expand_dims(np.zeros(2), 0).shape
    (1, 2)
    """
    tensor = tensor_of(a)
    if isinstance(axis, int):
        return _core.expand_dims(tensor, axis)
    total = tensor.ndim + len(axis)
    places = {i % total for i in axis}
    lengths = iter(tensor.shape)
    return tensor.reshape(tuple(1 if i in places else next(lengths) for i in range(total)))


def atleast_1d(*arys: Any) -> Any:
    """Arrays with one axis or more.

    >>> np.atleast_1d(1.0).shape
    (1,)
    """
    return _each(arys, lambda x: x.reshape(1) if x.ndim == 0 else x)


def atleast_2d(*arys: Any) -> Any:
    """Arrays with two axes or more, new ones in front.

    >>> np.atleast_2d([1.0, 2.0]).shape
    (1, 2)
    """
    return _each(arys, lambda x: x.reshape((1,) * (2 - x.ndim) + x.shape) if x.ndim < 2 else x)


def atleast_3d(*arys: Any) -> Any:
    """Arrays with three axes or more: (n) becomes (1, n, 1), (m, n) becomes (m, n, 1).

    >>> np.atleast_3d([1.0, 2.0]).shape
    (1, 2, 1)
    """
    return _each(arys, lambda x: x.reshape((1,) * (2 - x.ndim) + x.shape + (1,)) if x.ndim < 3 else x)


def _each(arys: tuple[Any, ...], change: Any) -> Any:
    changed = tuple(change(tensor_of(x)) for x in arys)
    return changed[0] if len(changed) == 1 else changed


def broadcast_to(array: Any, shape: Any) -> Tensor:
    """The array repeated over new axes and axes of length 1, without a copy.

    >>> np.broadcast_to([1.0, 2.0], (3, 2)).shape
    (3, 2)
    """
    return _core.broadcast_to(tensor_of(array), (shape,) if isinstance(shape, int) else tuple(shape))


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to.

    >>> np.broadcast_shapes((3, 1), (2,))
    (3, 2)
    """
    import numpy

    return numpy.broadcast_shapes(*shapes)


def broadcast_arrays(*args: Any) -> tuple[Tensor, ...]:
    """Arrays broadcast against each other.

    >>> [x.shape for x in np.broadcast_arrays([1.0, 2.0], [[3.0]])]
    [(1, 2), (1, 2)]
    """
    arrays = [tensor_of(x) for x in args]
    common = broadcast_shapes(*(x.shape for x in arrays))
    return tuple(_core.broadcast_to(x, common) for x in arrays)


def flip(m: Any, axis: Any = None) -> Tensor:
    """The elements in reverse order along all axes, or those named.

    >>> print(np.flip([1, 2, 3]))
    [3 2 1]
    """
    return _core.flip(tensor_of(m), axis)


def flipud(m: Any) -> Tensor:
    """The rows in reverse order.

    >>> print(np.flipud([[1], [2]]))
    [[2]
     [1]]
    """
    return _core.flip(tensor_of(m), 0)


def fliplr(m: Any) -> Tensor:
    """The columns in reverse order.

    >>> print(np.fliplr([[1, 2]]))
    [[2 1]]
    """
    return _core.flip(tensor_of(m), 1)


def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """Turned by k quarters in the plane of two axes, from the first towards the second.

    >>> print(np.rot90([[1, 2], [3, 4]]))
    [[2 4]
     [1 3]]
    """
    tensor, (first, second) = tensor_of(m), axes
    if k % 4 == 0:
        return tensor[...]
    if k % 4 == 2:
        return _core.flip(tensor, (first, second))
    return (
        _core.swapaxes(_core.flip(tensor, second), first, second)
        if k % 4 == 1
        else _core.flip(_core.swapaxes(tensor, first, second), second)
    )


def roll(a: Any, shift: Any, axis: Any = None) -> Tensor:
    """The elements shifted along axes, those pushed out coming in at the other end; without axis, flattened.

    >>> print(np.roll([1, 2, 3], 1))
    [3 1 2]
    """
    tensor = tensor_of(a)
    if isinstance(shift, int) and (axis is None or isinstance(axis, int)):
        return _core.roll(tensor, shift, axis)
    if axis is None:
        return _core.roll(tensor, sum(shift))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    shifts = (shift,) * len(axes) if isinstance(shift, int) else tuple(shift)
    axes = axes * len(shifts) if len(axes) == 1 else axes
    for step, along in zip(shifts, axes, strict=True):
        tensor = _core.roll(tensor, step, along)
    return tensor


def pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Tensor:
    """Borders put around: of one value ("constant"), or mirrored ("reflect"), repeated ("edge"), periodic ("wrap").

    `pad_width`: a number, (before, after), or one such pair for each axis.

    >>> print(np.pad([1, 2], 1))
    [0 1 2 0]
    """
    return _core.pad(tensor_of(array), pad_width, mode=mode, value=constant_values)


__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "matrix_transpose",
    "moveaxis",
    "ndim",
    "pad",
    "permute_dims",
    "ravel",
    "reshape",
    "roll",
    "rollaxis",
    "rot90",
    "shape",
    "size",
    "squeeze",
    "swapaxes",
    "transpose",
]
