"""What a classifier of points in the plane makes of every point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from cinta import _core, nn
from cinta.autodiff import no_grad
from cinta.plot.style import array, colours, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def decision_surface(
    model: Any,
    x: Any,
    y: Any,
    *,
    classes: Sequence[Any] | None = None,
    labels: tuple[str, str] = ("x₁", "x₂"),
    resolution: int = 200,
    columns: int = 3,
    title: str | None = None,
) -> Figure:
    """The plane in the colours of the classes, paler where the classifier is unsure; a line where two are even.

    Args:
        model: a module that gives logits [N, classes] (or [N, 1] or [N]: of the second of two classes); a function of
            points [N, 2] or an estimator that gives probabilities; or {title: any of these}, a panel each. A network
            over its training: keep `copy.deepcopy(model)` now and then.
        x: points [N, 2].
        y: [N] labels, sorted as the model's classes.
        classes: names for the legend.
        labels: of the axes.
        resolution: points of the grid along each axis.
        columns: panels in a row.

    A module is run in evaluation mode and left in the mode it was in.

    Errors: ValueError for other shapes, TypeError for a model that cannot be called.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
        >>> figure = ct.plot.decision_surface(net, [[0.0, 0.0], [1.0, 1.0]], [0, 1], classes=["left", "right"])
        >>> figure.axes[0].get_xlabel()
        'x₁'
    """
    points, labels_of = array(x, "x").astype(float), array(y, "y")
    if points.ndim != 2 or points.shape[1] != 2 or labels_of.shape != points.shape[:1] or not len(points):
        raise ValueError(
            f"[decision_surface] got x {list(points.shape)} and y {list(labels_of.shape)}, expected [N, 2] and [N]"
        )
    kinds, index = numpy.unique(labels_of, return_inverse=True)
    names = [str(c) for c in (kinds if classes is None else classes)]
    if classes is not None and kinds.dtype.kind in "iu" and kinds.min() >= 0 and kinds.max() < len(names):
        index = labels_of.astype(int)  # a class may have no point
    if len(names) <= index.max():
        raise ValueError(f"[decision_surface] classes got {len(names)} names, expected {len(kinds)}")
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.12 * numpy.maximum(high - low, 1e-9)
    sides = [numpy.linspace(a, b, resolution) for a, b in zip(low - margin, high + margin)]
    grid = numpy.stack(numpy.meshgrid(*sides), axis=-1).reshape(-1, 2)

    panels = dict(model) if isinstance(model, Mapping) else {"": model}
    if not panels:
        raise ValueError("[decision_surface] model got no entries, expected at least one")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    width = 3.0 if len(panels) > 1 else 4.8
    height = width * float(numpy.clip((high - low + 2 * margin)[1] / (high - low + 2 * margin)[0], 0.5, 1.6))
    figure = new_figure(width * columns + 0.6, height * rows + (0.4 * rows if len(panels) > 1 else 0.2) + 0.9)
    all_axes = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat)
    for axes in all_axes[len(panels) :]:
        axes.remove()
    palette: list[Any] = []
    for k, (axes, (name, classifier)) in enumerate(zip(all_axes, panels.items())):
        p = _probabilities(classifier, grid).reshape(resolution, resolution, -1)
        palette = colours(max(p.shape[2], len(names)))
        _paint(axes, sides, p, palette)
        for c, class_name in enumerate(names):
            own = points[index == c]
            axes.scatter(own[:, 0], own[:, 1], s=16 if len(points) < 500 else 7, color=palette[c], edgecolor="white",
                         linewidth=0.5, label=class_name, zorder=3)  # fmt: skip
        tidy(axes, grid=None)
        axes.set(xlim=(sides[0][0], sides[0][-1]), ylim=(sides[1][0], sides[1][-1]), aspect="equal")
        axes.set_title(str(name), fontsize=10)
        if k % columns == 0:
            axes.set_ylabel(labels[1])
        if k + columns >= len(panels):
            axes.set_xlabel(labels[0])
            axes.tick_params(labelbottom=True)
    handles, texts = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=min(len(names), 6), frameon=False, fontsize=9)
    if title is not None:
        figure.suptitle(title, fontsize=12)
    return figure


def _probabilities(model: Any, grid: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """[N, classes] of any of the things that a model may be."""
    if isinstance(model, nn.Module):
        return _of_module(model, grid)
    predict: Callable[[Any], Any] = getattr(model, "predict_proba", model)
    if not callable(predict):
        raise TypeError(
            f"[decision_surface] model got a {type(model).__name__}, expected a module, a function or an estimator"
        )
    p = array(predict(grid), "model's output")
    return _of_both(p) if p.ndim == 1 or p.shape[1] == 1 else p


def _of_module(model: nn.Module, grid: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    modes = [(module, module.training) for module in model.modules()]
    parameter = next(model.parameters(), None)
    model.eval()
    try:
        with no_grad():
            logits = model(_core.tensor(grid, dtype="float32" if parameter is None else parameter.dtype))
            if logits.ndim == 1 or logits.shape[1] == 1:
                return _of_both(_core.sigmoid(logits).numpy())
            return _core.softmax(logits, 1).numpy()
    finally:
        for module, mode in modes:
            module.training = mode


def _of_both(p: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    second = p.reshape(-1)
    return numpy.stack([1 - second, second], axis=1)


def _paint(axes: Axes, sides: list[Any], p: numpy.ndarray[Any, Any], palette: list[Any]) -> None:
    from matplotlib.colors import to_rgb

    n = p.shape[2]
    rgb = numpy.array([to_rgb(c) for c in palette[:n]])
    best = p.argmax(axis=2)
    sure = (p.max(axis=2) - 1 / n) / (1 - 1 / n) if n > 1 else numpy.ones(best.shape)
    strength = (0.06 + 0.44 * numpy.clip(sure, 0, 1))[..., None]
    picture = 1 - strength * (1 - rgb[best])
    extent = (sides[0][0], sides[0][-1], sides[1][0], sides[1][-1])
    axes.imshow(picture, extent=extent, origin="lower", interpolation="bilinear", aspect="auto", zorder=0)
    for c in range(n if n > 2 else n - 1):  # ahead of all others: 0
        others = numpy.delete(p, c, axis=2).max(axis=2)
        lead = p[..., c] - others
        if lead.min() < 0 < lead.max():
            axes.contour(*sides, lead, levels=[0], colors="0.25", linewidths=0.9, zorder=2)
