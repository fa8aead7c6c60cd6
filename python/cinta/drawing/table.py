"""A graph as a table: a row for each leaf and each result of an operation."""

from __future__ import annotations

from itertools import count

from .graph import Graph


def tabulate(graph: Graph) -> str:
    names: dict[int | str, str] = {}
    given = {value.name for value in graph.values}
    free_names = (name for name in map("v{}".format, count(1)) if name not in given)
    rows = [("value", "shape", "forward", "gradient")]
    for node in graph.nodes:
        for v in node.outputs:
            value, title = graph.values[v], node.label
            names[v] = value.name or node.label
            if node.kind == "operation":
                names[v] = value.name or next(free_names)
                title = f"{names[v]} = {node.op}({', '.join(names.get(a, str(a)) for a in node.arguments)})"
            rows.append((title, value.shape, value.forward or "-", value.gradient or "-"))
    a, b, c, d = (max(len(row[k]) for row in rows) for k in range(4))
    return "\n".join(f"{row[0]:<{a}}  {row[1]:<{b}}  {row[2]:>{c}}  {row[3]:>{d}}".rstrip() for row in rows)
