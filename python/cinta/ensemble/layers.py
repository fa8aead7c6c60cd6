"""Layers of N members side by side: what `stack` puts in the place of N layers of one kind.

The members' examples lie one after the other along the first axis, [N B, ...], and every parameter and buffer has the
members as its first axis, [N, ...]. What treats each example by itself and has no parameters (activations, pooling,
dropout, reshapes) works on that as it is. `STACKED` has the kinds for which one operation does the work of N; every
other layer runs on one member's examples after the other, with that member's parameters, by the kernels that it would
have alone (`StackedLayer`).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from cinta import nn
from cinta._core import Tensor, batch_norm, concat, layer_norm, linear, stack
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter


def check_members(x: Tensor, count: int) -> None:
    """ValueError where x's first axis is not members times examples."""
    if x.ndim == 0 or len(x) % count:
        raise ValueError(f"input has shape {list(x.shape)}, expected a first axis of {count} members x batch")


class StackedLayer(Module):
    """N layers of one kind as one: the settings they share, and their parameters and buffers along a new first axis.

    y = [f(x_1; w_1), ..., f(x_N; w_N)], x [N B, ...], y [N B, ...], each parameter w [N, ...]

    A subclass in `STACKED` does in one operation what this does one member after the other.
    Errors: ValueError where the layers differ in a setting or a shape, or x's first axis is no multiple of N.

    Example:
        >>> layer = ct.ensemble.StackedLayer([nn.Conv2d(1, 6, 5) for _ in range(3)])
        >>> layer.weight.shape, layer(ct.ones((3 * 8, 1, 28, 28))).shape
        ((3, 6, 1, 5, 5), (24, 6, 24, 24))
    """

    if TYPE_CHECKING:  # the settings, parameters and buffers of its kind

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, layers: list[Any]) -> None:
        super().__init__()
        first = layers[0]
        self.count = len(layers)
        self.kind = type(first)
        self.settings = first.extra_repr()
        tensors = (*first._parameter_names, *first._buffer_names)
        for name, value in first.__dict__.items():
            if name not in tensors and not name.startswith("_"):
                if any(layer.__dict__.get(name) != value for layer in layers):
                    raise ValueError(f"the members' {self.kind.__name__} differs in {name}")
                setattr(self, name, value)
        for name in tensors:
            members = [layer.__dict__.get(name) for layer in layers]
            looks = {m if m is None else (m.shape, m.dtype, m.requires_grad) for m in members}
            if len(looks) > 1:
                raise ValueError(f"the members' {self.kind.__name__} differs in the shape or dtype of {name}")
            stacked = None if members[0] is None else stack([member.detach() for member in members])
            if name in first._buffer_names:
                self.register_buffer(name, stacked, first._buffer_names[name])
            else:
                trained = members[0] is not None and members[0].requires_grad
                self.register_parameter(name, None if stacked is None else Parameter(stacked, trained))
        form = copy.copy(first)
        form.__dict__.update(dict.fromkeys(tensors))
        self._form = (form,)  # in a tuple, as it is no submodule: a layer without tensors, to be given slices

    def apart(self, x: Tensor) -> Tensor:
        """The members' examples along an axis of their own: [N B, ...] -> [N, B, ...]."""
        check_members(x, self.count)
        return x.reshape(self.count, len(x) // self.count, *x.shape[1:])

    def members(self) -> list[Any]:
        """The layers, each on its slices of the parameters and buffers."""
        layers = [copy.copy(self._form[0]) for _ in range(self.count)]
        for name in (*self._parameter_names, *self._buffer_names):
            tensor = self.__dict__[name]
            for layer, part in zip(layers, tensor.split(self.count) if tensor is not None else ()):
                layer.__dict__[name] = part.reshape(tensor.shape[1:])
        for layer in layers:
            layer.__dict__["training"] = self.training
        return layers

    def forward(self, x: Tensor) -> Tensor:
        check_members(x, self.count)
        return concat([layer.forward(part) for layer, part in zip(self.members(), x.split(self.count))])

    def extra_repr(self) -> str:
        return f"{self.count} x {self.kind.__name__}({self.settings})"


class StackedLinear(StackedLayer):
    """N affine maps as one batched product: y_n = x_n W_n^T + b_n, W [N, O, I], b [N, O]."""

    def forward(self, x: Tensor) -> Tensor:
        y = linear(self.apart(x), self.weight, self.bias)
        return y.reshape(*x.shape[:-1], y.shape[-1])


class StackedBatchNorm1d(StackedLayer):
    """N batch norms of [B, C] as one over N C features; of [B, C, L] one after the other, which copies less."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2 or self.momentum is None or x.shape[1] != self.num_features:
            return super().forward(x)
        features = self.apart(x).swapaxes(0, 1)
        mean, var, weight, bias = (
            tensor if tensor is None else tensor.reshape(-1)
            for tensor in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        if self.training and self.num_batches_tracked is not None:
            count = self.num_batches_tracked
            count += 1
        training = self.training or mean is None
        y = batch_norm(
            features.reshape(len(features), self.count * self.num_features),
            mean,
            var,
            weight,
            bias,
            training,
            self.momentum,
            self.eps,
        )
        return y.reshape(features.shape).swapaxes(0, 1).reshape(x.shape)


class StackedLayerNorm(StackedLayer):
    """N layer norms as one without weights, which come after it."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.apart(layer_norm(x, self.normalized_shape, None, None, self.eps))
        between = [1] * (y.ndim - 1 - len(self.normalized_shape))
        if self.weight is not None:
            y = y * self.weight.reshape(self.count, *between, *self.normalized_shape)
        if self.bias is not None:
            y = y + self.bias.reshape(self.count, *between, *self.normalized_shape)
        return y.reshape(x.shape)


STACKED: dict[type, type[StackedLayer]] = {
    nn.Linear: StackedLinear,
    nn.BatchNorm1d: StackedBatchNorm1d,
    nn.LayerNorm: StackedLayerNorm,
}
