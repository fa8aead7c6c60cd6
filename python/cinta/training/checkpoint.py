"""`save_checkpoint` and `load_checkpoint`: everything that a training needs to go on as if it had never stopped."""

from __future__ import annotations

import os
import random as python_random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cinta._core import Tensor
from cinta.nn.module import Module
from cinta.training import checkpoint_file, rotation
from cinta.training.random_state import GLOBAL, NumpyStream, PythonStream


def save_checkpoint(
    path: str | os.PathLike[str],
    /,
    *,
    keep: int | None = None,
    step: int | None = None,
    score: float | None = None,
    mode: str = "min",
    random: Sequence[str] = ("cinta",),
    **parts: Any,
) -> Path:
    """Writes a training's state to one file, whole or not at all: safetensors and JSON, never pickle.

    A part is an object with a `state_dict` (model, optimizer, scheduler, loader, preprocessing ...), a generator of
    random numbers of NumPy's or Python's, a plain value (numbers, texts, tensors, arrays, None), or lists and dicts
    of all these. The file also holds the state of `ct.random`, the version that wrote it and a SHA-256 of its bytes;
    the same state gives the same bytes.

    With `keep` the file is one of a series, `net.safetensors` becoming `net-00000120.safetensors` for step 120: the
    `keep` latest stay, and the one with the best score. `latest_checkpoint` and `best_checkpoint` find them.

    Args:
        path: where the file is to be; its folder exists.
        keep: how many of a series stay; None overwrites the one file at `path`.
        step: number of the file in its series; the value "step" among those that `load_checkpoint` returns.
        score: how good this state is, e.g. the validation loss.
        mode: "min" where less is better, "max" where more is.
        random: global streams that are saved, of "cinta", "numpy" (`np.random.seed` ...), "python" (`random.seed` ...).
        parts: what is saved, by name.

    Returns the path of the file that was written.
    Errors: TypeError for a part that cannot be saved; ValueError for an option out of range or a series that is
    already past `step`; OSError where the file cannot be written, the one before staying as it was.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))
        >>> opt = optim.Adam(net.parameters())
        >>> _ = ct.save_checkpoint("net.safetensors", model=net, optimizer=opt, epoch=3)
        >>> ct.load_checkpoint("net.safetensors", model=net, optimizer=opt)
        {'epoch': 3}
    """
    if mode not in ("min", "max"):
        raise ValueError(f"[save_checkpoint] mode got {mode!r}, expected 'min' or 'max'")
    if unknown := [name for name in random if name not in GLOBAL]:
        raise ValueError(f"[save_checkpoint] random got {unknown[0]!r}, expected some of {list(GLOBAL)}")
    target = Path(path) if keep is None else rotation.numbered(path, keep, step)
    content = {name: _state(part) for name, part in parts.items()}
    if step is not None:
        content["step"] = step
    content["random"] = {name: GLOBAL[name]().state_dict() for name in random}
    kinds = {label: type(part).__name__ for name, each in parts.items() for label, part in _objects(name, each)}
    facts = {"objects": kinds, "score": None if score is None else float(score), "mode": mode}
    checkpoint_file.write(target, content, facts)
    if keep is not None:
        rotation.rotate(path, keep)
    return target


def load_checkpoint(path: str | os.PathLike[str], /, *, random: bool = True, **objects: Any) -> dict[str, Any]:
    """Takes a training up where `save_checkpoint` left it: fills the objects given, all of them or none.

    Where one object does not fit what the file holds, every one of them is as it was before the call, and so are the
    streams of random numbers. Parts that no object is given for are returned as they lie in the file: plain values,
    and the `state_dict` of objects (`ct.preprocess.from_state_dict` makes a preprocessing step of one).

    Args:
        path: a file of `save_checkpoint`.
        random: whether the saved streams of random numbers are set; False where a model is only to predict.
        objects: what is filled, by the names that the parts were saved under.

    Errors: ValueError that names the file where it is damaged, no checkpoint, of a format to come, or does not fit an
    object; FileNotFoundError.

    Example:
        >>> a, b = nn.Linear(3, 1), nn.Linear(3, 1)
        >>> _ = ct.save_checkpoint("a.safetensors", model=a, history=[0.5, 0.25])
        >>> ct.load_checkpoint("a.safetensors", model=b, random=False)
        {'history': [0.5, 0.25]}
        >>> bool((a.weight == b.weight).all())
        True
    """
    where = f"[load_checkpoint] {os.fspath(path)}"
    content, facts = checkpoint_file.read(path)
    given = {name: part for name, part in objects.items() if part is not None}
    if missing := [name for name in given if name not in content]:
        raise ValueError(f"{where} has no part {missing[0]!r}, expected one of {[*content][:20]}")
    streams = content.pop("random", {})
    targets = [target for name, part in given.items() for target in _targets(where, name, part, content.pop(name))]
    for name, part in given.items():
        for label, thing in _objects(name, part):
            _check_kind(where, label, thing, facts)
    if random:
        if not isinstance(streams, Mapping) or not streams.keys() <= GLOBAL.keys():
            raise ValueError(f"{where} has the random streams {streams!r:.60}, expected some of {list(GLOBAL)}")
        targets += [(f"random.{name}", GLOBAL[name](), state) for name, state in streams.items()]
    _load_all(where, targets)
    return content


def _load_all(where: str, targets: list[tuple[str, Any, Any]]) -> None:
    """Every object takes its state; after an error those that had are given back what they were."""
    before = [(thing, _copied(thing.state_dict())) for _, thing, _ in targets]
    done = 0
    try:
        for label, thing, state in targets:
            done += 1
            try:
                thing.load_state_dict(state)
            except Exception as error:  # a state from a file may be wrong in any way
                raise ValueError(f"{where} does not fit {label}: {_text(error)}") from error
    except BaseException:
        for thing, state in before[:done]:
            thing.load_state_dict(state)
        raise


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


def _stateful(part: Any) -> bool:
    return hasattr(part, "state_dict") or isinstance(part, (np.random.Generator, python_random.Random))


def _with_state(part: Any) -> Any:
    if isinstance(part, np.random.Generator):
        return NumpyStream(part)
    return PythonStream(part) if isinstance(part, python_random.Random) else part


def _state(part: Any) -> Any:
    if _stateful(part):
        return _with_state(part).state_dict()
    if isinstance(part, Mapping):
        return {key: _state(below) for key, below in part.items()}
    if isinstance(part, (list, tuple)):
        return [_state(below) for below in part] if isinstance(part, list) else tuple(_state(below) for below in part)
    return part


def _objects(label: str, part: Any) -> Iterator[tuple[str, Any]]:
    """What has a state in `part`, by dotted names."""
    if _stateful(part):
        yield label, part
    elif isinstance(part, Mapping):
        for key, below in part.items():
            yield from _objects(f"{label}.{key}", below)
    elif isinstance(part, (list, tuple)):
        for number, below in enumerate(part):
            yield from _objects(f"{label}.{number}", below)


def _targets(where: str, label: str, part: Any, state: Any) -> Iterator[tuple[str, Any, Any]]:
    """The objects in `part`, each with its name and its state."""
    if _stateful(part):
        yield label, _with_state(part), state
        return
    keyed: Any = None
    if isinstance(part, Mapping) and isinstance(state, Mapping):
        keyed = part
    elif isinstance(part, (list, tuple)) and isinstance(state, (list, tuple)):
        keyed = range(len(part))
    elif not isinstance(part, (Mapping, list, tuple)):
        raise TypeError(
            f"[load_checkpoint] {label} got a {type(part).__name__}, expected an object with load_state_dict (plain "
            "values are returned, not filled)"
        )
    if keyed is None or len(part) != len(state) or any(key not in state for key in (keyed if keyed is part else ())):
        raise ValueError(f"{where} holds another structure of objects for {label} than was given: {state!r:.60}")
    for key in keyed:
        yield from _targets(where, f"{label}.{key}", part[key], state[key])


def _check_kind(where: str, name: str, part: Any, facts: Mapping[str, Any]) -> None:
    """The state of one optimizer or scheduler may well fit another without meaning the same; modules are told apart
    by the names and shapes of their tensors.
    """
    saved, kinds = type(part).__name__, facts.get("objects")
    kind = kinds.get(name) if isinstance(kinds, Mapping) else None
    if kind is not None and kind != saved and not isinstance(part, Module):
        raise ValueError(f"{where} holds the state of a {kind} as {name}, expected that of a {saved}")


def _copied(state: Any) -> Any:
    if isinstance(state, Mapping):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [_copied(value) for value in state] if isinstance(state, list) else tuple(map(_copied, state))
    if isinstance(state, Tensor):
        return state.detach().clone()
    return state.copy() if isinstance(state, np.ndarray) else state
