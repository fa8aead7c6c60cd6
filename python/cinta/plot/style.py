"""What all figures have in common: colours that print and that most eyes tell apart, thin axes, no frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY, RED, GREEN = "#0072b2", "#d55e00", "0.55", "#b2182b", "#009e73"
# Okabe and Ito's, in an order that keeps neighbours apart; for more classes tab20 takes over.
COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#8c6d31", "#666666", "#b8c400")
DPI = 150


def new_figure(width: float, height: float) -> Figure:
    """A figure of its own, unknown to pyplot; ImportError names the extra where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("[plot] matplotlib is not installed: pip install cinta[plot]") from error
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")


def tidy(axes: Axes, grid: str | None = "both") -> None:
    """Two thin axes, a faint grid below the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("0.4")
    axes.tick_params(colors="0.25", labelsize=9)
    if grid is not None:
        axes.grid(axis=grid, color="0.9", linewidth=0.8)  # type: ignore[arg-type]
        axes.set_axisbelow(True)


def bare(axes: Axes) -> None:
    """No axis at all: for pictures."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("0.8")
        spine.set_linewidth(0.6)


def colours(n: int) -> list[Any]:
    """One for each of n classes or lines."""
    if n <= len(COLOURS):
        return list(COLOURS[:n])
    from matplotlib import colormaps

    return [colormaps["tab20"](k % 20) for k in range(n)]


def shades(n: int) -> list[Any]:
    """One for each of n lines that follow each other, as layers do: from dark to light."""
    from matplotlib import colormaps

    return [colormaps["viridis"](0.05 + 0.8 * k / max(1, n - 1)) for k in range(n)]


def array(x: Any, what: str) -> numpy.ndarray[Any, Any]:
    """Numbers from a tensor, an array or a list."""
    try:
        values = numpy.asarray(x.detach() if hasattr(x, "detach") else x)
    except (TypeError, ValueError) as error:
        raise TypeError(f"[plot] {what} got a {type(x).__name__}, expected a tensor, an array or a list") from error
    return values
