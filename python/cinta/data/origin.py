"""Where an error came from, written on the error itself."""

from __future__ import annotations

import reprlib
from typing import Any


def annotate(error: BaseException, text: str) -> None:
    """Adds a line below the traceback; the type of the error, its text and its traceback stay what they are."""
    if hasattr(error, "add_note"):
        error.add_note(text)
    elif error.__cause__ is None:  # Python 3.10 has no notes: shown above the traceback
        error.__cause__ = RuntimeError(text)


def described(dataset: Any) -> str:
    """The dataset by type and size, for a message."""
    try:
        return f"{type(dataset).__name__} with {len(dataset)} samples"
    except Exception:
        return type(dataset).__name__


def shortened(indices: Any) -> str:
    return reprlib.repr([int(i) for i in indices])
