"""IDX files, the format of MNIST and its relatives, gzipped or not.

A file is four bytes (0, 0, the code of a dtype, the number of dimensions), a big-endian uint32 per dimension, and the
values.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cinta.data.checksums import checksum_of
from cinta.data.source import Source

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_BYTES, _MAX_RANK = 1 << 32, 8  # a header that asks for more is damaged, or an attack on memory


class Mnist(NamedTuple):
    """Images [N, 28, 28] in uint8 and labels [N] in int64, for training and for testing.

    Example:
        >>> Mnist(*np.zeros((4, 0)))._fields
        ('train_images', 'train_labels', 'test_images', 'test_labels')
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def read_idx(path: str | os.PathLike[str], checksum: str | None = None) -> np.ndarray:
    """One IDX file, gzipped or not, as an array of the native byte order.

    checksum: of the file, as "md5:..." or "sha256:...".
    Errors: OSError where the file cannot be opened, ValueError naming the file, what it holds and what was expected,
    where its magic number, its dimensions, its length or its checksum are wrong.

    Example:
        >>> with open("pair-idx1-ubyte", "wb") as file:
        ...     _ = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
        >>> read_idx("pair-idx1-ubyte")
        array([7, 9], dtype=uint8)
    """
    with Source(path, "read_idx", checksum) as source:
        return _read(source)


def load_mnist(folder: str | os.PathLike[str], checksum: str | Mapping[str, str] | None = None) -> Mnist:
    """The four files of MNIST, Fashion-MNIST or anything laid out like them, from a folder.

    Names are the usual ones, `train-images-idx3-ubyte` or `train-images.idx3-ubyte`, with or without `.gz`.
    checksum: "mnist", "fashion-mnist" or "kmnist", whose gzipped files are known, or {file name: checksum}.
    Errors: FileNotFoundError naming what is missing, ValueError where images and labels do not match, else as
    `read_idx`.

    Example:
        >>> for part, n in ("train", 3), ("t10k", 1):
        ...     for kind, header, size in ("images-idx3", [3, 0, 0, 0, n, 0, 0, 0, 2, 0, 0, 0, 2], 4 * n), (
        ...         "labels-idx1", [1, 0, 0, 0, n], n):
        ...         with open(f"{part}-{kind}-ubyte", "wb") as file:
        ...             _ = file.write(bytes([0, 0, 8, *header, *range(size)]))
        >>> mnist = load_mnist(".")
        >>> mnist.train_images.shape, mnist.train_labels
        ((3, 2, 2), array([0, 1, 2]))
    """
    folder = Path(folder)
    train_images, train_labels = _load_pair(folder, "train", checksum)
    test_images, test_labels = _load_pair(folder, "t10k", checksum)
    if train_images.shape[1:] != test_images.shape[1:]:
        got = f"test images of shape {test_images.shape[1:]}"
        raise _error(folder, got, f"{train_images.shape[1:]} as in training")
    return Mnist(train_images, train_labels, test_images, test_labels)


def _load_pair(folder: Path, part: str, checksum: str | Mapping[str, str] | None) -> tuple[np.ndarray, np.ndarray]:
    paths = _find(folder, f"{part}-images", "idx3"), _find(folder, f"{part}-labels", "idx1")
    images, labels = (read_idx(path, checksum_of(path.name, checksum)) for path in paths)
    for path, array, ndim, meaning in ((paths[0], images, 3, "images"), (paths[1], labels, 1, "labels")):
        if array.ndim != ndim or array.dtype != np.uint8:
            raise _error(path, f"{array.dtype} values of rank {array.ndim}", f"uint8 {meaning} of rank {ndim}")
    if len(images) != len(labels):
        raise _error(paths[1], f"{len(labels)} labels", f"{len(images)}, one for each image of {paths[0].name}")
    return images, labels.astype(np.int64)


def _error(path: Path, got: str, expected: str) -> ValueError:
    return ValueError(f"[load_mnist] {path}: got {got}, expected {expected}")


def _find(folder: Path, stem: str, kind: str) -> Path:
    names = [f"{stem}{mark}{kind}-ubyte{suffix}" for mark in "-." for suffix in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"[load_mnist] {folder} has none of {', '.join(names)} (put one of them there)")


def _read(source: Source) -> np.ndarray:
    magic = source.up_to(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or magic[3] == 0:
        raise source.error(f"starts with the bytes {magic.hex(' ') or '(none)'}", "00 00, a dtype and a rank")
    dtype, ndim = np.dtype(_DTYPES[magic[2]]), magic[3]
    header = source.up_to(4 * ndim)
    if len(header) < 4 * ndim:
        raise source.error(f"{len(header)} bytes of dimensions", f"{4 * ndim} for rank {ndim}")
    shape = tuple(int(n) for n in np.frombuffer(header, ">u4"))
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes > _MAX_BYTES or ndim > _MAX_RANK:
        limit = f"at most {_MAX_BYTES} bytes in {_MAX_RANK} dimensions"
        raise source.error(f"dimensions {shape}, {nbytes} bytes", limit)
    values = source.up_to(nbytes)
    if len(values) < nbytes:
        raise source.error(f"{len(values)} bytes of values, cut short", f"{nbytes} for dimensions {shape}")
    if source.up_to(1):
        raise source.error("more bytes after the last value", f"{nbytes} for dimensions {shape}")
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
