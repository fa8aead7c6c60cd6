"""CIFAR-10 and CIFAR-100 in their binary version: from the folder or from the archive as it was downloaded.

A file is records of a label (one byte; CIFAR-100: two, superclass and class) and 3072 bytes of pixels: red, green,
blue.
"""

from __future__ import annotations

import functools
import io
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from cinta.data.checksums import checksum_of
from cinta.data.source import Source

_PIXELS = 3 * 32 * 32
_MAX_BYTES = 1 << 28  # of one file; CIFAR-100's largest has 154 MB
_MAX_MEMBERS = 1000  # of an archive; the real ones have 8 and 5

Checksum = str | Mapping[str, str] | None
Files = dict[str, tuple[bytearray, Callable[..., ValueError]]]  # content, and what makes an error that names the file

_CIFAR10 = ("cifar-10-batches-bin", [f"data_batch_{i}.bin" for i in range(1, 6)], "test_batch.bin", "batches.meta.txt")
_CIFAR100 = ("cifar-100-binary", ["train.bin"], "test.bin", "fine_label_names.txt")


class Cifar(NamedTuple):
    """Images [N, 3, 32, 32] in uint8 and labels [N] in int64, for training and for testing; the names of the classes.

    Example:
        >>> Cifar(*np.zeros((4, 0)), classes=["cat"])._fields[:2]
        ('train_images', 'train_labels')
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: list[str]


def read_cifar(
    path: str | os.PathLike[str], classes: int = 10, checksum: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """One binary file of CIFAR: images [N, 3, 32, 32] in uint8, and labels in int64.

    classes: 10, with labels [N], or 100, with labels [N, 2]: superclass and class.
    Errors: OSError where the file cannot be opened, ValueError naming the file where records are cut short, a label is
    too large, the file is too large or its checksum is wrong.

    Example:
        >>> with open("batch.bin", "wb") as file:
        ...     _ = file.write(bytes([7]) + bytes(3072))
        >>> images, labels = read_cifar("batch.bin")
        >>> images.shape, labels
        ((1, 3, 32, 32), array([7]))
    """
    if classes not in (10, 100):
        raise ValueError(f"[read_cifar] classes got {classes}, expected 10 or 100")
    with Source(path, "read_cifar", checksum) as source:
        return _records(source.up_to(_MAX_BYTES + 1), source.error, classes)


def load_cifar10(path: str | os.PathLike[str], checksum: Checksum = None) -> Cifar:
    """CIFAR-10 from `cifar-10-binary.tar.gz` or from a folder with the files of it.

    checksum: "cifar-10", which knows the archive, or {file name: checksum}.
    Errors: FileNotFoundError naming what is missing, ValueError for a damaged or hostile archive, else as `read_cifar`.

    Example:
        >>> for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        ...     with open(name + ".bin", "wb") as file:
        ...         _ = file.write(bytes([3]) + bytes(3072))
        >>> cifar = load_cifar10(".")
        >>> cifar.train_images.shape, cifar.test_labels, cifar.classes[3]
        ((5, 3, 32, 32), array([3]), '3')
    """
    return _load("load_cifar10", Path(path), 10, checksum, *_CIFAR10)


def load_cifar100(path: str | os.PathLike[str], checksum: Checksum = None, coarse: bool = False) -> Cifar:
    """CIFAR-100 from `cifar-100-binary.tar.gz` or from a folder with the files of it.

    coarse: labels of the 20 superclasses instead of the 100 classes. checksum: "cifar-100", which knows the archive, or
    {file name: checksum}. Errors: as `load_cifar10`.

    Example:
        >>> for name in "train.bin", "test.bin":
        ...     with open(name, "wb") as file:
        ...         _ = file.write(bytes([3, 77]) + bytes(3072))
        >>> load_cifar100(".").test_labels, load_cifar100(".", coarse=True).test_labels
        (array([77]), array([3]))
    """
    folder, train, test, names = _CIFAR100
    names = names.replace("fine", "coarse") if coarse else names
    cifar = _load("load_cifar100", Path(path), 100, checksum, folder, train, test, names)
    train_labels, test_labels = (
        np.ascontiguousarray(labels[:, 0 if coarse else 1]) for labels in (cifar.train_labels, cifar.test_labels)
    )
    classes = cifar.classes[:20] if coarse else cifar.classes
    return cifar._replace(train_labels=train_labels, test_labels=test_labels, classes=classes)


def _load(
    reader: str, path: Path, classes: int, checksum: Checksum, folder: str, train: list[str], test: str, names: str
) -> Cifar:
    wanted = [*train, test, names]
    if path.is_dir():
        files = _from_folder(path / folder if (path / folder).is_dir() else path, wanted, reader, checksum)
    else:
        with Source(path, reader, checksum_of(path.name, checksum)) as source:
            files = _from_archive(source, wanted)
    if missing := [name for name in (*train, test) if name not in files]:
        raise FileNotFoundError(f"[{reader}] {path} has no {', '.join(missing)} (it takes the binary version)")
    parts = [_records(*files[name], classes) for name in train]
    train_images, train_labels = (np.concatenate(column) for column in zip(*parts))
    lines = files[names][0].decode("utf-8", "replace").split() if names in files else []
    named = lines or [str(i) for i in range(classes)]
    return Cifar(train_images, train_labels, *_records(*files[test], classes), named)


def _from_folder(folder: Path, wanted: list[str], reader: str, checksum: Checksum) -> Files:
    files: Files = {}
    for name in wanted:
        if (folder / name).is_file():
            expected = checksum_of(name, checksum) if name.endswith(".bin") else None
            with Source(folder / name, reader, expected) as source:
                files[name] = source.up_to(_MAX_BYTES + 1), source.error
    return files


def _from_archive(source: Source, wanted: list[str]) -> Files:
    """The wanted files, read one after the other as they come; nothing is unpacked to the disk."""
    files: Files = {}
    try:
        with tarfile.open(fileobj=io.BufferedReader(source), mode="r|") as archive:
            for count, member in enumerate(archive):
                if count == _MAX_MEMBERS:
                    raise source.error(f"more than {_MAX_MEMBERS} files", "CIFAR's archive, which has a few")
                name = PurePosixPath(member.name).name
                if name in wanted and member.isreg() and name not in files:
                    content = archive.extractfile(member)
                    assert content is not None  # it is a regular file
                    error = functools.partial(source.error, place=f"in it {name}")
                    files[name] = bytearray(content.read(_MAX_BYTES + 1)), error
    except (tarfile.TarError, EOFError, OverflowError) as error:
        raise source.error(f"a damaged archive ({error})", "a whole tar or tar.gz file") from error
    return files


def _records(content: bytearray, error: Callable[..., ValueError], classes: int) -> tuple[np.ndarray, np.ndarray]:
    label_bytes = 1 if classes == 10 else 2
    size = label_bytes + _PIXELS
    if not content or len(content) % size or len(content) > _MAX_BYTES:
        raise error(f"{len(content)} bytes", f"a multiple of {size}, at most {_MAX_BYTES} (a record is {size} bytes)")
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    labels = records[:, :label_bytes]
    limits = np.array([classes] if label_bytes == 1 else [20, classes])
    if (wrong := np.argwhere(labels >= limits)).size:
        record, column = wrong[0]
        raise error(f"label {labels[record, column]} in record {record}", f"0 to {limits[column] - 1}")
    images = np.ascontiguousarray(records[:, label_bytes:]).reshape(-1, 3, 32, 32)
    return images, labels.astype(np.int64)[:, 0] if label_bytes == 1 else labels.astype(np.int64)
