"""Whether a stacked network computes what its members compute: looked at once, at the first call.

A `forward` of one's own could mix the examples of a batch, or reach for weights in its own way, and a layer could work
along the first axis; both would be wrong in silence.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING
from weakref import WeakSet

from cinta._core import Tensor, concat, isfinite, random
from cinta.autodiff import no_grad
from cinta.ensemble.stacking import unstack
from cinta.nn.layers.dropout import DropoutLayer
from cinta.nn.module import Module

if TYPE_CHECKING:
    from cinta.ensemble.ensemble import Ensemble

_checked: WeakSet[Module] = WeakSet()  # not in the ensembles: a recording watches their attributes
_ROUNDING = {"float64": 1e-9, "float32": 1e-3}  # of what is largest; half types below


def check_once(ensemble: Ensemble, examples: Tensor) -> None:
    """RuntimeError where members alone give something else than the stacked network; x [N B, ...]."""
    if ensemble in _checked:
        return
    # In a thread of its own, which is not part of a recording that may be under way in this one.
    found: list[BaseException] = []
    thread = threading.Thread(target=_check, args=(ensemble, examples.detach(), found))
    thread.start()
    thread.join()
    if found:
        raise found[0]
    _checked.add(ensemble)


def _check(ensemble: Ensemble, examples: Tensor, found: list[BaseException]) -> None:
    state = random.get_state()
    try:
        with no_grad():
            why = _difference(ensemble, examples)
            if why and random.get_state() != state:  # draws, as of functional.dropout, differ: without them, then
                why = _difference(ensemble, examples, training=False)
        if why:
            raise RuntimeError(
                f"[Ensemble] {type(ensemble._form[0]).__name__} stacked does not compute what its members compute "
                f"({why}): it must treat each example by itself and use its layers by calling them; batched=False "
                "runs the members one after the other"
            )
    except BaseException as error:  # raised again by the caller's thread
        found.append(error)
    finally:
        random.set_state(state)


def _difference(ensemble: Ensemble, examples: Tensor, training: bool = True) -> str:
    """What the two give, where they differ, in words; of copies, so that running statistics stay as they are."""
    members = unstack(ensemble.network, ensemble._form[0], ensemble.count)
    stacked = copy.deepcopy(ensemble.network)
    for network in (stacked, *members):
        for module in network.modules():
            if not training or isinstance(module, DropoutLayer):
                module.training = False
    expected = concat([member(part) for member, part in zip(members, examples.split(len(members)))])
    if not bool(isfinite(expected).all()):
        return ""
    try:
        got = stacked(examples)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if got.shape != expected.shape:
        return f"shapes are {list(got.shape)} and {list(expected.shape)}"
    scale, worst = float(abs(expected).max()), float(abs(got - expected).max())
    allowed = _ROUNDING.get(expected.dtype.name, 0.1) * scale
    return "" if worst <= allowed else f"results up to {scale:.2g} differ by {worst:.2g}"
