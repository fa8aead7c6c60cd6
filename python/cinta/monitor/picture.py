"""The Monitor's picture: ratios over steps with the band around 1e-3, and the losses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .monitor import Monitor

INK, GRID, BAND = "#25313c", "#e3e8ec", "#dcefe3"


def figure_of(ax: Any, what: str, rows: int = 1) -> tuple[Any, Any]:
    """The figure of these axes, or a new one with its axes, laid out plainly."""
    if ax is not None:
        for one in ax if rows > 1 else [ax]:
            plain(one)
        return (ax[0] if rows > 1 else ax).figure, ax
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"[{what}] needs matplotlib: pip install matplotlib (or cinta[examples])") from error
    figure = Figure(figsize=(8, 2.2 + 2.4 * rows), layout="constrained")
    axes = figure.subplots(rows, 1, sharex=rows > 1)
    for one in axes if rows > 1 else [axes]:
        plain(one)
    return figure, axes


def plain(ax: Any) -> None:
    """Light grid, no box."""
    ax.grid(True, color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(colors=INK, labelsize=9)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color("#9aa6b0")


def finish(figure: Any, path: str | Path | None) -> Any:
    """Saves it where a path is given."""
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def draw_ratios(ax: Any, monitor: Monitor) -> None:
    """Each layer's update/weight ratio over steps, beside the band."""
    from matplotlib import colormaps

    names = monitor.judged
    shades = colormaps["viridis"]
    steps = [one.step for one in monitor.history]
    ax.axhspan(*monitor.band, color=BAND, zorder=0)
    ax.axhline(1e-3, color="#4c9a6a", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for k, name in enumerate(names):
        seen = (one.layers.get(name) for one in monitor.history)
        ratios = [layer.update_ratio or math.nan if layer else math.nan for layer in seen]  # 0 has no logarithm
        color = shades(0.05 + 0.8 * k / max(1, len(names) - 1))
        module = type(monitor.model.get_submodule(name)).__name__
        ax.plot(
            steps, ratios, color=color, linewidth=1.6, marker=".", markersize=4, label=f"{name or 'model'} {module}"
        )
    ax.set_yscale("log")
    ax.set_ylabel("|update| / |weight|", color=INK)


def draw_losses(ax: Any, monitor: Monitor) -> None:
    """Training and validation losses over steps."""
    ax.plot([o.step for o in monitor.history], [o.loss for o in monitor.history], color="#2463a5", label="training")
    if monitor.validations:
        steps, values, _ = zip(*monitor.validations)
        ax.plot(steps, values, color="#c8502e", marker="o", markersize=3, label="validation")
    if monitor.classes is not None:
        ax.axhline(math.log(monitor.classes), color="#9aa6b0", linewidth=1, linestyle=":", label="ln(classes)")
    ax.set_ylabel("loss", color=INK)


def picture(monitor: Monitor, path: str | Path | None = None, axes: Any = None) -> Any:
    """Ratios above, losses below, in these two axes or in a figure of their own."""
    alone = axes is None
    figure, (above, below) = figure_of(axes, "Monitor.plot", rows=2)
    draw_ratios(above, monitor)
    draw_losses(below, monitor)
    below.set_xlabel("step", color=INK)
    if alone:
        above.set_title("Size of an update beside the weights: about 1 in 1000", loc="left", fontsize=11, color=INK)
        for ax in (above, below):
            if ax.get_legend_handles_labels()[1]:
                ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return finish(figure, path)
