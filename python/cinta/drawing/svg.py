"""A graph as SVG, in the style of lecture notes: values in green above the lines, gradients in red below them."""

from __future__ import annotations

import re
from html import escape

from .graph import Graph, Node, Value
from .layout import Extent, Item, Layout, Segment, arrange

FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
# Its class keeps it to this picture: a notebook may put the SVG right into its page.
STYLE = f"""
.cinta-drawing text {{ font-family: {FONT}; font-size: 13px; fill: #2b3038; text-anchor: middle }}
.cinta-drawing .card {{ fill: #fdfdfb; stroke: #e4e4de }}
.cinta-drawing .line {{ fill: none; stroke: #aeb5c0; stroke-width: 1.4 }}
.cinta-drawing .end {{ fill: #aeb5c0 }}
.cinta-drawing .operation {{ fill: #ffffff; stroke: #6f7a8a; stroke-width: 1.3 }}
.cinta-drawing .leaf {{ font-weight: 600; text-anchor: end }}
.cinta-drawing .constant {{ fill: #8a919c; font-style: italic; text-anchor: end }}
.cinta-drawing .heading {{ font-size: 10.5px; fill: #8a919c }}
.cinta-drawing .forward {{ font-size: 12px; fill: #1f8a4c }}
.cinta-drawing .gradient {{ font-size: 12px; fill: #c8372d }}
"""
MARGIN = 22.0
RADIUS = 19.0
CHANNEL = 34.0  # between layers, for lines that change their height
BEND = 9.0
PORT = 11.0  # between the ends of lines at a node
STEM = 50.0  # between results of one node
GAP = 7.0  # between neighbours of a layer


def render(graph: Graph) -> str:
    sizes = [size(node) for node in graph.nodes]
    layout = arrange(graph, [extent(node, graph) for node in graph.nodes], BEND)
    columns = Columns(graph, layout)
    top = min(item.y - item.above for item in layout.items) - MARGIN + GAP
    bottom = max(item.y + item.below for item in layout.items) + MARGIN - GAP
    for item in layout.items:
        item.y -= top
    width, height = columns.width, bottom - top
    lines, marks, texts = [], [], []
    for item in layout.items:
        lines += [curve(segment, columns, sizes) for segment in item.targets]
        if item.node >= 0:
            node = graph.nodes[item.node]
            marks.append(mark(node, item, columns, sizes[item.node]))
            for v, leaves in zip(node.outputs, stems(node)):
                a, b, y = columns.nodes_end[item.layer], columns.ends[item.layer], item.y + leaves
                lines.append(f'<path class="line" d="M{a:.1f} {y:.1f}H{b:.1f}"/>')
                texts += labels(graph.values[v], node, (a + b) / 2, y)
    last = layout.items[len(graph.nodes) - 1]
    marks.append(f'<circle class="end" cx="{columns.ends[last.layer]:.1f}" cy="{last.y:.1f}" r="2.6"/>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="cinta-drawing" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
            "<title>Backpropagation: values in green above the lines, gradients in red below them</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="card" x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="10"/>',
            *lines,
            *marks,
            *texts,
            "</svg>\n",
        ]
    )


class Columns:
    """For each layer: where its nodes begin and end, and where their lines set out for the next layer."""

    def __init__(self, graph: Graph, layout: Layout):
        self.starts: list[float] = []
        self.nodes_end: list[float] = []
        self.ends: list[float] = []
        x = MARGIN
        for layer in layout.layers:
            nodes = [graph.nodes[item.node] for item in layer if item.node >= 0]
            self.starts.append(x)
            self.nodes_end.append(x + max(size(node)[0] for node in nodes))
            texts = [text_width(graph.values[v], node) for node in nodes for v in node.outputs]
            self.ends.append(self.nodes_end[-1] + max(texts) + 16)
            climbs = [abs(s.source.y + s.leaves - s.target.y - s.arrives) for item in layer for s in item.targets]
            climb = max(climbs, default=0)
            x = self.ends[-1] + CHANNEL + min(climb / 5, 60)
        self.width = self.ends[-1] + MARGIN


def plain(text: str) -> str:
    """As XML: escaped, and without the characters that XML cannot hold."""
    return escape(re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text))


def width_of(text: str, pixels: float) -> float:
    """An estimate for fonts like Helvetica: an SVG cannot measure its texts."""
    return pixels * sum(0.3 if c in ".,:;|!'[]()il " else 0.85 if c in "mwMW@" else 0.6 for c in text)


def size(node: Node) -> tuple[float, float]:
    if node.kind != "operation":
        return width_of(node.label, 14) + 8, 18.0
    height = max(2 * RADIUS, PORT * (len(node.inputs) + 1), STEM * (len(node.outputs) - 1) + 2 * RADIUS)
    return max(2 * RADIUS, width_of(node.label, 13) + 14), height


def stems(node: Node) -> list[float]:
    return [STEM * (k - (len(node.outputs) - 1) / 2) for k in range(len(node.outputs))]


def heading(value: Value, node: Node) -> str:
    """What stands above the value: the name of a result, and a tensor's shape where its values are shown too."""
    shape = value.shape if value.forward else ""
    return " ".join(filter(None, (value.name if node.kind == "operation" else "", shape)))


def text_width(value: Value, node: Node) -> float:
    texts = width_of(value.forward or value.shape, 12), width_of(value.gradient, 12)
    return max(*texts, width_of(heading(value, node), 10.5), 18.0)


def extent(node: Node, graph: Graph) -> Extent:
    half, leaves = size(node)[1] / 2, stems(node)
    above = 34.0 if heading(graph.values[node.outputs[0]], node) else 21.0
    below = 21.0 if graph.values[node.outputs[-1]].gradient else 8.0
    arrives = [PORT * (k - (len(node.inputs) - 1) / 2) for k in range(len(node.inputs))]
    return Extent(max(half, above - leaves[0]) + GAP, max(half, below + leaves[-1]) + GAP, leaves, arrives)


def curve(segment: Segment, columns: Columns, sizes: list[tuple[float, float]]) -> str:
    """From the end of the source's column to its target, and straight on to the middle of the node, which covers it."""
    source, target = segment.source, segment.target
    a, b = columns.ends[source.layer], columns.starts[target.layer]
    y, z = source.y + segment.leaves, target.y + segment.arrives
    if target.node >= 0:
        end = columns.nodes_end[target.layer] - sizes[target.node][0] / 2
    else:
        end = columns.ends[target.layer]
    c = (a + b) / 2
    return f'<path class="line" d="M{a:.1f} {y:.1f}C{c:.1f} {y:.1f} {c:.1f} {z:.1f} {b:.1f} {z:.1f}H{end:.1f}"/>'


def mark(node: Node, item: Item, columns: Columns, size: tuple[float, float]) -> str:
    width, height = size
    right, text = columns.nodes_end[item.layer], plain(node.label)
    title = f"<title>{plain(f'{node.op} at {node.site}' if node.site else node.op)}</title>"
    if node.kind != "operation":
        return f'<g>{title}<text class="{node.kind}" x="{right - 7:.1f}" y="{item.y + 4.5:.1f}">{text}</text></g>'
    x, y = right - width, item.y - height / 2
    return (
        f'<g>{title}<rect class="operation" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{RADIUS:g}"/><text x="{x + width / 2:.1f}" y="{item.y + 4.5:.1f}">{text}</text></g>'
    )


def labels(value: Value, node: Node, x: float, y: float) -> list[str]:
    texts = [
        ("heading", heading(value, node), y - 20),
        ("forward", value.forward or value.shape, y - 6),
        ("gradient", value.gradient, y + 15.5),
    ]
    return [f'<text class="{kind}" x="{x:.1f}" y="{at:.1f}">{plain(text)}</text>' for kind, text, at in texts if text]
