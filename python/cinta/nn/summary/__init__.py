"""What a network costs before it is trained: shapes, parameters, multiply-adds and memory, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cinta.nn.module import Module

if TYPE_CHECKING:
    from cinta.nn.summary.batches import Batches
    from cinta.nn.summary.probe import Probe
    from cinta.nn.summary.report import Summary

__all__ = ["summary"]


def summary(
    model: Module,
    input: Any,
    *,
    batch_size: int | None = None,
    dtype: Any = "float32",
    loss: Callable[[Any], Any] | None = None,
    optimizer: Any = None,
) -> Summary:
    """Runs a copy of the network on small batches and tells what it costs on the batch that was asked for.

    Memory is foretold, not used up: the allocations of two training steps are written down at two small batch sizes,
    each block's size is carried on in a straight line to the batch asked for, and the peak is read off. Where a
    network does not run on small batches or does other work there, it runs at full size instead. The model, its
    buffers and gradients and the stream of random numbers stay as they are; `ct.memory_stats()` counts what is tried.

    Args:
        model: any module; hooks and all, a deep copy of it is run.
        input: a tensor or an array, or the shape of one, the batch axis first; a list of these for several inputs.
        batch_size: how many rows the batch has. A shape then is that of one sample, without its batch axis; a
            tensor's rows are repeated or cut to so many.
        dtype: of inputs given as shapes, one for all or a list; zeros where it is an integer, else normal numbers.
        loss: from the network's output to the number whose gradient is taken; the mean square of the first tensor
            where None.
        optimizer: a class, a function of the parameters or an optimizer (its class and options are used); None: Adam.

    Errors: TypeError for what is no module, tensor or shape; ValueError where inputs have other numbers of rows; what
    the network raises on such an input.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(864, 10))
        >>> costs = nn.summary(net, (1, 28, 28), batch_size=128, optimizer=optim.SGD)
        >>> costs.parameters, costs.multiply_adds // 128
        (8806, 95040)
        >>> [layer.output_shape for layer in costs.layers][1:3]
        [(128, 6, 24, 24), (128, 6, 24, 24)]
        >>> nn.summary(nn.Linear(3, 2), (8, 3)).table().splitlines()[0]
        'Linear on [8, 3] float32'
    """
    if not isinstance(model, Module):
        raise TypeError(f"[summary] model got a {type(model).__name__}, expected an nn.Module")
    from cinta.nn.summary.batches import Batches  # loaded when first used: `import cinta.nn` stays quick
    from cinta.nn.summary.probe import probe
    from cinta.nn.summary.report import assemble

    batches = Batches(input, batch_size, dtype)

    def at(rows: int | None) -> Probe:
        return probe(model, batches.make(rows), loss, optimizer)

    whole = _foretold(batches, at) if batches.large else None
    return assemble(model, at(None) if whole is None else whole, batches)


def _foretold(batches: Batches, at: Callable[[int], Probe]) -> Probe | None:
    """From two small sizes; None where the network does other work there or refuses them."""
    from cinta.nn.summary.batches import AT_MOST, FEW

    try:
        first = at(FEW[0])
        sizes = batches.sizes(first.kept / FEW[0])
        if sizes is None:
            return None
        a, b = first if sizes is FEW else at(sizes[0]), at(sizes[1])
    except Exception:  # the size that was asked for will tell, if it is an error there too; unless that is costly
        if batches.nbytes > AT_MOST:
            raise
        return None
    return a.carried_on(b, *sizes, batches.rows) if a.alike(b) else None  # type: ignore[arg-type]
