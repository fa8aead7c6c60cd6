"""The IDX reader: what it reads, and how it refuses what is damaged."""

from __future__ import annotations

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from cinta.data import load_mnist, read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    code = CODES[array.dtype.str[1:]]
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def mnist_files():
    rng = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": rng.integers(0, 256, (6, 28, 28)).astype(np.uint8),
        "train-labels-idx1-ubyte": rng.integers(0, 10, 6).astype(np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (2, 28, 28)).astype(np.uint8),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, 2).astype(np.uint8),
    }


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (0,), (3, 0, 2)])
@pytest.mark.parametrize("zipped", [False, True])
def test_reads_every_dtype(tmp_path, code, shape, zipped):
    array = (np.arange(np.prod(shape)).reshape(shape) - 3).astype(code)
    content = idx_bytes(array)
    (tmp_path / "a").write_bytes(gzip.compress(content) if zipped else content)
    read = read_idx(tmp_path / "a")
    assert read.dtype == np.dtype(code)
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


DAMAGED = {
    "empty": (b"", r"starts with the bytes \(none\), expected 00 00"),
    "not idx": (b"PK\x03\x04", "starts with the bytes 50 4b 03 04"),
    "unknown dtype": (b"\0\0\x0a\x01\0\0\0\x00", "starts with the bytes 00 00 0a 01"),
    "rank 0": (b"\0\0\x08\0", "starts with the bytes 00 00 08 00"),
    "half a header": (b"\0\0\x08\x03\0\0\0\x01\0\0", "got 6 bytes of dimensions, expected 12 for rank 3"),
    "cut short": (b"\0\0\x08\x01\0\0\0\x05abc", r"got 3 bytes of values, cut short, expected 5 for dimensions \(5,\)"),
    "too long": (b"\0\0\x08\x01\0\0\0\x02abc", r"more bytes after the last value, expected 2 for dimensions \(2,\)"),
    "absurd": (b"\0\0\x08\x03" + b"\xff" * 12, "dimensions .* expected at most 4294967296 bytes"),
    "rank 255": (b"\0\0\x08\xff" + b"\0\0\0\x01" * 255 + b"a", "in 8 dimensions"),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_files_say_what_is_wrong(tmp_path, damage, zipped):
    content, message = DAMAGED[damage]
    path = tmp_path / "damaged-file"
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(ValueError, match=message) as error:
        read_idx(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("keep", [5, 30, -3])
def test_cut_gzip(tmp_path, keep):
    content = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, 500).astype(np.uint8)))
    (tmp_path / "a.gz").write_bytes(content[:keep])
    with pytest.raises(ValueError, match="damaged gzip data|starts with the bytes"):
        read_idx(tmp_path / "a.gz")


@pytest.mark.parametrize("offset", [12, 40, 100])
def test_corrupted_gzip(tmp_path, offset):
    content = bytearray(gzip.compress(idx_bytes(np.arange(500, dtype=np.int32))))
    content[offset] ^= 0xFF
    (tmp_path / "a.gz").write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"a\.gz"):
        read_idx(tmp_path / "a.gz")


def test_a_short_file_with_a_large_header_takes_little_memory(tmp_path):
    (tmp_path / "a").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 4_000_000_000) + b"abc")
    tracemalloc.start()
    with pytest.raises(ValueError, match="cut short"):
        read_idx(tmp_path / "a")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("mark", ["-", "."])
def test_load_mnist(tmp_path, mnist_files, zipped, mark):
    for name, array in mnist_files.items():
        content = idx_bytes(array)
        path = tmp_path / (name.replace("-idx", f"{mark}idx") + (".gz" if zipped else ""))
        path.write_bytes(gzip.compress(content) if zipped else content)
    data = load_mnist(tmp_path)
    for read, array in zip(data, mnist_files.values()):
        np.testing.assert_array_equal(read, array)
    assert data.train_images.dtype == np.uint8
    assert data.train_labels.dtype == np.int64


def write_all(folder, files):
    for name, array in files.items():
        (folder / name).write_bytes(idx_bytes(array))


def test_missing_file_is_named(tmp_path, mnist_files):
    del mnist_files["t10k-labels-idx1-ubyte"]
    write_all(tmp_path, mnist_files)
    with pytest.raises(FileNotFoundError, match=r"has none of t10k-labels-idx1-ubyte, t10k-labels-idx1-ubyte\.gz"):
        load_mnist(tmp_path)


def test_mismatched_counts(tmp_path, mnist_files):
    write_all(tmp_path, {**mnist_files, "train-labels-idx1-ubyte": np.zeros(5, np.uint8)})
    with pytest.raises(ValueError, match="train-labels-idx1-ubyte: got 5 labels, expected 6, one for each image"):
        load_mnist(tmp_path)


def test_swapped_files(tmp_path, mnist_files):
    swapped = {**mnist_files, "train-images-idx3-ubyte": mnist_files["train-labels-idx1-ubyte"]}
    write_all(tmp_path, swapped)
    with pytest.raises(ValueError, match="got uint8 values of rank 1, expected uint8 images of rank 3"):
        load_mnist(tmp_path)


def test_test_images_of_another_size(tmp_path, mnist_files):
    write_all(tmp_path, {**mnist_files, "t10k-images-idx3-ubyte": np.zeros((2, 8, 8), np.uint8)})
    with pytest.raises(ValueError, match=r"test images of shape \(8, 8\), expected \(28, 28\) as in training"):
        load_mnist(tmp_path)
