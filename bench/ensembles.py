"""Ten small networks trained by one program, beside ten trainings one after the other, ours and PyTorch's.

What is timed is an epoch over scikit-learn's digits, minibatches taken from the data and all: once for the ensemble,
ten times for networks by themselves. All start from the same weights and see the same minibatches.
"""

from __future__ import annotations

import argparse
import functools
import statistics
from collections.abc import Callable
from timeit import Timer
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits

import cinta as ct
import harness
import models
import training

MEMBERS = 10


class Network(NamedTuple):
    """What is trained, on minibatches of what size, and the ratio to ten trainings of ours that is hoped for."""

    build: Callable[[Any], Any]
    batch: int
    flat: bool
    goal: float


def small_lenet(nn):
    """LeNet's layers for images of 8 x 8."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 3), nn.Tanh(),
        nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10),
    )  # fmt: skip


def mlp(nn):
    return models.mlp(nn, 64, 64, 10)


NETWORKS = {
    "MLP 64-64-10, batch 16": Network(mlp, 16, True, 0.4),
    "MLP 64-64-10, batch 32": Network(mlp, 32, True, 0.4),
    "MLP 64-64-10, batch 128": Network(mlp, 128, True, float("inf")),
    "LeNet for 8x8, batch 32": Network(small_lenet, 32, False, float("inf")),
}
Epoch = Callable[[], float]


def digits(flat: bool) -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    x = ((data.images - 4.88) / 6.02).astype(np.float32)
    return (x.reshape(len(x), -1) if flat else x[:, None]), data.target


def epochs(network: Network) -> dict[str, Epoch]:
    """What takes an epoch of all ten, by name; each returns the sum of the ten losses of its last minibatch."""
    x, y = digits(network.flat)
    order = np.random.default_rng(0).permutation(len(x))
    rows = [order[i : i + network.batch] for i in range(0, len(x) - network.batch + 1, network.batch)]
    start = ct.Ensemble(lambda: network.build(ct.nn), MEMBERS).members()
    weights = [training.weights_of(member) for member in start]

    own, own_rows = (ct.tensor(x), ct.tensor(y)), [ct.tensor(row) for row in rows]
    peer, peer_rows = (torch.from_numpy(x), torch.from_numpy(y)), [torch.from_numpy(row) for row in rows]

    def of_ours(compiled: training.Wrapper) -> Epoch:
        steps = []
        for values in weights:
            model = network.build(ct.nn)
            model.load_state_dict(values)
            steps.append(compiled(training.training_step(ct, model, "cross_entropy")))
        return functools.partial(run, steps, own, own_rows)

    def of_pytorch(**options: bool) -> Epoch:
        steps = []
        for values in weights:
            model = network.build(torch.nn)
            model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in values.items()})
            steps.append(training.training_step(torch, model, "cross_entropy", **options))
        return functools.partial(run, steps, peer, peer_rows)

    def of_ensemble(compiled: training.Wrapper) -> Epoch:
        ensemble = ct.Ensemble(start)
        optimizer = ct.optim.SGD(ensemble.parameters(), lr=training.LR, momentum=training.MOMENTUM)
        loss_of = ct.ensemble.EnsembleLoss(ct.nn.functional.cross_entropy)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = loss_of(ensemble(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return functools.partial(run, [compiled(step)], own, own_rows)

    return {
        "cinta one program": of_ensemble(ct.compile),
        "cinta one program, not compiled": of_ensemble(training.as_it_is),
        "cinta ten compiled": of_ours(ct.compile),
        "cinta ten": of_ours(training.as_it_is),
        "PyTorch ten": of_pytorch(),
        "PyTorch ten, fused optimizer": of_pytorch(fused=True),
    }


def run(steps: list[Callable[..., Any]], data: Any, rows: list[Any]) -> float:
    x, y = data
    total = 0.0
    for step in steps:
        for row in rows:
            loss = step(x[row], y[row])
        total += loss.item()
    return total


def rows_of(name: str, network: Network, **how) -> list[harness.Row]:
    sides = epochs(network)
    training.check_results({form: epoch() for form, epoch in sides.items()})
    samples = dict(zip(sides, harness.alternate(*map(Timer, sides.values()), **how)))
    medians = {form: statistics.median(times) for form, times in samples.items()}
    ours = min((form for form in sides if "one program" in form), key=medians.__getitem__)

    def row(peer: str, goal: float) -> harness.Row:
        ratio = harness.ratio_of(samples[ours], samples[peer])
        forms = f"{ours.removeprefix('cinta ')} / {peer}"
        made = harness.Row(f"epoch of {MEMBERS} x {name}", medians[ours], medians[peer], *ratio, goal, forms=forms)
        print(made, flush=True)
        return made

    pytorch = min((form for form in sides if form.startswith("PyTorch")), key=medians.__getitem__)
    no_goal = float("inf")
    return [row("cinta ten", network.goal), row("cinta ten compiled", no_goal), row(pytorch, no_goal)]


def main(threads: int = 1, only: str = "") -> list[harness.Row]:
    harness.pin(threads)
    rows = []
    for name, network in NETWORKS.items():
        if only.lower() in name.lower():
            rows += rows_of(name, network, seconds=0.1, repeats=9)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    args = parser.parse_args()
    print(harness.header("ensemble", "by themselves"))
    main(args.threads, args.only)
