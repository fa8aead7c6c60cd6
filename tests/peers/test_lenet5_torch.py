"""models.LeNet5 beside the same networks in PyTorch, from the same weights: outputs, losses and every gradient."""

import numpy as np
import pytest

import cinta as ct
from cinta import models, nn
from cinta.models.lenet import C3_CONNECTIONS, DIGIT_CODES

torch = pytest.importorskip("torch")
F = torch.nn.functional
RNG = np.random.default_rng(8)
IMAGES, LABELS = RNG.uniform(-0.1, 1.175, (6, 1, 32, 32)), RNG.integers(0, 10, 6)
J = 60.0


def squash(x):
    return 1.7159 * torch.tanh(2 / 3 * x)


def subsample(x, weight, bias):
    return squash(F.avg_pool2d(x, 2, divisor_override=1) * weight[:, None, None] + bias[:, None, None])


def published(p, x):
    """The paper's figure 2, C3's table as a mask."""
    mask = torch.tensor(C3_CONNECTIONS)[:, :, None, None]
    x = subsample(squash(F.conv2d(x, p["c1.weight"], p["c1.bias"])), p["s2.weight"], p["s2.bias"])
    x = squash(F.conv2d(x, p["c3.weight"] * mask, p["c3.bias"]))
    x = subsample(x, p["s4.weight"], p["s4.bias"])
    x = squash(F.conv2d(x, p["c5.weight"], p["c5.bias"])).flatten(1)
    x = squash(F.linear(x, p["f6.weight"], p["f6.bias"]))
    return ((x[:, None] - torch.tensor(DIGIT_CODES.reshape(1, 10, 84))) ** 2).sum(2)


def test_as_published():
    ct.random.seed(0)
    ours = models.LeNet5(original=True).double()
    p = {name: torch.tensor(t.detach().numpy(), requires_grad=True) for name, t in ours.named_parameters()}
    p["c3.weight"] = torch.tensor(ours.c3.dense_weight().detach().numpy(), requires_grad=True)
    distances = published(p, torch.tensor(IMAGES))
    scores = ours(ct.tensor(IMAGES))
    np.testing.assert_allclose(scores.detach().numpy(), -distances.detach().numpy(), rtol=1e-10)

    target = torch.tensor(LABELS)
    rubbish = torch.log(np.exp(-J) + torch.exp(-distances).sum(1))
    theirs = (distances[torch.arange(6), target] + rubbish).mean()
    theirs.backward()
    loss = models.LeNet5Loss(J)(scores, ct.tensor(LABELS))
    loss.backward()
    assert loss.item() == pytest.approx(theirs.item(), rel=1e-10)
    for name, parameter in ours.named_parameters():
        if parameter.requires_grad:
            gradient = p[name].grad.numpy()
            gradient = gradient[C3_CONNECTIONS][:, None] if name == "c3.weight" else gradient
            np.testing.assert_allclose(parameter.grad.numpy(), gradient, rtol=1e-8, atol=1e-11, err_msg=name)


def test_as_built_today():
    t = torch.nn
    theirs = t.Sequential(
        t.Conv2d(1, 6, 5), t.Tanh(), t.AvgPool2d(2), t.Conv2d(6, 16, 5), t.Tanh(), t.AvgPool2d(2), t.Flatten(),
        t.Linear(400, 120), t.Tanh(), t.Linear(120, 84), t.Tanh(), t.Linear(84, 10),
    ).double()  # fmt: skip
    ours = models.LeNet5().double()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    y, z = ours(ct.tensor(IMAGES)), theirs(torch.tensor(IMAGES))
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-10)
    nn.functional.cross_entropy(y, ct.tensor(LABELS)).backward()
    F.cross_entropy(z, torch.tensor(LABELS)).backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-8, atol=1e-12)
