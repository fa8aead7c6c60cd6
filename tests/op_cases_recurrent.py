"""Rows of recurrent layers. The references take one step of one sequence at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_row import FLOATS, Op, Sample, sample

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def cell(kind: str, x: Any, h: Any, c: Any, weights: dict[str, Any], nonlinearity: str) -> tuple[Any, Any]:
    of_x, of_h = weights["weight_ih"] @ x, weights["weight_hh"] @ h
    if weights["bias_ih"] is not None:
        of_x = of_x + weights["bias_ih"]
    if weights["bias_hh"] is not None:
        of_h = of_h + weights["bias_hh"]
    if kind == "rnn":
        return (np.tanh if nonlinearity == "tanh" else lambda z: np.maximum(z, 0))(of_x + of_h), c
    x_gates, h_gates = np.split(of_x, GATES[kind]), np.split(of_h, GATES[kind])
    if kind == "gru":
        r, u = (sigmoid(x_gates[k] + h_gates[k]) for k in range(2))
        return (1 - u) * np.tanh(x_gates[2] + r * h_gates[2]) + u * h, c
    i, f, g, o = (a + b for a, b in zip(x_gates, h_gates))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return (h if weights["weight_hr"] is None else weights["weight_hr"] @ h), c


def layer(kind: str) -> Callable[..., Any]:
    def reference(
        x: Any, h0: Any, *rest: Any, lengths: Any = None, reverse: bool = False, nonlinearity: str = "tanh"
    ) -> Any:
        c0, weights = (rest[0], rest[1:]) if kind == "lstm" else (None, rest)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        named = dict.fromkeys(names) | dict(zip(names, weights))
        steps, batch = x.shape[:2]
        out = named["weight_hh"].shape[1]
        hidden = len(named["weight_hh"]) // GATES[kind]
        y = np.zeros((steps, batch, out))
        last_h = np.zeros((batch, out)) if h0 is None else np.array(h0)
        last_c = np.zeros((batch, hidden)) if c0 is None else np.array(c0)
        for b in range(batch):
            length = steps if lengths is None else int(lengths[b])
            for t in reversed(range(length)) if reverse else range(length):
                last_h[b], last_c[b] = cell(kind, x[t, b], last_h[b], last_c[b], named, nonlinearity)
                y[t, b] = last_h[b]
        return (y, last_h, last_c) if kind == "lstm" else (y, last_h)

    return reference


def samples(kind: str) -> Callable[[np.random.Generator], list[Sample]]:
    def draw(rng: np.random.Generator) -> list[Sample]:
        def one(steps, batch, features, hidden, states=True, biases=2, projected=None, **kwargs):
            out, rows = projected or hidden, GATES[kind] * hidden
            h0 = [rng.normal(size=(batch, out)) if states else None]
            c0 = [rng.normal(size=(batch, hidden)) if states else None] if kind == "lstm" else []
            weights = [rng.normal(size=(rows, features)), rng.normal(size=(rows, out)) / 2]
            weights += [rng.normal(size=rows) for _ in range(biases)]
            weights += [rng.normal(size=(projected, hidden))] if projected else []
            return sample(rng.normal(size=(steps, batch, features)), *h0, *c0, *weights, **kwargs)

        found = [
            one(4, 3, 2, 5),
            one(3, 2, 3, 4, states=False, biases=1, reverse=True),
            one(5, 4, 2, 3, biases=0, lengths=np.array([2, 5, 0, 4])),
            one(4, 3, 3, 2, lengths=np.array([1, 4, 2], np.int32), reverse=True),
            one(1, 1, 2, 3, states=False, biases=0),
            one(3, 0, 2, 3),
        ]
        if kind == "lstm":
            found += [one(3, 2, 3, 4, projected=2), one(4, 3, 2, 3, projected=2, lengths=np.array([4, 1, 3]))]
        if kind == "rnn":
            found += [one(3, 2, 3, 4, nonlinearity="relu", lengths=np.array([3, 2]))]
        return found

    return draw


ROWS = [Op(kind, layer(kind), samples(kind), tolerance=64, dtypes=FLOATS, method=False, order=2) for kind in GATES]
