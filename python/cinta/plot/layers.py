"""Inside a network: filters, feature maps and the distribution of activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from cinta import nn
from cinta.nn.layers import activations
from cinta.plot.capture import label_of, outputs_of
from cinta.plot.mosaic import grey, show
from cinta.plot.style import BLUE, GREY, array, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BOUNDED = {activations.Tanh: (-1.0, 1.0), activations.Sigmoid: (0.0, 1.0)}
_SATURATED = 0.05  # of the range, from either end


def filters(
    weight: Any,
    layer: str | None = None,
    *,
    shape: tuple[int, ...] | None = None,
    most: int = 64,
    title: str | None = None,
) -> Figure:
    """A layer's weights as pictures: one for each pair of an output and an input channel.

    Red is positive, blue negative, white zero; one scale for all. Filters over three channels are shown in colour,
    those over one channel side by side.

    Args:
        weight: [O, I, KH, KW] or [O, features], or a model, of which the first such weight is taken.
        layer: of a model: the layer's dotted path.
        shape: of a [O, features] weight: what a row is reshaped to, [H, W] or [C, H, W]; square where None.
        most: how many outputs are shown at most; also the most input channels.

    Errors: ValueError for other shapes or a layer that there is not.

    Example:
        >>> figure = ct.plot.filters(nn.Sequential(nn.Conv2d(1, 6, 5), nn.Tanh()))
        >>> figure.get_suptitle()
        'Filters of 0 Conv2d'
    """
    name = layer
    if isinstance(weight, nn.Module):
        name, weight = _weight_of(weight, layer)
    w = array(weight, "weight").astype(float)
    if w.ndim == 2:
        side = round(w.shape[1] ** 0.5)
        w = w.reshape(len(w), *_tile_shape(shape or (side, side), w.shape[1]))
    if w.ndim == 3:
        w = w[:, :, None]  # conv1d: a line
    if w.ndim != 4 or 0 in w.shape:
        raise ValueError(f"[filters] weight got shape {list(w.shape)}, expected [O, I, KH, KW] or [O, features]")
    total, w = len(w), w[:most]
    sides = scale = None
    if w.shape[1] == 3:
        tiles, columns = grey(w.transpose(0, 2, 3, 1)), _columns(len(w))
    else:
        w = w[:, :most]
        columns = _columns(len(w))
        if w.shape[1] > 1:  # the longer way across
            sides = ("output", "input") if len(w) > w.shape[1] else ("input", "output")
            w = w.swapaxes(0, 1) if sides[0] == "output" else w
            columns = w.shape[1]
        scale = _scale(float(abs(w).max()) or 1.0)
        tiles = scale.to_rgba(w.reshape(1, -1))[..., :3].reshape(-1, *w.shape[2:], 3)
    rows = -(-len(tiles) // columns)
    side = 0.95 if columns <= 8 else 0.62 if columns <= 16 else 0.62 * 16 / columns
    figure = new_figure(max(side * columns + 1.0, 3.2), max(side * rows * tiles.shape[1] / tiles.shape[2] + 0.7, 1.4))
    axes = figure.subplots()
    show(axes, tiles, columns)
    if sides is not None:
        axes.set_xlabel(f"{sides[0]} channel", fontsize=9, color="0.3")
        axes.set_ylabel(f"{sides[1]} channel", fontsize=9, color="0.3")
    if scale is not None:
        bar = figure.colorbar(scale, ax=axes, fraction=0.03, aspect=25, pad=0.02)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8, colors="0.25")
    shown = "" if total <= most else f", {most} of {total}"
    figure.suptitle(title or f"Filters{f' of {name}' if name else ''}{shown}", fontsize=11)
    return figure


def _scale(limit: float) -> Any:
    """From numbers to colours, white being zero."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(-limit, limit), cmap="RdBu_r")


def _weight_of(model: nn.Module, layer: str | None) -> tuple[str, Any]:
    if layer is not None:
        try:
            module: Any = model.get_submodule(layer)
            weight = module.weight
        except AttributeError as error:
            raise ValueError(f"[filters] layer got {layer!r}, expected one with a weight ({error})") from None
        return label_of(layer, module), weight
    for path, module in model.named_modules():
        weight = module.__dict__.get("weight")
        if weight is not None and weight.ndim >= 2:
            return label_of(path, module), weight
    raise ValueError("[filters] model got no layer with a weight of two axes or more, expected one")


def _tile_shape(shape: tuple[int, ...], features: int) -> tuple[int, ...]:
    if numpy.prod(shape) != features:
        raise ValueError(f"[filters] shape got {list(shape)}, expected one of {features} numbers")
    return (1, *shape) if len(shape) == 2 else tuple(shape)


def _columns(n: int) -> int:
    """Of a page a little wider than high."""
    return n if n <= 8 else min(16, max(8, int(numpy.ceil((1.6 * n) ** 0.5))))


def feature_maps(
    model: nn.Module, image: Any, layers: list[str] | None = None, *, most: int = 16, title: str | None = None
) -> Figure:
    """What the layers see in one image: a row for each layer, a picture for each channel; dark is large.

    Args:
        image: [C, H, W], or a batch [N, C, H, W] of which the first is taken.
        layers: dotted paths; None: all whose output is [N, C, H, W].
        most: how many channels are shown at most.

    Each picture has its own contrast. The model is run as a copy in evaluation mode.

    Errors: ValueError where no layer puts out pictures, TypeError for what is no module.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2))
        >>> figure = ct.plot.feature_maps(net, ct.random.normal(shape=(1, 28, 28)))
        >>> [axes.get_ylabel() for axes in figure.axes][:2]
        ['input\\n1 x 28 x 28', '0 Conv2d\\n6 x 24 x 24']
    """
    x = array(image, "image")
    x = x[None] if x.ndim == 3 else x[:1]
    if x.ndim != 4:
        raise ValueError(f"[feature_maps] image got shape {list(x.shape)}, expected [C, H, W] or [N, C, H, W]")
    outputs, modules = outputs_of(model, x, layers, "feature_maps")
    maps = {path: y[0] for path, y in outputs.items() if y.ndim == 4 and y.shape[2] * y.shape[3] > 1}
    if not maps:
        raise ValueError("[feature_maps] no layer puts out [N, C, H, W], expected at least one")
    columns = max(min(most, len(y)) for y in maps.values())
    shown = x[0].transpose(1, 2, 0) if x.shape[1] == 3 else x[0, 0]
    rows = [("input", shown[None], x.shape[1:])]
    rows += [(label_of(path, modules[path]), y[:most], y.shape) for path, y in maps.items()]
    heights = [tiles.shape[1] / tiles.shape[2] for _, tiles, _ in rows]
    figure = new_figure(0.78 * columns + 1.6, 0.82 * sum(heights) + 0.6)
    all_axes = figure.subplots(len(rows), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (label, tiles, shape) in zip(all_axes, rows):
        show(axes, grey(tiles.astype(float)), len(tiles))
        axes.set(xlim=(0, columns), anchor="W")
        text = f"{label}\n{' x '.join(map(str, shape))}"
        axes.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8, color="0.2", labelpad=6)
    figure.suptitle(title or "Feature maps", fontsize=11)
    return figure


def activation_histograms(
    model: nn.Module, x: Any, layers: list[str] | None = None, *, bins: int = 60, title: str | None = None
) -> Figure:
    """How the outputs of layers are distributed over a batch: mean, deviation, and how many are dead or saturated.

    Args:
        x: a batch.
        layers: dotted paths; None: all activation functions and the last layer, or all layers where there are none.
        bins: of each histogram.

    Under a ReLU the share of zeros is told, and of units that are zero for the whole batch (dead); under tanh and
    sigmoid the share within 5 % of the ends of their range (saturated). The model is run as a copy in evaluation mode.

    Errors: ValueError for a layer that there is not, TypeError for what is no module.

    Example:
        >>> net = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 2))
        >>> figure = ct.plot.activation_histograms(net, ct.random.normal(shape=(100, 20)))
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['1 ReLU', '2 Linear']
    """
    outputs, modules = outputs_of(model, array(x, "x"), layers, "activation_histograms")
    outputs = {path: y for path, y in outputs.items() if y.size and y.dtype.kind == "f"}
    if layers is None and outputs:
        last = list(outputs)[-1]
        chosen = [path for path in outputs if type(modules[path]).__module__ == activations.__name__ or path == last]
        outputs = {path: outputs[path] for path in chosen} if len(chosen) > 1 else outputs
    if not outputs:
        raise ValueError("[activation_histograms] no layer puts out numbers, expected at least one")
    columns = len(outputs) if len(outputs) <= 4 else 3
    rows = -(-len(outputs) // columns)
    figure = new_figure(3.1 * columns, 2.5 * rows + 0.4)
    all_axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in all_axes[len(outputs) :]:
        axes.remove()
    for axes, (path, y) in zip(all_axes, outputs.items()):
        tidy(axes, grid=None)
        axes.hist(y.ravel(), bins=bins, color=BLUE, weights=numpy.full(y.size, 100 / y.size))
        axes.axvline(0, ymax=0.74, color=GREY, linewidth=0.8, zorder=0)  # below the text
        axes.set_title(label_of(path, modules[path]), fontsize=10, loc="left")
        axes.text(0.98, 0.97, _facts(modules[path], y), transform=axes.transAxes, ha="right", va="top", fontsize=8,
                  color="0.25", linespacing=1.4,
                  bbox=dict(facecolor="white", alpha=0.8, edgecolor="none", pad=1.5))  # fmt: skip
        axes.set_ylim(top=1.35 * axes.get_ylim()[1])
    for axes in all_axes[::columns]:
        if axes.figure is not None:
            axes.set_ylabel("% of values", fontsize=9)
    figure.supxlabel("activation", fontsize=9, color="0.25")
    figure.suptitle(title or f"Activations over {len(next(iter(outputs.values())))} samples", fontsize=11)
    return figure


def _facts(module: nn.Module, y: Any) -> str:
    lines = [f"mean {y.mean():.2g}, std {y.std():.2g}"]
    for kind, (low, high) in _BOUNDED.items():
        if isinstance(module, kind):
            margin = _SATURATED * (high - low) / 2
            lines.append(f"saturated {((y < low + margin) | (y > high - margin)).mean():.1%}")
    if isinstance(module, activations.ReLU):
        dead = (y == 0).all(axis=0)
        dead = dead.all(axis=tuple(range(1, dead.ndim))) if dead.ndim > 1 else dead  # a channel as a whole
        lines.append(f"zero {(y == 0).mean():.0%}, dead units {dead.sum()} of {dead.size}")
    return "\n".join(lines)
