"""The same bits in losses and weights after 200 steps, whatever the number of threads, and again from the same seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim

STEPS = 200


def mlp() -> tuple[nn.Module, np.ndarray]:
    net = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 64), nn.Tanh(), nn.Linear(64, 10)
    )
    return net, np.random.default_rng(0).normal(size=(STEPS, 96, 64)).astype(np.float32)


def lenet() -> tuple[nn.Module, np.ndarray]:
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.Tanh(),
        nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip
    return net, np.random.default_rng(1).normal(size=(STEPS, 16, 1, 28, 28)).astype(np.float32)


def digest(parts: list[np.ndarray]) -> str:
    """Of the bits: -0.0 is not 0.0 here."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest()


def trained(
    make: Callable[[], tuple[nn.Module, np.ndarray]], threads: int, optimizer: Callable[..., optim.Optimizer]
) -> tuple[str, str]:
    ct.set_num_threads(threads)
    ct.random.seed(42)
    net, batches = make()
    opt = optimizer(net.parameters())
    targets = np.random.default_rng(2).integers(0, 10, (STEPS, batches.shape[1]))
    losses = []
    for x, target in zip(batches, targets):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(ct.tensor(x)), ct.tensor(target))
        loss.backward()
        opt.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert np.mean(losses[-20:]) < np.mean(losses[:20]) + 0.5
    return digest([np.array(losses)]), digest([p.detach().numpy() for p in net.parameters()])


OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
    "adam": lambda p: optim.Adam(p, lr=1e-3),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("make", [mlp, lenet], ids=lambda make: make.__name__)
def test_any_number_of_threads_gives_the_same_bits(make: Callable, optimizer: str) -> None:
    first = trained(make, 1, OPTIMIZERS[optimizer])
    for threads in (2, 3):
        assert trained(make, threads, OPTIMIZERS[optimizer]) == first


LARGE: dict[str, Callable[[np.random.Generator], ct.Tensor]] = {
    "sum": lambda rng: ct.tensor(rng.normal(size=(1000, 1003)), dtype="float32").sum(),
    "sum of columns": lambda rng: ct.tensor(rng.normal(size=(5000, 203)), dtype="float32").sum(0),
    "sum of rows": lambda rng: ct.tensor(rng.normal(size=(203, 5000)), dtype="float32").sum(1),
    "var": lambda rng: ct.tensor(rng.normal(size=(1000, 1003)), dtype="float32").var(),
    "prod": lambda rng: ct.tensor(rng.uniform(0.99, 1.01, size=(300_000,)), dtype="float32").prod(),
    "matmul": lambda rng: ct.tensor(rng.normal(size=(300, 701)),
                                    dtype="float32") @ ct.tensor(rng.normal(size=(701, 301)), dtype="float32"),
    "tall matmul": lambda rng: ct.tensor(rng.normal(size=(3, 20_000)),
                                         dtype="float32") @ ct.tensor(rng.normal(size=(20_000, 5)), dtype="float32"),
    "batched matmul": lambda rng: ct.tensor(rng.normal(size=(37, 50, 60)),
                                            dtype="float32") @ ct.tensor(rng.normal(size=(60, 70)), dtype="float32"),
    "softmax": lambda rng: ct.softmax(ct.tensor(rng.normal(size=(500, 1003)), dtype="float32")),
    "exp": lambda rng: ct.exp(ct.tensor(rng.normal(size=(1_000_003,)), dtype="float32")),
    "cumsum": lambda rng: ct.cumsum(ct.tensor(rng.normal(size=(300_001,)), dtype="float32")),
    "sort": lambda rng: ct.sort(ct.tensor(rng.normal(size=(300_001,)), dtype="float32")),
    "total norm": lambda rng: ct._core.total_norm([ct.tensor(rng.normal(size=300_001), dtype="float32")]),
    "scatter_add": lambda rng: ct.scatter_add(ct.zeros(50), ct.tensor(rng.integers(0, 50, 100_000)),
                                              ct.tensor(rng.normal(size=100_000), dtype="float32"), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_large_operations_do_not_depend_on_threads(name: str) -> None:
    results = []
    for threads in (1, 2, 3, 5):
        ct.set_num_threads(threads)
        results.append(digest([LARGE[name](np.random.default_rng(3)).numpy()]))
    assert len(set(results)) == 1


@pytest.mark.parametrize(("padding", "stride", "groups", "size"), [(1, 1, 1, 32), (0, 2, 1, 33), (2, 1, 4, 20)])
def test_convolution_gradients_do_not_depend_on_threads(
    padding: int, stride: int, groups: int, size: int, rng: np.random.Generator
) -> None:
    x, w, b = rng.normal(size=(13, 8, size, size)), rng.normal(size=(12, 8 // groups, 3, 3)), rng.normal(size=12)
    results = []
    for threads in (1, 2, 3):
        ct.set_num_threads(threads)
        leaves = [ct.tensor(a, dtype="float32", requires_grad=True) for a in (x, w, b)]
        y = ct.conv2d(*leaves, stride=stride, padding=padding, groups=groups)
        (y * y).sum().backward()
        results.append(digest([y.detach().numpy(), *(t.grad.numpy() for t in leaves)]))
    assert len(set(results)) == 1


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", ["batch_norm", "group_norm", "layer_norm", "local_response_norm"])
def test_norms_and_their_gradients_do_not_depend_on_threads(
    name: str, channels_last: bool, rng: np.random.Generator
) -> None:
    shape = (33, 21, 20, 8) if channels_last else (33, 8, 21, 20)
    x, w, b = rng.normal(size=shape), rng.normal(size=shape[3 if channels_last else 1]), rng.normal(size=8)
    results = []
    for threads in (1, 2, 3):
        ct.set_num_threads(threads)
        leaves = [ct.tensor(a, dtype="float32", requires_grad=True) for a in (x, w, b)]
        image, weight, bias = leaves
        if channels_last:
            image = image.transpose(0, 3, 1, 2)
        if name == "batch_norm":
            y = ct.batch_norm(image, None, None, weight, bias, training=True)
        elif name == "group_norm":
            y = ct.group_norm(image, 4, weight, bias)
        elif name == "local_response_norm":
            y = ct.local_response_norm(image * weight.reshape(8, 1, 1) + bias.reshape(8, 1, 1), 5)
        else:
            y = ct.layer_norm(image.reshape(-1, 8), 8, weight, bias)
        (y * y).sum().backward()
        results.append(digest([y.detach().numpy(), *(t.grad.numpy() for t in leaves)]))
    assert len(set(results)) == 1


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_pooling_and_its_gradient_do_not_depend_on_threads(
    name: str, channels_last: bool, rng: np.random.Generator
) -> None:
    x, results = rng.normal(size=(33, 21, 20, 24)), []
    for threads in (1, 2, 3):
        ct.set_num_threads(threads)
        leaf = ct.tensor(x, dtype="float32", requires_grad=True)
        y = getattr(ct, name)(leaf.transpose(0, 3, 1, 2) if channels_last else leaf, 3, 2, 1)
        (y * y).sum().backward()
        results.append(digest([y.detach().numpy(), leaf.grad.numpy()]))
    assert len(set(results)) == 1


def test_repeating_gives_the_same_bits(rng: np.random.Generator) -> None:
    x = ct.tensor(rng.normal(size=(64, 300)), dtype="float32")
    w = ct.tensor(rng.normal(size=(300, 200)), dtype="float32")
    assert len({digest([ct.softmax(ct.tanh(x @ w)).numpy()]) for _ in range(10)}) == 1
