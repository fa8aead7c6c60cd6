"""A training step (zero_grad, forward, cross-entropy, backward, SGD with momentum) beside PyTorch's.

PyTorch is given its best: the loop, fused and foreach forms of its optimizer, and for LeNet both memory layouts.
"""

from __future__ import annotations

import argparse
import itertools
from timeit import Timer

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits, load_iris

import cinta as ct
import harness


def lenet(nn):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def mlp(nn, *widths):
    layers = [layer for i, o in itertools.pairwise(widths) for layer in (nn.Linear(i, o), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


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


def stepper(library, model, batches, **options):
    """A function that makes one step on the next batch and returns the loss."""
    optimizer = library.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, **options)
    cross_entropy, forever = library.nn.functional.cross_entropy, itertools.cycle(batches)

    def step():
        x, y = next(forever)
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def race(name: str, goal: float, build, data, batch: int, layouts=(torch.contiguous_format,), **how) -> harness.Row:
    x, y = data
    cuts = [slice(i, i + batch) for i in range(0, len(x) - batch + 1, batch)][:64]
    model = build(ct.nn)
    weights = {key: torch.from_numpy(value.detach().numpy().copy()) for key, value in model.state_dict().items()}
    ours = stepper(ct, model, [(ct.tensor(x[cut]), ct.tensor(y[cut])) for cut in cuts])
    peers = []
    for layout, options in itertools.product(layouts, ({}, {"fused": True}, {"foreach": True})):
        peer = build(torch.nn)
        peer.load_state_dict(weights)
        pairs = [(torch.from_numpy(x[cut].copy()), torch.from_numpy(y[cut].copy())) for cut in cuts]
        if layout is not torch.contiguous_format:
            peer = peer.to(memory_format=layout)
            pairs = [(images.to(memory_format=layout), labels) for images, labels in pairs]
        peers.append(stepper(torch, peer, pairs, **options))
    for _ in range(3):
        losses = [step().item() for step in (ours, *peers)]
        assert np.allclose(losses, losses[0], rtol=1e-3), f"{name}: not the same training, losses {losses}"
    return harness.compare(name, goal, *(Timer(step) for step in (ours, *peers)), **how)


def main(threads: int = 1) -> list[harness.Row]:
    harness.pin(threads)
    both = (torch.contiguous_format, torch.channels_last)
    return [
        race("step of MLP 4-8-2, batch 16", 0.12, lambda nn: mlp(nn, 4, 8, 2), irises(), 16),
        race("step of LeNet-5, batch 128", 0.7, lenet, scans(32, flat=False), 128, both, seconds=0.05),
        race("step of LeNet-5, batch 1", 0.25, lenet, scans(32, flat=False), 1, both),
        race("step of MLP 784-256-10, batch 128", 0.9, lambda nn: mlp(nn, 784, 256, 10), scans(28, flat=True), 128),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    main(parser.parse_args().threads)
