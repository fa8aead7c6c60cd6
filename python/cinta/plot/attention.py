"""What a network looked at while it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy

from cinta.plot.style import array, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 0.28  # inches; smaller where there are many
_LONGEST = 24.0


def attention(weights: Any, source: Sequence[Any], target: Sequence[Any], *, title: str | None = None) -> Figure:
    """How much each token written (a row) looked at each token read (a column): the darker, the more.

    Args:
        weights: [T, S] from 0 to 1, a row for every token of the target.
        source: the S tokens read, from left to right.
        target: the T tokens written, from above.

    Errors: ValueError for weights of another shape or outside of 0 to 1.
    Source of the picture: Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and
    Translate", 2015.

    Example:
        >>> figure = ct.plot.attention([[0.1, 0.9], [0.8, 0.2]], ["twenty", "one"], ["ein", "undzwanzig"])
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['ein', 'undzwanzig']
    """
    values = array(weights, "weights").astype(float)
    if values.shape != (len(target), len(source)) or not values.size:
        raise ValueError(
            f"[attention] weights got shape {list(values.shape)}, expected [{len(target)}, {len(source)}]: a row for "
            "each token of the target, a column for each of the source"
        )
    if not ((values >= 0) & (values <= 1 + 1e-3)).all():
        raise ValueError(f"[attention] weights got {values.min():g} to {values.max():g}, expected 0 to 1")
    read, written = ([str(token) for token in tokens] for tokens in (source, target))
    rows, columns = values.shape
    cell = min(_CELL, _LONGEST / max(rows, columns))
    font = max(4.0, 9.5 * cell / _CELL)
    letter = 0.0085 * font  # inches
    labels = [letter * max(map(len, names)) for names in (written, read)]
    width, height = cell * columns + labels[0] + 1.6, cell * rows + labels[1] + (1.0 if title else 0.6)
    figure = new_figure(max(width, 3.2, 0.095 * len(title or "")), max(height, 2.2))
    axes = figure.subplots()
    picture = axes.imshow(values, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks(range(columns), read, rotation=90, fontsize=font)
    axes.set_yticks(range(rows), written, fontsize=font)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xticks(numpy.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(numpy.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color("0.8")
    axes.set_xlabel("read", color="0.4")
    axes.set_ylabel("written", color="0.4")
    bar = figure.colorbar(
        picture, ax=axes, shrink=min(1.0, 2.5 / (cell * rows)), aspect=14, pad=0.02, ticks=[0, 0.5, 1]
    )
    bar.set_label("attention", color="0.4")
    bar.ax.tick_params(labelsize=8, length=0)
    bar.outline.set_visible(False)
    if title is not None:
        figure.suptitle(title, fontsize=11)
    return figure
