"""A checkpoint on disk: a safetensors file that says which format it has, who wrote it and what its bytes sum to."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from cinta._core import __version__
from cinta.atomic_write import atomic_write
from cinta.safetensors_format import pack, unpack

FORMAT = 1
_FACTS, _SHA256 = "cinta.checkpoint", "cinta.sha256"
_MARK, _BLANK = f'"{_SHA256}":"'.encode(), b"0" * 64  # the digest is that of the file with zeros in its place
_MAX_HEADER = 100_000_000  # bytes; what readers of the format allow


def write(path: str | os.PathLike[str], content: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Writes `content`, what `ct.save` can write, in one atomic step; `facts` is found without reading the rest."""
    facts = {"format": FORMAT, "written_by": f"cinta {__version__}", **facts}
    header, tensors = pack(content, {_FACTS: json.dumps(facts), _SHA256: _BLANK.decode()})
    digest = hashlib.sha256(header)
    digest.update(tensors)
    atomic_write(path, header.replace(_MARK + _BLANK, _MARK + digest.hexdigest().encode()), tensors)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Content and facts, after the file has been found whole: ValueError that names it otherwise."""
    where = f"[load_checkpoint] {os.fspath(path)}"
    with open(path, "rb") as file:
        content = file.read()
    end = 8 + int.from_bytes(content[:8], "little")
    at = content.find(_MARK, 8, end)
    if at < 0:
        unpack(content, where)  # says what is wrong with a file that is cut short
        raise ValueError(f"{where} is no checkpoint, expected a file of ct.save_checkpoint (ct.load reads others)")
    at += len(_MARK)
    stated, view = content[at : at + len(_BLANK)], memoryview(content)
    digest = hashlib.sha256(view[:at])
    digest.update(_BLANK)
    digest.update(view[at + len(_BLANK) :])
    if stated != digest.hexdigest().encode():
        raise ValueError(
            f"{where} ({len(content)} bytes) is damaged: its bytes are not those that were written (SHA-256 "
            f"{digest.hexdigest()[:12]}..., expected {stated[:12].decode(errors='replace')}...)"
        )
    loaded, texts = unpack(content, where)
    facts = _facts(texts, where)
    if facts["format"] != FORMAT:
        raise ValueError(
            f"{where} has format {facts['format']!r:.20} (written by {facts.get('written_by')!r:.40}), expected "
            f"{FORMAT}: read it with the version that wrote it or a later one"
        )
    return loaded, facts


def read_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The facts alone, from the beginning of the file, whose tensors are neither read nor checked."""
    where = f"[load_checkpoint] {os.fspath(path)}"
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = file.read(size) if size <= min(_MAX_HEADER, os.fstat(file.fileno()).st_size) else b""
    try:
        texts = json.loads(header)["__metadata__"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{where} does not begin as a checkpoint does: {error}") from error
    return _facts(texts, where)


def _facts(texts: Any, where: str) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(texts[_FACTS])
        facts["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{where} has a damaged {_FACTS} entry: {error}") from error
    return facts
