"""What one look at a step of training saw."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy

NAN = math.nan
SIZES = ("update_ratio", "weight_norm", "gradient_norm", "activation", "dead", "saturated")  # of a layer


def plain(value: float) -> float | None:
    """As a checkpoint holds it: None for what is not finite."""
    return value if math.isfinite(value) else None


def number(value: float | None) -> float:
    """The reverse of `plain`."""
    return NAN if value is None else float(value)


@dataclass(slots=True)
class Layer:
    """One module in one step; NaN stands for what it does not have.

    Attributes: `update_ratio`, |w after - w before| / |w before| over its weights (of two axes and more, or all
    parameters where it has none such); `weight_norm` and `gradient_norm`, L2; `activation`, the root mean square of
    its output; `dead`, the fraction of a ReLU's units that were 0 for the whole batch; `saturated`, the fraction of a
    tanh's or sigmoid's values that were near its limits; `output`, whether no other layer came after it.

    Example:
        >>> from cinta.monitor import Layer
        >>> Layer(update_ratio=0.002).update_ratio
        0.002
    """

    update_ratio: float = NAN
    weight_norm: float = NAN
    gradient_norm: float = NAN
    activation: float = NAN
    dead: float = NAN
    saturated: float = NAN
    output: bool = False
    dead_units: Any = field(default=None, repr=False, compare=False)  # one bool for each unit
    values_per_unit: int = field(default=0, repr=False, compare=False)


@dataclass(slots=True)
class Observation:
    """One observed step: its number, its loss, the learning rate, and each layer by its dotted path.

    Example:
        >>> from cinta.monitor import Layer, Observation
        >>> Observation(0, 2.3, 0.1, {"1": Layer(dead=0.25)}).values()
        {'loss': 2.3, 'lr': 0.1, 'dead/1': 0.25}
    """

    step: int
    loss: float
    lr: float
    layers: dict[str, Layer]

    def values(self) -> dict[str, float]:
        """As a logger takes them: {"loss": .., "update_ratio/0": .., "dead/1": ..}, without what is NaN."""
        found = {"loss": self.loss, "lr": self.lr}
        for name, layer in self.layers.items():
            for what in SIZES:
                found[f"{what}/{name or 'model'}"] = getattr(layer, what)
        return {key: float(value) for key, value in found.items() if key == "loss" or not math.isnan(value)}

    def state_dict(self) -> dict[str, Any]:
        """As plain values."""
        layers = {
            name: {"output": layer.output, **{what: plain(getattr(layer, what)) for what in SIZES}}
            for name, layer in self.layers.items()
        }
        return {"step": self.step, "loss": plain(self.loss), "lr": plain(self.lr), "layers": layers}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> Observation:
        """The observation that a `state_dict` came from."""
        layers = {}
        for name, sizes in state["layers"].items():
            layer = layers[name] = Layer(output=bool(sizes["output"]))
            for what in SIZES:
                setattr(layer, what, number(sizes[what]))
        return cls(int(state["step"]), number(state["loss"]), number(state["lr"]), layers)


class Features:
    """Mean and spread of each feature of the input, over the steps that were looked at."""

    def __init__(self) -> None:
        self.sums: Any = None  # [3, features]
        self.count = 0  # of each feature

    def add(self, statistics: Any, count: int) -> None:
        if self.sums is not None and self.sums.shape != statistics.shape:
            return  # another kind of input than before
        self.sums = statistics if self.sums is None else self.sums + statistics
        self.count += count

    @property
    def mean(self) -> Any:
        return self.sums[0] / self.count

    @property
    def deviation(self) -> Any:
        return numpy.sqrt(numpy.maximum(self.sums[1] / self.count - self.mean**2, 0.0))
