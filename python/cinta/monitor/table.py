"""The Monitor's table, for the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .advice import in_words

if TYPE_CHECKING:
    from .monitor import Monitor
    from .observation import Layer

_MISSING = "[Monitor] the table needs rich: pip install cinta[training]"


def table(monitor: Monitor) -> Any:
    """What the latest look saw, one row for each layer, with the advice below."""
    try:
        from rich.console import Group
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text
    except ImportError as error:
        raise ImportError(_MISSING) from error
    modules = dict(monitor.model.named_modules())
    rows = Table(title=_title(monitor), title_justify="left", header_style="bold", box=None, pad_edge=False)
    rows.add_column("layer")
    for heading in ("update/weight", "|gradient|", "|weight|", "activation", "dead", "saturated"):
        rows.add_column(heading, justify="right")
    for name, layer in monitor.history[-1].layers.items() if monitor.history else ():
        label = f"{name or 'model'} ({type(modules[name]).__name__})" if name in modules else name
        rows.add_row(label, _ratio(monitor, layer, Text), *_figures(layer))
    words = in_words(monitor.advice())
    if not words:
        return Group(rows, Text("nothing to say: the training looks healthy", style="green"))
    return Group(rows, Panel("\n".join(f"• {sentence}" for sentence in words), title="advice", border_style="yellow"))


def live(monitor: Monitor) -> Any:
    """A display that `update` renews."""
    try:
        from rich.live import Live
    except ImportError as error:
        raise ImportError(_MISSING) from error
    return Live(table(monitor), refresh_per_second=4)


def _title(monitor: Monitor) -> str:
    if not monitor.history:
        return "before the first step"
    latest = monitor.history[-1]
    rate = "" if math.isnan(latest.lr) else f", lr {latest.lr:.3g}"
    judged = f", validation {monitor.validations[-1][1]:.4g}" if monitor.validations else ""
    return f"step {latest.step}: loss {latest.loss:.4g}{judged}{rate}"


def _ratio(monitor: Monitor, layer: Layer, text: Any) -> Any:
    ratio = layer.update_ratio
    if math.isnan(ratio):
        return ""
    low, high = monitor.band
    return text(f"{ratio:.1e}", style="green" if low <= ratio <= high else "red")


def _figures(layer: Layer) -> list[str]:
    sizes = [_size(value) for value in (layer.gradient_norm, layer.weight_norm, layer.activation)]
    return sizes + ["" if math.isnan(value) else f"{value:.0%}" for value in (layer.dead, layer.saturated)]


def _size(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"
