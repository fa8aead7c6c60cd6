"""Linear: y = x W^T + b."""

from __future__ import annotations

import math
from typing import Any

from cinta._core import Tensor, empty, linear
from cinta.nn.init import uniform_
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter


class Identity(Module):
    """Gives back its input; takes and ignores any arguments.

    y = x

    Example:
        >>> nn.Identity()(ct.ones(2)).tolist()
        [1.0, 1.0]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        return x


class Linear(Module):
    """An affine map of the last dimension.

    y = x W^T + b, x [..., I], weight W [O, I], bias b [O], y [..., O]

    Weight and bias start as U(-1/sqrt(I), 1/sqrt(I)).
    Errors: ValueError where x's last dimension is not I.

    Example:
        >>> nn.Linear(3, 2)(ct.ones((5, 3))).shape
        (5, 2)
    """

    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: Any = None) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty((out_features, in_features), dtype=dtype))
        self.register_parameter("bias", Parameter(empty((out_features,), dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias anew."""
        bound = 1.0 / math.sqrt(max(self.in_features, 1))
        uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features} -> {self.out_features}" + ("" if self.bias is not None else ", bias=False")
