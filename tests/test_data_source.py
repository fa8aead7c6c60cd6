"""Reading bytes: checksums, gzip, limits, and files that are none."""

from __future__ import annotations

import gzip
import hashlib
import os
import tracemalloc

import numpy as np
import pytest

from cinta.data import load_mnist, read_csv, read_idx
from cinta.data.checksums import KNOWN, checksum_of
from cinta.data.source import Source

IDX = bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3])


@pytest.fixture
def idx(tmp_path):
    (tmp_path / "a").write_bytes(IDX)
    return tmp_path / "a"


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_checksums(idx, algorithm):
    right = hashlib.new(algorithm, IDX).hexdigest()
    for checksum in (f"{algorithm}:{right}", right, right.upper()):
        assert read_idx(idx, checksum).tolist() == [1, 2, 3]
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    with pytest.raises(ValueError, match=rf"\[read_idx\] .*a: got checksum {algorithm}:{right}, expected {algorithm}:"):
        read_idx(idx, wrong)


@pytest.mark.parametrize("checksum", ["md5:12", "crc32:00000000", "", "sha256:" + "0" * 32])
def test_what_is_no_checksum(idx, checksum):
    with pytest.raises(ValueError, match=r"\[checksum\] got .* expected md5:, sha1:, sha256: or sha512:"):
        read_idx(idx, checksum)


def test_known_checksums():
    assert checksum_of("train-images-idx3-ubyte.gz", "mnist") != checksum_of(
        "train-images-idx3-ubyte.gz", "fashion-mnist"
    )
    assert checksum_of("x", None) is None
    assert checksum_of("x", {"x": "md5:0"}) == "md5:0"
    with pytest.raises(
        ValueError, match="got 'mnsit', expected one of mnist, fashion-mnist, kmnist, cifar-10, cifar-100"
    ):
        checksum_of("x", "mnsit")
    with pytest.raises(
        ValueError, match=r"got none for t10k-labels-idx1-ubyte, expected one \(there are some for train"
    ):
        checksum_of("t10k-labels-idx1-ubyte", "mnist")
    digests = [digest for files in KNOWN.values() for digest in files.values()]
    assert len(set(digests)) == len(digests) == 14
    assert all(len(digest) == len("md5:") + 32 for digest in digests)


def test_a_file_that_is_not_mnist(tmp_path):
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes([0, 0, 8, 3] + [0] * 12)))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes([0, 0, 8, 1] + [0] * 4)))
    assert len(load_mnist(tmp_path).train_labels) == 0
    with pytest.raises(ValueError, match="got checksum md5:.*, expected md5:f68b3c2dcbeaaa9fbdd348bbdeb94873"):
        load_mnist(tmp_path, checksum="mnist")


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices as POSIX has them")
def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ValueError, match=r"got a pipe, device or folder, expected a regular file"):
            read_csv(path)
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        read_csv(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


def test_what_unpacks_to_far_too_much_is_refused(tmp_path):
    header = bytes([0, 0, 8, 1]) + (200 << 20).to_bytes(4, "big")
    (tmp_path / "a.gz").write_bytes(gzip.compress(header + bytes(200 << 20), 9))
    tracemalloc.start()
    with pytest.raises(
        ValueError, match=r"a\.gz: got \d+ bytes that unpack to more than 67108864, expected at most 100 times"
    ):
        read_idx(tmp_path / "a.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 << 20


def test_zeros_that_unpack_to_little_are_fine(tmp_path):
    header = bytes([0, 0, 8, 1]) + (1 << 20).to_bytes(4, "big")
    (tmp_path / "a.gz").write_bytes(gzip.compress(header + bytes(1 << 20), 9))
    assert read_idx(tmp_path / "a.gz").shape == (1 << 20,)


def test_a_source_is_a_stream(tmp_path):
    content = np.random.default_rng(0).bytes(100_000)
    for name, written in (("plain", content), ("zipped", gzip.compress(content))):
        (tmp_path / name).write_bytes(written)
        with Source(tmp_path / name, "test") as source:
            assert source.up_to(10) == content[:10]
            assert source.read(20) == content[10:30]
            assert source.read() == content[30:]
            assert source.up_to(1) == b""
        assert source._raw.closed
    with Source(tmp_path / "zipped", "test", gunzip=False) as source:
        assert source.up_to(2) == b"\x1f\x8b"
