"""models.LeNet5, as published and as it is built today: the paper's figures, counted."""

from __future__ import annotations

import numpy as np
import pytest

import cinta as ct
from cinta import models, nn
from cinta.models.lenet import C3_CONNECTIONS, DIGIT_CODES

# Of the paper's section II.B: trained parameters of each layer.
PAPER = {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48_120, "f6": 10_164, "output": 0}
SHAPES = {"c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10), "s4": (16, 5, 5)}


def test_60_000_trained_parameters():
    net = models.LeNet5(original=True)
    trained = {
        name: sum(p.size for p in layer.parameters() if p.requires_grad)
        for name, layer in net.named_children()
        if name in PAPER
    }
    assert trained == PAPER
    assert sum(p.size for p in net.parameters() if p.requires_grad) == 60_000
    assert sum(p.size for p in models.LeNet5().parameters()) == 61_706


@pytest.mark.parametrize("original", [True, False])
def test_the_shapes_of_the_figure(original):
    net, seen = models.LeNet5(original=original), {}
    for name, layer in net.named_children():
        layer.register_forward_hook(lambda _, __, y, name=name: seen.update({name: y.shape}))
    assert net(ct.zeros((2, 1, 32, 32))).shape == (2, 10)
    assert {name: seen[name][1:] for name in SHAPES} == SHAPES
    assert [int(np.prod(seen[name][1:])) for name in ("c5", "f6", "output")] == [120, 84, 10]


def test_the_table_of_c3():
    """Six maps that see three neighbours, six that see four, three that see two pairs, and one that sees all."""
    neighbours = [[(first + i) % 6 for i in range(count)] for count in (3, 4) for first in range(6)]
    expected = [*neighbours, [0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5], [0, 1, 2, 3, 4, 5]]
    assert [np.flatnonzero(row).tolist() for row in C3_CONNECTIONS] == [sorted(row) for row in expected]


def test_the_pictures_of_the_digits():
    assert DIGIT_CODES.shape == (10, 12, 7)
    assert set(np.unique(DIGIT_CODES)) == {-1.0, 1.0}
    apart = (DIGIT_CODES[:, None] != DIGIT_CODES[None]).sum(axis=(2, 3))[~np.eye(10, dtype=bool)]
    assert apart.min() >= 7
    net = models.LeNet5(original=True)
    assert net.output.weight.tolist() == DIGIT_CODES.reshape(10, 84).tolist()
    assert not net.output.weight.requires_grad


def test_starts_as_the_paper_says():
    net = models.LeNet5(original=True)
    inputs = {"c1": 25, "s2": 4, "s4": 4, "c5": 400, "f6": 120}
    for name, count in inputs.items():
        for parameter in getattr(net, name).parameters():
            assert abs(parameter).max().item() <= 2.4 / count
        assert abs(getattr(net, name).weight).max().item() > 0.5 * 2.4 / count
    weight = net.c3.weight.detach().numpy()
    for output, row in enumerate(C3_CONNECTIONS):
        mine = weight[np.nonzero(C3_CONNECTIONS)[0] == output]
        assert 0.8 < abs(mine).max() / (2.4 / (25 * row.sum())) <= 1


def test_scores_are_distances_negated():
    net = models.LeNet5(original=True).double()
    x = ct.tensor(np.random.default_rng(0).normal(size=(3, 1, 32, 32)))
    f6 = x
    for name, layer in net.named_children():
        if name != "output":
            f6 = layer(f6)
    distances = ((f6.detach().numpy()[:, None] - DIGIT_CODES.reshape(1, 10, 84)) ** 2).sum(axis=2)
    np.testing.assert_allclose(net(x).detach().numpy(), -distances, rtol=1e-12)


@pytest.mark.parametrize("j", [0.5, 30.0])
def test_loss_is_equation_9(j):
    y = np.random.default_rng(1).uniform(0, 60, (5, 10))
    target = np.array([3, 1, 4, 1, 5])
    expected = np.mean(y[np.arange(5), target] + np.log(np.exp(-j) + np.exp(-y).sum(axis=1)))
    scores = ct.tensor(-y, requires_grad=True)
    loss = models.LeNet5Loss(j)(scores, ct.tensor(target))
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    assert loss.item() > 0
    ct.gradcheck(lambda s: models.LeNet5Loss(j)(s, ct.tensor(target)), ct.tensor(-y))


def test_rubbish_is_not_pushed_further():
    """Wrong classes further away than j have next to no gradient."""
    y = ct.tensor([[1.0, 50.0, 3.0]], requires_grad=True)
    models.LeNet5Loss(j=20.0)(-y, ct.tensor([0])).backward()
    gradient = y.grad.numpy()[0]
    assert gradient[0] > 0 > gradient[2]
    assert abs(gradient[1]) < 1e-9


@pytest.mark.parametrize("original", [True, False])
def test_learns_a_batch_compiled_as_eager(original):
    rng = np.random.default_rng(2)
    images = ct.tensor(np.kron(rng.uniform(-0.1, 1.175, (20, 1, 8, 8)), np.ones((4, 4))), dtype="float32")
    labels = ct.tensor(np.arange(20) % 10)
    runs = []
    for wrap in (lambda f: f, ct.compile):
        ct.random.seed(3)
        net = models.LeNet5(original=original)
        loss_of = models.LeNet5Loss() if original else nn.CrossEntropyLoss()
        optimizer = ct.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=5e-3)

        def step(net=net, loss_of=loss_of, optimizer=optimizer):
            optimizer.zero_grad()
            loss = loss_of(net(images), labels)
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        runs.append([step().item() for _ in range(60)])
    assert runs[0] == runs[1]
    assert runs[0][-1] < 0.5 * runs[0][0]


def test_parts():
    net = models.LeNet5(original=True)
    assert net[:4](ct.zeros((1, 1, 32, 32))).shape == (1, 6, 14, 14)
    with pytest.raises(ValueError, match="classes got 26, expected 10 with original=True"):
        models.LeNet5(classes=26, original=True)
    with pytest.raises(ValueError, match="j got 0, expected > 0"):
        models.LeNet5Loss(0)
    assert models.LeNet5(26)(ct.zeros((2, 1, 32, 32))).shape == (2, 26)


class TestSubsampling:
    def test_formula(self):
        layer = nn.Subsampling2d(3, (2, 3), stride=(2, 1)).double()
        x = np.random.default_rng(0).normal(size=(2, 3, 7, 8))
        windows = np.lib.stride_tricks.sliding_window_view(x, (2, 3), axis=(2, 3))[:, :, ::2]
        weight, bias = (p.detach().numpy()[:, None, None] for p in (layer.weight, layer.bias))
        np.testing.assert_allclose(
            layer(ct.tensor(x)).detach().numpy(), windows.sum((-1, -2)) * weight + bias, rtol=1e-12
        )
        assert layer(ct.tensor(x[0])).shape == (3, 3, 6)
        ct.gradcheck(layer, ct.tensor(x))

    def test_errors(self):
        with pytest.raises(ValueError, match="expected .* with 3 channels"):
            nn.Subsampling2d(3, 2)(ct.ones((2, 4, 8, 8)))
        with pytest.raises(ValueError, match="channels got 0"):
            nn.Subsampling2d(0, 2)


class TestRadialBasis:
    def test_formula(self):
        layer = nn.RadialBasis(5, 4).double()
        x = np.random.default_rng(0).normal(size=(2, 3, 5))
        expected = ((x[..., None, :] - layer.weight.detach().numpy()) ** 2).sum(-1)
        np.testing.assert_allclose(layer(ct.tensor(x)).detach().numpy(), expected, rtol=1e-12)
        ct.gradcheck(layer, ct.tensor(x))

    def test_errors(self):
        with pytest.raises(ValueError, match=r"centers got shape \[2, 3\], expected \[4, 5\]"):
            nn.RadialBasis(5, 4, centers=np.ones((2, 3)))
        with pytest.raises(ValueError, match="expected 5 features last"):
            nn.RadialBasis(5, 4)(ct.ones((2, 3)))


def test_scaled_tanh_maps_one_to_one():
    x = np.linspace(-3, 3, 31)
    y = nn.ScaledTanh()(ct.tensor(x)).numpy()
    np.testing.assert_allclose(y, 1.7159 * np.tanh(2 * x / 3), rtol=1e-12)
    assert nn.ScaledTanh()(ct.tensor(1.0)).item() == pytest.approx(1, abs=1e-4)
