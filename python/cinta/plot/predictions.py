"""What a network foretells beside what is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy

from cinta.plot.style import BLUE, GREY, ORANGE, RED, array, bare, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confusion_matrix(
    true: Any, predicted: Any, classes: Sequence[Any] | None = None, *, title: str | None = None
) -> Figure:
    """How often each class was taken for each: right answers in blue, confusions in orange, darker for more.

    Args:
        true, predicted: [N] labels; or `predicted` [N, classes] of probabilities or logits, with true labels 0, 1, ...
        classes: names, in the order of the sorted labels (or of the labels 0, 1, ... where they are as many).

    The right margin says which share of each class was found (recall).

    Errors: ValueError for lengths that differ, no labels or too few names.

    Example:
        >>> figure = ct.plot.confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], classes=["cat", "dog"])
        >>> figure.axes[0].get_title()
        '3 of 4 right (75.00 %)'
    """
    truth, guess = array(true, "true"), array(predicted, "predicted")
    if guess.ndim == 2:
        guess = guess.argmax(axis=1)
    if truth.shape != guess.shape or truth.ndim != 1 or not len(truth):
        raise ValueError(
            f"[confusion_matrix] got true {list(truth.shape)} and predicted {list(guess.shape)}, expected [N] labels "
            "each, or [N, classes] of probabilities predicted"
        )
    labels = numpy.unique(numpy.concatenate([truth, guess]))
    if classes is not None and len(classes) != len(labels):
        if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(classes):
            raise ValueError(f"[confusion_matrix] classes got {len(classes)} names, expected {len(labels)}")
        labels = numpy.arange(len(classes))
    names = [str(name) for name in (labels if classes is None else classes)]
    n = len(labels)
    counts = numpy.zeros((n, n), dtype=int)
    numpy.add.at(counts, (numpy.searchsorted(labels, truth), numpy.searchsorted(labels, guess)), 1)
    right = int(numpy.trace(counts))

    size = min(max(0.46 * n + 2.4, 3.6), 14)
    figure = new_figure(size + 0.4, size)
    axes = figure.subplots()
    found = numpy.diag(counts) / numpy.maximum(counts.sum(axis=1), 1)
    axes.imshow(_coloured(counts, found), interpolation="nearest")
    font = 9 if n <= 20 else 6
    for i, j in zip(*counts.nonzero()):
        dark = i == j and found[i] > 0.45
        axes.text(j, i, f"{counts[i, j]}", ha="center", va="center", fontsize=font, color="white" if dark else "0.1")
    long = max(map(len, names)) > 3
    axes.set_xticks(range(n), names, rotation=45 if long else 0, ha="right" if long else "center")
    axes.set_yticks(range(n), names)
    axes.set_xticks(numpy.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(numpy.arange(n + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0, labelsize=font)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(title or f"{right} of {len(truth)} right ({100 * right / len(truth):.2f} %)", fontsize=11)
    margin = axes.secondary_yaxis("right")
    known = counts.sum(axis=1) > 0
    margin.set_yticks(range(n), [f"{f:.0%}" if k else "none" for f, k in zip(found, known)])
    margin.tick_params(length=0, labelsize=font, colors="0.4")
    margin.spines[:].set_visible(False)
    margin.set_ylabel("found", color="0.4")
    return figure


def _coloured(counts: Any, found: Any) -> Any:
    """RGB: the diagonal by the share found, the rest by its count beside the largest confusion."""
    from matplotlib import colormaps

    n = len(counts)
    off = numpy.where(numpy.eye(n, dtype=bool), 0, counts)
    picture = colormaps["Oranges"](0.15 + 0.5 * off / max(off.max(), 1))[..., :3]
    picture[off == 0] = 0.97
    diagonal = numpy.arange(n)
    picture[diagonal, diagonal] = colormaps["Blues"](0.15 + 0.75 * found)[:, :3]
    return picture


def mistakes(
    images: Any,
    true: Any,
    probabilities: Any,
    classes: Sequence[Any] | None = None,
    *,
    rows: int = 3,
    columns: int = 8,
    title: str | None = None,
) -> Figure:
    """The images that a classifier gets most wrong (red) and, in what room is left, those it was least sure of (grey).

    Args:
        images: [N, H, W] or [N, C, H, W] of one or three channels.
        true: [N] labels 0, 1, ...
        probabilities: [N, classes].
        classes: names; the labels themselves where None.
        rows, columns: of the page.

    Errors: ValueError for shapes that do not fit.

    Example:
        >>> images, labels = ct.random.normal(shape=(4, 1, 8, 8)), [0, 1, 0, 1]
        >>> probabilities = [[0.9, 0.1], [0.7, 0.3], [0.6, 0.4], [0.1, 0.9]]
        >>> figure = ct.plot.mistakes(images, labels, probabilities, rows=1, columns=4)
        >>> [axes.get_title() for axes in figure.axes]
        ['1 read as 0', '0, 60% sure', '0, 90% sure', '1, 90% sure']
    """
    pictures, labels, p = array(images, "images"), array(true, "true"), array(probabilities, "probabilities")
    if p.ndim != 2 or labels.shape != p.shape[:1] or len(pictures) != len(p) or pictures.ndim not in (3, 4):
        raise ValueError(
            f"[mistakes] got images {list(pictures.shape)}, true {list(labels.shape)} and probabilities "
            f"{list(p.shape)}, expected [N, C, H, W], [N] and [N, classes]"
        )
    names = [str(c) for c in (range(p.shape[1]) if classes is None else classes)]
    labels, guesses = labels.astype(int), p.argmax(axis=1)
    sure = p[numpy.arange(len(labels)), labels]
    wrong = guesses != labels
    worst = numpy.lexsort((sure, ~wrong))[: rows * columns]
    rows = -(-len(worst) // columns) or 1
    figure = new_figure(1.25 * columns + 0.2, 1.5 * rows + 0.6)
    all_axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in all_axes[len(worst) :]:
        axes.remove()
    for axes, i in zip(all_axes, worst):
        bare(axes)
        picture = pictures[i]
        if picture.ndim == 3:
            picture = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
        if picture.ndim == 3:
            low, high = picture.min(), picture.max()
            picture = (picture - low) / ((high - low) or 1)
        axes.imshow(picture, cmap="gray_r", interpolation="nearest" if max(picture.shape[:2]) < 16 else "bilinear")
        label = names[labels[i]]
        text = f"{label} read as {names[guesses[i]]}" if wrong[i] else f"{label}, {sure[i]:.0%} sure"
        axes.set_title(text, fontsize=9, color=RED if wrong[i] else "0.4")
        for spine in axes.spines.values():
            spine.set_color(RED if wrong[i] else "0.8")
    count = int(wrong.sum())
    figure.suptitle(
        title or f"{count} of {len(labels)} misread (red), and the ones it was least sure of (grey)", fontsize=11
    )
    return figure


def predicted_against_true(
    true: Any, predicted: Any, *, unit: str = "", names: Sequence[str] | None = None, title: str | None = None
) -> Figure:
    """Regression: each prediction over its true value, and the histogram of the errors; a panel pair for each output.

    Args:
        true, predicted: [N] or [N, outputs].
        unit: of the numbers, shown at the axes.
        names: of the outputs.

    Errors: ValueError for shapes that differ or no numbers.

    Example:
        >>> figure = ct.plot.predicted_against_true([1.0, 2.0, 3.0], [1.1, 1.9, 3.2], unit="m")
        >>> figure.axes[0].get_xlabel()
        'true (m)'
    """
    t, p = array(true, "true").astype(float), array(predicted, "predicted").astype(float)
    if t.shape != p.shape or t.ndim not in (1, 2) or not t.size:
        raise ValueError(
            f"[predicted_against_true] got true {list(t.shape)} and predicted {list(p.shape)}, expected the same "
            "shape, [N] or [N, outputs]"
        )
    t, p = t.reshape(len(t), -1), p.reshape(len(p), -1)
    outputs = t.shape[1]
    if names is not None and len(names) != outputs:
        raise ValueError(f"[predicted_against_true] names got {len(names)}, expected {outputs}")
    figure = new_figure(8.2, 3.7 * outputs + 0.3)
    all_axes = figure.subplots(outputs, 2, squeeze=False, width_ratios=(1.15, 1))
    of = f" ({unit})" if unit else ""
    for k, (left, right) in enumerate(all_axes):
        error = p[:, k] - t[:, k]
        low, high = min(t[:, k].min(), p[:, k].min()), max(t[:, k].max(), p[:, k].max())
        pad = 0.04 * (high - low) or 1.0
        tidy(left)
        left.plot([low - pad, high + pad], [low - pad, high + pad], color=GREY, linewidth=1, zorder=1)
        left.scatter(
            t[:, k], p[:, k], s=14, color=BLUE, alpha=min(1.0, max(0.15, 20 / len(t) ** 0.5)), linewidth=0, zorder=2
        )
        spread = ((t[:, k] - t[:, k].mean()) ** 2).sum()
        r2 = 1 - (error**2).sum() / spread if spread else float("nan")
        left.set(
            xlabel=f"true{of}", ylabel=f"predicted{of}", xlim=(low - pad, high + pad), ylim=(low - pad, high + pad)
        )
        left.set_aspect("equal")
        name = f"{names[k]}: " if names is not None else ""
        left.set_title(f"{name}R² = {r2:.3f}", fontsize=10, loc="left")
        tidy(right, grid=None)
        right.hist(error, bins=min(60, max(10, int(len(t) ** 0.5))), color=BLUE)
        right.axvline(0, color=GREY, linewidth=1)
        right.axvline(error.mean(), color=ORANGE, linewidth=1.5, label=f"mean {error.mean():.3g}")
        right.set(xlabel=f"predicted - true{of}", ylabel="samples")
        right.set_title(
            f"RMS error {(error**2).mean() ** 0.5:.3g}{f' {unit}' if unit else ''}", fontsize=10, loc="left"
        )
        right.legend(frameon=False, fontsize=9)
    if title is not None:
        figure.suptitle(title, fontsize=12)
    return figure
