"""Looking at one step: hooks that are there for that step alone, and what they and the weights say."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

import numpy

from cinta import _core
from cinta._core import Tensor
from cinta.nn.hooks import Handle
from cinta.nn.layers.activations import ReLU, Sigmoid, Tanh
from cinta.nn.layers.convolution import Conv1d, Conv2d
from cinta.nn.layers.embedding import Embedding
from cinta.nn.layers.linear import Linear
from cinta.nn.module import Module

from .observation import Features, Layer

# Where a unit's slope is below 6 % of its largest (tanh: 1 - y^2, sigmoid: 4 y (1 - y)), or a ReLU's is 0.
LIMITS: dict[type[Module], tuple[float, float]] = {
    ReLU: (0.0, math.inf),
    Tanh: (-0.97, 0.97),
    Sigmoid: (0.015, 0.985),
}
NONE = (-math.inf, math.inf)
_CONVOLUTIONS = (Conv1d, Conv2d)


class Watched:
    """A module that is looked at: it has parameters of its own, or is an activation."""

    def __init__(self, name: str, module: Module, params: list[Tensor]) -> None:
        self.name = name
        self.module = module
        self.params = params
        self.weights = [p for p in params if p.ndim > 1] or params
        self.limits = next((limits for kind, limits in LIMITS.items() if isinstance(module, kind)), NONE)


def watched_of(model: Module) -> list[Watched]:
    """The modules to look at, in their order; a shared parameter belongs to the first."""
    seen: set[int] = set()
    found = []
    for name, module in model.named_modules():
        params: list[Tensor] = []
        for parameter in module.parameters(recurse=False):
            if id(parameter) not in seen and parameter.requires_grad:
                params.append(parameter)
            seen.add(id(parameter))
        if params or isinstance(module, tuple(LIMITS)):
            found.append(Watched(name, module, params))
    return found


class Look:
    """One step that is looked at, from its making to `finish()`; compiled functions run as they are meanwhile."""

    def __init__(self, model: Module, watched: list[Watched], features: Features | None) -> None:
        self._model = model
        self._watched = watched
        self._features = features
        self._before = [[w.detach().clone() for w in one.weights] for one in watched]
        self._outputs: dict[int, list[tuple[Tensor, int]]] = {}  # by position: statistics, values for each unit
        self._last = -1
        self._channels_second = False  # what the layer before gave
        self._handles: list[Handle] = []
        if features is not None:
            self._handles.append(model.register_forward_pre_hook(self._see_input))
        for position, one in enumerate(watched):
            self._handles.append(one.module.register_forward_hook(self._hook(position, one)))
        _core._want_eager(True)

    def abandon(self) -> None:
        """Takes the hooks off."""
        if self._handles:
            for handle in self._handles:
                handle.remove()
            self._handles = []
            _core._want_eager(False)

    def _see_input(self, module: Module, args: tuple[Any, ...]) -> None:
        x = args[0] if args else None
        if self._features is None or module is not self._model:
            return
        if not _to_look_at(x) or not _core.is_grad_enabled():
            return
        if x.ndim == 0:
            return
        first = next((one.module for one in self._watched if one.params), None)
        axis = _unit_axis(x, isinstance(first, _CONVOLUTIONS))
        self._features.add(_core.unit_statistics(x, axis, *NONE).numpy(), x.size // x.shape[axis])

    def _hook(self, position: int, one: Watched) -> Any:
        low, high = one.limits
        convolves = isinstance(one.module, _CONVOLUTIONS)
        ends_in_features = isinstance(one.module, (Linear, Embedding))

        def hook(module: Module, args: tuple[Any, ...], y: Any) -> None:
            recurrent = isinstance(y, tuple) and len(y) > 0
            y = y[0] if recurrent else y
            if (
                module is not one.module or not _to_look_at(y) or not _core.is_grad_enabled()
            ):  # a copy has the hooks too
                return
            self._channels_second = convolves or (self._channels_second and not ends_in_features and not recurrent)
            if y.ndim:
                axis = _unit_axis(y, self._channels_second)
                statistics = _core.unit_statistics(y, axis, low, high)
                self._outputs.setdefault(position, []).append((statistics, y.size // y.shape[axis]))
                self._last = position

        return hook

    def finish(self) -> dict[str, Layer]:
        """What was seen, by layer; the step must have updated the weights, and the gradients must be there still."""
        self.abandon()
        if any(one.params for one in self._watched) and all(
            param.grad is None for one in self._watched for param in one.params
        ):
            raise RuntimeError(
                "[Monitor] no parameter of the model has a gradient, expected step(loss) to be called after "
                "optimizer.step() and before the next zero_grad()"
            )
        layers = {}
        for position, one in enumerate(self._watched):
            layer = layers[one.name] = Layer(output=position == self._last)
            self._see_weights(layer, one, self._before[position])
            self._see_outputs(layer, one, self._outputs.get(position, []))
        return layers

    @staticmethod
    def _see_weights(layer: Layer, one: Watched, before: list[Tensor]) -> None:
        if not one.params:
            return
        layer.weight_norm = _core.total_norm(before).item()
        change = _core.total_norm([w.detach() - b for w, b in zip(one.weights, before)]).item()
        layer.update_ratio = change / layer.weight_norm if layer.weight_norm else math.nan
        gradients = [p.grad for p in one.params if p.grad is not None]
        if gradients:
            layer.gradient_norm = _core.total_norm(gradients).item()

    @staticmethod
    def _see_outputs(layer: Layer, one: Watched, outputs: list[tuple[Tensor, int]]) -> None:
        if not outputs:
            return
        sums = numpy.concatenate([statistics.numpy() for statistics, _ in outputs], axis=1)
        values = sum(statistics.shape[1] * count for statistics, count in outputs)
        layer.activation = math.sqrt(sums[1].sum() / values)
        layer.values_per_unit = min(count for _, count in outputs)
        if isinstance(one.module, ReLU):
            counts = numpy.concatenate([numpy.full(s.shape[1], count) for s, count in outputs])
            layer.dead_units = sums[2] == counts
            layer.dead = float(layer.dead_units.mean())
        elif one.limits is not NONE:
            layer.saturated = float(sums[2].sum() / values)


def _unit_axis(x: Tensor, channels_second: bool) -> int:
    """The axis of features or channels: [N,F], [N,C,H,W]; three axes are [N,C,L] around convolutions, else [N,T,F]."""
    return 1 if x.ndim > 3 or (x.ndim == 3 and channels_second) else x.ndim - 1


def _to_look_at(x: Any) -> TypeGuard[Tensor]:
    return isinstance(x, Tensor) and x.dtype.is_floating and x.size > 0 and not _core.is_recording()
