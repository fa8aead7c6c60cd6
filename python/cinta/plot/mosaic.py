"""Many small pictures as one: thousands of filters are drawn as quickly as one."""

from __future__ import annotations

from typing import Any

import numpy

from cinta.plot.style import bare

PIXELS, LINE, GAP = 48, 1, 2  # of a tile's longer side at least, the grey line around it, and the white around that
_GREY = 0.75

Array = numpy.ndarray[Any, Any]


def mosaic(tiles: Array, columns: int) -> Array:
    """RGB tiles [N, H, W, 3] row by row, a line around each and white where there are none.

    Gives [rows (z H + 6), columns (z W + 6), 3], z being the enlargement of every tile.
    """
    n, height, width, _ = tiles.shape
    zoom = -(-PIXELS // max(height, width))
    large = tiles.repeat(zoom, axis=1).repeat(zoom, axis=2)
    framed = large
    for thickness, colour in ((LINE, _GREY), (GAP, 1.0)):
        edge = (thickness, thickness)
        framed = numpy.pad(framed, ((0, 0), edge, edge, (0, 0)), constant_values=colour)
    rows = -(-n // columns)
    page = numpy.ones((rows * columns, *framed.shape[1:]))
    page[:n] = framed
    return page.reshape(rows, columns, *framed.shape[1:]).swapaxes(1, 2).reshape(rows * framed.shape[1], -1, 3)


def show(axes: Any, tiles: Array, columns: int) -> None:
    """Draws a mosaic in units of tiles, whose sides are as long as their pixels make them."""
    rows = -(-len(tiles) // columns)
    axes.imshow(mosaic(tiles, columns), extent=(0, columns, rows, 0))
    axes.set_aspect(tiles.shape[1] / tiles.shape[2])
    bare(axes)
    axes.spines[:].set_visible(False)


def grey(pictures: Array) -> Array:
    """[N, H, W] or [N, H, W, 3], each with its own contrast, as RGB; the largest of one channel is black."""
    axes = tuple(range(1, pictures.ndim))
    low, high = pictures.min(axis=axes, keepdims=True), pictures.max(axis=axes, keepdims=True)
    scaled = (pictures - low) / numpy.where(high > low, high - low, 1)
    return scaled if pictures.ndim == 4 else (1 - scaled)[..., None].repeat(3, axis=3)
