"""Series of checkpoints: `net-00000120.safetensors` is step 120 of `net.safetensors`; the latest and the best stay."""

from __future__ import annotations

import math
import os
import re
from contextlib import suppress
from pathlib import Path

from cinta.atomic_write import remove_unfinished
from cinta.training import checkpoint_file


def _pattern(path: Path) -> str:
    return rf"{re.escape(path.stem)}-(\d{{8,}}){re.escape(path.suffix)}"


def _series(path: str | os.PathLike[str]) -> dict[int, Path]:
    """The files of a series by step, in ascending order."""
    path, found = Path(path), {}
    if path.parent.is_dir():
        for entry in path.parent.iterdir():
            if match := re.fullmatch(_pattern(path), entry.name):
                found[int(match[1])] = entry
    return dict(sorted(found.items()))


def numbered(path: str | os.PathLike[str], keep: int, step: int | None) -> Path:
    """Where a series has its file of this step; ValueError where the series is already past it."""
    if type(keep) is not int or keep < 1:
        raise ValueError(f"[save_checkpoint] keep got {keep!r}, expected at least 1, or None for a single file")
    if type(step) is not int or step < 0:
        raise ValueError(f"[save_checkpoint] step got {step!r}, expected an int from 0, which keep={keep} needs")
    check_not_past(path, step)
    path = Path(path)
    return path.with_name(f"{path.stem}-{step:08d}{path.suffix}")


def check_not_past(path: str | os.PathLike[str], step: int) -> None:
    """A series that another training has left would win over the new one as the latest."""
    latest = max(_series(path), default=-1)
    if latest > step:
        raise ValueError(
            f"[save_checkpoint] step got {step}, but {Path(path).parent} holds step {latest} of {Path(path).name}, "
            "expected none that is later: resume from there, or choose another folder"
        )


def rotate(path: str | os.PathLike[str], keep: int) -> None:
    """Removes all but the `keep` latest files of a series and the best."""
    files = [*_series(path).values()]
    best = best_checkpoint(path)
    for file in files[:-keep]:
        if file != best:
            with suppress(FileNotFoundError):
                file.unlink()
    remove_unfinished(Path(path).parent, _pattern(Path(path)))


def latest_checkpoint(path: str | os.PathLike[str]) -> Path | None:
    """The checkpoint of the highest step in the series of `path`, or the single file there; None where there is none.

    Example:
        >>> for step in (100, 200, 300):
        ...     _ = ct.save_checkpoint("net.safetensors", keep=2, step=step, weight=ct.ones(2))
        >>> ct.latest_checkpoint("net.safetensors").name
        'net-00000300.safetensors'
        >>> ct.latest_checkpoint("other.safetensors") is None
        True
    """
    single = Path(path)
    return next(reversed(_series(path).values()), single if single.is_file() else None)


def best_checkpoint(path: str | os.PathLike[str]) -> Path | None:
    """The checkpoint with the best score in the series of `path`, the earliest of equals; None where none has one.

    Example:
        >>> for step, loss in ((1, 0.4), (2, 0.2), (3, 0.3), (4, 0.5)):
        ...     _ = ct.save_checkpoint("net.safetensors", keep=1, step=step, score=loss)
        >>> ct.best_checkpoint("net.safetensors").name
        'net-00000002.safetensors'
    """
    best, least = None, math.inf
    for file in _series(path).values():
        with suppress(ValueError, FileNotFoundError):  # a file that cannot be read is not the best
            facts = checkpoint_file.read_facts(file)
            score = facts.get("score")
            if isinstance(score, (int, float)) and not math.isnan(score):
                value = -score if facts.get("mode") == "max" else score
                if value < least or best is None:
                    best, least = file, value
    return best
