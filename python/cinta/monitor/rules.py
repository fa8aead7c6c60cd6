"""The rules: when a number is worth a word, and the reason that the word gives.

Every limit is a name here, and every rule looks at several observations, so that one odd batch says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from typing import Any

import numpy

from .advice import Advice
from .observation import Features, Observation

RECENT = 5  # observations that a rule looks back on
CLEARLY = 3.0  # above the band, for the small last layers of healthy networks touch it
FAR_OUT = 10.0  # above the band: then two observations are enough, or one where units have died
BURST = 1.0  # a step as large as the weights: once is enough, where the loss has not come down since
STILL_SLOW = 0.7  # of the loss at first: above it, small updates are holding learning back
DEAD = 0.2  # of a layer's units
SAMPLES_OF_A_UNIT = 100  # values a unit is judged by, at least
SATURATED = 0.5  # of a layer's values
LOSS_AT_START = (0.5, 1.5)  # times ln(classes)
OFF_CENTRE = 0.4  # mean of all input over its spread
OFF_CENTRE_FEATURES = 1.0  # the same of each feature, RMS
SCALE = (0.25, 4.0)  # of the features' standard deviation, RMS
APART = 100.0  # the widest feature over the median one
SAMPLES_OF_AN_INPUT = 32
TURNED_UP = 0.02  # relative, above the best validation


_INPUT = ("input not centred", "input not scaled")
CAUSES = {  # what each may follow from: that is to be mended first
    "loss not finite": (*_INPUT, "update ratio too large"),
    "loss at start": _INPUT,
    "update ratio too large": _INPUT,
    "dead ReLU": (*_INPUT, "update ratio too large"),
    "saturated units": (*_INPUT, "update ratio too large"),
    "validation turning up": ("update ratio too large",),
    "update ratio too small": (*_INPUT, "dead ReLU", "saturated units"),
}


def with_causes(found: list[Advice]) -> list[Advice]:
    """The same, where something else was found that explains it with that as its `cause`."""
    there = {one.what for one in found}
    return [replace(one, cause=next((c for c in CAUSES.get(one.what, ()) if c in there), None)) for one in found]


def loss(history: list[Observation]) -> Iterator[Advice]:
    """Not finite."""
    if history and not math.isfinite(history[-1].loss):
        yield Advice(
            "loss not finite", None, history[-1].loss, "a finite number",
            "Nothing can be learnt from it: the learning rate is often too large; run a step inside `with ct.debug():` "
            "to find the operation that gave it first.",
        )  # fmt: skip


def update_ratios(history: list[Observation], band: tuple[float, float], judged: list[str]) -> Iterator[Advice]:
    """Of the layers that are judged: those with weights of two axes and more."""
    low, high = band
    expected = f"about 1e-3 ({low:.3g} to {high:.3g})"
    slow = bool(history) and not history[-1].loss <= STILL_SLOW * history[0].loss
    died = bool(history) and any(layer.dead > DEAD for layer in history[-1].layers.values() if not layer.output)
    for name in history[-1].layers if history else ():
        if name not in judged:
            continue
        ratios = [o.layers[name].update_ratio for o in history if name in o.layers]
        ratios = [ratio for ratio in ratios if math.isfinite(ratio)]
        if len(ratios) < 2:
            continue
        largest, recent, lr = max(ratios), ratios[-RECENT:], history[-1].lr
        ratio, whole = median(recent), len(recent) == RECENT
        rate = "" if math.isnan(lr) else f" (now {lr:.3g})"
        burst = slow and largest > (FAR_OUT * high if died else BURST)
        if burst or ratio > FAR_OUT * high or (whole and ratio > CLEARLY * high):
            yield Advice(
                "update ratio too large", name, largest if burst else ratio, expected,
                "Steps this large beside the weights make learning unstable, and it will probably fail: divide the "
                f"learning rate{rate} by 10 or more.",
            )  # fmt: skip
        elif whole and ratio < low and slow:
            yield Advice(
                "update ratio too small", name, ratio, expected,
                "Steps this small beside the weights hardly change them, so learning will probably be too slow: "
                f"multiply the learning rate{rate} by 10 or more.",
            )  # fmt: skip


def units(history: list[Observation]) -> Iterator[Advice]:
    """Dead and saturated ones, in hidden layers: an output may well be at its limits."""
    recent = history[-RECENT:]
    for name, layer in (history[-1].layers if len(recent) > 2 else {}).items():
        if layer.output:
            continue
        looks = [o.layers[name] for o in recent if name in o.layers]
        dead = [one for one in looks if one.dead_units is not None]
        dead = [one for one in dead if len(one.dead_units) == len(dead[-1].dead_units)]
        if dead and sum(one.values_per_unit for one in dead) >= SAMPLES_OF_A_UNIT:
            fraction = float(numpy.logical_and.reduce([one.dead_units for one in dead]).mean())
            if fraction > DEAD:
                yield Advice(
                    "dead ReLU", name, fraction, f"at most {DEAD:g} of its units",
                    "A ReLU that is below zero for every input passes no gradient and never comes back; too large a "
                    "learning rate is what mostly pushes units there: lower it, and begin with small weights and zero "
                    "biases.",
                )  # fmt: skip
        saturated = [one.saturated for one in looks if not math.isnan(one.saturated)]
        if saturated and median(saturated) > SATURATED:
            yield Advice(
                "saturated units", name, median(saturated), f"at most {SATURATED:g} of its values near the limits",
                "Where the curve is flat the gradient is nearly zero: a saturated unit kills the gradient of all "
                "layers before it. Begin with smaller weights, normalize the inputs, or use ReLU.",
            )  # fmt: skip


def loss_at_start(first: float | None, classes: int | None) -> Iterator[Advice]:
    """Beside that of a network that knows nothing."""
    if first is None or classes is None or not math.isfinite(first):
        return
    chance = math.log(classes)
    if LOSS_AT_START[0] * chance <= first <= LOSS_AT_START[1] * chance:
        return
    if first > chance:
        reason = (
            "A network that knows nothing should find all classes alike; this one is sure of wrong ones, and has to "
            "unlearn that first: begin with smaller random weights in the last layer (scale / sqrt(width)), and "
            "biases of zero."
        )
    else:
        reason = (
            "A network that knows nothing cannot do better than chance: either it was trained before, or the loss is "
            "not averaged over the minibatch, or the input gives the answer away."
        )
    yield Advice("loss at start", None, first, f"about ln({classes}) = {chance:.3g}", reason)


def inputs(features: Features) -> Iterator[Advice]:
    """Centred, and of about unit variance."""
    if features.sums is None or features.count < SAMPLES_OF_AN_INPUT:
        return
    mean, deviation = features.mean, features.deviation
    if not (numpy.isfinite(mean).all() and numpy.isfinite(deviation).all()):
        return
    centre = float(mean.mean())
    spread = math.sqrt(float((deviation**2).mean() + mean.var()))  # over all features together
    within = math.sqrt(float((deviation**2).mean()))
    if spread == 0:
        return
    whole = abs(centre) / spread
    each = math.sqrt(float((mean**2).mean())) / within if within else math.inf
    if whole > OFF_CENTRE or each > OFF_CENTRE_FEATURES:
        yield Advice(
            "input not centred", None, centre if whole > OFF_CENTRE else math.sqrt(float((mean**2).mean())),
            f"a mean of 0 in each feature (the spread is {spread:.3g})",
            "A weight moves in proportion to its input: inputs with a large mean make all weights of a unit move "
            "together, in large steps, which makes learning bad and slow. Subtract the training set's mean.",
        )  # fmt: skip
    positive = deviation[deviation > 0]
    apart = float(positive.max() / numpy.median(positive)) if positive.size else 1.0
    if not SCALE[0] <= within <= SCALE[1] or apart > APART:
        far = apart > APART
        yield Advice(
            "input not scaled", None, apart if far else within,
            "features of one scale" if far else "a standard deviation of about 1",
            "Weights move in proportion to their inputs, so features of another scale learn at another rate: divide "
            "each by its standard deviation, and take log(1 + x) of one that spans orders of magnitude.",
        )  # fmt: skip


def dropout(off_in_training: list[str], on_in_evaluation: list[str]) -> Iterator[Advice]:
    """In the mode that goes with what is done."""
    for name in off_in_training:
        yield Advice(
            "dropout off in training", name, 0.0, "training mode",
            "Dropout that is off does nothing against overfitting: call model.train() before the steps of training.",
        )  # fmt: skip
    for name in on_in_evaluation:
        yield Advice(
            "dropout on in evaluation", name, 1.0, "evaluation mode",
            "At test time all units take part, scaled to what they were on average; with noise left on, predictions "
            "are worse than the network is: call model.eval() before evaluating.",
        )  # fmt: skip


def validation(losses: list[tuple[int, float, float]], patience: int) -> Iterator[Advice]:
    """(step, validation loss, training loss): whether the first has been above its best for `patience` in a row."""
    if len(losses) <= patience:
        return
    best = min(range(len(losses)), key=lambda k: losses[k][1])
    later: list[Any] = losses[best + 1 :]
    limit = losses[best][1] + TURNED_UP * abs(losses[best][1])
    if len(later) < patience or not all(value > limit for _, value, _ in later[-patience:]):
        return
    overfits = later[-1][2] <= losses[best][2]
    reason = (
        "The training loss still falls, so the network is learning its examples by heart: take the weights of that "
        "step, divide the learning rate by 2 or 5 and go on, or stop; more data, augmentation and dropout help."
        if overfits
        else "The training loss rises too: divide the learning rate by 2 or 5 and go on from the best weights."
    )
    expected = f"at most its best, {losses[best][1]:.3g} at step {losses[best][0]}"
    yield Advice("validation turning up", None, later[-1][1], expected, reason)
