"""The Monitor's picture: ratios over steps with the band around 1e-3, and the losses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cinta.plot.style import BLUE, GREEN, GREY, ORANGE, new_figure, shades, tidy

if TYPE_CHECKING:
    from .monitor import Monitor


def draw_ratios(ax: Any, monitor: Monitor) -> None:
    """Each layer's update/weight ratio over steps, beside the band."""
    tidy(ax)
    names = monitor.judged
    steps = [one.step for one in monitor.history]
    ax.axhspan(*monitor.band, color=GREEN, alpha=0.14, linewidth=0, zorder=0)
    ax.axhline(1e-3, color=GREEN, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for name, shade in zip(names, shades(len(names))):
        seen = (one.layers.get(name) for one in monitor.history)
        ratios = [layer.update_ratio or math.nan if layer else math.nan for layer in seen]  # 0 has no logarithm
        label = f"{name or 'model'} {type(monitor.model.get_submodule(name)).__name__}"
        ax.plot(steps, ratios, color=shade, linewidth=1.6, marker=".", markersize=4, label=label)
    ax.set(yscale="log", ylabel="|update| / |weight|")


def draw_losses(ax: Any, monitor: Monitor) -> None:
    """Training and validation losses over steps."""
    tidy(ax)
    ax.plot([o.step for o in monitor.history], [o.loss for o in monitor.history], color=BLUE, label="training")
    if monitor.validations:
        steps, values, _ = zip(*monitor.validations)
        ax.plot(steps, values, color=ORANGE, marker="o", markersize=3, label="validation")
    if monitor.classes is not None:
        ax.axhline(math.log(monitor.classes), color=GREY, linewidth=1, linestyle=":", label="ln(classes)")
    ax.set(xlabel="step", ylabel="loss")


def picture(monitor: Monitor, path: str | Path | None = None, axes: Any = None) -> Any:
    """Ratios above, losses below, in these two axes or in a figure of their own."""
    above, below = new_figure(8, 7).subplots(2, 1, sharex=True) if axes is None else axes
    draw_ratios(above, monitor)
    draw_losses(below, monitor)
    if axes is None:
        above.set_title("Size of an update beside the weights: about 1 in 1000", loc="left", fontsize=11)
        for ax in (above, below):
            if ax.get_legend_handles_labels()[1]:
                ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    if path is not None:
        above.figure.savefig(path)
    return above.figure
