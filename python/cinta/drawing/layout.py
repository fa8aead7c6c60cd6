"""Where the nodes of a graph stand: in layers from left to right, with few crossings and straight lines.

Source: K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system structures", 1981.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .graph import Graph

SWEEPS = 12


@dataclass(eq=False)
class Item:
    """A node, or the bend of a line that passes through a layer on its way."""

    layer: int
    above: float  # how far it reaches from its middle
    below: float
    node: int = -1  # -1: a bend
    place: int = 0  # in its layer, from the top
    y: float = 0.0
    sources: list[Segment] = field(default_factory=list)
    targets: list[Segment] = field(default_factory=list)


@dataclass(eq=False)
class Segment:
    """A part of a value's line, between neighbouring layers. It leaves and arrives beside the middles of its ends."""

    value: int
    source: Item
    target: Item
    leaves: float = 0.0
    arrives: float = 0.0

    @property
    def start(self) -> tuple[float, float]:
        return self.source.place, self.leaves

    @property
    def end(self) -> tuple[float, float]:
        return self.target.place, self.arrives


@dataclass
class Extent:
    """What a layout must know of a node: how far it reaches, and where its lines begin and end, from its middle."""

    above: float
    below: float
    leaves: list[float]  # by output
    arrives: list[float]  # by input


@dataclass
class Layout:
    items: list[Item]  # nodes in their order, then bends
    layers: list[list[Item]]


def arrange(graph: Graph, extents: Sequence[Extent], bend: float) -> Layout:
    """The layout of a graph whose nodes need that much room, and bends that much above and below."""
    items = make_items(graph, extents, bend)
    layers: list[list[Item]] = [[] for _ in range(1 + max(item.layer for item in items))]
    for item in reading_order(items[len(graph.nodes) - 1]):
        item.place = len(layers[item.layer])
        layers[item.layer].append(item)
    uncross(layers)
    for item, node in zip(items, graph.nodes):
        if node.commutative:  # its operands may change places
            offsets = sorted(segment.arrives for segment in item.sources)
            for segment, arrives in zip(sorted(item.sources, key=lambda s: s.start), offsets):
                segment.arrives = arrives
    straighten(layers)
    return Layout(items, layers)


def make_items(graph: Graph, extents: Sequence[Extent], bend: float) -> list[Item]:
    """Every node in the layer before its first user, joined by lines that bend in every layer they pass."""
    producer = {v: k for k, node in enumerate(graph.nodes) for v in node.outputs}
    layer = [0] * len(graph.nodes)
    for k in range(len(graph.nodes) - 1, -1, -1):
        for v in graph.nodes[k].inputs:
            layer[producer[v]] = min(layer[producer[v]], layer[k] - 1)
    items = [Item(at - min(layer), e.above, e.below, k) for k, (at, e) in enumerate(zip(layer, extents))]
    passing: dict[tuple[int, int], Item] = {}
    for k, node in enumerate(graph.nodes):
        for v, arrives in zip(node.inputs, extents[k].arrives):
            source = items[producer[v]]
            leaves = extents[producer[v]].leaves[graph.nodes[producer[v]].outputs.index(v)]
            for at in range(source.layer + 1, items[k].layer):
                if (v, at) not in passing:
                    passing[v, at] = Item(at, bend, bend)
                    items.append(passing[v, at])
                    connect(Segment(v, source, passing[v, at], leaves))
                source, leaves = passing[v, at], 0.0
            connect(Segment(v, source, items[k], leaves, arrives))
    return items


def connect(segment: Segment) -> None:
    segment.source.targets.append(segment)
    segment.target.sources.append(segment)


def reading_order(last: Item) -> list[Item]:
    """Depth first from the output, operands in their order: a tree comes out without a crossing."""
    order: dict[Item, None] = {}
    stack = [last]
    while stack:
        item = stack.pop()
        if item not in order:
            order[item] = None
            stack += [segment.source for segment in reversed(item.sources)]
    return list(order)


def uncross(layers: list[list[Item]]) -> None:
    """Sorts layers by the means of their neighbours' places, to and fro; keeps the order with the fewest crossings."""
    best, fewest = [list(layer) for layer in layers], crossings(layers)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            layer.sort(key=lambda item: barycenter(item, sweep % 2 == 0))
            number(layer)
        if (now := crossings(layers)) < fewest:
            best, fewest = [list(layer) for layer in layers], now
    for layer, order in zip(layers, best):
        layer[:] = order
        number(layer)


def number(layer: list[Item]) -> None:
    for place, item in enumerate(layer):
        item.place = place


def barycenter(item: Item, from_sources: bool) -> float:
    ends = [s.start for s in item.sources] if from_sources else [s.end for s in item.targets]
    return sum(place + offset / 1000 for place, offset in ends) / len(ends) if ends else item.place


def crossings(layers: list[list[Item]]) -> int:
    total = 0
    for layer in layers:
        lines = sorted((s.start, s.end) for item in layer for s in item.targets)
        total += sum(a[1] > b[1] and a[0] < b[0] for k, b in enumerate(lines) for a in lines[:k])
    return total


def straighten(layers: list[list[Item]]) -> None:
    """Moves each item to where its neighbours want it, as far as there is room, so that lines are nearly level."""
    for sweep in range(2 * SWEEPS):
        forwards = sweep % 2 == 1  # the last, so that chains of operations come out level
        for layer in layers if forwards else reversed(layers):
            wanted = []
            for item in layer:
                if forwards:
                    pulls = [s.source.y + s.leaves - s.arrives for s in item.sources]
                else:
                    pulls = [s.target.y + s.arrives - s.leaves for s in item.targets]
                wanted.append(sum(pulls) / len(pulls) if pulls else item.y)
            spread(layer, wanted)
    for layer in reversed(layers):  # bends alone, around nodes that stay
        wanted = [item.y if item.node >= 0 else item.targets[0].target.y for item in layer]
        spread(layer, wanted, firm=1e6)


def spread(layer: list[Item], wanted: Sequence[float], firm: float = 1.0) -> None:
    """Moves items to the heights nearest to those wanted, in least squares, that leave room for each (pool adjacent
    violators). Nodes weigh `firm` times as much as bends."""
    offsets = [0.0]
    for upper, lower in pairwise(layer):
        offsets.append(offsets[-1] + upper.below + lower.above)
    blocks: list[tuple[float, float, int]] = []  # mean, weight and size
    for item, y, offset in zip(layer, wanted, offsets):
        mean, weight, size = y - offset, firm if item.node >= 0 else 1.0, 1
        while blocks and blocks[-1][0] > mean:
            other, other_weight, n = blocks.pop()
            mean = (mean * weight + other * other_weight) / (weight + other_weight)
            weight, size = weight + other_weight, size + n
        blocks.append((mean, weight, size))
    level = [mean for mean, _, size in blocks for _ in range(size)]
    for item, mean, offset in zip(layer, level, offsets):
        item.y = mean + offset
