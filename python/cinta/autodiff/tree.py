"""Nested lists, tuples and dicts of arrays: taken apart into leaves, and put together again.

`None` holds no leaf, so optional entries pass through untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, left to right, dicts in insertion order.

    >>> leaves([1.0, {"w": 2.0, "b": (3.0, None)}])
    [1.0, 2.0, 3.0]
    """
    if isinstance(tree, (list, tuple)):
        return [leaf for child in tree for leaf in leaves(child)]
    if isinstance(tree, dict):
        return [leaf for child in tree.values() for leaf in leaves(child)]
    return [] if tree is None else [tree]


def rebuild(tree: Any, values: Iterable[Any]) -> Any:
    """A tree of the same containers whose leaves are the given values.

    >>> rebuild([1.0, {"w": 2.0}], ["a", "b"])
    ['a', {'w': 'b'}]
    """
    return _rebuild(tree, iter(values))


def _rebuild(tree: Any, values: Iterator[Any]) -> Any:
    if isinstance(tree, list):
        return [_rebuild(child, values) for child in tree]
    if isinstance(tree, tuple):
        children = [_rebuild(child, values) for child in tree]
        return tree._make(children) if hasattr(tree, "_make") else tuple(children)
    if isinstance(tree, dict):
        result = tree.copy()  # keeps an OrderedDict's or a defaultdict's type
        for key, child in tree.items():
            result[key] = _rebuild(child, values)
        return result
    return None if tree is None else next(values)


def skeleton(tree: Any) -> Any:
    """The containers of a tree alone (every leaf 0): a shape to rebuild by that keeps no tensor alive."""
    return rebuild(tree, repeat(0))


def along(tree: Any, other: Any, what: str) -> list[Any]:
    """The leaves of `other`, one for each leaf of `tree`; a `None` in `other` stands for a whole branch.

    Raises ValueError, naming `what`, where the containers differ.
    """
    if tree is None:
        return []
    if other is None:
        return [None] * len(leaves(tree))
    if isinstance(tree, (list, tuple)):
        if not isinstance(other, (list, tuple)) or len(other) != len(tree):
            raise ValueError(
                f"{what}: got {_kind(other)}, expected {_kind(tree)} (give it the structure it stands for)"
            )
        return [leaf for child, match in zip(tree, other) for leaf in along(child, match, what)]
    if isinstance(tree, dict):
        if not isinstance(other, dict) or other.keys() != tree.keys():
            raise ValueError(
                f"{what}: got {_kind(other)}, expected {_kind(tree)} (give it the structure it stands for)"
            )
        return [leaf for key, child in tree.items() for leaf in along(child, other[key], what)]
    if isinstance(other, dict):
        raise ValueError(f"{what}: got {_kind(other)}, expected an array (give it the structure it stands for)")
    return [other]


def path(tree: Any, position: int) -> str:
    """The subscripts that reach leaf number `position`, as Python would write them.

    >>> path([1.0, {"w": 2.0}], 1)
    "[1]['w']"
    """
    if isinstance(tree, (list, tuple, dict)):
        for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
            count = len(leaves(child))
            if position < count:
                return f"[{key!r}]{path(child, position)}"
            position -= count
    return ""


def _kind(tree: Any) -> str:
    if isinstance(tree, dict):
        return f"a dict with keys {list(tree)}"
    if isinstance(tree, (list, tuple)):
        return f"a {type(tree).__name__} of {len(tree)}"
    return f"a {type(tree).__name__}"
