"""Nested dictionaries of tensors as the bytes of a safetensors file, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from cinta._core import Tensor, asarray

# Where the nesting of dictionaries and lists, and the numbers and texts among the tensors, are written.
TREE = "cinta.tree"

_NUMPY = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": np.uint16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
_SAVED = {np.dtype(kind).name for kind in _NUMPY.values()}


def _safetensors() -> ModuleType:
    try:
        import safetensors
    except ModuleNotFoundError:
        raise ModuleNotFoundError('[files] ct.save and ct.load need safetensors: pip install "cinta[files]"') from None
    return safetensors


def _stored(tensor: Any) -> tuple[str, np.ndarray]:
    """Dtype name and little-endian values in row-major order; bfloat16, which NumPy lacks, as its upper 16 bits."""
    if isinstance(tensor, Tensor) and str(tensor.dtype) == "bfloat16":
        bits = np.ascontiguousarray(tensor.detach().astype("float32").numpy()).view(np.uint32)
        return "bfloat16", (bits >> np.uint32(16)).astype("<u2").reshape(tensor.shape)
    values = tensor.detach().numpy() if isinstance(tensor, Tensor) else np.asarray(tensor)
    if values.dtype.name not in _SAVED:
        raise TypeError(f"[save] got an array of {values.dtype}, expected one of {sorted(_SAVED)}")
    return values.dtype.name, np.ascontiguousarray(values, values.dtype.newbyteorder("<")).reshape(values.shape)


def _restored(kind: str, shape: list[int], data: bytearray) -> Tensor:
    values = np.frombuffer(data, np.dtype(_NUMPY[kind]).newbyteorder("<")).reshape(shape)
    if kind == "BF16":
        return asarray((values.astype(np.uint32) << np.uint32(16)).view(np.float32)).astype("bfloat16")
    return asarray(values.astype(values.dtype.newbyteorder("="), copy=False))


def _split(value: Any, name: str, tensors: dict[str, Any]) -> Any:
    """Collects the tensors under dotted names; returns the nesting for JSON, tensors as ["tensor", name]."""
    if isinstance(value, Mapping):
        if not all(type(key) in (str, int) for key in value):
            raise TypeError(f"[save] {name!r} got keys {list(value)!r:.60}, expected str or int")
        below = {key: _split(child, f"{name}.{key}" if name else str(key), tensors) for key, child in value.items()}
        return ["dict", list(below.items())]
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return [kind, [_split(child, f"{name}.{i}", tensors) for i, child in enumerate(value)]]
    if value is None or type(value) in (bool, int, float, str):
        return ["value", value]
    if not isinstance(value, (Tensor, np.ndarray, np.generic)):
        raise TypeError(f"[save] {name!r} got a {type(value).__name__}, expected a tensor, array, number, text or None")
    if name in tensors or name == "__metadata__":
        raise ValueError(f"[save] name {name!r} got two tensors or is reserved, expected one tensor for each name")
    tensors[name] = value
    return ["tensor", name]


def _join(node: Any, tensors: dict[str, Tensor]) -> Any:
    kind, content = node
    if kind not in ("dict", "list", "tuple", "tensor", "value"):
        raise ValueError(f"it has a node of kind {kind!r:.20}")
    if kind == "dict":
        return {key: _join(child, tensors) for key, child in content}
    if kind in ("list", "tuple"):
        children = [_join(child, tensors) for child in content]
        return children if kind == "list" else tuple(children)
    return tensors[content] if kind == "tensor" else content


def pack(tensors: Mapping[str, Any], metadata: Mapping[str, str]) -> tuple[bytes, memoryview]:
    """What `save` writes, as the header with its length and the tensors' bytes; the same for the same content."""
    safetensors = _safetensors()
    named: dict[str, Any] = {}
    tree = _split(tensors, "", named)
    texts = dict(metadata)
    if named.keys() != tensors.keys():
        texts[TREE] = json.dumps(tree)
    arrays = {name: _stored(value) for name, value in named.items()}
    content = safetensors.serialize(
        {
            name: safetensors.TensorSpec(
                dtype=dtype, shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes
            )
            for name, (dtype, array) in arrays.items()
        },
        metadata=texts or None,
    )
    end = 8 + int.from_bytes(content[:8], "little")
    entries = json.loads(content[8:end])
    if texts:  # the library writes them in another order each time
        entries["__metadata__"] = dict(sorted(texts.items()))
    header = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header, memoryview(content)[end:]


def unpack(content: bytes, where: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What was saved, and its metadata, from a file's bytes; `where` begins the text of a ValueError."""
    safetensors = _safetensors()
    try:
        entries = safetensors.deserialize(content)
        texts = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__") or {}
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        reason = str(error).removeprefix("Error while deserializing: ")
        raise ValueError(
            f"{where} ({len(content)} bytes) is no complete safetensors file: {reason} "
            "(truncated, damaged or of another format)"
        ) from error
    tensors = {}
    for name, entry in entries:
        if entry["dtype"] not in _NUMPY:
            raise ValueError(f"{where} holds {name!r} of dtype {entry['dtype']}, expected {list(_NUMPY)}")
        try:
            tensors[name] = _restored(entry["dtype"], entry["shape"], entry["data"])
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{where} holds {name!r} of a shape that no array can have: {error}") from error
    if TREE not in texts:
        return tensors, texts
    try:
        loaded = _join(json.loads(texts.pop(TREE)), tensors)
        if not isinstance(loaded, dict):
            raise ValueError(f"it is a {type(loaded).__name__}, expected a dict")
        return loaded, texts
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{where} has a damaged {TREE} entry: {error}") from error
