"""Small networks of every kind, with batches for them: what ct.compile is tried on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import cinta as ct
from cinta import models, nn

Draw = Callable[[np.random.Generator], tuple[ct.Tensor, ct.Tensor]]


def classes(*shape: int, of: int = 5) -> Draw:
    """Normal inputs of this shape, batch first, and labels."""
    return lambda rng: (ct.tensor(rng.normal(size=shape), dtype="float32"), ct.tensor(rng.integers(0, of, shape[0])))


def images_last(*shape: int) -> Draw:
    """Images whose memory has channels last."""

    def draw(rng: np.random.Generator) -> tuple[ct.Tensor, ct.Tensor]:
        n, c, h, w = shape
        x = ct.tensor(rng.normal(size=(n, h, w, c)), dtype="float32").transpose(0, 3, 1, 2)
        return x, ct.tensor(rng.integers(0, 5, n))

    return draw


def targets(shape: tuple[int, ...], like: tuple[int, ...]) -> Draw:
    return lambda rng: tuple(ct.tensor(rng.normal(size=s), dtype="float32") for s in (shape, like))  # type: ignore[return-value]


def tokens(rows: int, columns: int) -> Draw:
    return lambda rng: (ct.tensor(rng.integers(0, 20, (rows, columns))), ct.tensor(rng.integers(0, 5, rows)))


class Residual(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(channels, width, 1, stride=stride, bias=False)

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + self.shortcut(x)).relu()


class Recurrent(nn.Module):
    """A plain recurrence over the second axis, from zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.onto, self.out = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 5)

    def forward(self, x: Any) -> Any:
        h = ct.zeros((x.shape[0], 8), dtype=x.dtype)
        for t in range(x.shape[1]):
            h = ct.tanh(self.into(x[:, t]) + self.onto(h))
        return self.out(h)


class Tied(nn.Module):
    """One weight used twice, once transposed, and one that is used for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(ct.random.normal(shape=(6, 6)) * 0.3)
        self.idle = nn.Parameter(ct.ones(3))
        self.head = nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        return self.head(ct.tanh(x @ self.weight) @ self.weight.T)


class Gated(nn.Module):
    """Many small elementwise operations, slices and joins."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.head = nn.Linear(6, 16), nn.Linear(16, 5)

    def forward(self, x: Any) -> Any:
        y = self.linear(x)
        a, b = y[:, :8], y[:, 8:]
        gate = ct.sigmoid(a) * b + (1 - ct.sigmoid(a)) * ct.where(b > 0, b, 0.1 * b)
        return self.head(ct.concat([gate, ct.clip(a, -1, 1) ** 2], axis=1))


class Translation(nn.Module):
    """The first four tokens are read, the others written: scores after the last."""

    def __init__(self) -> None:
        super().__init__()
        self.net = models.Seq2Seq(20, 20, 6, 8)

    def forward(self, x: Any) -> Any:
        return self.net(x[:, :4], x[:, 4:], lengths=ct.clip(x[:, 0], 1, 4))[:, -1]


MODELS: dict[str, tuple[Callable[[], nn.Module], Draw]] = {
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 5)), classes(8, 6)),
    "dropout": (lambda: nn.Sequential(nn.Linear(6, 40), nn.Dropout(0.3), nn.GELU(), nn.Dropout(0.1), nn.Linear(40, 5)),
                classes(8, 6)),
    "lenet": (lambda: nn.Sequential(nn.Conv2d(1, 3, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(3, 4, 3), nn.Tanh(),
                                    nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 5)),
              classes(6, 1, 16, 16)),
    "lenet 1998": (lambda: ct.models.LeNet5(original=True), classes(3, 1, 32, 32)),
    "vgg": (lambda: nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(),
                                  nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24 * 16, 5)), classes(2, 3, 8, 8)),
    "resnet": (lambda: nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
                                     Residual(8, 8, 1), Residual(8, 16, 2), nn.AvgPool2d(4), nn.Flatten(),
                                     nn.Linear(16, 5)), classes(4, 3, 8, 8)),
    "channels last": (lambda: nn.Sequential(nn.Conv2d(24, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
                                            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24 * 9, 5)),
                      images_last(2, 24, 6, 6)),
    "srcnn": (lambda: nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.Conv2d(6, 1, 3, padding=1)),
              targets((3, 1, 9, 9), (3, 1, 9, 9))),
    "espcn": (lambda: models.ESPCN(2, residual=True), targets((2, 1, 7, 9), (2, 1, 14, 18))),
    "fsrcnn": (lambda: models.FSRCNN(3, d=8, s=4, m=1, residual=True), targets((2, 1, 6, 5), (2, 1, 18, 15))),
    "fractional": (lambda: nn.Sequential(nn.Conv2d(1, 6, 3), nn.FractionalMaxPool2d(output_ratio=0.7), nn.ReLU(),
                                         nn.FractionalMaxPool2d(2, output_size=4, pseudo_random=False, shared=False),
                                         nn.LPPool2d(2, 2), nn.Flatten(), nn.Linear(24, 5)), classes(4, 1, 12, 12)),
    "depthwise": (lambda: nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.SiLU(), nn.Conv2d(8, 12, 1),
                                        nn.Conv2d(12, 12, 3, stride=2, groups=3), nn.Flatten(), nn.Linear(48, 5)),
                  classes(3, 8, 6, 6)),
    "locally connected": (lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2),
                                                nn.LocallyConnected2d(8, 6, 3, padding=1, input_size=5), nn.ReLU(),
                                                nn.LocallyConnected2d(6, 4, 2, stride=2, groups=2, input_size=5),
                                                nn.ReLU(), nn.Flatten(2),
                                                nn.LocallyConnected1d(4, 3, 2, bias=False, input_size=4),
                                                nn.Flatten(), nn.Linear(9, 5)), classes(3, 3, 12, 12)),
    "inception": (lambda: nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.LocalResponseNorm(5),
                                        models.Inception(8, 4, 4, 8, 2, 4, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                                        nn.Linear(20, 5)), classes(3, 3, 8, 8)),
    "norms": (lambda: nn.Sequential(nn.Linear(6, 12), nn.LayerNorm(12), nn.Tanh(), nn.GroupNorm(3, 12),
                                    nn.BatchNorm1d(12), nn.ELU(), nn.Linear(12, 5)), classes(8, 6)),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose2d(2, 4, 3, stride=2), nn.LeakyReLU(), nn.Flatten(),
                                         nn.Linear(4 * 81, 5)), classes(3, 2, 4, 4)),
    "embedding": (lambda: nn.Sequential(nn.Embedding(20, 6), nn.Flatten(), nn.Linear(24, 5)), tokens(6, 4)),
    "sequence to sequence": (Translation, tokens(6, 7)),
    "row-sparse embedding": (
        lambda: nn.Sequential(nn.Embedding(20, 6, padding_idx=2, sparse=True), nn.Flatten(), nn.Linear(24, 5)),
        tokens(6, 4),
    ),
    "recurrent": (Recurrent, classes(4, 7, 4)),
    "tied": (Tied, classes(5, 6)),
    "gated": (Gated, classes(8, 6)),
}  # fmt: skip
