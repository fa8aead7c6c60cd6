"""From what a Trainer is given, loaders, lists of batches or whole arrays, to batches of tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from cinta._core import Tensor, asarray


def is_array(value: Any) -> bool:
    return isinstance(value, (Tensor, np.ndarray))


def as_loader(what: str, data: Any, batch_size: int, shuffle: bool, dtype: Any) -> Any:
    """Something that gives (inputs, targets) each time that it is iterated.

    A pair of arrays becomes a DataLoader; `what` begins the texts of errors.
    """
    if isinstance(data, (tuple, list)) and len(data) == 2 and all(is_array(each) for each in data):
        from cinta.data import DataLoader, TensorDataset

        if len(data[0]) == 0:
            raise ValueError(f"{what} got arrays of no samples, expected at least one")
        dataset = TensorDataset(*(as_tensors(each, dtype) for each in data))
        return DataLoader(dataset, batch_size=batch_size, shuffle=shuffle)
    if not isinstance(data, Iterable) or is_array(data) or isinstance(data, (Mapping, str)):
        raise TypeError(
            f"{what} got a {type(data).__name__}, expected a pair of arrays (inputs, targets) or an iterable of such "
            "batches"
        )
    if isinstance(data, Iterator):
        raise TypeError(
            f"{what} got a {type(data).__name__}, which gives its batches once only, expected something that can be "
            "iterated for every epoch (a DataLoader, a list)"
        )
    return data


def pair(what: str, batch: Any, dtype: Any) -> tuple[Any, Any]:
    """Inputs and targets of a batch, as tensors."""
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise ValueError(f"{what} got a batch of {type(batch).__name__}, expected a pair (inputs, targets)")
    x, y = batch
    return (
        x if type(x) is Tensor else as_tensors(x, dtype),
        y if type(y) is Tensor else as_tensors(y, dtype),
    )


def as_tensors(value: Any, dtype: Any) -> Any:
    """NumPy's arrays, which are of float64 by habit, become tensors with floats of the model's dtype; tensors stay."""
    if isinstance(value, np.ndarray):
        tensor = asarray(value)
        return tensor.astype(dtype) if tensor.dtype.is_floating and tensor.dtype != dtype else tensor
    if isinstance(value, Mapping):
        return {key: as_tensors(each, dtype) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        children = [as_tensors(each, dtype) for each in value]
        return children if isinstance(value, list) else tuple(children)
    return value


def samples(value: Any) -> int:
    """How many a batch has: the length of the first axis of its first tensor."""
    if type(value) is Tensor:
        return len(value)
    while isinstance(value, (Mapping, tuple, list)):
        value = next(iter(value.values() if isinstance(value, Mapping) else value))
    return len(value)
