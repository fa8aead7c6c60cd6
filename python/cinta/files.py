"""Tensors in files: safetensors, which is data only, so loading a file never runs code from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from cinta.atomic_write import atomic_write
from cinta.safetensors_format import TREE, pack, unpack


def save(path: str | os.PathLike[str], tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    """Writes tensors by name to a safetensors file.

    Dictionaries may nest, as those of models and optimizers do, and may hold lists, numbers and texts: tensors are
    stored under dotted names, which any reader of the format finds, and `load` gives back what went in. `metadata` is
    text of one's own. The file appears whole or not at all: it is written beside its place and then renamed.

    Errors: TypeError for content of another kind, ValueError where two tensors get the same dotted name, OSError where
    the file cannot be written, ModuleNotFoundError without safetensors.

    Example:
        >>> ct.save("model.safetensors", {"model": nn.Linear(2, 1).state_dict(), "epoch": 3}, {"data": "digits"})
        >>> ct.load("model.safetensors")["epoch"]
        3
    """
    if not isinstance(tensors, Mapping):
        raise TypeError(f"[save] tensors got a {type(tensors).__name__}, expected a dict of tensors by name")
    texts = dict(metadata or {})
    if not all(isinstance(text, str) for text in (*texts, *texts.values())) or TREE in texts:
        raise TypeError(f"[save] metadata got {texts!r:.80}, expected a dict of str by str without {TREE!r}")
    atomic_write(path, *pack(tensors, texts))


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, str]]:
    with open(path, "rb") as file:
        return unpack(file.read(), f"[load] {os.fspath(path)}")


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a safetensors file: a dict of tensors by name, or the nested one that `save` was given.

    Errors: ValueError that names the file where it is truncated, damaged or of another format; FileNotFoundError;
    ModuleNotFoundError without safetensors.

    Example:
        >>> ct.save("point.safetensors", {"x": ct.tensor([1.0, 2.0])})
        >>> ct.load("point.safetensors")
        {'x': tensor([1., 2.])}
    """
    return _read(path)[0]


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Reads the text that `save` was given as metadata.

    Errors: as `load`.

    Example:
        >>> ct.save("point.safetensors", {"x": ct.ones(2)}, {"author": "Ada"})
        >>> load_metadata("point.safetensors")
        {'author': 'Ada'}
    """
    return _read(path)[1]
