"""A small convolutional net and what a Trainer needs to train it, for the tests of training."""

from __future__ import annotations

import numpy as np

import cinta as ct
from cinta import nn, optim, preprocess
from cinta.data import DataLoader, TensorDataset
from cinta.training import Callback


def net(classes=3):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2),
        nn.Linear(4 * 3 * 3, 16), nn.Tanh(), nn.Linear(16, classes),
    )  # fmt: skip


def samples(n=70):
    rng = np.random.default_rng(2)
    return rng.normal(size=(n, 1, 8, 8)).astype(np.float32), rng.integers(0, 3, n)


def loader(n=70):
    """Five batches an epoch, the last of six; two of 20 samples."""
    return DataLoader(TensorDataset(*samples(n)), batch_size=16, shuffle=True, seed=5)


class Drawn:
    """Batches in an order drawn from the global streams, with noise on them: no length, and no state of its own."""

    def __iter__(self):
        x, y = samples()
        order = ct.random.permutation(len(x)).numpy()
        for start in range(0, len(order), 16):
            chosen = order[start : start + 16]
            noise = ct.random.normal(0.0, 0.1, (len(chosen), 1, 8, 8)) + float(np.random.rand())  # noqa: NPY002
            yield ct.tensor(x[chosen]) + noise, ct.tensor(y[chosen])


class Recorded(optim.lr_scheduler.ExponentialLR):
    """A schedule that remembers which metrics it was given."""

    def __init__(self, optimizer):
        super().__init__(optimizer, gamma=0.9)
        self.metrics = []

    def step(self, metric=None):
        self.metrics.append(metric)
        super().step(metric)


def standardized(scale=1.0):
    return preprocess.Standardize(axis=None).fit(samples()[0] * scale)


def trainer(seed=0, **options):
    ct.random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    return ct.Trainer(model, optimizer, nn.CrossEntropyLoss(), **options)


def bits(*models):
    return [tensor.numpy().tobytes() for model in models for tensor in model.state_dict().values()]


class Recorder(Callback):
    def __init__(self):
        self.events = []

    def on_fit_start(self, trainer):
        self.events.append("fit start")

    def on_epoch_start(self, trainer):
        self.events.append(f"epoch {trainer.epoch}")

    def on_batch_start(self, trainer):
        x, y = trainer.batch
        assert len(x) == len(y)

    def on_batch_end(self, trainer):
        assert trainer.loss > 0
        assert all(param.grad is not None for param in trainer.model.parameters())
        self.events.append(trainer.step)

    def on_epoch_end(self, trainer):
        self.events.append(f"end {trainer.epoch} of {len(trainer.history)}")

    def on_fit_end(self, trainer):
        self.events.append("fit end")
