"""IDX files, the format of MNIST and its relatives, gzipped or not.

A file is four bytes (0, 0, the code of a dtype, the number of dimensions), a big-endian uint32 per dimension, and the
values.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_BYTES, _MAX_RANK = 1 << 32, 8  # a header that asks for more is damaged, or an attack on memory


class Mnist(NamedTuple):
    """Images [N, 28, 28] in uint8 and labels [N] in int64, for training and for testing."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read one IDX file, gzipped or not, as an array of the native byte order.

    Raises ValueError naming the file, what it holds and what was expected, where its magic number, its dimensions or
    its length are wrong. Never reads more than one byte beyond what the header declares.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "pair-idx1-ubyte")
    >>> with open(path, "wb") as file:
    ...     _ = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    >>> read_idx(path)
    array([7, 9], dtype=uint8)
    """
    path = Path(path)
    with path.open("rb") as raw:
        gzipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not gzipped:
            return _read(raw, path)
        try:
            with gzip.open(raw) as file:
                return _read(file, path)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _error(path, f"damaged gzip data ({error})", "a whole gzip file") from error


def load_mnist(folder: str | os.PathLike[str]) -> Mnist:
    """Load the four files of MNIST, Fashion-MNIST or anything laid out like them from a folder.

    Names are the usual ones, ``train-images-idx3-ubyte`` or ``train-images.idx3-ubyte``, with or without ``.gz``.
    Raises FileNotFoundError naming what is missing, ValueError where images and labels do not match.
    """
    folder = Path(folder)
    train_images, train_labels = _load_pair(folder, "train")
    test_images, test_labels = _load_pair(folder, "t10k")
    if train_images.shape[1:] != test_images.shape[1:]:
        got = f"test images of shape {test_images.shape[1:]}"
        raise _error(folder, got, f"{train_images.shape[1:]} as in training")
    return Mnist(train_images, train_labels, test_images, test_labels)


def _load_pair(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    images_path, labels_path = _find(folder, f"{part}-images", "idx3"), _find(folder, f"{part}-labels", "idx1")
    images, labels = read_idx(images_path), read_idx(labels_path)
    for path, array, ndim, meaning in ((images_path, images, 3, "images"), (labels_path, labels, 1, "labels")):
        if array.ndim != ndim or array.dtype != np.uint8:
            raise _error(path, f"{array.dtype} values of rank {array.ndim}", f"uint8 {meaning} of rank {ndim}")
    if len(images) != len(labels):
        raise _error(labels_path, f"{len(labels)} labels", f"{len(images)}, one for each image of {images_path.name}")
    return images, labels.astype(np.int64)


def _find(folder: Path, stem: str, kind: str) -> Path:
    names = [f"{stem}{mark}{kind}-ubyte{suffix}" for mark in "-." for suffix in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"[load_mnist] {folder} has none of {', '.join(names)} (put one of them there)")


def _read(file: Any, path: Path) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or magic[3] == 0:
        raise _error(path, f"starts with the bytes {magic.hex(' ') or '(none)'}", "00 00, a dtype and a rank")
    dtype, ndim = np.dtype(_DTYPES[magic[2]]), magic[3]
    header = file.read(4 * ndim)
    if len(header) < 4 * ndim:
        raise _error(path, f"{len(header)} bytes of dimensions", f"{4 * ndim} for rank {ndim}")
    shape = tuple(int(n) for n in np.frombuffer(header, ">u4"))
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes > _MAX_BYTES or ndim > _MAX_RANK:
        limit = f"at most {_MAX_BYTES} bytes in {_MAX_RANK} dimensions"
        raise _error(path, f"dimensions {shape}, {nbytes} bytes", limit)
    values = _read_at_most(file, nbytes)
    if len(values) < nbytes:
        raise _error(path, f"{len(values)} bytes of values, cut short", f"{nbytes} for dimensions {shape}")
    if file.read(1):
        raise _error(path, "more bytes after the last value", f"{nbytes} for dimensions {shape}")
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_at_most(file: Any, nbytes: int) -> bytearray:
    """Read in pieces, so that a short file with a huge header never makes a huge buffer."""
    values = bytearray()
    while len(values) < nbytes:
        piece = file.read(min(nbytes - len(values), 1 << 24))
        if not piece:
            break
        values += piece
    return values


def _error(path: Path, got: str, expected: str) -> ValueError:
    return ValueError(f"[read_idx] {path}: got {got}, expected {expected}")
