"""Whether a stacked network computes what its members compute: looked at once, at the first call.

Layers of this library are known to; a `forward` of one's own could mix the examples of a batch, or reach for weights in
its own way, and would be wrong in silence.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING
from weakref import WeakSet

from cinta._core import Tensor, concat
from cinta.autodiff import no_grad
from cinta.ensemble.stacking import unstack
from cinta.nn.module import Module

if TYPE_CHECKING:
    from cinta.ensemble.ensemble import Ensemble

_checked: WeakSet[Module] = WeakSet()  # not in the ensembles: a recording watches their attributes


def check_once(ensemble: Ensemble, examples: Tensor) -> None:
    """RuntimeError where members alone give something else than the stacked network; x [N B, ...]."""
    if ensemble in _checked:
        return
    if any(not type(module).__module__.startswith("cinta.") for module in ensemble.network.modules()):
        # In a thread of its own, which is not part of a recording that may be under way in this one.
        found: list[BaseException] = []
        thread = threading.Thread(target=_check, args=(ensemble, examples.detach(), found))
        thread.start()
        thread.join()
        if found:
            raise found[0]
    _checked.add(ensemble)


def _check(ensemble: Ensemble, examples: Tensor, found: list[BaseException]) -> None:
    try:
        with no_grad():
            members = unstack(ensemble.network, ensemble._form[0])
            stacked = copy.deepcopy(ensemble.network)
            for network in (stacked, *members):
                _silence(network)
            parts = examples.reshape(len(members), -1, *examples.shape[1:])
            expected = concat([member(parts[n]) for n, member in enumerate(members)])
            try:
                got = stacked(examples)
                scale = float(abs(expected).max())
                worst = float(abs(got - expected).max()) if got.shape == expected.shape else float("inf")
                why = f"results differ by {worst:.2g}" if not worst <= 1e-4 * scale + 1e-6 else ""
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
            if why:
                raise RuntimeError(
                    f"[Ensemble] {type(ensemble._form[0]).__name__} stacked does not compute what its members compute "
                    f"({why}): it must treat each example by itself, use its layers by calling them and draw no "
                    "random numbers of its own; batched=False runs the members one after the other"
                )
    except BaseException as error:  # raised again by the caller's thread
        found.append(error)


def _silence(network: Module) -> None:
    """No random draws: they would differ."""
    for module in network.modules():
        if hasattr(module, "p") and type(module).__module__ == "cinta.nn.layers.dropout":
            module.training = False
