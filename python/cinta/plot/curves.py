"""Curves over epochs and steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from cinta.plot.style import BLUE, GREY, ORANGE, array, colours, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HELD_OUT = ("val_", "valid_", "validation_", "test_", "held_out_")
_TRAINING = ("train_", "training_")


def learning_curves(
    history: Any, *, epochs: Sequence[float] | None = None, xlabel: str = "epoch", title: str | None = None
) -> Figure:
    """Loss and other metrics by epoch, training beside held-out data.

    Args:
        history: {name: values by epoch}, or a list with one dict or named tuple per epoch. Names that differ by
            `train_` and `val_` (or `validation_`, `test_`, `held_out_`) share a panel: `loss` and `val_loss`.
        epochs: where the values stand; 1, 2, ... where None.
        xlabel: what is counted: "epoch", "step".
        title: above all panels.

    A loss that falls by more than a factor of ten has a logarithmic axis. A ring marks the best held-out value; values
    that are None or NaN are left out.

    Errors: ValueError for an empty history or curves of different lengths.

    Example:
        >>> figure = ct.plot.learning_curves({"loss": [2.0, 0.5, 0.1], "val_loss": [1.9, 0.6, 0.5]})
        >>> figure.savefig("curve.png")
        >>> [line.get_label() for line in figure.axes[0].lines][:2]
        ['training', 'held out']
    """
    curves = _curves(history)
    length = max(map(len, curves.values()))
    if any(len(values) != length for values in curves.values()):
        lengths = {name: len(values) for name, values in curves.items()}
        raise ValueError(f"[learning_curves] history got curves of different lengths {lengths}, expected one length")
    where = numpy.arange(1, length + 1) if epochs is None else array(epochs, "epochs")
    if len(where) != length:
        raise ValueError(f"[learning_curves] epochs got {len(where)} numbers, expected {length}")
    panels: dict[str, dict[str, numpy.ndarray[Any, Any]]] = {}
    for name, values in curves.items():
        metric, role = _metric(name)
        panels.setdefault(metric, {})[role] = values
    figure = new_figure(4.4 * len(panels) + 0.4, 3.6)
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (metric, lines) in zip(all_axes, panels.items()):
        _panel(axes, metric, lines, where, xlabel)
    if title is not None:
        figure.suptitle(title, fontsize=12)
    return figure


def _curves(history: Any) -> dict[str, numpy.ndarray[Any, Any]]:
    if not isinstance(history, Mapping):
        rows = [row._asdict() if hasattr(row, "_asdict") else row for row in history]
        if not all(isinstance(row, Mapping) for row in rows):
            raise TypeError("[learning_curves] history got a list of other things, expected dicts or named tuples")
        names = list(dict.fromkeys(name for row in rows for name in row if name != "epoch"))
        history = {name: [row.get(name) for row in rows] for name in names}
    curves = {str(name): numpy.asarray(values, dtype=float) for name, values in history.items()}
    curves = {name: values for name, values in curves.items() if values.ndim == 1 and len(values)}
    if not curves:
        raise ValueError("[learning_curves] history got no values, expected at least one epoch")
    return curves


def _metric(name: str) -> tuple[str, str]:
    for prefix in _HELD_OUT:
        if name.startswith(prefix) and name != prefix:
            return name.removeprefix(prefix), "held out"
    for prefix in _TRAINING:
        if name.startswith(prefix):
            return name.removeprefix(prefix), "training"
    return name, "training"


def _panel(axes: Axes, metric: str, lines: dict[str, numpy.ndarray[Any, Any]], where: Any, xlabel: str) -> None:
    from matplotlib.ticker import MaxNLocator

    tidy(axes)
    falls = "loss" in metric or "error" in metric
    for role, values in lines.items():
        seen = numpy.isfinite(values)
        colour = BLUE if role == "held out" or len(lines) == 1 else GREY
        marker = "o" if seen.sum() == 1 else None
        axes.plot(where[seen], values[seen], color=colour, linewidth=1.8, label=role, marker=marker)
    all_values = numpy.concatenate([v[numpy.isfinite(v)] for v in lines.values()])
    if falls and len(all_values) and all_values.min() > 0 and all_values.max() > 10 * all_values.min():
        axes.set_yscale("log")
    held = lines.get("held out")
    if held is not None and numpy.isfinite(held).any():
        best = int(numpy.nanargmin(held) if falls else numpy.nanargmax(held))
        text = f"best: {held[best]:.4g} at {xlabel} {where[best]:g}"
        ring: dict[str, Any] = dict(color=ORANGE, markerfacecolor="white", markersize=7, markeredgewidth=1.6)
        axes.plot(where[best], held[best], "o", label=text, **ring)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(metric.replace("_", " "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(axes.lines) > 1:
        axes.legend(frameon=False, fontsize=9)


def learning_rates(
    rates: Any, *, steps_per_epoch: int | None = None, log: bool = False, title: str = "Learning rate"
) -> Figure:
    """A schedule: the learning rate by step, or by epoch where `steps_per_epoch` is told.

    Args:
        rates: by step; or {name: rates by step} of several schedules.
        steps_per_epoch: how many steps the axis counts as one.
        log: whether the axis of rates is logarithmic.

    Errors: ValueError where there are none.

    Example:
        >>> figure = ct.plot.learning_rates([0.1 * 0.9**step for step in range(50)], steps_per_epoch=10)
        >>> figure.axes[0].get_xlabel()
        'epoch'
    """
    several = rates if isinstance(rates, Mapping) else {"": rates}
    curves = {name: array(values, "rates").astype(float).ravel() for name, values in several.items()}
    if not curves or not all(len(values) for values in curves.values()):
        raise ValueError("[learning_rates] rates got no values, expected at least one")
    figure = new_figure(6, 3.4)
    axes = figure.subplots()
    tidy(axes)
    for (name, values), colour in zip(curves.items(), colours(len(curves))):
        steps = numpy.arange(len(values)) / (steps_per_epoch or 1)
        axes.plot(steps, values, color=colour, linewidth=1.8, label=name)
    if log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set(xlabel="epoch" if steps_per_epoch else "step", ylabel="learning rate", title=title)
    if len(curves) > 1:
        axes.legend(frameon=False, fontsize=9)
    return figure


def learning_rate_search(
    rates: Any,
    losses: Any,
    *,
    smoothed: Any = None,
    suggestion: float | None = None,
    title: str = "Search for a learning rate",
    ax: Axes | None = None,
) -> Figure:
    """Loss against the learning rate, which grew step by step; the suggested one is marked.

    Args:
        rates, losses: [N], as `ct.find_lr` gives them.
        smoothed: [N] losses without the noise of single batches, drawn above theirs.
        suggestion: a learning rate to be marked.
        ax: axes to draw into; a new figure's where None.

    Errors: ValueError for lengths that differ or no values at all.

    Example:
        >>> figure = ct.plot.learning_rate_search([0.001, 0.01, 0.1, 1.0], [2.3, 2.0, 0.9, 7.0], suggestion=0.05)
        >>> figure.axes[0].get_xscale()
        'log'
    """
    x, y = array(rates, "rates").astype(float), array(losses, "losses").astype(float)
    if x.shape != y.shape or not x.size:
        raise ValueError(
            f"[learning_rate_search] got {x.size} rates and {y.size} losses, expected as many, at least one"
        )
    main = y if smoothed is None else array(smoothed, "smoothed").astype(float)
    if main.shape != x.shape:
        raise ValueError(f"[learning_rate_search] got {x.size} rates and {main.size} smoothed, expected as many")
    axes = new_figure(6, 3.6).subplots() if ax is None else ax
    tidy(axes)
    if smoothed is not None:
        axes.plot(x, y, color="0.78", linewidth=1, label="each batch")
    axes.plot(x, main, color=BLUE, linewidth=1.8, label="smoothed" if smoothed is not None else None)
    seen = main[numpy.isfinite(main)]
    if len(seen):  # an explosion at the end would flatten all before it
        low, start = seen.min(), seen[0]
        top = start + 0.6 * max(start - low, abs(start) * 0.1)
        axes.set_ylim(low - (0.05 if smoothed is None else 0.25) * (top - low), top)
    if suggestion is not None:
        axes.axvline(suggestion, color=ORANGE, linewidth=1.5, label=f"suggested: {suggestion:.3g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss", title=title)
    if smoothed is not None or suggestion is not None:
        axes.legend(frameon=False, fontsize=9)
    return axes.figure  # type: ignore[return-value]
