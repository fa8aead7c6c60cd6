"""Pictures as files."""

from __future__ import annotations

import os

from cinta.atomic_write import atomic_write


def save_svg(svg: str, path: str | os.PathLike[str], what: str) -> None:
    """Writes an .svg file, which appears whole or not at all; `what` begins the text of an error."""
    suffix = os.path.splitext(os.fspath(path))[1]
    if suffix.lower() != ".svg":
        raise ValueError(
            f"{what} got the file {os.fspath(path)!r} with suffix {suffix!r}, expected '.svg' "
            "(browsers and Inkscape turn an SVG into PNG or PDF)"
        )
    atomic_write(path, svg.encode())
