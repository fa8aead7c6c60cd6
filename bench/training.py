"""A training step (zero_grad, forward, cross-entropy, backward, SGD with momentum) beside PyTorch's.

PyTorch is given its best: the loop, fused and foreach forms of its optimizer, and for LeNet both memory layouts.
"""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Callable, Mapping
from timeit import Timer
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits, load_iris, load_sample_images

import cinta as ct
import harness
import models


def scans(side: int, flat: bool):
    """Scikit-learn's handwritten digits enlarged to side x side."""
    digits = load_digits()

    def enlarge(scan: np.ndarray) -> np.ndarray:
        image = Image.fromarray(scan.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
        return np.asarray(image)

    x = np.stack([enlarge(scan) for scan in digits.images])
    x = (x - x.mean()) / x.std()
    return x.reshape(len(x), -1) if flat else x[:, None], digits.target


def irises():
    """Iris: four measurements, virginica or not."""
    iris = load_iris()
    order = np.random.default_rng(0).permutation(len(iris.data))
    x = (iris.data - iris.data.mean(0)) / iris.data.std(0)
    return x[order].astype(np.float32), (iris.target[order] == 2).astype(np.int64)


def photographs(side: int, count: int = 256):
    """Patches of scikit-learn's two photographs, and which of the two each is from."""
    rng = np.random.default_rng(0)
    images = [image.astype(np.float32).transpose(2, 0, 1) / 128 - 1 for image in load_sample_images().images]
    labels = rng.integers(0, len(images), count)
    top, left = (rng.integers(0, size - side, count) for size in images[0].shape[1:])
    patches = [images[k][:, i : i + side, j : j + side] for k, i, j in zip(labels, top, left)]
    return np.stack(patches), labels


def blurred(side: int):
    """Brightness of patches at half the resolution, enlarged again, and as it was."""
    x = photographs(side)[0].mean(1, keepdims=True)
    half = [Image.fromarray(patch[0]).resize((side // 2, side // 2), Image.Resampling.BICUBIC) for patch in x]
    return np.stack([np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)) for image in half])[:, None], x


def training_step(library, model, loss_name, **options):
    """A function that makes one step on a batch and returns the loss."""
    optimizer = library.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM, **options)
    loss_of = getattr(library.nn.functional, loss_name)

    def step(x, y):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def on_batches(step, batches):
    """The step on the next of the batches, for ever."""
    forever = itertools.cycle(batches)
    return lambda: step(*next(forever))


LR, MOMENTUM = 0.01, 0.9


class Network(NamedTuple):
    """What is trained on what, and the ratio hoped for."""

    goal: float  # uncompiled
    needs_amx: bool  # for the goal; what costs per operation rather than per multiply needs none
    build: Callable[..., Any]
    data: Callable[[], tuple[np.ndarray, np.ndarray]]
    batch: int
    layouts: tuple[torch.memory_format, ...] = (torch.contiguous_format,)
    loss: str = "cross_entropy"

    def batches(self) -> list[tuple[np.ndarray, np.ndarray]]:
        x, y = self.data()
        return [(x[i : i + self.batch], y[i : i + self.batch]) for i in range(0, len(x) - self.batch + 1, self.batch)][
            :64
        ]


BOTH = (torch.contiguous_format, torch.channels_last)
FLAT, SCANS = functools.partial(scans, 28, flat=True), functools.partial(scans, 32, flat=False)
PHOTOGRAPHS = functools.partial(photographs, 32)
NETWORKS = {
    "MLP 4-8-2, batch 16": Network(0.12, False, lambda nn: models.mlp(nn, 4, 8, 2), irises, 16),
    "MLP 784-256-10, batch 128": Network(0.45, True, lambda nn: models.mlp(nn, 784, 256, 10), FLAT, 128),
    "MLP 8x1024, batch 128": Network(0.50, True, lambda nn: models.mlp(nn, 784, *[1024] * 8, 10), FLAT, 128),
    "LeNet-5, batch 128": Network(0.35, True, models.lenet, SCANS, 128, BOTH),
    "LeNet-5, batch 1": Network(0.10, False, models.lenet, SCANS, 1, BOTH),
    "VGG-style on 32x32, batch 32": Network(0.45, True, models.vgg, PHOTOGRAPHS, 32, BOTH),
    "ResNet-18 on 32x32, batch 32": Network(0.48, True, models.resnet18, PHOTOGRAPHS, 32, BOTH),
    "SRCNN 9-5-5 on 48x48, batch 16": Network(
        0.40, True, models.srcnn, functools.partial(blurred, 48), 16, BOTH, "mse_loss"
    ),
}


Step = Callable[[], Any]
Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]


def as_it_is(step: Callable[..., Any]) -> Callable[..., Any]:
    return step


def weights_of(model) -> dict[str, np.ndarray]:
    return {key: value.detach().numpy().copy() for key, value in model.state_dict().items()}


def own_step(network: Network, weights, batches, compiled: Wrapper = as_it_is) -> Step:
    model = network.build(ct.nn)
    model.load_state_dict({key: ct.tensor(value) for key, value in weights.items()})
    pairs = [(ct.tensor(x), ct.tensor(y)) for x, y in batches]
    return on_batches(compiled(training_step(ct, model, network.loss)), pairs)


def peer_step(
    network: Network,
    weights,
    batches,
    layout=torch.contiguous_format,
    options: Mapping[str, bool] = MappingProxyType({}),
    compiled: Wrapper = as_it_is,
    compiled_model: Wrapper = as_it_is,
) -> Step:
    """PyTorch's, with these options of its optimizer."""
    model = network.build(torch.nn)
    model.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    pairs = [(torch.from_numpy(x.copy()), torch.from_numpy(y.copy())) for x, y in batches]
    if layout is not torch.contiguous_format:
        model = model.to(memory_format=layout)
        pairs = [(images.to(memory_format=layout), labels) for images, labels in pairs]
    return on_batches(compiled(training_step(torch, compiled_model(model), network.loss, **options)), pairs)


def peer_steps(network: Network, weights, batches) -> dict[str, Step]:
    """PyTorch's in each of its forms."""
    steps = {}
    for layout, options in itertools.product(network.layouts, ({}, {"fused": True}, {"foreach": True})):
        form = " ".join(["channels last"] * (layout is torch.channels_last) + [*options])
        steps[form] = peer_step(network, weights, batches, layout, options)
    return steps


def check_results(results: dict[str, Any]) -> None:
    """AssertionError unless all sides compute the same at first."""
    values = list(results.values())
    assert all(np.allclose(value, values[0], rtol=1e-5) for value in values), f"not the same model, first {results}"


def steps(network: Network) -> tuple[Step, list[Step]]:
    """Ours and PyTorch's in each of its forms, from the same weights."""
    batches, weights = network.batches(), weights_of(network.build(ct.nn))
    ours, theirs = own_step(network, weights, batches), peer_steps(network, weights, batches)
    check_results({"cinta": ours().item()} | {form: step().item() for form, step in theirs.items()})
    return ours, list(theirs.values())


def main(threads: int = 1, only: str = "") -> list[harness.Row]:
    harness.pin(threads)
    rows = []
    for name, network in NETWORKS.items():
        if only.lower() in name.lower():
            ours, peers = steps(network)
            own, *others = (harness.Contestant(Timer(step)) for step in (ours, *peers))
            lacking = harness.WITH_AMX if network.needs_amx else ""
            how: dict[str, Any] = {"lacking": lacking, "seconds": 0.05, "repeats": 11}
            rows.append(harness.compare(f"step of {name}", network.goal, [own], others, **how))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    args = parser.parse_args()
    main(args.threads, args.only)
