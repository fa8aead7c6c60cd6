"""Checksums of files: those of the well-known data sets, and how a file is held against one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

_BY_LENGTH = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}

# As published with the data: the files of MNIST and its relatives as torchvision checks them, CIFAR's archives on
# https://www.cs.toronto.edu/~kriz/cifar.html.
KNOWN: dict[str, dict[str, str]] = {
    "mnist": {
        "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    },
    "kmnist": {
        "train-images-idx3-ubyte.gz": "md5:bdb82020997e1d708af4cf47b453dcf7",
        "train-labels-idx1-ubyte.gz": "md5:e144d726b3acfaa3e44228e80efcd344",
        "t10k-images-idx3-ubyte.gz": "md5:5c965bf0a639b31b8f53240b1b52f4d7",
        "t10k-labels-idx1-ubyte.gz": "md5:7320c461ea6c1c855c0b718fb2a4b134",
    },
    "cifar-10": {"cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530"},
    "cifar-100": {"cifar-100-binary.tar.gz": "md5:03b5dce01913d631647c71ecec9e9cb8"},
}


def checksum_of(name: str, checksum: str | Mapping[str, str] | None) -> str | None:
    """What a file of this name should have: `checksum` is a data set in `KNOWN`, or checksums by name of file."""
    if checksum is None:
        return None
    if isinstance(checksum, str):
        if checksum not in KNOWN:
            known = ", ".join(KNOWN)
            raise ValueError(f"[checksum] got {checksum!r}, expected one of {known}, or {{file name: checksum}}")
        by_name: Mapping[str, str] = KNOWN[checksum]
    else:
        by_name = checksum
    if name not in by_name:
        raise ValueError(f"[checksum] got none for {name}, expected one (there are some for {', '.join(by_name)})")
    return by_name[name]


def digest(file: Any, checksum: str) -> tuple[str, str]:
    """Of a whole binary file, and what was expected: "algorithm:hex digits" both.

    checksum: "md5:...", "sha256:...", or the digits alone, whose number tells the algorithm.
    """
    algorithm, _, digits = checksum.rpartition(":")
    algorithm = algorithm or _BY_LENGTH.get(len(digits), "")
    if algorithm not in _BY_LENGTH.values() or _BY_LENGTH.get(len(digits)) != algorithm:
        raise ValueError(f"[checksum] got {checksum!r}, expected md5:, sha1:, sha256: or sha512: and its hex digits")
    got = hashlib.new(algorithm, usedforsecurity=False)
    while piece := file.read(1 << 20):
        got.update(piece)
    return f"{algorithm}:{got.hexdigest()}", f"{algorithm}:{digits.lower()}"
