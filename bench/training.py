"""A training step (zero_grad, forward, cross-entropy, backward, SGD with momentum) beside PyTorch's.

PyTorch is given its best: the loop, fused and foreach forms of its optimizer, and for LeNet both memory layouts.
"""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Callable
from timeit import Timer
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


def stepper(library, model, batches, loss_name, **options):
    """A function that makes one step on the next batch and returns the loss."""
    optimizer = library.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, **options)
    loss_of, forever = getattr(library.nn.functional, loss_name), itertools.cycle(batches)

    def step():
        x, y = next(forever)
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


class Network(NamedTuple):
    """What is trained on what, and the ratio hoped for."""

    goal: float
    needs_amx: bool  # for the goal; what costs per operation rather than per multiply needs none
    build: Callable[..., Any]
    data: Callable[[], tuple[np.ndarray, np.ndarray]]
    batch: int
    layouts: tuple[torch.memory_format, ...] = (torch.contiguous_format,)
    loss: str = "cross_entropy"


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


def steps(network: Network) -> tuple[Callable[[], Any], list[Callable[[], Any]]]:
    """Ours and PyTorch's in each of its forms, from the same weights."""
    x, y = network.data()
    cuts = [slice(i, i + network.batch) for i in range(0, len(x) - network.batch + 1, network.batch)][:64]
    model = network.build(ct.nn)
    weights = {key: torch.from_numpy(value.detach().numpy().copy()) for key, value in model.state_dict().items()}
    ours = stepper(ct, model, [(ct.tensor(x[cut]), ct.tensor(y[cut])) for cut in cuts], network.loss)
    peers = []
    for layout, options in itertools.product(network.layouts, ({}, {"fused": True}, {"foreach": True})):
        peer = network.build(torch.nn)
        peer.load_state_dict(weights)
        pairs = [(torch.from_numpy(x[cut].copy()), torch.from_numpy(y[cut].copy())) for cut in cuts]
        if layout is not torch.contiguous_format:
            peer = peer.to(memory_format=layout)
            pairs = [(images.to(memory_format=layout), labels) for images, labels in pairs]
        peers.append(stepper(torch, peer, pairs, network.loss, **options))
    losses = [step().item() for step in (ours, *peers)]
    assert np.allclose(losses, losses[0], rtol=1e-5), f"not the same model, first losses {losses}"
    return ours, peers


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
