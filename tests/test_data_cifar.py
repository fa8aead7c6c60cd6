"""CIFAR's binary files and archives."""

from __future__ import annotations

import hashlib
import io
import tarfile

import numpy as np
import pytest

from cinta.data import load_cifar10, load_cifar100, read_cifar


def records(labels, seed=0):
    """The bytes of a file, and its pixels; labels [N] or [N, 2]."""
    labels = np.asarray(labels, np.uint8).reshape(len(labels), -1)
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 32, 32)).astype(np.uint8)
    return np.concatenate([labels, pixels.reshape(len(labels), -1)], axis=1).tobytes(), pixels


def cifar10_files():
    files, pixels = {}, []
    for i in range(1, 6):
        files[f"data_batch_{i}.bin"], part = records([i, 9 - i], i)
        pixels.append(part)
    files["test_batch.bin"], test = records([7], 9)
    files["batches.meta.txt"] = b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"
    return files, np.concatenate(pixels), test


def archive(files, mode="w:gz", folder="cifar-10-batches-bin"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def whole(tmp_path):
    files, train, test = cifar10_files()
    for folder in (tmp_path / "flat", tmp_path / "above" / "cifar-10-batches-bin"):
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(archive(files))
    (tmp_path / "cifar-10-binary.tar").write_bytes(archive(files, "w"))
    return tmp_path, train, test


@pytest.mark.parametrize("name", ["flat", "above", "cifar-10-binary.tar.gz", "cifar-10-binary.tar"])
def test_cifar10(whole, name):
    folder, train, test = whole
    cifar = load_cifar10(folder / name)
    np.testing.assert_array_equal(cifar.train_images, train)
    np.testing.assert_array_equal(cifar.test_images, test)
    assert cifar.train_labels.tolist() == [1, 8, 2, 7, 3, 6, 4, 5, 5, 4]
    assert cifar.test_labels.tolist() == [7]
    assert (cifar.train_images.dtype, cifar.train_labels.dtype) == (np.uint8, np.int64)
    assert cifar.classes[3] == "cat"


def test_cifar100(tmp_path):
    files = {"train.bin": records([(3, 77), (19, 99)])[0], "test.bin": records([(0, 0)])[0]}
    files["fine_label_names.txt"] = "\n".join(f"fine{i}" for i in range(100)).encode()
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(archive(files, folder="cifar-100-binary"))
    fine = load_cifar100(tmp_path / "cifar-100-binary.tar.gz")
    coarse = load_cifar100(tmp_path / "cifar-100-binary.tar.gz", coarse=True)
    assert (fine.train_labels.tolist(), coarse.train_labels.tolist()) == ([77, 99], [3, 19])
    assert fine.classes[77] == "fine77"
    assert coarse.classes == [str(i) for i in range(20)]
    np.testing.assert_array_equal(fine.train_images, coarse.train_images)


def test_one_file(tmp_path):
    (tmp_path / "a").write_bytes(records([(3, 77), (19, 99)])[0])
    images, labels = read_cifar(tmp_path / "a", classes=100)
    assert images.shape == (2, 3, 32, 32)
    assert labels.tolist() == [[3, 77], [19, 99]]
    with pytest.raises(ValueError, match=r"\[read_cifar\] classes got 11, expected 10 or 100"):
        read_cifar(tmp_path / "a", classes=11)


@pytest.mark.parametrize(
    ("content", "classes", "message"),
    [
        (b"", 10, "got 0 bytes, expected a multiple of 3073"),
        (records([1])[0][:-1], 10, "got 3072 bytes, expected a multiple of 3073"),
        (records([1, 10])[0], 10, "got label 10 in record 1, expected 0 to 9"),
        (records([(20, 1)])[0], 100, "got label 20 in record 0, expected 0 to 19"),
        (records([(1, 100)])[0], 100, "got label 100 in record 0, expected 0 to 99"),
    ],
)
def test_damaged_files(tmp_path, content, classes, message):
    (tmp_path / "damaged.bin").write_bytes(content)
    with pytest.raises(ValueError, match=rf"\[read_cifar\] .*damaged\.bin: {message}"):
        read_cifar(tmp_path / "damaged.bin", classes)


def test_missing_files_are_named(whole):
    folder, _, _ = whole
    (folder / "flat" / "data_batch_3.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"flat has no data_batch_3.bin \(it takes the binary version\)"):
        load_cifar10(folder / "flat")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_cifar10(folder / "nowhere")


def test_archives_that_lie(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    files, _, _ = cifar10_files()
    path.write_bytes(archive(files)[:-3000])
    with pytest.raises(ValueError, match=r"cifar-10-binary.tar.gz: got (a damaged archive|damaged gzip data)"):
        load_cifar10(path)
    path.write_bytes(archive({**files, "data_batch_2.bin": b"short"}))
    with pytest.raises(ValueError, match=r"cifar-10-binary.tar.gz, in it data_batch_2.bin: got 5 bytes"):
        load_cifar10(path)
    path.write_bytes(archive({str(i): b"" for i in range(1001)}))
    with pytest.raises(ValueError, match="got more than 1000 files"):
        load_cifar10(path)
    path.write_bytes(archive({"data_batch_1.bin": b""} | {"big": bytes(200 << 20)}))
    with pytest.raises(ValueError, match="bytes that unpack to more than 67108864"):
        load_cifar10(path)
    path.write_bytes(b"no archive at all" * 100)
    with pytest.raises(ValueError, match="got a damaged archive"):
        load_cifar10(path)


def test_links_in_an_archive_lead_nowhere(tmp_path):
    (tmp_path / "secret").write_bytes(records([1])[0])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        link = tarfile.TarInfo("data_batch_1.bin")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        tar.addfile(link)
    (tmp_path / "a.tar.gz").write_bytes(buffer.getvalue())
    with pytest.raises(FileNotFoundError, match="has no data_batch_1.bin"):
        load_cifar10(tmp_path / "a.tar.gz")


def test_checksums(whole):
    folder, _, _ = whole
    path = folder / "cifar-10-binary.tar.gz"
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(load_cifar10(path, {path.name: f"sha256:{right}"}).test_labels) == 1
    with pytest.raises(ValueError, match="expected md5:c32a1d4ab5d03f1284b67883e8d87530"):
        load_cifar10(path, "cifar-10")
    with pytest.raises(ValueError, match=r"got none for data_batch_1.bin"):
        load_cifar10(folder / "flat", "cifar-10")
