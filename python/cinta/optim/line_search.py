"""The strong Wolfe line search: how far to go along a direction, by values and slopes."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

from cinta._core import Tensor


class Point(NamedTuple):
    """A place along the direction: how far, the loss there, its slope along the direction, its gradient."""

    t: float
    loss: float
    slope: float
    grad: Tensor


def cubic_minimum(a: Point, b: Point, low: float, high: float) -> float:
    """Where the cubic through both losses and slopes is least within [low, high]; its middle where there is no such."""
    if a.t > b.t:
        a, b = b, a
    if a.t != b.t:
        d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
        square = d1**2 - a.slope * b.slope
        if square >= 0:
            d2 = sqrt(square)
            bend = b.slope - a.slope + 2 * d2
            if bend != 0:
                return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / bend), low), high)
    return (low + high) / 2


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    longest: float,
    *,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance: float = 1e-9,
    most: int = 25,
) -> tuple[Point, int]:
    """A point that meets the strong Wolfe conditions, or the best one found, and how often `evaluate` was called.

    f(t) <= f(0) + c1 t f'(0) and |f'(t)| <= c2 |f'(0)|
    `start` is at 0, `t` the first trial, `longest` the direction's largest component, `most` a bound on trials.

    Source: Nocedal and Wright, "Numerical Optimization", algorithms 3.5 and 3.6, as in Schmidt's minFunc.
    """
    new, before, trials = evaluate(t), start, 0

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + c1 * point.t * start.slope

    # Going outwards until a minimum lies in between.
    while trials < most:
        if too_high(new) or (trials > 1 and new.loss >= before.loss):
            ends = [before, new]
            break
        if abs(new.slope) <= -c2 * start.slope:
            return new, trials + 1
        if new.slope >= 0:
            ends = [before, new]
            break
        t = cubic_minimum(before, new, new.t + 0.01 * (new.t - before.t), new.t * 10)
        before, new, trials = new, evaluate(t), trials + 1
    else:
        ends = [start, new]

    # Narrowing the bracket.
    stuck = False
    low, high = (0, 1) if ends[0].loss <= ends[1].loss else (1, 0)
    while trials < most and abs(ends[1].t - ends[0].t) * longest >= tolerance:
        left, right = sorted((ends[0].t, ends[1].t))
        t = cubic_minimum(ends[0], ends[1], left, right)
        # Too near to an end twice, or at it: a tenth of the bracket away from it.
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:
            if stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        new, trials = evaluate(t), trials + 1
        if too_high(new) or new.loss >= ends[low].loss:
            ends[high] = new
            low, high = (0, 1) if ends[0].loss <= ends[1].loss else (1, 0)
        else:
            done = abs(new.slope) <= -c2 * start.slope
            if not done and new.slope * (ends[high].t - ends[low].t) >= 0:
                ends[high] = ends[low]
            ends[low] = new
            if done:
                break
    return ends[low], trials + 1
