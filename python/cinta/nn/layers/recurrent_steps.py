"""Recurrent layers step by step, in operations: what the fused layer has no kernel for, derivatives of any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cinta._core import Tensor, arange, is_recording, sigmoid, stack, tanh, where, zeros

Step = Callable[[Tensor, Sequence[Tensor]], list[Tensor]]  # products of inputs [B,G], states -> next states, h first


def lstm_step(z: Tensor, c: Tensor, norm: Callable[[Tensor], Tensor] | None = None) -> list[Tensor]:
    """h' and c' of the gates' sums z [B, 4H] in the order i, f, g, o; norm: of c' inside of h'."""
    i, f, g, o = z.split(4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return [sigmoid(o) * tanh(c if norm is None else norm(c)), c]


def gru_step(of_x: Tensor, of_h: Tensor, h: Tensor) -> list[Tensor]:
    """h' of the products [B, 3H] of input and state in the order r, z, n."""
    (r_x, z_x, n_x), (r_h, z_h, n_h) = of_x.split(3, axis=-1), of_h.split(3, axis=-1)
    z, n = sigmoid(z_x + z_h), tanh(n_x + sigmoid(r_x + r_h) * n_h)
    return [n + z * (h - n)]


def alive(lengths: Tensor, steps: int, batch: int, name: str) -> Tensor:
    """[T, B, 1]: whether a sequence is at its end not yet. Lengths outside 0 .. T are found where they can be read."""
    if lengths.shape != (batch,):
        raise ValueError(f"[{name}] lengths has shape {list(lengths.shape)}, expected {[batch]} (one a sequence)")
    if lengths.dtype.is_floating or str(lengths.dtype) == "bool":
        raise TypeError(f"[{name}] lengths has dtype {lengths.dtype}, expected lengths of an integer dtype")
    if not is_recording():
        for place, length in enumerate(lengths.tolist()):
            if not 0 <= length <= steps:
                raise ValueError(f"[{name}] lengths[{place}] is {length}, expected 0 to {steps}")
    return (arange(steps)[:, None] < lengths)[..., None]


def walk(step: Step, x: Tensor, states: Sequence[Tensor], lives: Tensor | None, reverse: bool) -> list[Tensor]:
    """y [T, B, P] and the last states; beyond a sequence's end y is 0 and its states stay as they are."""
    count = x.shape[0]
    outputs: list[Any] = [None] * count
    now = list(states)
    for t in reversed(range(count)) if reverse else range(count):
        after = step(x[t], now)
        if lives is None:
            now, outputs[t] = after, after[0]
        else:
            now = [where(lives[t], new, old) for new, old in zip(after, now)]
            outputs[t] = where(lives[t], after[0], 0.0)
    return [stack(outputs) if count else zeros((0, *now[0].shape), dtype=now[0].dtype), *now]
