"""The numbers of a summary, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cinta import _core
from cinta.nn.module import Module
from cinta.nn.parameter import Parameter
from cinta.nn.summary.probe import Call, Probe, Shapes

if TYPE_CHECKING:
    from cinta.nn.summary.batches import Batches

HEADINGS = ("layer", "output", "parameters", "multiply-adds", "activations")


@dataclass(frozen=True)
class LayerSummary:
    """One module. Counts are its own, without the modules below it, so they add up to the network's."""

    name: str  # dotted path, "" for the network itself
    module: str  # its repr without the modules below: `Linear(784 -> 256)`
    depth: int
    calls: int  # in one forward pass
    input_shapes: Shapes  # of the first call's tensors
    output_shapes: Shapes
    parameters: int  # a shared one counts where it is met first
    trainable_parameters: int
    multiply_adds: int  # of one forward pass: products and convolutions
    activation_bytes: int  # allocated by it and kept until backward

    @property
    def output_shape(self) -> tuple[int, ...] | None:
        """Of its one output; None where it has several or was not called."""
        return self.output_shapes[0] if len(self.output_shapes) == 1 else None

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Of its one input; None where it has several or was not called."""
        return self.input_shapes[0] if len(self.input_shapes) == 1 else None

    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        from cinta.replay.units import bytes_text

        label = self.name.rpartition(".")[2]
        shapes = " ".join(str(list(shape)) for shape in self.output_shapes)
        return (
            "  " * self.depth + f"{label} {self.module}".strip(),
            (shapes + (f" x{self.calls}" if self.calls > 1 else "")) if self.calls else "not called",
            f"{self.parameters:,}" if self.parameters else "",
            f"{self.multiply_adds:,}" if self.multiply_adds else "",
            bytes_text(self.activation_bytes) if self.activation_bytes else "",
        )


@dataclass(frozen=True, repr=False)
class Summary:
    """What a network costs on one batch; `print` shows it as a table, and `rich.print` in colour.

    Bytes are as `ct.memory_stats()` counts them: blocks of the allocator, rounded up to their size class.
    """

    model: str  # its type
    input_shapes: Shapes
    input_dtypes: tuple[str, ...]
    layers: list[LayerSummary]  # parents first, in the order of registration
    parameters: int
    trainable_parameters: int
    parameter_bytes: int
    buffer_bytes: int
    multiply_adds: int  # of one forward pass
    activation_bytes: int  # alive between forward and backward
    optimizer: str
    training_peak_bytes: int  # with parameters, buffers, gradients, the optimizer's state and the batch
    inference_peak_bytes: int  # with parameters, buffers and the batch

    def __getitem__(self, name: str) -> LayerSummary:
        """The layer at a dotted path; KeyError where there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"[summary] no layer {name!r}, expected one of {[layer.name for layer in self.layers]}")

    def title(self) -> str:
        """The network and its inputs: `Sequential on [128, 784] float32`."""
        inputs = (f"{list(shape)} {dtype}" for shape, dtype in zip(self.input_shapes, self.input_dtypes))
        return f"{self.model} on {', '.join(inputs)}"

    def totals(self) -> list[tuple[str, str]]:
        """The lines below the table."""
        from cinta.replay.units import bytes_text, count_text

        frozen = self.parameters - self.trainable_parameters
        trained = "all trained" if not frozen else f"{self.trainable_parameters:,} trained, {frozen:,} frozen"
        memory = bytes_text(self.parameter_bytes)
        if self.buffer_bytes:
            memory += f", buffers {bytes_text(self.buffer_bytes)}"
        step = f"of a training step with {self.optimizer}" if self.optimizer else "of forward and backward"
        return [
            ("parameters", f"{self.parameters:,} ({trained}), {memory}"),
            ("multiply-adds", f"{self.multiply_adds:,} ({count_text(self.multiply_adds)}) in a forward pass"),
            ("activations", f"{bytes_text(self.activation_bytes)} kept from forward to backward"),
            ("peak memory", f"{bytes_text(self.training_peak_bytes)} {step}"),
            ("", f"{bytes_text(self.inference_peak_bytes)} of inference"),
        ]

    def table(self) -> str:
        """All of it as aligned text."""
        rows = [HEADINGS, *(layer.cells() for layer in self.layers)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(HEADINGS))]
        lines = [
            "  ".join(c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths))) for row in rows
        ]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        below = [f"{name:<13}  {text}" for name, text in self.totals()]
        return "\n".join(line.rstrip() for line in [self.title(), "", lines[0], rule, *lines[1:], rule, *below])

    __repr__ = __str__ = table

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(title=self.title(), title_justify="left", title_style="bold")
        for k, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="left" if k < 2 else "right", style="cyan" if k == 1 else None)
        for layer in self.layers:
            table.add_row(*map(Text, layer.cells()))
        totals = Table.grid(padding=(0, 2))
        for name, text in self.totals():
            totals.add_row(Text(name, style="bold"), Text(text))
        return Group(table, totals)


def assemble(model: Module, probe: Probe, batches: Batches) -> Summary:
    """From what a probe found, at the size that was asked for."""
    seen: set[int] = set()
    layers = []
    for path, module in model.named_modules():
        own = [p for p in module.parameters(recurse=False) if id(p) not in seen]
        seen.update(map(id, own))
        layers.append(_layer(path, module, own, probe.calls[path]))
    parameters, buffers = list(model.parameters()), list(model.buffers())
    return Summary(
        model=type(model).__name__,
        input_shapes=tuple(batches.shapes),
        input_dtypes=tuple(kind.name for kind in batches.dtypes),
        layers=layers,
        parameters=sum(p.size for p in parameters),
        trainable_parameters=sum(p.size for p in parameters if p.requires_grad),
        parameter_bytes=sum(p.nbytes for p in parameters),
        buffer_bytes=sum(b.nbytes for b in buffers),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        optimizer=probe.optimizer,
        training_peak_bytes=peak_bytes(probe.training),
        inference_peak_bytes=peak_bytes(probe.inference),
    )


def _layer(path: str, module: Module, own: Iterable[Parameter], call: Call) -> LayerSummary:
    extra = module.extra_repr()
    own = list(own)
    return LayerSummary(
        name=path,
        module=type(module).__name__ + (f"({extra})" if extra else ""),
        depth=path.count(".") + 1 if path else 0,
        calls=call.calls,
        input_shapes=call.input_shapes,
        output_shapes=call.output_shapes,
        parameters=sum(p.size for p in own),
        trainable_parameters=sum(p.size for p in own if p.requires_grad),
        multiply_adds=round(call.flops / 2),
        activation_bytes=sum(map(_core._block_bytes, call.blocks)),
    )


def peak_bytes(events: Iterable[int]) -> int:
    """The most that was live while the allocator did this."""
    blocks: list[int] = []
    live = peak = 0
    for event in events:
        if event >= 0:
            blocks.append(_core._block_bytes(event))
            live += blocks[-1]
            peak = max(peak, live)
        else:
            live -= blocks[-1 - event]
    return peak
