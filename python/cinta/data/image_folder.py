"""Image files, and folders of them with one folder for each class. Needs Pillow."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from cinta.data.dataset import Dataset
from cinta.data.source import Source

EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # Pillow knows many more, which nobody expects here
_MAX_BYTES, _MAX_PIXELS = 1 << 28, 1 << 26


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise ModuleNotFoundError('[read_image] images need Pillow: pip install "cinta[images]"') from None
    return Image


def read_image(
    path: str | os.PathLike[str],
    mode: str = "RGB",
    size: tuple[int, int] | None = None,
    max_pixels: int = _MAX_PIXELS,
) -> np.ndarray:
    """An image file (BMP, JPEG, PNG, PPM, TIFF, WebP) as uint8 [C, H, W].

    mode: "RGB", "RGBA" or "L" (one channel of grey), to which others are converted. size: (height, width) to which it
    is resized (bilinear, with antialiasing). Of several images in a file, the first.

    Errors: OSError where the file cannot be opened, ValueError naming the file where it is damaged, of another format,
    has more than `max_pixels` or grey of more than 8 bits; ModuleNotFoundError without Pillow.

    Example:
        >>> with open("red.ppm", "wb") as file:
        ...     _ = file.write(b"P6 2 1 255 " + bytes([255, 0, 0] * 2))
        >>> read_image("red.ppm").tolist()
        [[[255, 255]], [[0, 0]], [[0, 0]]]
    """
    if mode not in ("L", "RGB", "RGBA"):
        raise ValueError(f'[read_image] mode got {mode!r}, expected "L", "RGB" or "RGBA"')
    pillow = _pillow()
    with Source(path, "read_image", gunzip=False) as source:
        content = source.up_to(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise source.error(f"more than {_MAX_BYTES} bytes", "a smaller file")
    try:
        with pillow.open(io.BytesIO(content), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise source.error(f"{height} x {width} pixels", f"at most {max_pixels} (max_pixels=)")
            if image.mode.startswith(("I", "F")):
                raise source.error(f"pixels of mode {image.mode}", "at most 8 bits for each channel")
            decoded = image.convert(mode)
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # Pillow raises what its decoders meet: OSError, SyntaxError, struct.error, ...
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        raise source.error(f"{type(error).__name__} ({error})", f"a whole {', '.join(_FORMATS)} file") from error
    if size is not None:
        decoded = decoded.resize((size[1], size[0]), pillow.Resampling.BILINEAR)
    pixels = np.asarray(decoded)
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


class ImageFolder(Dataset):
    """Images in folders, one folder for each class: sample i is (uint8 [C, H, W], class).

    Classes are numbered in the order of their names. Files are decoded when a batch asks for them: give the
    `DataLoader` some `num_workers`. Images of one batch need one size: give `size`, or a `collate_fn`.

    root: `root/cat/1.png`, `root/cat/more/2.jpg`, `root/dog/1.png`, ... mode, size, max_pixels: as for `read_image`.
    Errors: FileNotFoundError where there is no folder or no image in one; reading as `read_image`.

    Example:
        >>> for name, value in ("dark", 10), ("light", 200):
        ...     os.mkdir(name)
        ...     with open(f"{name}/1.pgm", "wb") as file:
        ...         _ = file.write(b"P5 1 1 255 " + bytes([value]))
        >>> folder = ImageFolder(".", mode="L")
        >>> folder.classes, folder.gather([1, 0])
        (['dark', 'light'], (tensor([[[[200]]],
        <BLANKLINE>
        <BLANKLINE>
                [[[ 10]]]], dtype=uint8), tensor([1, 0])))
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        mode: str = "RGB",
        size: tuple[int, int] | None = None,
        max_pixels: int = _MAX_PIXELS,
    ) -> None:
        self.root, self._how = Path(root), (mode, size, max_pixels)
        self.classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name[0] != ".")
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self.samples = [(path, i) for i, name in enumerate(self.classes) for path in self._images(self.root / name)]
        if not self.classes:
            raise FileNotFoundError(f"[ImageFolder] {root} has no folders, expected one for each class")

    def _images(self, folder: Path) -> list[Path]:
        found = [
            Path(where, name)
            for where, _, names in os.walk(folder)
            for name in names
            if name.lower().endswith(EXTENSIONS) and name[0] != "."
        ]
        if not found:
            raise FileNotFoundError(f"[ImageFolder] {folder} has no images ({', '.join(EXTENSIONS)})")
        return sorted(found)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        path, label = self.samples[index]
        return read_image(path, *self._how), label

    def __len__(self) -> int:
        return len(self.samples)
