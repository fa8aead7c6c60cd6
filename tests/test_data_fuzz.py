"""Twelve thousand damaged files: every reader gives what is really there, or an error that names the file."""

from __future__ import annotations

import csv
import gzip
import io
import resource
import struct
import tarfile
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from cinta.data import load_cifar10, read_cifar, read_csv, read_idx, read_image

MEMORY = 300 << 20  # what all of them may add to the peak of the process


def image_files() -> list[bytes]:
    image = pytest.importorskip("PIL.Image")
    array = np.random.default_rng(0).integers(0, 256, (9, 11, 3)).astype(np.uint8)
    files = []
    for kind, how in (
        ("PNG", {}), ("JPEG", {}), ("JPEG", dict(progressive=True)), ("BMP", {}), ("PPM", {}), ("WEBP", {}),
        ("TIFF", {}), ("TIFF", dict(compression="tiff_lzw")), ("TIFF", dict(compression="jpeg")),
    ):  # fmt: skip
        buffer = io.BytesIO()
        image.fromarray(array).save(buffer, kind, **how)
        files.append(buffer.getvalue())
    return files


def idx_files() -> list[bytes]:
    values = np.arange(24)
    plain = [
        bytes([0, 0, code, 3]) + struct.pack(">3I", 2, 3, 4) + values.astype(kind).tobytes()
        for code, kind in ((8, "u1"), (0x0B, ">i2"), (0x0D, ">f4"), (0x0E, ">f8"))
    ]
    return plain + [gzip.compress(file) for file in plain]


def cifar_files() -> list[bytes]:
    return [bytes([label]) + bytes(range(256)) * 12 for label in (0, 9)] + [(bytes([9]) + bytes(3072)) * 3]


def archives() -> list[bytes]:
    files = []
    for mode, form in (("w", tarfile.USTAR_FORMAT), ("w", tarfile.PAX_FORMAT), ("w", tarfile.GNU_FORMAT), ("w:gz", 1)):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode, format=form) as tar:  # type: ignore[call-overload]
            for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
                member = tarfile.TarInfo(f"{'very/' * 30}ñ/{name}.bin")
                member.size = 3073
                tar.addfile(member, io.BytesIO(bytes(3073)))
        files.append(buffer.getvalue())
    return files


def tables() -> list[bytes]:
    plain = [
        b'a,b,c\n1,2.5,x\n-3,1e9,"y, z"\n,nan,\n',
        "\ufeffname;value\nñ;1\n".encode(),
        b'a,b,c\r\n"1","2","line\r\nbreak"\r\n4,5,6\r\n' * 3,
    ]
    return [*plain, gzip.compress(plain[0])]


def unzipped(content: bytes) -> bytes:
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def check_idx(array: np.ndarray, content: bytes) -> None:
    raw = unzipped(content)
    assert raw[3] == array.ndim
    assert raw[4 : 4 + 4 * array.ndim] == struct.pack(f">{array.ndim}I", *array.shape)
    assert raw[4 + 4 * array.ndim :] == array.astype(array.dtype.newbyteorder(">")).tobytes()


def check_cifar(pair: tuple[np.ndarray, np.ndarray], content: bytes) -> None:
    images, labels = pair
    records = np.concatenate([labels.astype(np.uint8)[:, None], images.reshape(len(images), -1)], axis=1)
    assert records.tobytes() == unzipped(content)


def check_archive(cifar: Any, content: bytes) -> None:
    assert cifar.train_images.shape[1:] == (3, 32, 32)
    assert len(cifar.train_images) == len(cifar.train_labels) >= 5
    assert cifar.train_labels.max() < 10


def check_table(table: Any, content: bytes) -> None:
    rows = [row for row in csv.reader(io.StringIO(unzipped(content).decode("utf-8-sig"), newline="")) if row]
    assert (len(table.names), len(table)) == (len(rows[0]), len(rows) - 1)
    for i, name in enumerate(table.names):
        for row, value in zip(rows[1:], table[name]):
            np.testing.assert_equal(float(row[i]) if row[i].strip() not in ("", "?", "NA") else np.nan, value)


def check_image(array: np.ndarray, content: bytes) -> None:
    assert array.dtype == np.uint8
    assert array.ndim == 3
    assert len(array) == 3
    assert array.size <= 3 << 20


class Reader(NamedTuple):
    read: Callable[[Any], Any]
    files: Callable[[], list[bytes]]
    check: Callable[[Any, bytes], None]
    rounds: int


READERS = {
    "idx": Reader(read_idx, idx_files, check_idx, 3000),
    "cifar": Reader(read_cifar, cifar_files, check_cifar, 1500),
    "archive": Reader(load_cifar10, archives, check_archive, 1500),
    "csv": Reader(read_csv, tables, check_table, 3000),
    "image": Reader(lambda path: read_image(path, max_pixels=1 << 20), image_files, check_image, 3000),
}
assert sum(reader.rounds for reader in READERS.values()) >= 10_000


def mutated(content: bytes, others: list[bytes], rng: np.random.Generator) -> bytes:
    """One to four injuries: bits, bytes, numbers in headers, cuts, repetitions, parts of other files."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        n = len(data)
        front = n if rng.integers(2) else min(n, 64)  # headers are where it hurts
        at = int(rng.integers(front)) if front else 0
        length = int(rng.integers(1, 9))
        match rng.integers(9):
            case 0 if n:
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                data[at : at + length] = rng.bytes(length)
            case 2:
                data[at : at + length] = (b"\xff" if rng.integers(2) else b"\0") * length
            case 3:
                data[at : at + 4] = struct.pack(">I" if rng.integers(2) else "<I", int(rng.integers(1 << 32)))
            case 4:
                del data[at:]
            case 5:
                del data[at : at + length * int(rng.integers(1, 30))]
            case 6:
                data[at:at] = data[at : at + 16 * length] * int(rng.integers(1, 4))
            case 7:
                other = others[int(rng.integers(len(others)))]
                data[at:] = other[int(rng.integers(len(other))) :]
            case 8:
                data[at:at] = [b"\n", b",", b'"', b"\0", b"\xff\xd8", b"NA,", b"1_0"][int(rng.integers(7))]
    return bytes(data)


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_rightly_or_refused_by_name(name, tmp_path):
    reader = READERS[name]
    files, rng = reader.files(), np.random.default_rng(list(name.encode()))
    path = tmp_path / "damaged.file"
    for content in files:
        path.write_bytes(content)
        if name != "csv":
            reader.check(reader.read(path), content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about metadata that it skips
        for i in range(reader.rounds):
            content = mutated(files[i % len(files)], files, rng)
            path.write_bytes(content)
            try:
                result = reader.read(path)
            except (ValueError, OSError) as error:
                if "damaged.file" in str(error):
                    continue
                raise
            reader.check(result, content)
            read += 1
    assert 0 < read < reader.rounds  # both ends of the test are reached
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < MEMORY
