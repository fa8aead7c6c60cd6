"""Networks, the digits and a training by hand, for the tests of ct.Monitor."""

from __future__ import annotations

from functools import cache

import numpy as np
from sklearn.datasets import load_digits

import cinta as ct
from cinta import nn

STEPS = 250


@cache
def digits():
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.data))
    return data.data[order].astype(np.float32), data.target[order]


def centred(x):
    return (x - x.mean()) / x.std()


def mlp(activation=nn.ReLU, width=64, dropout=0.0):
    ct.random.seed(0)
    middle = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(
        nn.Linear(64, width), activation(), *middle, nn.Linear(width, width), activation(), nn.Linear(width, 10)
    )


def convolutional(activation=nn.Tanh):
    ct.random.seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), activation(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(128, 32), activation(),
        nn.Linear(32, 10),
    )  # fmt: skip


def train(net, opt, x, y, steps=STEPS, batch=64, every=10, compiled=False, evaluate=None, **options):
    """The Monitor of a training by hand."""
    rng = np.random.default_rng(1)

    def step(images, labels):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        opt.step()
        return loss

    step = ct.compile(step) if compiled else step
    with ct.Monitor(net, opt, every=every, classes=10, **options) as monitor:
        for k in range(steps):
            chosen = rng.integers(0, len(x), batch)
            monitor.step(step(ct.tensor(x[chosen]), ct.tensor(y[chosen])))
            if evaluate and k % 20 == 19:
                monitor.validation(evaluate())
    return monitor


def kinds(monitor):
    return {advice.what for advice in monitor.advice()}


def shaped(net, x):
    return x.reshape(-1, 1, 8, 8) if isinstance(net[0], nn.Conv2d) else x


class Logger:
    """As training/logs.py's are."""

    def __init__(self):
        self.lines = []

    def log(self, step, values):
        self.lines.append((step, values))

    def close(self):
        pass
