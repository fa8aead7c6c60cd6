"""autocast: what it casts, what it leaves, and that networks train under it with float32 masters."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import cinta as ct
from cinta import nn, optim

HALF = {
    "matmul": lambda x: ct.matmul(x, x),
    "@": lambda x: x @ x,
    "linear": lambda x: ct.linear(x, x, x[0]),
    "einsum": lambda x: ct.einsum("ij,kj->ik", x, x),
    "tensordot": lambda x: ct.tensordot(x, x, 1),
    "dot": lambda x: ct.dot(x, x),
    "inner": lambda x: ct.inner(x, x),
    "conv1d": lambda x: ct.conv1d(x[None], x[:, :, None], x[0]),
    "conv2d": lambda x: ct.conv2d(x[None, :, None], x[:, :, None, None], x[0]),
    "conv_transpose1d": lambda x: ct.conv_transpose1d(x[None], x[:, :, None]),
    "conv_transpose2d": lambda x: ct.conv_transpose2d(x[None, :, None], x[:, :, None, None], x[0]),
}
WIDE = {
    "exp": ct.exp,
    "log": ct.log,
    "sum": ct.sum,
    "method": lambda x: x.mean(axis=0),
    "var": ct.var,
    "softmax": lambda x: ct.softmax(x, 1),
    "logsumexp": ct.logsumexp,
    "layer_norm": lambda x: ct.layer_norm(x, (4,)),
    "cross_entropy": lambda x: ct.cross_entropy(x, ct.tensor([0, 1, 2, 3])),
    "mse_loss": lambda x: ct.mse_loss(x, ct.zeros((4, 4), dtype=x.dtype)),
}


@pytest.fixture
def x() -> ct.Tensor:
    return ct.tensor(np.random.default_rng(0).uniform(0.5, 1.5, (4, 4)), dtype="float32")


@pytest.mark.parametrize("name", HALF)
def test_products_are_in_bfloat16(name: str, x: ct.Tensor) -> None:
    with ct.autocast(dtype=ct.bfloat16):
        assert HALF[name](x).dtype == ct.bfloat16
        assert HALF[name](x.astype("float64")).dtype == ct.float64
    assert HALF[name](x).dtype == ct.float32


@pytest.mark.parametrize("name", WIDE)
def test_sums_and_exponentials_are_in_float32(name: str, x: ct.Tensor) -> None:
    half = x.astype("bfloat16")
    with ct.autocast():
        assert WIDE[name](half).dtype == ct.float32
        assert WIDE[name](x).dtype == ct.float32
    assert WIDE[name](half).dtype == ct.bfloat16


def test_scopes_nest_and_end(x: ct.Tensor) -> None:
    scope = ct.autocast()
    with scope:
        with ct.autocast(enabled=False):
            assert (x @ x).dtype == ct.float32
            with scope:
                assert (x @ x).dtype == ct.bfloat16
        with ct.autocast(dtype=ct.float16):
            assert (x @ x).dtype == ct.float16
        assert (x @ x).dtype == ct.bfloat16
    with pytest.raises(ZeroDivisionError), scope:
        1 / 0  # noqa: B018
    assert ct.get_autocast() is None

    @ct.autocast()
    def product(x: ct.Tensor) -> ct.Tensor:
        return x @ x

    assert product(x).dtype == ct.bfloat16
    assert ct.get_autocast() is None
    for wrong in (ct.float32, ct.int8):
        with pytest.raises(ValueError, match="bfloat16"):
            ct.autocast(dtype=wrong)


def test_a_scope_is_its_threads_own(x: ct.Tensor) -> None:
    seen = []
    with ct.autocast():
        thread = threading.Thread(target=lambda: seen.append((x @ x).dtype))
        thread.start()
        thread.join()
    assert seen == [ct.float32]


def test_gradients_arrive_in_float32(rng: np.random.Generator) -> None:
    """Near the float32 gradients; the same whether backward runs inside or outside; through a checkpoint, too."""
    x, w = (ct.tensor(rng.normal(size=(32, 32)), dtype="float32") for _ in range(2))
    net = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 32))

    def gradients(mixed: bool, inside: bool, f=net) -> list[np.ndarray]:
        leaves = [w.detach().requires_grad_(), *net.parameters()]
        for p in net.parameters():
            p.grad = None
        with ct.autocast(enabled=mixed):
            loss = (f(x @ leaves[0]) ** 2).mean()
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        assert loss.dtype == ct.float32
        assert all(p.grad.dtype == ct.float32 for p in leaves)
        return [p.grad.numpy() for p in leaves]

    exact = gradients(False, False)
    for inside in (False, True):
        for f in (net, ct.checkpoint(net)):
            for got, wanted in zip(gradients(True, inside, f), exact):
                assert np.linalg.norm(got - wanted) < 0.03 * np.linalg.norm(wanted)


def digits() -> tuple[np.ndarray, np.ndarray]:
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    return (images[order].reshape(-1, 1, 8, 8) / 8 - 1).astype(np.float32), labels[order]


def trained(images: np.ndarray, labels: np.ndarray, mixed: bool, dtype: str = "float32") -> float:
    """The accuracy of a small LeNet on what it has not seen."""
    ct.random.seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1),
        nn.Tanh(), nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    net.to(dtype=getattr(ct, dtype))
    opt = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(8):
        shuffled = np.random.default_rng(epoch).permutation(1400)
        for start in range(0, 1400, 50):
            batch = shuffled[start : start + 50]
            opt.zero_grad()
            with ct.autocast(enabled=mixed):
                x = ct.tensor(images[batch], dtype=dtype)
                loss = nn.functional.cross_entropy(net(x), ct.tensor(labels[batch]))
            loss.backward()
            opt.step()
            assert np.isfinite(loss.item())
    assert all(str(p.dtype) == dtype for p in net.parameters())
    net.eval()
    with ct.no_grad(), ct.autocast(enabled=mixed):
        found = net(ct.tensor(images[1400:], dtype=dtype)).argmax(1).numpy()
    return float((found == labels[1400:]).mean())


def test_training_reaches_the_accuracy_of_float32() -> None:
    images, labels = digits()
    exact = trained(images, labels, mixed=False)
    assert exact > 0.95
    assert trained(images, labels, mixed=True) >= exact - 0.01
    assert trained(images, labels, mixed=False, dtype="bfloat16") >= exact - 0.03
