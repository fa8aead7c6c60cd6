"""Parameter: a tensor that a module owns and an optimizer updates."""

from __future__ import annotations

from typing import Any

from cinta._core import Tensor, asarray


class Parameter(Tensor):
    """A tensor that registers itself when it is assigned to an attribute of a `Module`.

    Args:
        data: tensor, array or nested list; a tensor or array shares its storage with the parameter.
        requires_grad: whether `backward` accumulates into `.grad`.

    Errors: TypeError where gradients are asked of a dtype that is not floating.

    Example:
        >>> scale = nn.Parameter(ct.ones(3))
        >>> (scale * 2).sum().backward()
        >>> scale.grad.tolist()
        [2.0, 2.0, 2.0]
    """

    __slots__ = ()

    def __new__(cls, data: Any, requires_grad: bool = True) -> Parameter:
        values = asarray(data).detach()
        if requires_grad and not values.dtype.is_floating:
            raise TypeError(
                f"[Parameter] data has dtype {values.dtype}, expected a floating one (or requires_grad=False)"
            )
        self = super().__new__(cls, values)
        self.requires_grad_(requires_grad)
        return self

    def __repr__(self) -> str:
        return f"Parameter({super().__repr__()})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        copied = type(self)(self.detach().clone(), self.requires_grad)
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.detach(), self.requires_grad)
