"""An `nn` for `models.py` in plain JAX: layers hold arrays, `apply` runs a model as a pure function of its state.

Under `jax.jit` the objects are gone after tracing. Weights lie as JAX's users keep them: matrices [in, out], and where
images are [N,H,W,C] kernels [H,W,in,out].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

State = dict[str, jax.Array]
FORMS = {"NCHW": ("NCHW", "OIHW", "NCHW"), "NHWC": ("NHWC", "HWIO", "NHWC")}  # images, kernels, results


class Module:
    own: tuple[str, ...] = ()  # its parameters and buffers
    buffers: tuple[str, ...] = ()  # which of them are none
    images = "NCHW"

    def forward(self, x: Any) -> Any:
        raise NotImplementedError

    def __call__(self, x: Any) -> Any:
        return self.forward(x)

    def modules(self, path: str = "") -> Iterator[tuple[str, Module]]:
        yield path, self
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield from value.modules(f"{path}.{name}" if path else name)

    def take(self, name: str, value: np.ndarray) -> np.ndarray:
        """One of PyTorch's arrays as it lies here."""
        return value


class Linear(Module):
    own = ("weight", "bias")
    weight: Any
    bias: Any

    def __init__(self, _features: int, _width: int) -> None:
        pass

    def take(self, name, value):
        return value.T if name == "weight" else value

    def forward(self, x):
        return x @ self.weight + self.bias


class Conv2d(Module):
    weight: Any
    bias: Any

    def __init__(self, _channels, _width, _kernel, stride=1, padding=0, bias=True):
        self.stride, self.padding = (stride, stride), [(padding, padding)] * 2
        self.own = ("weight", "bias") if bias else ("weight",)

    def take(self, name, value):
        return value.transpose(2, 3, 1, 0) if name == "weight" and self.images == "NHWC" else value

    def forward(self, x):
        form = FORMS[self.images]
        y = jax.lax.conv_general_dilated(x, self.weight, self.stride, self.padding, dimension_numbers=form)
        if "bias" not in self.own:
            return y
        return y + (self.bias if self.images == "NHWC" else self.bias[:, None, None])


class BatchNorm2d(Module):
    own = ("weight", "bias", "running_mean", "running_var")
    buffers = ("running_mean", "running_var")
    weight: Any
    bias: Any

    def __init__(self, _channels: int) -> None:
        self.running_mean: Any = None
        self.running_var: Any = None

    def forward(self, x):
        channels = self.images.index("C")
        axes = tuple(i for i in range(4) if i != channels)
        mean, var = x.mean(axes), x.var(axes)
        count = x.size // x.shape[channels]
        self.running_mean = 0.9 * self.running_mean + 0.1 * mean
        self.running_var = 0.9 * self.running_var + 0.1 * var * (count / (count - 1))
        scale = self.weight * jax.lax.rsqrt(var + 1e-5)
        shift = self.bias - mean * scale
        if channels == 1:
            scale, shift = scale[:, None, None], shift[:, None, None]
        return x * scale + shift


class _Pool2d(Module):
    def __init__(self, side: int) -> None:
        self.side = side

    def windows(self, x, start, op):
        shape = tuple(self.side if axis in "HW" else 1 for axis in self.images)
        return jax.lax.reduce_window(x, start, op, shape, shape, "VALID")


class AvgPool2d(_Pool2d):
    def forward(self, x):
        return self.windows(x, 0.0, jax.lax.add) / self.side**2


class MaxPool2d(_Pool2d):
    def forward(self, x):
        return self.windows(x, -jnp.inf, jax.lax.max)


class Flatten(Module):
    def forward(self, x):  # features in PyTorch's order
        return (x.transpose(0, 3, 1, 2) if self.images == "NHWC" else x).reshape(len(x), -1)


class ReLU(Module):
    def forward(self, x):
        return jax.nn.relu(x)


class Tanh(Module):
    def forward(self, x):
        return jnp.tanh(x)


class Sequential(Module):
    def __init__(self, *layers: Module) -> None:
        vars(self).update({str(i): layer for i, layer in enumerate(layers)})

    def forward(self, x):
        for layer in vars(self).copy().values():
            if isinstance(layer, Module):
                x = layer(x)
        return x


def load(model: Module, weights: Mapping[str, np.ndarray], images: str) -> tuple[State, State]:
    """Parameters and buffers from a `state_dict`; `images`: NCHW or NHWC."""
    parameters: State = {}
    buffers: State = {}
    for path, module in model.modules():
        module.images = images
        for name in module.own:
            key = f"{path}.{name}"
            to = buffers if name in module.buffers else parameters
            to[key] = jnp.array(module.take(name, weights[key]))
    return parameters, buffers


def apply(model: Module, parameters: State, buffers: State, x: Any) -> tuple[Any, State]:
    """The model's output, and its buffers afterwards."""
    state = parameters | buffers
    for path, module in model.modules():
        vars(module).update({name: state[f"{path}.{name}"] for name in module.own})
    y = model(x)
    held = dict(model.modules())
    return y, {key: getattr(held[key.rpartition(".")[0]], key.rpartition(".")[2]) for key in buffers}


def cross_entropy(logits: Any, labels: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1).mean()


def mse_loss(y: Any, target: Any) -> Any:
    return ((y - target) ** 2).mean()
