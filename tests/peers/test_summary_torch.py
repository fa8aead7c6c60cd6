"""Multiply-adds beside PyTorch's counter of FLOPs."""

import pytest

import cinta as ct
from cinta import nn

torch = pytest.importorskip("torch")
flop_counter = pytest.importorskip("torch.utils.flop_counter")


def lenet(n):
    return n.Sequential(
        n.Conv2d(1, 6, 5, padding=2), n.Tanh(), n.AvgPool2d(2), n.Conv2d(6, 16, 5), n.Tanh(), n.AvgPool2d(2),
        n.Flatten(), n.Linear(400, 120), n.Tanh(), n.Linear(120, 84), n.Tanh(), n.Linear(84, 10),
    )  # fmt: skip


def odd_convolutions(n):
    return n.Sequential(
        n.Conv2d(1, 8, 3, stride=2), n.Conv2d(8, 8, 3, groups=8, dilation=2), n.ReLU(), n.ConvTranspose2d(8, 4, 4, 2)
    )


def mlp(n):
    return n.Sequential(n.Flatten(), n.Linear(784, 300), n.BatchNorm1d(300), n.Dropout(), n.Linear(300, 10))


@pytest.mark.parametrize("build", [lenet, odd_convolutions, mlp])
def test_multiply_adds(build):
    shape = (32, 1, 28, 28)
    with flop_counter.FlopCounterMode(display=False) as counter, torch.no_grad():
        build(torch.nn)(torch.zeros(shape))
    assert 2 * nn.summary(build(nn), shape).multiply_adds == counter.get_total_flops()
    assert ct.is_recording() is False
