"""A network tried on one batch: what its layers put out and what a training step and inference allocate."""

from __future__ import annotations

import gc
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cinta import _core
from cinta._core import Tensor
from cinta.autodiff import enable_grad, no_grad, tree
from cinta.nn.module import Module

Shapes = tuple[tuple[int, ...], ...]


@dataclass
class Call:
    """What one module did, over all of its calls."""

    calls: int = 0
    input_shapes: Shapes = ()  # of the first call
    output_shapes: Shapes = ()
    flops: float = 0.0  # without those of the modules below
    blocks: list[int] = field(default_factory=list)  # that it allocated, without the modules below, and left alive


@dataclass
class Probe:
    calls: dict[str, Call]  # by dotted path
    training: list[int]  # events of the allocator, see tensor/memory_trace.h
    inference: list[int]
    optimizer: str

    @property
    def kept(self) -> int:
        """Bytes from forward to backward."""
        return sum(sum(call.blocks) for call in self.calls.values())

    def alike(self, other: Probe) -> bool:
        """Whether both did the same work, but for sizes."""
        return (
            _pattern(self.training) == _pattern(other.training)
            and _pattern(self.inference) == _pattern(other.inference)
            and all(_form(a) == _form(b) for a, b in zip(self.calls.values(), other.calls.values()))
        )

    def carried_on(self, other: Probe, rows: int, other_rows: int, to: int) -> Probe:
        """In a straight line from this number of rows over the other's to a third."""

        def line(a: float, b: float) -> int:
            return round(a + (b - a) * (to - rows) / (other_rows - rows))

        def events(a: list[int], b: list[int]) -> list[int]:
            return [max(line(x, y), 0) if x >= 0 else x for x, y in zip(a, b)]

        def shapes(a: Shapes, b: Shapes) -> Shapes:
            return tuple(tuple(map(line, x, y)) for x, y in zip(a, b))

        calls = {
            path: Call(
                a.calls,
                shapes(a.input_shapes, b.input_shapes),
                shapes(a.output_shapes, b.output_shapes),
                line(a.flops, b.flops),
                events(a.blocks, b.blocks),
            )
            for (path, a), b in zip(self.calls.items(), other.calls.values())
        }
        return Probe(
            calls, events(self.training, other.training), events(self.inference, other.inference), self.optimizer
        )


def probe(model: Module, inputs: list[Tensor], loss: Callable[[Any], Any] | None, optimizer: Any) -> Probe:
    """Runs copies of the model: two training steps, a forward pass with its layers watched, and inference."""
    stream, collecting = _core.random.get_state(), gc.isenabled()
    gc.disable()  # garbage of others would go at other moments in the two probes
    try:
        with _core._MemoryTrace() as training, enable_grad():
            copy = deepcopy(model)
            copy.zero_grad()
            if not copy.training:
                copy.train()
            batch = [x.clone() for x in inputs]
            opt = _optimizer(copy, optimizer)
            for _ in range(2):
                _step(copy, batch, loss, opt)
        with enable_grad():
            calls = _watched(copy, batch)
        name = type(opt).__name__ if opt is not None else ""
        del copy, opt, batch
        with _core._MemoryTrace() as inference, no_grad():
            copy = deepcopy(model).eval()
            batch = [x.clone() for x in inputs]
            for _ in range(2):  # a weight that is read again may be packed
                output = copy(*batch)
            del output
        return Probe(calls, training.events, inference.events, name)
    finally:
        _core.random.set_state(stream)
        if collecting:
            gc.enable()


def _optimizer(model: Module, wanted: Any) -> Any:
    from cinta import optim

    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        return None
    if wanted is None:
        return optim.Adam(parameters)
    if isinstance(wanted, optim.Optimizer):
        return type(wanted)(parameters, **wanted.defaults)
    if not callable(wanted):
        raise TypeError(
            f"[summary] optimizer got a {type(wanted).__name__}, expected an optimizer, a class of them or a function "
            "of the parameters"
        )
    return wanted(parameters)


def _step(model: Module, batch: list[Tensor], loss: Callable[[Any], Any] | None, opt: Any) -> None:
    def closure() -> Tensor:
        if opt is not None:
            opt.zero_grad()
        value = (loss or _mean_square)(model(*batch))
        if value.requires_grad:
            value.backward()
        return value

    if opt is None:
        closure()
    else:
        opt.step(closure)


def _mean_square(output: Any) -> Tensor:
    first = next((x for x in tree.leaves(output) if isinstance(x, Tensor) and x.dtype.is_floating), None)
    if first is None:
        raise TypeError("[summary] the network's output has no floating tensor, expected one (or a loss= of it)")
    return (first * first).mean()


def _watched(model: Module, batch: list[Tensor]) -> dict[str, Call]:
    """What each module does in one forward pass that backward could follow."""
    calls = {path: Call() for path, _ in model.named_modules()}
    owners: list[Call | None] = []  # of each stretch of events, and where it begins
    begins: list[int] = []
    stack: list[Call] = []
    flops = [0.0]

    with _core._MemoryTrace() as trace, _core._FlopCounter() as counter:

        def turn() -> None:  # whoever is on top of the stack did what was done since the last turn
            if stack:
                stack[-1].flops += counter.flops - flops[0]
            flops[0] = counter.flops

        def begin(call: Call, module: Module, args: tuple[Any, ...]) -> None:
            turn()
            stack.append(call)
            owners.append(call)
            begins.append(trace.count)
            call.calls += 1
            if call.calls == 1:
                call.input_shapes = _shapes(args)

        def end(call: Call, module: Module, args: tuple[Any, ...], output: Any) -> None:
            turn()
            stack.pop()
            owners.append(stack[-1] if stack else None)
            begins.append(trace.count)
            if call.calls == 1:
                call.output_shapes = _shapes(output)

        handles = []
        for path, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(partial(begin, calls[path])))
            handles.append(module.register_forward_hook(partial(end, calls[path])))
        output = model(*batch)
        events = trace.events
    for handle in handles:
        handle.remove()
    del output
    _share_out(events, owners, begins)
    return calls


def _share_out(events: list[int], owners: list[Call | None], begins: list[int]) -> None:
    """Gives the blocks that are alive at the end to those who allocated them."""
    sizes = [n for n in events if n >= 0]
    gone = {-1 - n for n in events if n < 0}
    block = stretch = 0
    owner = None
    for position, event in enumerate(events):
        while stretch < len(begins) and begins[stretch] <= position:
            owner = owners[stretch]
            stretch += 1
        if event >= 0:
            if block not in gone and owner is not None:
                owner.blocks.append(sizes[block])
            block += 1


def _shapes(value: Any) -> Shapes:
    return tuple(x.shape for x in tree.leaves(value) if isinstance(x, Tensor))


def _pattern(events: list[int]) -> list[int]:
    return [min(n, 0) for n in events]


def _form(call: Call) -> tuple[Any, ...]:
    ranks = [tuple(map(len, shapes)) for shapes in (call.input_shapes, call.output_shapes)]
    return call.calls, *ranks, len(call.blocks)
