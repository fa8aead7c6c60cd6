"""Where in an order of batches a loader stands, as plain values for a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cinta.data.dataset import checked_indices
from cinta.data.order import Order


def order_state(order: Order) -> dict[str, Any]:
    """What a position means something in: it fits no other number of samples, batch size, ..."""
    seed = getattr(order.sampler, "seed", None)
    return {
        "order": type(order.sampler).__name__,
        "samples": len(order.dataset),
        "batch_size": order.batch_size,
        "drop_last": order.drop_last,
        "shard": list(order.shard),
        "sampler_seed": seed if isinstance(seed, int) else None,
    }


def flattened(batches: Sequence[np.ndarray]) -> list[np.ndarray]:
    """All indices, and the sizes of the batches."""
    indices = np.concatenate(batches) if batches else np.zeros(0, np.int64)
    return [indices, np.array([len(batch) for batch in batches], np.int64)]


def check_state(state: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """ValueError where a state does not fit; `expected` is the state of the loader that shall take it."""
    if set(state) != set(expected):
        missing, unknown = sorted(set(expected) - set(state)), sorted(map(str, set(state) - set(expected)))
        raise _error(f"lacks {missing} and has unknown {unknown}", f"a state_dict() with {sorted(expected)}")
    for name in ("order", "samples", "batch_size", "drop_last", "shard"):
        if state[name] != expected[name]:
            raise _error(f"{name} {state[name]!r}", f"{expected[name]!r}, as this loader has")
    for name in ("seed", "epoch", "position"):
        if type(state[name]) is not int or (name != "seed" and state[name] < 0):
            raise _error(f"{name} {state[name]!r}", "an integer, at least 0")
    if type(state["sampler_seed"]) is not type(expected["sampler_seed"]):
        raise _error(f"sampler_seed {state['sampler_seed']!r}", f"one like {expected['sampler_seed']!r}")


def restored_batches(state: Mapping[str, Any], order: Order) -> list[np.ndarray] | None:
    """The batches of the epoch that the state stands in, where only its sampler knew them, checked; else None."""
    batches = None
    if state["batches"] is not None:
        try:
            indices, sizes = (np.asarray(array) for array in state["batches"])
            indices = checked_indices("batches", indices, len(order.dataset))
        except (TypeError, ValueError, IndexError) as error:
            raise _error(f"batches that are none ({error})", "the indices of all, and their sizes") from error
        if sizes.ndim != 1 or sizes.min(initial=0) < 0 or sizes.sum() != len(indices):
            raise _error(f"{len(indices)} indices for batches of {sizes}", "sizes that add up to them")
        batches = np.split(indices, np.cumsum(sizes)[:-1]) if len(sizes) else []
    elif state["position"] and not order.repeatable:
        raise _error("no batches", "those of the epoch that it stands in, which this loader's sampler cannot repeat")
    if batches is None and not hasattr(order.sampler, "__len__"):
        return None
    if state["position"] and state["position"] > (count := len(order) if batches is None else len(batches)):
        raise _error(f"position {state['position']}", f"at most {count}, the number of batches")
    return batches


def _error(got: str, expected: str) -> ValueError:
    return ValueError(f"[DataLoader] state got {got}, expected {expected}")
