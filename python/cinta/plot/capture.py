"""What layers put out, read from a copy of the model."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy

from cinta import _core, nn
from cinta._core import Tensor
from cinta.autodiff import no_grad

Outputs = dict[str, numpy.ndarray[Any, Any]]


def outputs_of(model: nn.Module, x: Any, layers: list[str] | None, what: str) -> tuple[Outputs, dict[str, nn.Module]]:
    """The outputs of these layers (by dotted path; None: all without layers below) in evaluation mode, and the layers.

    The model itself is not run: a copy is, so its mode, buffers and hooks stay as they are.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"[{what}] model got a {type(model).__name__}, expected an nn.Module")
    copy = deepcopy(model).eval()
    modules = dict(copy.named_modules())
    if layers is None:
        layers = [path for path, module in modules.items() if not any(True for _ in module.children())]
    unknown = [path for path in layers if path not in modules]
    if unknown:
        raise ValueError(f"[{what}] layers got {unknown[0]!r}, expected some of {[path for path in modules if path]}")
    outputs: Outputs = {}

    def keep(path: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            if isinstance(output, Tensor):
                outputs.setdefault(path, output.numpy().copy())

        return hook

    for path in layers:
        modules[path].register_forward_hook(keep(path))
    with no_grad():
        copy(_core.asarray(x))
    return outputs, modules


def label_of(path: str, module: nn.Module) -> str:
    """`3 Conv2d`."""
    return f"{path} {type(module).__name__}".strip()
