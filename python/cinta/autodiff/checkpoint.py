"""Trading time for memory: `checkpoint` computes a part of a network again in backward instead of keeping it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from cinta import _core
from cinta._core import Tensor
from cinta.mixed_precision import autocast

from . import tree
from .modes import enable_grad
from .rules import needs_gradient, pinned, replayed
from .trace import is_nested, traced


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the values and gradients of `f` that keeps only its arguments, and runs again in backward.

    Tensors that `f` takes from outside (weights of a module, closures) get their gradients too. Random numbers are
    drawn again as they were the first time. `f` must compute the same from the same arguments.
    Memory: for k calls in a row, one call's intermediate values at a time instead of k; time: one more forward.
    Source: T. Chen et al., "Training deep nets with sublinear memory cost", 2016.

    >>> import cinta.numpy as np
    >>> from cinta import grad
    >>> float(grad(checkpoint(lambda x: np.sin(x) ** 2))(0.0))
    0.0
    """

    @wraps(f, updated=())
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not _core.is_grad_enabled():
            return f(*args, **kwargs)
        call = tree.rebuild((args, kwargs), map(pinned, tree.leaves((args, kwargs))))
        state, nested, half = _core.random.get_state(), is_nested(), _core.get_autocast()
        output = f(*call[0], **call[1])  # recorded, which shows what needs a gradient; dropped on return
        leaves = tree.leaves(output)
        places = [i for i, leaf in enumerate(leaves) if needs_gradient(leaf)]

        def rule(*dys: Tensor) -> list[None]:
            record = _core.is_grad_enabled()
            start = _core.tape_position()
            mixed = autocast(half or _core.bfloat16, enabled=half is not None)
            with enable_grad(), traced(nested), replayed(state), mixed:
                again = tree.leaves(f(*call[0], **call[1]))
            _core.backward_onward([again[i] for i in places], list(dys), start, create_graph=record)
            return [None]

        if places:
            # The rule hands its gradients to the walk itself, so the instruction needs an input only to be recorded.
            anchor = _core.zeros((), dtype=_core.float32).requires_grad_()
            fresh = _core.custom_node([leaves[i].detach() for i in places], [anchor], rule)
            for i, tensor in zip(places, fresh):
                leaves[i] = tensor
        return tree.rebuild(output, leaves)

    return checkpointed
