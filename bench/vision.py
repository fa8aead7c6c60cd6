"""The networks of `cinta.models` on photographs beside PyTorch's: training steps, and inference of one image.

A step is zero_grad, forward, cross-entropy (of auxiliary classifiers too), backward, SGD with momentum; each network
has a row for the step as it is and one under ct.compile. PyTorch is given both memory formats and its fused
optimizer. Dropout is off, as the two libraries draw other numbers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from timeit import Timer
from typing import Any, NamedTuple

import numpy as np
import torch

import cinta as ct
import harness
import training
from cinta import models

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "peers"))
import torch_vision as twins  # type: ignore[import-not-found]

NO_GOAL = float("inf")
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
Step = Callable[[], Any]


class Network(NamedTuple):
    """What is built, on images of which size, how many at a time, and the ratio hoped for."""

    goal: float
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    side: int
    batch: int
    trains: bool = True

    def batches(self) -> list[tuple[np.ndarray, np.ndarray]]:
        x, y = training.photographs(self.side, 4 * self.batch)
        return [(x[i : i + self.batch], y[i : i + self.batch]) for i in range(0, len(x), self.batch)]


PLAIN: dict[str, Any] = {"dropout": 0.0, "dropout_aux": 0.0}
PAPER: dict[str, Any] = {**PLAIN, "original": True}
NETWORKS = {
    "step of GoogLeNet at 224, batch 4": Network(
        0.50, lambda: models.GoogLeNet(**PAPER), lambda: twins.GoogLeNet(**PAPER), 224, 4
    ),
    "step of GoogLeNet with batch norm at 224, batch 4": Network(
        0.50, lambda: models.GoogLeNet(**PLAIN), lambda: twins.GoogLeNet(**PLAIN), 224, 4
    ),
    "step of Inception v3 at 299, batch 4": Network(
        0.55, lambda: models.InceptionV3(dropout=0.0), lambda: twins.InceptionV3(dropout=0.0), 299, 4
    ),
    "step of ResNet-50 at 224, batch 4": Network(
        NO_GOAL, models.ResNet50, lambda: twins.ResNet(twins.Narrow, (3, 4, 6, 3)), 224, 4
    ),
    "inference of ResNet-18 at 224, one image": Network(
        0.55, models.ResNet18, lambda: twins.ResNet(twins.Basic, (2, 2, 2, 2)), 224, 1, False
    ),
    "inference of VGG-16 at 224, one image": Network(NO_GOAL, models.VGG16, lambda: twins.VGG(16), 224, 1, False),
}


def loss_of(library: Any, outputs: Any, y: Any) -> Any:
    main, *others = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = library.nn.functional.cross_entropy(main, y)
    for scores in others:
        loss = loss + 0.3 * library.nn.functional.cross_entropy(scores, y)
    return loss


def training_step(library: Any, model: Any, **options: Any) -> Callable[..., Any]:
    optimizer = library.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, **options)

    def step(x, y):
        optimizer.zero_grad()
        loss = loss_of(library, model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def inference(library: Any, model: Any) -> Callable[..., Any]:
    model.eval()

    def run(x, _):
        with library.no_grad():
            return model(x)[:, :8].sum()

    return run


def own(network: Network, weights: Any, batches: Any, wrapper: Callable[..., Any]) -> Step:
    model = network.ours()
    model.load_state_dict({key: ct.tensor(value) for key, value in weights.items()})
    work = training_step(ct, model) if network.trains else inference(ct, model)
    return training.on_batches(wrapper(work), [(ct.tensor(x), ct.tensor(y)) for x, y in batches])


def peer(network: Network, weights: Any, batches: Any, layout: torch.memory_format) -> Step:
    model = network.theirs()
    model.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in weights.items()})
    model = model.to(memory_format=layout)
    work = training_step(torch, model, fused=True) if network.trains else inference(torch, model)
    pairs = [(torch.from_numpy(x.copy()).to(memory_format=layout), torch.from_numpy(y)) for x, y in batches]
    return training.on_batches(work, pairs)


def rows_of(name: str, network: Network) -> list[harness.Row]:
    """The step as it is and compiled, each beside PyTorch's faster memory format."""
    batches, weights = network.batches(), training.weights_of(network.ours())
    steps = {"cinta": own(network, weights, batches, training.as_it_is)}
    steps["compiled"] = own(network, weights, batches, ct.compile)
    steps |= {form: peer(network, weights, batches, layout) for form, layout in LAYOUTS.items()}
    first = {form: step().item() for form, step in steps.items()}
    assert np.allclose(list(first.values()), first["cinta"], rtol=1e-3), f"not the same model, first {first}"
    repeats = 11 if network.trains else 21
    samples = dict(zip(steps, harness.alternate(*map(Timer, steps.values()), repeats=repeats, seconds=0.02)))
    medians = {form: statistics.median(times) for form, times in samples.items()}
    best = min(LAYOUTS, key=medians.__getitem__)
    rows = []
    for form, title in (("cinta", name), ("compiled", f"compiled {name}")):
        ratio = harness.ratio_of(samples[form], samples[best])
        row = harness.Row(title, medians[form], medians[best], *ratio, network.goal, forms=f"PyTorch {best}")
        print(row, flush=True)
        rows.append(row)
    return rows


def main(threads: int = 1, only: str = "") -> list[harness.Row]:
    harness.pin(threads)
    return [row for name, network in NETWORKS.items() if only.lower() in name.lower() for row in rows_of(name, network)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    args = parser.parse_args()
    print(harness.header())
    main(args.threads, args.only)
