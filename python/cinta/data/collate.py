"""From samples to a batch: `default_collate` stacks them, `pad_collate` pads sequences and gives their lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cinta._core import Tensor, asarray, full, stack

_NUMBERS = (bool, int, float)


class Padded(NamedTuple):
    """Sequences of several lengths as one tensor: values [N, T, ...], T the longest length, and lengths [N] (int64).

    Example:
        >>> pad_collate([[1, 2], [3]])
        Padded(values=tensor([[1, 2],
                [3, 0]]), lengths=tensor([2, 1]))
    """

    values: Tensor
    lengths: Tensor


def default_collate(samples: Sequence[Any]) -> Any:
    """One batch of N samples that are built alike, as in PyTorch.

    Arrays and tensors are stacked along a new first axis and keep their dtype; Python numbers become a tensor [N]
    (int64, float32 or bool), texts a list. Tuples, named tuples, lists and dictionaries are collated field by field.

    Errors: ValueError where shapes, keys or numbers of fields differ, TypeError for what is none of these.

    Example:
        >>> x, y = default_collate([(ct.tensor([1.0, 2.0]), 0), (ct.tensor([3.0, 4.0]), 1)])
        >>> x.shape, y
        ((2, 2), tensor([0, 1]))
    """
    return _collate(list(samples), "default_collate", _stacked, "")


def pad_collate(samples: Sequence[Any], padding_value: float = 0, pad_to_multiple_of: int = 1) -> Any:
    """One batch of N samples with sequences of different lengths in them.

    Arrays, tensors [T, ...] and lists of numbers become `Padded(values, lengths)`: padded with `padding_value` behind
    to the longest of the batch. All else as `default_collate` does it. `DataLoader(bucket_by=...)` makes batches whose
    lengths are close, so that little is padded; `functools.partial(pad_collate, padding_value=-1)` pads otherwise.
    pad_to_multiple_of: T is the next multiple of this; so there are few shapes, and `ct.compile` has few to record.

    Errors: ValueError where sequences differ in more than their length, or for a multiple below 1, else as
    `default_collate`.

    Example:
        >>> words, labels = pad_collate([([5, 3, 8], 0), ([7], 1)])
        >>> words.values
        tensor([[5, 3, 8],
                [7, 0, 0]])
        >>> words.lengths, labels
        (tensor([3, 1]), tensor([0, 1]))
    """

    if pad_to_multiple_of < 1:
        raise ValueError(f"[pad_collate] pad_to_multiple_of got {pad_to_multiple_of}, expected at least 1")

    def joined(items: list[Any], field: str) -> Any:
        return _padded(items, field, padding_value, pad_to_multiple_of) if np.ndim(items[0]) else _stacked(items, field)

    return _collate(list(samples), "pad_collate", joined, "", lists_are_sequences=True)


def _collate(
    samples: list[Any],
    name: str,
    joined: Callable[[list[Any], str], Any],
    field: str,
    lists_are_sequences: bool = False,
) -> Any:
    if not samples:
        raise ValueError(f"[{name}] got no samples, expected at least 1")
    first = samples[0]

    def columns(items: list[Any], key: Any) -> Any:
        return _collate(items, name, joined, f"{field}[{key!r}]", lists_are_sequences)

    if isinstance(first, list) and lists_are_sequences and all(isinstance(x, _NUMBERS) for x in first):
        return joined([np.asarray(_as_numbers(sample)) for sample in samples], field)
    if isinstance(first, (Tensor, np.ndarray, np.generic)):
        return joined(samples, field)
    if isinstance(first, _NUMBERS):
        return asarray(np.asarray(_as_numbers(samples)))
    if isinstance(first, (str, bytes)):
        return samples
    if isinstance(first, Mapping):
        _alike(samples, name, field, "keys", lambda sample: list(sample))
        return {key: columns([sample[key] for sample in samples], key) for key in first}
    if isinstance(first, (tuple, list)):
        _alike(samples, name, field, "fields", len)
        fields = [columns([sample[i] for sample in samples], i) for i in range(len(first))]
        if hasattr(first, "_fields"):
            return type(first)(*fields)
        return tuple(fields) if isinstance(first, tuple) else fields
    raise TypeError(
        f"[{name}] sample{field} got a {type(first).__name__}, expected tensors, arrays, numbers, texts, or tuples, "
        "lists and dictionaries of them (give a collate_fn of your own for anything else)"
    )


def _as_numbers(values: Sequence[Any]) -> np.ndarray:
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype == np.float64 or not len(values) else array


def _alike(samples: list[Any], name: str, field: str, what: str, of: Callable[[Any], Any]) -> None:
    for i, sample in enumerate(samples):
        if type(sample) is not type(samples[0]) or of(sample) != of(samples[0]):
            got, expected = (f"{type(s).__name__} with {what} {of(s)}" for s in (sample, samples[0]))
            raise ValueError(f"[{name}] sample{field} {i} of the batch is a {got}, sample 0 a {expected}")


def _shapes(items: list[Any], field: str, name: str, what: str, of: Callable[[tuple[int, ...]], Any], do: str) -> None:
    expected = of(np.shape(items[0]))
    for i, item in enumerate(items):
        if of(np.shape(item)) != expected:
            got = f"sample{field} {i} of the batch has shape {np.shape(item)}"
            raise ValueError(f"[{name}] {got}, sample 0 {np.shape(items[0])}: expected {what}{do}")


def _stacked(items: list[Any], field: str) -> Tensor:
    do = " (collate_fn=pad_collate pads sequences)"
    _shapes(items, field, "default_collate", "one shape for all", lambda shape: shape, do)
    if any(isinstance(item, Tensor) for item in items):
        return stack(items)
    return asarray(np.stack(items))


def _padded(items: list[Any], field: str, padding_value: float, multiple: int) -> Padded:
    _shapes(items, field, "pad_collate", "one shape behind the first axis", lambda shape: (len(shape), shape[1:]), "")
    arrays = [asarray(item) for item in items]
    lengths = np.array([len(array) for array in arrays], np.int64)
    longest = -(-int(lengths.max()) // multiple) * multiple
    values = full((len(arrays), longest, *arrays[0].shape[1:]), padding_value, arrays[0].dtype)
    for i, array in enumerate(arrays):
        if len(array):
            values[i, : len(array)] = array
    return Padded(values, asarray(lengths))
