"""Locally connected layers and DeepFace beside PyTorch, which has to emulate them by unfold and one product a place."""

import numpy as np
import pytest

import cinta as ct
from cinta import nn

torch = pytest.importorskip("torch")
F = torch.nn.functional


def locally_connected(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The same by unfold and einsum: weight [OH, OW, O, KH, KW, I/groups]."""
    oh, ow, outputs, kh, kw, inputs = weight.shape
    columns = F.unfold(x, (kh, kw), dilation=dilation, padding=padding, stride=stride)
    columns = columns.reshape(len(x), groups, inputs, kh, kw, oh, ow)
    kernels = weight.reshape(oh, ow, groups, outputs // groups, kh, kw, inputs)
    y = torch.einsum("ngiklpq,pqgokli->ngopq", columns, kernels).reshape(len(x), outputs, oh, ow)
    return y if bias is None else y + bias


class LocallyConnected2d(torch.nn.Module):
    def __init__(self, weight, stride):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(weight.shape))
        self.bias = torch.nn.Parameter(torch.empty(weight.shape[2], *weight.shape[:2]))
        self.stride = stride

    def forward(self, x):
        return locally_connected(x, self.weight, self.bias, self.stride)


class DeepFace(torch.nn.Module):
    """The twin of one of ours: the same sizes."""

    def __init__(self, ours):
        super().__init__()
        self.c1 = torch.nn.Conv2d(ours.c1.in_channels, ours.c1.out_channels, ours.c1.kernel_size)
        self.c3 = torch.nn.Conv2d(ours.c3.in_channels, ours.c3.out_channels, ours.c3.kernel_size)
        for name in ("l4", "l5", "l6"):
            layer = getattr(ours, name)
            setattr(self, name, LocallyConnected2d(layer.weight, layer.stride))
        self.f7 = torch.nn.Linear(ours.f7.in_features, ours.f7.out_features)
        self.f8 = torch.nn.Linear(ours.f8.in_features, ours.f8.out_features)

    def forward(self, x):
        x = F.max_pool2d(self.c1(x).relu(), 3, 2, ceil_mode=True)
        for layer in (self.c3, self.l4, self.l5, self.l6):
            x = layer(x).relu()
        return self.f8(self.f7(x.flatten(1)).relu())


def close(actual, expected, tolerance):
    actual, expected = actual.detach().numpy(), expected.detach().numpy()
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * abs(expected).max())


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
@pytest.mark.parametrize(
    ("arguments", "how", "shape"),
    [
        ((16, 16, 3), {"padding": 1}, (8, 16, 9, 9)),
        ((3, 5, (3, 2)), {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}, (3, 3, 9, 8)),
        ((6, 4, 3), {"groups": 2, "bias": False}, (2, 6, 7, 5)),
        ((4, 40, 5), {}, (33, 4, 8, 8)),
    ],
    ids=str,
)
def test_layer(arguments, how, shape, dtype, tolerance):
    ours = nn.LocallyConnected2d(*arguments, **how, input_size=shape[2:], dtype=dtype)
    weights = [torch.tensor(p.detach().numpy()).requires_grad_() for p in ours.parameters()]
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(dtype)
    a, b = ct.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    options = {key: value for key, value in how.items() if key != "bias"}
    y, z = ours(a), locally_connected(b, *weights, **options)
    close(y, z, tolerance)
    slope = rng.normal(size=y.shape).astype(dtype)
    (y * ct.tensor(slope)).sum().backward()
    (z * torch.tensor(slope)).sum().backward()
    for got, expected in zip([a, *ours.parameters()], [b, *weights], strict=True):
        close(got.grad, expected.grad, tolerance)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_deepface(compiled):
    ours = ct.models.DeepFace(
        7, in_channels=1, image_size=32, channels=(8, 8, 6, 4, 4), kernel_sizes=(5, 3, 3, 3, 3), features=24, dropout=0
    ).double()
    theirs = DeepFace(ours).double()
    theirs.load_state_dict({key: torch.tensor(value.numpy()) for key, value in ours.state_dict().items()})
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(5, 1, 32, 32)), rng.integers(0, 7, 5)

    def loss_of(x, labels):
        ours.zero_grad()
        loss = nn.functional.cross_entropy(ours(x), labels)
        loss.backward()
        return loss

    loss = (ct.compile(loss_of) if compiled else loss_of)(ct.tensor(x), ct.tensor(labels))
    expected = F.cross_entropy(theirs(torch.tensor(x)), torch.tensor(labels))
    expected.backward()
    close(ours(ct.tensor(x)), theirs(torch.tensor(x)), 1e-11)
    close(loss, expected, 1e-12)
    for (name, p), (key, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == key
        close(p.grad, q.grad, 1e-10)
