"""Results of a replay that `backward` goes on from: the gradient was recorded too, as a program of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cinta import _core
from cinta._core import Tensor


class Differentiable:
    """From what a replay of the forward program gives to tensors with a history.

    Args:
        name: of the function, for errors.
        rebuild: from the function's tensors to its result.
        recorded: the results of the call that was recorded; those with a history get one.
        leaves: what gradients are taken by: tensors, or numbers of inputs.
        backward: the replay of the gradient's program, from inputs, saved values and the results' gradients, which lie
            as `seeds` do.
    """

    def __init__(
        self,
        name: str,
        rebuild: Callable[[list[Tensor]], Any],
        recorded: list[Tensor],
        leaves: list[Tensor | int],
        backward: Any,
        seeds: list[Tensor],
    ) -> None:
        self.name = name
        self.rebuild = rebuild
        self.count = len(recorded)
        self.places = [i for i, result in enumerate(recorded) if _core._has_history(result)]
        self.strides = [seed.strides for seed in seeds]
        self.leaves = leaves
        self.backward = backward

    def __call__(self, tensors: list[Tensor], inputs: list[Tensor]) -> Any:
        results, saved = tensors[: self.count], tensors[self.count :]
        versions = self.backward.state_versions()

        def rule(*dys: Tensor) -> list[Tensor | None]:
            if _core.is_grad_enabled():
                raise RuntimeError(
                    f"[compile] the gradient of {self.name} is to be differentiated once more (create_graph=True), "
                    "which its replay does not record: compile a function that takes all derivatives inside"
                )
            if self.backward.state_versions() != versions:
                raise RuntimeError(
                    f"[backward] a parameter or buffer that {self.name} reads was written between the call and its "
                    "backward: call backward before opt.step(), or call the function again"
                )
            fitted = [_laid_out(dy, strides) for dy, strides in zip(dys, self.strides)]
            gradients: list[Tensor | None] = self.backward.call([*inputs, *saved, *fitted])
            return gradients

        wanted = [inputs[leaf] if isinstance(leaf, int) else leaf for leaf in self.leaves]
        fresh = _core.custom_node([results[i] for i in self.places], wanted, rule)
        for i, tensor in zip(self.places, fresh):
            results[i] = tensor
        return self.rebuild(results)


def _laid_out(dy: Tensor, strides: tuple[int, ...]) -> Tensor:
    """The same numbers with these strides in memory."""
    if dy.strides == strides:
        return dy
    order = sorted(range(dy.ndim), key=lambda axis: -strides[axis])
    back = sorted(range(dy.ndim), key=lambda axis: order[axis])
    return dy.transpose(*order).contiguous().transpose(*back) if dy.ndim else dy
