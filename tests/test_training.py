"""Networks that learn: XOR, a two-layer net, an MLP step by step against NumPy in float64, LeNet on real digits."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim


def test_xor() -> None:
    x = ct.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    target = ct.tensor([[0.0], [1.0], [1.0], [0.0]])
    for seed in range(3):
        ct.random.seed(seed)
        net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        opt = optim.Adam(net.parameters(), lr=0.05)
        for _ in range(300):
            opt.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(net(x), target)
            loss.backward()
            opt.step()
        assert ((net(x).detach().numpy() > 0) == (target.numpy() > 0.5)).all()
        assert loss.item() < 0.05


def test_two_layer_net_without_modules(rng: np.random.Generator) -> None:
    """Plain tensors and a hand-written update fit a sine."""
    x = ct.tensor(np.linspace(-3, 3, 64)[:, None], dtype="float32")
    y = ct.sin(x)
    w1 = ct.tensor(rng.normal(size=(1, 32)), dtype="float32", requires_grad=True)
    b1 = ct.tensor(rng.normal(size=32), dtype="float32", requires_grad=True)
    w2 = ct.tensor(rng.normal(size=(32, 1)) / 6, dtype="float32", requires_grad=True)
    losses = []
    for _ in range(1500):
        loss = ct.mse_loss(ct.tanh(x @ w1 + b1) @ w2, y)
        loss.backward()
        with ct.no_grad():
            for p in (w1, b1, w2):
                p -= 0.05 * p.grad
                p.grad = None
        losses.append(loss.item())
    assert losses[-1] < 0.01
    assert losses[-1] < losses[0] / 10


class GoldenMLP:
    """tanh MLP with softmax cross-entropy and SGD with momentum, forward and backward by hand in float64."""

    def __init__(self, weights: list[np.ndarray], lr: float, momentum: float, decay: float) -> None:
        self.p = [w.astype(np.float64) for w in weights]
        self.v = [np.zeros_like(w) for w in self.p]
        self.rule = lr, momentum, decay

    def step(self, x: np.ndarray, target: np.ndarray) -> float:
        w1, b1, w2, b2, w3, b3 = self.p
        h1 = np.tanh(x @ w1.T + b1)
        h2 = np.tanh(h1 @ w2.T + b2)
        z = h2 @ w3.T + b3
        z -= z.max(1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        rows = np.arange(len(x))
        loss = -np.log(p[rows, target]).mean()
        dz = p.copy()
        dz[rows, target] -= 1
        dz /= len(x)
        da2 = dz @ w3 * (1 - h2**2)
        da1 = da2 @ w2 * (1 - h1**2)
        gradients = [da1.T @ x, da1.sum(0), da2.T @ h1, da2.sum(0), dz.T @ h2, dz.sum(0)]
        lr, momentum, decay = self.rule
        for i, g in enumerate(gradients):
            self.v[i] = momentum * self.v[i] + g + decay * self.p[i]
            self.p[i] = self.p[i] - lr * self.v[i]
        return float(loss)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 2e-4)])
def test_mlp_against_golden_losses(dtype: str, tolerance: float, rng: np.random.Generator) -> None:
    net = nn.Sequential(nn.Linear(20, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 5))
    weights = [(rng.normal(size=p.shape) / 4).astype(np.float32) for p in net.parameters()]
    if dtype == "float64":
        net.double()
    with ct.no_grad():
        for p, w in zip(net.parameters(), weights):
            p.copy_(w)
    golden = GoldenMLP(weights, lr=0.1, momentum=0.9, decay=1e-3)
    opt = optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    x, target = rng.normal(size=(64, 20)).astype(np.float32), rng.integers(0, 5, 64)
    for step in range(100):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(ct.tensor(x, dtype=dtype)), ct.tensor(target))
        loss.backward()
        opt.step()
        assert loss.item() == pytest.approx(golden.step(x.astype(np.float64), target), rel=tolerance), f"step {step}"
    for p, w in zip(net.parameters(), golden.p):
        np.testing.assert_allclose(p.detach().numpy(), w, atol=50 * tolerance)


def test_lenet_learns_real_digits() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    images = np.kron(images.reshape(-1, 1, 8, 8) / 8 - 1, np.ones((2, 2))).astype(np.float32)  # 16x16
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order], labels[order]
    ct.random.seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 3), nn.Tanh(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 3 * 3, 64), nn.Tanh(), nn.Linear(64, 10),
    )  # fmt: skip
    opt = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(8):
        shuffled = np.random.default_rng(epoch).permutation(1400)
        for start in range(0, 1400, 50):
            batch = shuffled[start : start + 50]
            opt.zero_grad()
            nn.functional.cross_entropy(net(ct.tensor(images[batch])), ct.tensor(labels[batch])).backward()
            opt.step()
    with ct.no_grad():
        accuracy = (net(ct.tensor(images[1400:])).argmax(1).numpy() == labels[1400:]).mean()
    assert accuracy > 0.95
